"""How a rule compares with a number: at least, more than, at most, less than, or just set.

Reads through to the meaning: "shall not exceed" is at most, "no fewer than" at least.
"""

from __future__ import annotations

import re

_FILL = (
    r"(?:\s*[:(]?\s*(?:the|a|an|any|its|their|amount|amounts|value|values|level|rate|total"
    r"|sum|limit|equal to|of|ages?|about|approximately|around"
    r"|following|thresholds?|maximum|minimum|every|each|all|be|is|are|one or more|either"
    r"|\(?[a-z]\)))*\s*\(?\Z"
)
_BEFORE = {
    ">=": (
        r"equal to or (?:greater|more|higher|larger) than|(?:greater|more"
        r"|higher) than or equal to"
        r"|equal to or (?:above|over|exceed(?:s|ing)?)|equals? or exceeds?|equal(?:s"
        r"|ling)? or exceed(?:s|ing)?"
        r"|exceed(?:s|ing)? or (?:is |are )?equals?(?: to)?|(?:is )?equal to or exceeds?"
        r"|reach(?:es)? or exceeds?|meets? or exceeds?|at or above"
        r"|at (?:the )?(?:very )?least"
        r"|(?:a )?minimum(?: (?!more|less|greater|exceed|above|over|below|than|not)\w+){0,4}"
        r"|starting (?:from|at)|is or exceeds"
    ),
    "<=": (
        r"equal to or (?:less|lower|smaller|fewer) than|(?:less|lower"
        r"|smaller) than or equal to"
        r"|equal to or (?:below|under)|at or below|up to(?: and including)?|at (?:the )?most"
        r"|(?:a )?maximum(?: (?!more|less|greater|exceed|above|over|below|than|not)\w+){0,4}"
        r"|limited to|capped at|(?:upper )?limit(?: value)?|ceiling|cap|within|restricted to"
        r"|to the extent of"
    ),
    ">": (
        r"exceed(?:s|ed|ing)? (?:the|an?) (?:limit|threshold|ceiling|maximum)(?: value)?(?= of)"
        r"|more than|greater than|higher than|larger than|longer than|heavier than|over|above"
        r"|exceed(?:s|ed|ing)?|in excess of|beyond|surpass(?:es|ed|ing)?|older than"
    ),
    "<": (
        r"less than|fewer than|lower than|smaller than|shorter than|lighter than|below|under"
        r"|falls? short of|younger than"
    ),
}
_COMPILED = [
    (sign, re.compile(rf"\b(?P<c>{words}){_FILL}", re.IGNORECASE))
    for sign, words in _BEFORE.items()
]
_NOT = re.compile(
    r"\b(?:not|no|nor|never|neither|cannot)(?: (?:be|in any case|under any circumstances"
    r"|have|reduce[sd]?|at any time))*(?: \w+)? ?\Z",
    re.IGNORECASE,
)
#: "shall not be below 25 or above 90": what is denied goes on after "or".
_NEITHER = re.compile(
    r"\b(?:not|neither)(?: \w+)? (?:below|above|under|over|exceed|(?:less|more"
    r"|lower|higher|greater) than) [^.;:]{1,40}? (?:n?or)(?: be)? \Z",
    re.IGNORECASE,
)
_AFTER = (
    (">=", re.compile(
        r"\s?(?:(?: in (?:[a-z]+ )?[a-z]+)?,? ?(?:or|and) (?:more|above|over|higher"
        r"|greater|upwards?|larger|longer|older)\b(?! than| [\d(])"
        r"|,? at (?:the )?least(?=\s?[.;,)])|\s?\((?:at least|minimum)\))")),
    ("<=", re.compile(
        r"\s?(?:(?: in (?:[a-z]+ )?[a-z]+)?,? ?(?:or|and) (?:less|below|fewer|lower|under|smaller"
        r"|shorter|younger)\b(?! than| [\d(])"
        r"|,? at (?:the )?most(?=\s?[.;,)])|\s?\((?:at most|maximum)\))")),
)  # fmt: skip
_FLIPPED = {">": "<=", "<": ">=", ">=": "<", "<=": ">"}
_ITEM = re.compile(r"(?:\([a-z]{1,4}\)|[-—–•])\s*\(?\Z")
_LETTER = re.compile(r"\((?P<letter>[a-z])\)\s*\(?\Z")
_FIRST_ITEM = re.compile(r":\s*\(a\)")
#: "shall not exceed the following levels: (a) 89 dB": what is listed stands in for the number.
_FOLLOWING = re.compile(r" (?:any of )?the following(?: [a-z]+){0,3}\Z")
_AND_LATER = re.compile(r"[^.;:]* (?:and|or) ")
_AND = re.compile(r"\s?(?:,|or|and|, or|, and|/)\s?\Z")


def comparator(text: str, start: int, first: int, last: int) -> tuple[str, int]:
    """Return the sign of a number's comparison and where its words begin.

    Parameters
    ----------
    text : str
    start : int
        Start of the sentence.
    first, last : int
        The span of the number and its unit.

    Returns
    -------
    sign : str
        ``>=``, ``>``, ``<=``, ``<`` or ``=``.
    begin : int
        Start of the words of comparison, or `first`.
    """
    window = max(start, first - 90)
    before = text[window:first]
    for sign, pattern in _AFTER:
        if pattern.match(text, last):
            return sign, first
    found = _nearest(before)
    if found is None and _ITEM.search(before):
        # an item of a list is compared the way the words before the list say
        colon = _colon(text, start, first, before)
        if colon > start:
            listed = _nearest(_FOLLOWING.sub(" ", text[max(start, colon - 120) : colon]))
            return (listed[0], first) if listed else ("=", first)
    if found is None:
        return "=", first
    return found[0], window + found[1]


def _colon(text: str, start: int, first: int, before: str) -> int:
    """Return the colon that opens the list of an item: of "(b)", the one before its "(a)"."""
    label = _LETTER.search(before)
    if label and label["letter"] not in "ivx":
        opened = [match.start() for match in _FIRST_ITEM.finditer(text, start, first)]
        if opened:
            return opened[-1]
    return text.rfind(":", start, first)


def after(text: str, last: int) -> int:
    """Return the end of words of comparison after a number ("or more"), or `last`."""
    for _, pattern in _AFTER:
        match = pattern.match(text, last)
        if match:
            return match.end()
    return last


def joined(text: str, last: int, first: int) -> bool:
    """Tell whether two numbers share a comparison: "20 % or 50 %", "3 % of one or 2 % of all"."""
    between = text[last:first]
    if len(between) < 8:
        return bool(_AND.fullmatch(between))
    return len(between) < 90 and bool(_AND_LATER.fullmatch(between))


def _nearest(before: str) -> tuple[str, int] | None:
    best: tuple[int, int, str] | None = None
    for sign, pattern in _COMPILED:
        match = pattern.search(before)
        # the last match is the nearest; search goes from the left, so look further
        while match is not None:
            key = (match.end("c"), -match.start(), sign)
            if best is None or key[:2] > best[:2]:
                best = key
            match = pattern.search(before, match.start() + 1)
    if best is None:
        return None
    begin, sign = -best[1], best[2]
    negated = _NOT.search(before[:begin])
    if negated:
        return _FLIPPED[sign], negated.start()
    return (_FLIPPED[sign] if _NEITHER.search(before[:begin]) else sign), begin
