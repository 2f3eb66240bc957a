"""Quantities whose unit is not written beside them: fractions, multiples, tonnage, bare limits.

"two thirds of the votes", "up to twice the benefit", "a gross tonnage of less than 500", "shall
not be below 25": a bare number counts only where words of comparison stand right before it.
"""

from __future__ import annotations

import re

from esgml.regulatory import comparators
from esgml.regulatory.counted import Found
from esgml.regulatory.numerals import DIGITS

_FILL = r"(?: \([A-Za-z]{1,6}\))?(?: (?!year|and|shall|may|must)[a-z]+){0,6}"
#: What a number is of where its clause names it: of a refrigerant, a ship, a liquid.
_NAMED = (
    ("GWP", re.compile(
        r"\b(?:[Gg]lobal [Ww]arming [Pp]otentials?|GWP)\b" + _FILL
        + rf" (?P<n>{DIGITS})(?![\w-])")),
    ("GT", re.compile(
        r"\b[Gg]ross (?:[Rr]egistered )?[Tt]onnage\b" + _FILL
        + rf" (?P<n>{DIGITS})(?![\w-]| ?(?:GT|gross))")),
    ("pH", re.compile(r"\bpH\b" + _FILL + rf" (?P<n>{DIGITS})(?![\w-])")),
)  # fmt: skip
_FRACTION = re.compile(
    r"\b(?:(?:two|three|four)[- ](?:thirds|quarters|fourths|fifths|sixths|eighths|tenths)"
    r"|one[- ](?:third|quarter|fourth|fifth|sixth|eighth|tenth)(?! (?:countr|part(?:y|ies)"
    r"|person|of (?:the |a )?"
    r"(?:year|(?:19|20)\d))|-country)"
    r"|(?<!first )(?<!second )(?<!other )(?<!latter )(?<!last )(?:one[- ])?half"
    r"(?= (?:of (?!the year|(?:19|20)\d)|the (?!year)|its |their |majority))"
    r"|a (?:third|quarter)(?= (?:of (?!(?:the |a )?year|(?:19|20)\d)|majority)))(?![\w-])",
    re.IGNORECASE,
)
_PARTS = {
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
    "half": 2,
}
_MULTIPLE = re.compile(
    r"\b(?P<n>twice|double|triple)(?= (?:the|that|its|their|as)\b)", re.IGNORECASE
)
MULTIPLES = {"twice": 2, "double": 2, "triple": 3}
_BARE = re.compile(
    r"\b(?:(?:more|less|greater|higher|lower|fewer|larger|smaller) than(?: or equal to)?"
    r"|exceed(?:s|ing|ed)?|at (?:least|most)|maximum of|minimum of|or equal to|not more than"
    r"|(?:be|is|are|was|were|not|or|value|level|index|rate|ratio|remains?|falls?)"
    rf" (?:above|below|over)) (?P<n>{DIGITS})(?=\s?[.;,)](?!\d)"
    r"|\s?\Z| (?:and|or|but|are|is|shall|in|on|at|for|if|where|when|with|by|as|per|to)\b)"
)
_NUMBER_OF = re.compile(r"\bnumber of (?:the )?(?:[a-z-]+ ){0,2}?(?P<noun>[a-z]{3,}s)\b")
_POPULATION = re.compile(r"\bpopulations?\b[^.;]{0,60}\Z")


def unitless(text: str, start: int, end: int) -> list[Found]:
    """Return the quantities without a written unit in the sentence ``text[start:end]``."""
    found: list[Found] = []
    for name, pattern in _NAMED:
        found += [(*m.span("n"), m["n"], name, "") for m in pattern.finditer(text, start, end)]
    found += [(*m.span(), m[0], "share", "") for m in _FRACTION.finditer(text, start, end)]
    for match in _MULTIPLE.finditer(text, start, end):
        if comparators.comparator(text, start, *match.span())[0] != "=":
            found.append((*match.span(), match["n"], "times", ""))
    taken = [one[:2] for one in found]
    for match in _BARE.finditer(text, start, end):
        first, last = match.span("n")
        if any(a < last and first < b for a, b in taken) or re.fullmatch(
            r"(?:19|20)\d{2}", match["n"]
        ):
            continue
        found.append((first, last, match["n"], _of(text[max(start, first - 90) : first]), ""))
    return found


def fraction(text: str) -> float:
    """Return what a fraction in words stands for: "two-thirds" is .666667."""
    words = re.split(r"[- ]", text.lower())
    below = next(n for name, n in _PARTS.items() if words[-1].rstrip("s") == name)
    above = {"one": 1, "a": 1, "two": 2, "three": 3, "four": 4}.get(words[0], 1)
    return round(above / below, 6)


def _of(before: str) -> str:
    """Return what a bare number counts, where the words before it say so."""
    nouns = list(_NUMBER_OF.finditer(before))
    if nouns:
        return nouns[-1]["noun"]
    return "inhabitants" if _POPULATION.search(before) else ""
