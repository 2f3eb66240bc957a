"""The quantities a rule sets or compares with: number, unit, comparison, and of what.

Shares, amounts of money, masses, powers, distances and ages count wherever they are written;
counted things ("employees", "passengers") only where they are compared. Lengths of time are in the
timeline. Footnotes and article numbers are no quantities: a number needs a unit.

Weakness: of an amount in a table, the comparison may stand in a head that is not read; then the
comparison is ``=``.
"""

from __future__ import annotations

import re
from typing import Any

from esgml.regulatory import comparators, measures
from esgml.regulatory.counted import Found, counts, sign_of
from esgml.regulatory.document import MOST_READ, Document
from esgml.regulatory.numerals import DIGITS, SCALE, SPELLED, decimal_comma, value_of
from esgml.regulatory.threshold_words import ABOUT
from esgml.regulatory.unitless import MULTIPLES, fraction, unitless

_NUMBER = rf"(?:{DIGITS}){SCALE}?|(?:{SPELLED}){SCALE}?"
_MONEY = re.compile(
    rf"(?<![\w.])(?P<c1>{measures.CURRENCY_BEFORE}) ?(?P<n1>(?:{DIGITS})(?:{SCALE}|m\b"
    rf"|bn\b)?|(?:{SPELLED}){SCALE})(?:(?: to | and |[-–])"
    rf"(?P<second>(?:{measures.CURRENCY_BEFORE} ?)?(?P<n1b>(?:{DIGITS}){SCALE}?)))?"
    rf"|(?<![\w.,/])(?P<n2>{_NUMBER}) ?(?P<c2>{measures.CURRENCY_AFTER})",
)
_QUANTITY = re.compile(
    rf"(?<![\w.,/°])(?P<n>{_NUMBER})(?P<gap> ?"
    rf"|-)(?P<u>{measures.UNIT})(?P<per>{measures.PER})?(?![\w])",
    re.IGNORECASE,
)
_FIRST_OF_TWO = re.compile(
    rf"(?<![\w.,/°(])(?P<n>{_NUMBER})(?: (?:to|and|or|until) |, |[-–]| (?:and|or) (?:up to"
    r"|not more than) )\Z",
    re.IGNORECASE,
)
_AGE = re.compile(
    r"\b(?:aged |age group )(?:between |from |over |under "
    r"|at least )?(?P<a>\d{1,3})(?: years)?"
    r"(?:(?: to | and |-)(?P<b>\d{1,3}))?(?! %| months| weeks| days|\d)"
    r"|\bages? (?:of )?(?:between )?(?P<c>\d{1,3})(?:(?: to | and "
    r"|-)(?P<d>\d{1,3}))?(?! ?%|\w)"
    r"|\bage\b[^.;:]{0,60} (?:fixed|set) at (?P<e>\d{1,3}) years"
)
_A_YEAR = re.compile(r"(?:19|20)\d{2}")
_NEGATIVE = re.compile(r"(?:^|[\s(])(?:[–−-] ?|minus )\Z")
_COUNTED = ("allowances", "axles", "times", "livestock units")
_TEMPERATURES = ("°C", "K")
#: A letter right after a number is a unit only where no article is meant: "Articles 48k and 48l".
_LETTERED = re.compile(r"\b(?:Articles?|points?|paragraphs?|Annex(?:es)?)\b[^.;:]{0,60}\Z")
_REFERS = re.compile(
    r"\b(?:Articles?|Art\.|paragraphs?|points?|Annex(?:es)?|No|Nos|Parts?|Sections?"
    r"|Chapters?|Titles?|Tables?|columns?|footnotes?|[Cc]ategor(?:y|ies)|[Cc]lass(?:es)?"
    r"|Phase|Stage|Tier|indents?|Rules?|Scope|scope|Level|level|Group|Schedule|item|items"
    r"|step|Appendix|Module|OJ [LC]|p\.|EN|ISO|Euro|PM|CO|Type) ?\Z"
)
_OF_WHAT = re.compile(
    r"(?: or (?:more|less|above|below))?,? of ((?:(?!(?:by|in|from|within|before|until"
    r"|shall|may|must|which|that|who|where|if|unless|as|and|or|is|are|to"
    r"|under)\b)[^\s.,;:()]+ ?){1,12})"
)


