"""Counted things that a rule compares: "more than 12 passengers", "50 to 249 workers".

A count that is not compared ("the two reports") sets no limit and is left out.
"""

from __future__ import annotations

import re

from esgml.regulatory import comparators
from esgml.regulatory.numerals import DIGITS, SCALE, SPELLED
from esgml.regulatory.threshold_words import NO_NOUN, STOP_WORDS

#: Start, end, number as written, unit, per what.
Found = tuple[int, int, str, str, str]

_NUMBER = rf"(?:{DIGITS}){SCALE}?|(?:{SPELLED}){SCALE}?"
_COUNT = re.compile(
    rf"\b(?P<n>(?i:{_NUMBER}))(?P<or> or (?:more|fewer|less))?(?: \((?:\d{{1,4}}"
    r"|[a-z-]+)\))? (?P<words>(?:natural or legal |legal or natural )?(?:[a-z][a-z-]+ ){0,3}?"
    r"(?:[A-Z][A-Za-z]* ){0,2})"
    r"(?P<noun>[A-Za-z]{2,}(?<!ou)(?<!s)(?<!u)(?<!i)s|people|children|women|staff|personnel)\b",
)
_FIRST_OF_TWO = re.compile(
    rf"\b(?:between|from|with|of|employ(?:s|ing)?|having) (?P<n>{_NUMBER})"
    r"(?P<and> (?:to|and) |[-–])\Z",
    re.IGNORECASE,
)
_NUMBER_OF = re.compile(
    r"\b(?:(?:average|minimum|maximum|total) )?(?:number|total|minimum|maximum) of \Z"
)
_EXCEEDING = re.compile(r"\bexceed(?:s|ing|ed)?\b[^.;:]{0,90}\Z")
_BELOW_TWO = ("one", "1", "zero")
_A_YEAR = re.compile(r"(?:19|20)\d{2}")


def counts(text: str, start: int, end: int, refers: re.Pattern[str]) -> list[Found]:
    """Return the compared counts of the sentence ``text[start:end]``.

    Parameters
    ----------
    text : str
    start, end : int
    refers : Pattern
        What stands before a number that only refers: "Article ", "Annex ".
    """
    found: list[Found] = []
    for match in _COUNT.finditer(text, start, end):
        number = match["n"]
        if number.lower() in _BELOW_TWO or _A_YEAR.fullmatch(number):
            continue
        words = match["words"].removeprefix("natural or legal ").removeprefix("legal or natural ")
        if _is_no_thing(match["noun"], words.split()):
            continue
        before = text[max(start, match.start() - 12) : match.start()]
        if refers.search(before) or re.search(r"[\w.,/(]\Z", before):
            continue
        noun = f"Member {match['noun']}" if words.split()[-1:] == ["Member"] else match["noun"]
        pair = _FIRST_OF_TWO.search(text, max(start, match.start() - 40), match.start())
        if pair and not _A_YEAR.fullmatch(pair["n"]) and pair["n"].lower() not in _BELOW_TWO:
            found.append((*pair.span("n"), pair["n"], noun, ""))
            found.append((*match.span(), number, noun, ""))
            continue
        first = match.start()
        sign, _ = comparators.comparator(text, start, first, first + len(number))
        if sign != "=" or match["or"] or _NUMBER_OF.search(text[max(start, first - 40) : first]):
            found.append((*match.span(), number, noun, ""))
    return found


def sign_of(text: str, start: int, first: int, last: int) -> str:
    """Return the comparison of a count that its words do not say right before it."""
    before = text[max(start, first - 120) : first]
    if re.match(r"(?: to |[-–])(?:\d|[a-z])", text[last : last + 6]):
        return ">="
    if re.search(r"\d(?: to |[-–])\Z", before):
        return "<="
    if _NUMBER_OF.search(before) and _EXCEEDING.search(before):
        return ">"
    return "="


def _is_no_thing(noun: str, words: list[str]) -> bool:
    return noun.lower() in NO_NOUN or any(word.lower() in STOP_WORDS for word in words)
