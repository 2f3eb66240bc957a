"""Every point, period, length and recurrence of time in a sentence, each read once.

From the longest reading to the shortest: "for a period of five years from 11 March 2024" is one
period, not a length and a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from esgml.regulatory import dates
from esgml.regulatory.citations import adopted_on, names_something
from esgml.regulatory.dates import FOLLOWING, RECURRENCE, SAME_DAY, When
from esgml.regulatory.lengths import lengths
from esgml.regulatory.moment import Moment, widened

_UNTIL = re.compile(
    r",?\s*(?:to|until|till|through|up to|and until|up to and including|and ending on"
    r"|ending on|ending|-|–|—|and)\s*\Z"
)
_YEAR = r"(?:19|20)\d{2}"
_BASE = (
    r"(?! ?(?:levels?|prices?|guidelines?|Convention|Agreement|Treaty|Protocol|Act|edition"
    r"|emissions levels?|baseline|values?|and \d{4} levels))"
)
_YEARS = re.compile(
    rf"(?<![\d/.,(-])(?P<a>{_YEAR})(?:\s?[-–—]\s?|(?P<word> to | until "
    rf"| and (?:the year )?))(?P<b>{_YEAR}|\d{{2}}(?![\d,.]))(?![\d/]|-\d){_BASE}"
)
_NO_YEARS_BEFORE = re.compile(
    r"(?:\b(?:No|Nos|EN|ISO|IEC|SAE|UN|point|Article|Regulation|Directive|Decision|ED-"
    r"|CEN)\s?|[/:])\Z"
)
_NAMED_FOR = re.compile(r"[A-Z][a-z]+ (?:Regulation|Directive|Decision|Act|Law) for \Z")
_SEASON = re.compile(
    rf"(?<![\d/])(?P<a>{_YEAR})/(?P<b>{_YEAR}|\d{{2}})(?= (?:marketing|school|financial"
    r"|fishing|wine|academic|milk|sugar) years?\b)"
)
_ONE_YEAR = re.compile(
    r"\b(?P<lead>(?:[Bb]y|[Ii]n|[Ff]rom|[Uu]ntil|[Aa]fter|[Bb]efore|[Ss]ince|[Dd]uring"
    r"|[Ff]or|[Aa]s (?:of|from)|[Ss]tarting|beyond|by|in|from|until|till|before|after|since"
    r"|(?:until|up to) and including|during|for|as (?:of|from)|starting|beginning|commencing|ending"
    r"|through|up to|and"
    r"|prior to|(?:no|not) later than|end of|beginning of|start of|years?|the period)"
    r"(?: (?:in|with|from|on|the|of|end|calendar|financial|reporting|marketing|budget"
    r"|budgetary|fishing|academic|compliance|accounting|tax|fiscal|target|and|years?|only"
    r"|to|at|latest|by|each|for|course|beginning|start|both)){0,6}"
    rf"(?: (?P<m>{'|'.join(dates.MONTHS)}))?) (?P<y>{_YEAR})(?![\d/]|[.,-]\d|\s?[-–—]\s?\d"
    rf"|\)){_BASE}"
)
_PART_OF_YEAR = re.compile(
    rf"\b(?P<nth>first|second|third|fourth) (?P<part>half|quarter) of (?P<y>{_YEAR})(?![\d/])",
    re.IGNORECASE,
)
_MID_YEAR = re.compile(rf"\b(?:mid|early|late)[- ](?P<y>{_YEAR})(?![\d/])", re.IGNORECASE)
_MORE_YEARS = re.compile(
    rf"(?:,? and (?:in |by |from )?|, (?:in |by )?|,? or (?:in )?)(?P<y>{_YEAR})(?![\d/]"
    rf"|[.,-]\d|\s?[-–—]\s?\d){_BASE}"
)
_NOT_A_TIME = re.compile(
    r"\b(?:reference|base|baseline|compared|relative|base year|reference year"
    r"|reference period)\b[^.;,]{0,24}\Z",
    re.IGNORECASE,
)
_START_OF = re.compile(
    r"[^.;]{0,40}?\b(?:starting|beginning|commencing|for the first time|as from"
    r"|from)(?: (?:in|with|from|on|by|no later than))?(?: the)?(?: (?:calendar "
    r"|financial )?year)? ",
)
_ADJECTIVE = re.compile(r"(?:quarterly|monthly|weekly|daily|yearly|half-yearly)\Z", re.IGNORECASE)
_ADVERB_ENDS = re.compile(
    r"\s*(?:[.,;:)]|\Z|(?:thereafter|or|and|to|by|on|if|in|until|the|as|from|unless|for"
    r"|with|via|at|after)\b ?)"
)


def moments(text: str, start: int, end: int) -> list[Moment]:
    """Return the statements about time in the sentence ``text[start:end]``, in order."""
    taken: list[tuple[int, int]] = []
    found: list[Moment] = []

    def free(a: int, b: int) -> bool:
        return all(b <= c or a >= d for c, d in taken)

    def take(moment: Moment, *spans: tuple[int, int]) -> None:
        taken.extend(spans or [(moment.start, moment.end)])
        found.append(widened(text, start, end, moment))

    points = list(dates.calendar(text, start, end))
    used: set[int] = set()
    for i, point in enumerate(points):
        if i in used:
            continue
        whole_period = _period(text, start, points, i)
        if whole_period is not None:
            used.update((i, i + 1) if whole_period[1] else (i,))
            take(whole_period[0])
            continue
        if not point.value:
            take(Moment(point.start, point.end, "impossible", text[point.start : point.end]))
        elif adopted_on(text, point.start, point.end):
            take(Moment(point.start, point.end, "date", point.value, adopted=True))
        elif names_something(text, point.start):
            taken.append((point.start, point.end))
        elif not point.value.startswith("--"):
            found.append(
                widened(text, start, end, Moment(point.start, point.end, "date", point.value))
            )
            taken.append((point.start, point.end))
        else:
            begins = _begins(text, point.end, end)
            moment = Moment(point.start, point.end, "recurring", point.value)
            if begins is None:
                take(moment)
            else:
                take(
                    replace(moment, starts=begins[1], end=begins[0][1]),
                    (point.start, begins[0][1]),
                )
    for moment in _year_periods(text, start, end):
        if free(moment.start, moment.end):
            take(moment)
    for match in FOLLOWING.finditer(text, start, end):
        if free(*match.span()):
            take(_following(match))
    for match in SAME_DAY.finditer(text, start, end):
        if free(*match.span()):
            take(Moment(*match.span(), "length", "P0D", relation="after", anchor=match.span()))
    for moment in _recurring(text, start, end, found):
        if free(moment.start, moment.end):
            take(moment)
    for match in _MID_YEAR.finditer(text, start, end):
        if free(*match.span()):
            take(Moment(*match.span(), "date", match["y"]))
    for match in _PART_OF_YEAR.finditer(text, start, end):
        if free(*match.span()):
            part = ("first", "second", "third", "fourth").index(match["nth"].lower()) + 1
            take(Moment(*match.span(), "date", f"{match['y']}-{match['part'][0].upper()}{part}"))
    for moment in _single_years(text, start, end, taken):
        if free(moment.start, moment.end):
            take(moment)
    found = lengths(text, start, end, found, free)
    return sorted(found, key=lambda one: (one.start, one.end))


def _period(text: str, start: int, points: list[When], i: int) -> tuple[Moment, bool] | None:
    """Return the period two dates make, and whether it uses the next point too."""
    point = points[i]
    before = text[max(start, point.start - 40) : point.start]
    if i + 1 < len(points):
        after = points[i + 1]
        between = text[point.end : after.start]
        joined = _UNTIL.fullmatch(between)
        word = between.strip(" ,")
        opened = re.search(
            r"\b(?:from|between|period|starting on|beginning on|commencing on|as of|of|on) \Z|\A\Z",
            before,
            re.IGNORECASE,
        )
        if (
            joined
            and point.value
            and after.value
            and opened
            and (word != "and" or "between" in before.lower())
        ):
            first = point.value
            if first.startswith("--") and not after.value.startswith("--"):
                year = int(after.value[:4])
                first = f"{year if first[1:] <= after.value[4:] else year - 1}{first[1:]}"
            return Moment(point.start, after.end, "period", f"{first}/{after.value}"), True
    day = re.search(r"\b(?:from|between) (?P<d>\d{1,2}) (?:to|until|and) \Z", before, re.IGNORECASE)
    if day and point.value:
        first = f"{point.value[:-2]}{int(day['d']):02d}"
        begin = max(start, point.start - 40) + day.start()
        return Moment(begin, point.end, "period", f"{first}/{point.value}"), False
    return None


def _begins(text: str, at: int, end: int) -> tuple[tuple[int, int], str] | None:
    """Return where and when a recurrence begins: ", starting in 2026"."""
    lead = _START_OF.match(text, at, end)
    if lead is None:
        return None
    for point in dates.calendar(text, lead.end(), min(end, lead.end() + 30)):
        if point.start == lead.end() and point.value and not point.value.startswith("--"):
            return (lead.start(), point.end), point.value
    year = re.compile(rf"{_YEAR}(?![\d/]|[.,-]\d)").match(text, lead.end(), end)
    return None if year is None else ((lead.start(), year.end()), year[0])


def _year_periods(text: str, start: int, end: int) -> Iterator[Moment]:
    for pattern in (_YEARS, _SEASON):
        for match in pattern.finditer(text, start, end):
            first, last = match["a"], match["b"]
            last = first[:2] + last if len(last) == 2 else last
            before = text[max(start, match.start() - 40) : match.start()]
            word = (match.groupdict().get("word") or "").strip()
            if word.startswith("and") and not re.search(
                r"\b(?:between|from)(?: the)?(?: years?)? \Z", before
            ):
                continue
            if _NAMED_FOR.search(before):
                continue  # "the Common Provisions Regulation for 2021-2027" is a name
            if not 0 < int(last) - int(first) <= 60 or _NO_YEARS_BEFORE.search(before):
                continue
            yield Moment(match.start(), match.end(), "period", f"{first}/{last}")


def _following(match: re.Match[str]) -> Moment:
    if match["month"]:
        value = dates.length(match["nth"] or "1", "month")
    else:
        value = dates.length(match["n"] or "1", "day")
    return Moment(
        *match.span(), "length", value, relation="after", anchor=(match.end(), match.end())
    )


def _recurring(text: str, start: int, end: int, found: list[Moment]) -> Iterator[Moment]:
    yearly = [one for one in found if one.kind == "recurring" and one.value.startswith("--")]
    for match in RECURRENCE.finditer(text, start, end):
        before = text[max(start, match.start() - 24) : match.start()]
        if match["each"]:
            if re.search(
                r"\b(?:for|of|per|to|between|from|during|on|the) \Z", before, re.IGNORECASE
            ):
                continue
            if yearly and "year" in match["each"].lower():
                continue
        if (
            match["adverb"]
            and _ADJECTIVE.search(match[0])
            and not _ADVERB_ENDS.match(text, match.end())
        ):
            continue
        if (match["u"] or "").lower().startswith(("hour", "minute")):
            continue
        yield Moment(*match.span(), "recurring", dates.recurrence(match))


def _single_years(
    text: str, start: int, end: int, taken: list[tuple[int, int]]
) -> Iterator[Moment]:
    for match in _ONE_YEAR.finditer(text, start, end):
        if _NOT_A_TIME.search(text, max(start, match.start() - 60), match.start("y")):
            continue
        if match["lead"].lower().split()[0] in ("and", "years", "year", "for") and not re.match(
            r"(?:and (?:by|in|from|until|at the latest)|for|years?)\b", match["lead"].lower()
        ):
            continue
        if match["lead"].endswith(" the") and re.match(
            r" (?:[A-Z]|\d)", text[match.end("y") :][:2]
        ):
            continue  # "the 2018 Farm Bill" is a name
        month = dates.MONTHS.get(match["m"] or "", 0)
        value = f"{match['y']}-{month:02d}" if month else match["y"]
        first = match.start("m") if month else match.start("y")
        yield Moment(first, match.end("y"), "date", value, lead=match["lead"].lower())
        at = match.end("y")
        while more := _MORE_YEARS.match(text, at, end):
            yield Moment(
                more.start("y"), more.end("y"), "date", more["y"], lead=match["lead"].lower()
            )
            at = more.end("y")