def thresholds(
    document: Document, most: int | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the quantities of a text in order, and warnings about how they were read.

    Parameters
    ----------
    document : Document
    most : int, optional
        After how many the rest of the text is not read; `MOST_READ` where omitted.

    Returns
    -------
    items : list of dict
        ``value``, ``unit`` (a symbol, or the counted thing; empty where there is none),
        ``amount`` (number and unit as written), ``comparator`` (``>=``, ``>``, ``<=``, ``<``,
        ``=``), ``what`` (what it is about, as far as the clause says),
        ``normalised`` (value and unit, for physical units), ``per`` where it is a rate,
        ``subject`` (evidence) and ``evidence``.
    warnings : list of dict
        ``ambiguous_number``: 1,250 in a text that never shows which comma it writes.
    """
    comma = decimal_comma(document.text)
    reader = _Reader(document, comma)
    for start, end in document.sentences:
        if len(reader.items) >= (MOST_READ if most is None else most):
            break
        reader.read(start, end)
    return reader.items, reader.warnings


class _Reader:
    """Collects the quantities of one document."""

    def __init__(self, document: Document, comma: bool | None) -> None:
        self.document = document
        self.comma = comma
        self.items: list[dict[str, Any]] = []
        self.warnings: list[dict[str, Any]] = []

    def read(self, start: int, end: int) -> None:
        """Add the quantities of the sentence ``text[start:end]``."""
        text = self.document.text
        found: list[Found] = []

        def free(a: int, b: int) -> bool:
            return all(b <= one[0] or a >= one[1] for one in found)

        for match in _MONEY.finditer(text, start, end):
            unit = measures.symbol(match["c1"] or match["c2"])
            if match["n1b"]:
                scale = re.search(SCALE + r"\Z", match["n1b"])
                first = match["n1"] + (
                    scale[0] if scale and not re.search(SCALE, match["n1"]) else ""
                )
                found.append((match.start(), match.end("n1"), first, unit, ""))
                found.append((*match.span("second"), match["n1b"], unit, ""))
            else:
                number = match["n1"] or match["n2"]
                found.append(
                    (match.start(), match.end(), re.sub(r"(?<=\d)m\b", " mn", number), unit, "")
                )
        for match in _AGE.finditer(text, start, end):
            names = ("a", "b") if match["a"] else ("c", "d") if match["c"] else ("e",)
            found += [
                (*match.span(name), match[name], "years of age", "")
                for name in names
                if match[name] and free(*match.span(name))
            ]
        for match in _QUANTITY.finditer(text, start, end):
            before = text[max(start, match.start() - 24) : match.start()]
            if not free(*match.span()) or _REFERS.search(before):
                continue
            unit, per = measures.symbol(match["u"]), (match["per"] or "").strip()
            if per.startswith("/") and not re.match(r"/ ?(?:day|year|hour|month)", per):
                unit, per = unit + per.replace(" ", ""), ""
            if len(match["u"]) == 1 and match["u"] != "%" and not _plain_symbol(match["u"]):
                continue
            if unit in _COUNTED and _A_YEAR.fullmatch(match["n"]):
                continue  # "from 2023 allowances shall"
            lead = text[max(start, match.start() - 80) : match.start()]
            if len(match["u"]) == 1 and not match["gap"] and _LETTERED.search(lead):
                continue
            self._first_of_two(text, start, match, unit, per, found)
            sign = unit in _TEMPERATURES and _NEGATIVE.search(lead)
            first = match.start() - (len(sign[0].lstrip(" (")) if sign else 0)
            found.append((first, match.end(), ("-" if sign else "") + match["n"], unit, per))
        for one in [*counts(text, start, end, _REFERS), *unitless(text, start, end)]:
            if free(*one[:2]):
                found.append(one)
        previous: tuple[int, str, str] | None = None
        for first, last, number, unit, per in sorted(found):
            previous = self._add(start, end, first, last, number, unit, per, previous)

    def _first_of_two(
        self, text: str, start: int, match: re.Match[str], unit: str, per: str,
        found: list[Found],
    ) -> None:  # fmt: skip
        """Add the numbers that share the unit of the last: "between 6 and 40 km/h"."""
        at = match.start()
        for _ in range(8):
            other = _FIRST_OF_TWO.search(text, max(start, at - 40), at)
            if other is None:
                return
            before = text[max(start, other.start() - 24) : other.start()]
            if _REFERS.search(before) or re.search(
                r"\b(?:Articles?|paragraphs?|points?)\b[^a-z]*\Z", before
            ):
                return
            if _A_YEAR.fullmatch(other["n"]):
                return
            if any(other.start("n") < one[1] and one[0] < other.end("n") for one in found):
                return  # an amount of money, or a quantity with a unit of its own
            found.append((other.start("n"), other.end("n"), other["n"], unit, per))
            at = other.start()

    def _add(
        self, start: int, end: int, first: int, last: int, number: str, unit: str, per: str,
        previous: tuple[int, str, str] | None,
    ) -> tuple[int, str, str]:  # fmt: skip
        text = self.document.text
        value, doubtful = self._value(number, unit)
        value = int(value) if float(value).is_integer() else value
        number_end = first + len(number) if text[first : first + len(number)] == number else last
        sign, begin = comparators.comparator(text, start, first, last)
        if sign == "=" and number_end != last:
            sign, _ = comparators.comparator(text, start, first, number_end)
        lead = text[max(start, first - 60) : first]
        if re.search(r"\bbetween \Z", lead):
            sign = ">="
        elif re.search(r"\bbetween [^.;]{1,30} and \Z", lead):
            sign = "<="
        elif unit == "years of age" and sign == "=":
            sign = _age_sign(text, lead, last)
        elif sign == "=" and (told := sign_of(text, start, first, last)) != "=":
            sign = told
        elif sign == "=" and previous is not None:
            near, same = first - previous[0] < 8, unit == previous[2]
            if (near or same) and comparators.joined(text, previous[0], first):
                sign = previous[1]
        stop = min(end, max(last, comparators.after(text, last)))
        evidence = self.document.evidence(begin, stop)
        item: dict[str, Any] = {
            "what": self._about(first, last),
            "value": value,
            "unit": unit,
            "comparator": sign,
            "amount": text[first:last],
        }
        if per:
            item["per"] = re.sub(r"\A(?:/|per\b|an?\b)\s*", "", per)
        normal = measures.normal(value, unit)
        if normal[1] != unit:
            item["normalised"] = {"value": normal[0], "unit": normal[1]}
        subject = _OF_WHAT.match(text, stop, end)
        if subject:
            item["subject"] = self.document.evidence(
                subject.start(1), subject.start(1) + len(subject[1].rstrip())
            )
        item["evidence"] = evidence
        self.items.append(item)
        if doubtful and not number.endswith(",000"):
            self.warnings.append(
                {
                    "code": "ambiguous_number",
                    "message": f"{number} is read as {value:g}; the comma may be a decimal one.",
                    "evidence": evidence,
                }
            )
        return last, sign, unit

    def _value(self, number: str, unit: str) -> tuple[float, bool]:
        if unit == "share":
            return fraction(number), False
        if number.lower() in MULTIPLES:
            return MULTIPLES[number.lower()], False
        value, doubtful = value_of(number.lstrip("-"), self.comma)
        return (-value if number.startswith("-") else value), doubtful

    def _about(self, first: int, last: int) -> str:
        """Return what the quantity is about: the nearest word of its clause that says so."""
        start, end = self.document.clause(first)
        start, end = max(start, first - 160), min(end, last + 90)
        clause, at = self.document.text[start:end], first - start
        best = ("quantity", 10_000)
        for name, pattern in ABOUT:
            for match in pattern.finditer(clause):
                after = match.start() - (last - start)
                distance = after if after >= 0 else at - match.end()
                if distance < best[1]:
                    best = (name, distance)
        return best[0]


def _plain_symbol(unit: str) -> bool:
    """Tell whether a one-letter unit is written as its symbol is: "5 t", not "5 T"."""
    return unit in "tgmlVWK"


def _age_sign(text: str, lead: str, last: int) -> str:
    """Return the comparison of an age: "aged 15 to 24" has a first and a last year."""
    if re.match(r"(?: years)?(?: to |-)\d", text[last : last + 12]):
        return ">="
    if re.search(r"\baged? (?:group |of )?\d{1,3}(?: years)?(?: to |-)\Z", lead):
        return "<="
    return ">=" if re.search(r"minimum age\b", lead) else "="
