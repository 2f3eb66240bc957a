"""Every point, period, length and recurrence of time in a sentence, each read once.

From the longest reading to the shortest: "for a period of five years from 11 March 2024" is one
period, not a length and a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from esgml.regulatory import dates
from esgml.regulatory.citations import adopted_on, names_something
from esgml.regulatory.dates import FOLLOWING, LENGTH, RECURRENCE, SAME_DAY, When
from esgml.regulatory.numerals import SPELLED, whole


@dataclass(frozen=True)
class Moment:
    """One statement about time.

    Attributes
    ----------
    start, end : int
        In the text as read, with the words that lead to it ("no later than").
    kind : str
        ``date``, ``period``, ``length``, ``recurring``, ``impossible``.
    value : str
        ISO 8601, see `dates`.
    lead : str
        The words before it, lower case.
    relation, anchor : str, tuple of int
        ``before`` or ``after`` what, for a length.
    starts : str
        When a recurrence begins, where the text says so.
    adopted : bool
        Whether it is the date of the text itself.
    """

    start: int
    end: int
    kind: str
    value: str
    lead: str = ""
    relation: str = ""
    anchor: tuple[int, int] | None = None
    starts: str = ""
    adopted: bool = False


_LEAD = re.compile(
    r"(?:\b(?:at the latest (?:by|from|on|in|within)|not? later than(?: the end of)?|by(?: the end of)?|from|as from|as of|with effect (?:from|as of)"
    r"|until|till|up to|before|after|prior to|since|on or (?:after|before)|on|in|during|between|for|within(?: a period of)?|starting(?: on| from| in)?|beginning(?: on| in)?"
    r"|commencing(?: on| in)?|ending on|expiring on|for a (?:maximum |minimum )?(?:further )?period of(?: at least| up to| not more than)?|a period of|(?:at )?(?:least|most)|at least|not less than"
    r"|more than|less than|up to|exceed(?:ing)?|every|to|and|the (?:last|first|next|previous|preceding|following)|the) )+\Z",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r",? (?:at the latest|of (?:each|every|that|the same|the following|the preceding|the previous|any given|a given) (?:calendar |financial |reporting )?year"
    r"|(?:each|every) (?:calendar )?year|thereafter|inclusive)",
    re.IGNORECASE,
)
_UNTIL = re.compile(
    r",?\s*(?:to|until|till|through|up to|and until|up to and including|and ending on|ending on|ending|-|–|—|and)\s*\Z"
)
_YEAR = r"(?:19|20)\d{2}"
_BASE = r"(?! ?(?:levels?|prices?|guidelines?|Convention|Agreement|Treaty|Protocol|Act|edition|emissions levels?|baseline|values?|and \d{4} levels))"
_YEARS = re.compile(
    rf"(?<![\d/.,(-])(?P<a>{_YEAR})(?:\s?[-–—]\s?|(?P<word> to | until | and (?:the year )?))(?P<b>{_YEAR}|\d{{2}}(?![\d,.]))(?![\d/]|-\d){_BASE}"
)
_NO_YEARS_BEFORE = re.compile(
    r"(?:\b(?:No|Nos|EN|ISO|IEC|SAE|UN|point|Article|Regulation|Directive|Decision|ED-|CEN)\s?|[/:])\Z"
)
_SEASON = re.compile(
    rf"(?<![\d/])(?P<a>{_YEAR})/(?P<b>{_YEAR}|\d{{2}})(?= (?:marketing|school|financial|fishing|wine|academic|milk|sugar) years?\b)"
)
_ONE_YEAR = re.compile(
    r"\b(?P<lead>(?:[Bb]y|[Ii]n|[Ff]rom|[Uu]ntil|[Aa]fter|[Bb]efore|[Ss]ince|[Dd]uring|[Ff]or|[Aa]s (?:of|from)|[Ss]tarting|beyond|by|in|from|until|till|before|after|since|during|for|as (?:of|from)|starting|beginning|commencing|ending|through|up to|and|prior to|(?:no|not) later than|end of|beginning of|start of|years?|the period)"
    r"(?: (?:in|with|from|on|the|of|end|calendar|financial|reporting|marketing|budget|budgetary|fishing|academic|compliance|accounting|tax|fiscal|target|and|years?|only|to|at|latest|by|each|for|course|beginning|start|both)){0,6}"
    rf"(?: (?P<m>{'|'.join(dates.MONTHS)}))?) (?P<y>{_YEAR})(?![\d/]|[.,-]\d|\s?[-–—]\s?\d|\)){_BASE}"
)
_PART_OF_YEAR = re.compile(
    rf"\b(?P<nth>first|second|third|fourth) (?P<part>half|quarter) of (?P<y>{_YEAR})(?![\d/])",
    re.IGNORECASE,
)
_MORE_YEARS = re.compile(
    rf"(?:,? and (?:in |by |from )?|, (?:in |by )?|,? or (?:in )?)(?P<y>{_YEAR})(?![\d/]|[.,-]\d|\s?[-–—]\s?\d){_BASE}"
)
_NOT_A_TIME = re.compile(
    r"\b(?:reference|base|baseline|compared|relative|base year|reference year|reference period)\b[^.;,]{0,24}\Z",
    re.IGNORECASE,
)
_START_OF = re.compile(
    r"[^.;]{0,40}?\b(?:starting|beginning|commencing|for the first time|as from|from)(?: (?:in|with|from|on|by|no later than))?(?: the)?(?: (?:calendar |financial )?year)? ",
)
_LENGTH_AFTER = re.compile(
    r"(?: period)?(?:,)?(?: (?P<rel>from|of|after|following|before|prior to|preceding|in advance of|ahead of|since|beginning|starting|commencing|as from|as of|counting from|counted from|running from)(?: on| from| with)?)(?: the)? "
)
_NOT_LENGTH_AFTER = re.compile(
    r" (?:of age\b|old\b|(?:moving |rolling |running )?(?:average|mean|maturity|bond|exposure)|average\b|preceding average)"
)
_NOT_LENGTH_BEFORE = re.compile(
    r"\b(?:aged|age of|ages? (?:over|under|below|above)|average (?:of|over)(?: the)?(?: (?:last|preceding))?|averaged over|averaging|mean over)(?: (?:at least|over|under))? \Z",
    re.IGNORECASE,
)
_HOURS_LEAD = re.compile(
    r"\b(?:within|later than|least|for|up to|period of|than|maximum of|next|first|last|every|exceed|exceeding|after|following)(?: the)?(?: (?:first|next|last))? \Z",
    re.IGNORECASE,
)
_TWO_LENGTHS = re.compile(
    rf"(?<![\w.,/-])(?P<n>\d{{1,3}}|{SPELLED})(?: (?:to|and|or) |[-–])\Z", re.IGNORECASE
)
_INTERVALS = re.compile(
    r"\bintervals? of(?: (?:at (?:least|most)|not? (?:more|less) than|not exceeding|up to|a maximum of))? \Z|intervals not exceeding \Z"
)
_ADJECTIVE = re.compile(r"(?:quarterly|monthly|weekly|daily|yearly|half-yearly)\Z", re.IGNORECASE)
_ADVERB_ENDS = re.compile(
    r"\s*(?:[.,;:)]|\Z|(?:thereafter|or|and|to|by|on|if|in|until|the|as|from|unless|for|with|via|at|after) ?)"
)


def moments(text: str, start: int, end: int) -> list[Moment]:
    """Return the statements about time in the sentence ``text[start:end]``, in order."""
    taken: list[tuple[int, int]] = []
    found: list[Moment] = []

    def free(a: int, b: int) -> bool:
        return all(b <= c or a >= d for c, d in taken)

    def take(moment: Moment, *spans: tuple[int, int]) -> None:
        taken.extend(spans or [(moment.start, moment.end)])
        found.append(_widened(text, start, end, moment))

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
                _widened(text, start, end, Moment(point.start, point.end, "date", point.value))
            )
            taken.append((point.start, point.end))
        else:
            begins = _begins(text, point.end, end)
            moment = Moment(point.start, point.end, "recurring", point.value)
            if begins is None:
                take(moment)
            else:
                take(replace(moment, starts=begins[1]), (point.start, point.end), begins[0])
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
    for match in _PART_OF_YEAR.finditer(text, start, end):
        if free(*match.span()):
            part = ("first", "second", "third", "fourth").index(match["nth"].lower()) + 1
            take(Moment(*match.span(), "date", f"{match['y']}-{match['part'][0].upper()}{part}"))
    for moment in _single_years(text, start, end, taken):
        if free(moment.start, moment.end):
            take(moment)
    found = _lengths(text, start, end, found, free)
    return sorted(found, key=lambda one: (one.start, one.end))


def _widened(text: str, start: int, end: int, moment: Moment) -> Moment:
    """Return a moment with the words that lead to it and follow it."""
    lead = _LEAD.search(text, max(start, moment.start - 70), moment.start)
    tail = _TAIL.match(text, moment.end, end)
    return replace(
        moment,
        start=lead.start() if lead else moment.start,
        end=tail.end() if tail else moment.end,
        lead=(lead[0].lower().strip() if lead else "") or moment.lead,
    )


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
            r"(?:and (?:by|in|from|until)|for|years?)\b", match["lead"].lower()
        ):
            continue
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


def _lengths(text, start, end, found, free):  # type: ignore[no-untyped-def]
    """Return what was found with lengths of time, and with dates that lengths start from."""
    result = list(found)
    for match in LENGTH.finditer(text, start, end):
        unit = match["u"].lower()
        before = text[max(start, match.start() - 60) : match.start()]
        if not free(*match.span()) or _NOT_LENGTH_AFTER.match(text, match.end()):
            continue
        if (
            _NOT_LENGTH_BEFORE.search(before)
            or "warming" in text[max(start, match.start() - 120) : match.end() + 60]
        ):
            continue
        if unit.startswith(("hour", "minute")) and (
            not _HOURS_LEAD.search(before)
            or re.match(
                r"-| (?:per|of (?:work|training|operation|teaching))",
                text[match.end() : match.end() + 24],
            )
        ):
            continue
        if whole(match["n"]) == 0:
            continue
        value = dates.length(match["n"], unit)
        if _INTERVALS.search(before) or re.match(
            r"[- ]intervals?\b", text[match.end() : match.end() + 12]
        ):
            result.append(
                _widened(text, start, end, Moment(*match.span(), "recurring", f"R/{value}"))
            )
            continue
        pair = _TWO_LENGTHS.search(before)
        if pair and not re.search(
            r"\b(?:Articles?|paragraphs?|points?|Annex|No) \Z", before[: pair.start()]
        ):
            begin = match.start() - len(before) + pair.start()
            result.append(Moment(begin, match.end(), "length", dates.length(pair["n"], unit)))
        result.append(_length(text, start, end, match, value, result))
    return result


def _length(  # type: ignore[no-untyped-def]
    text: str, start: int, end: int, match: re.Match[str], value: str, result
) -> Moment:
    moment = Moment(*match.span(), "length", value)
    after = _LENGTH_AFTER.match(text, match.end(), end)
    if after is not None:
        relation = (
            "before"
            if after["rel"] in ("before", "prior to", "preceding", "in advance of", "ahead of")
            else "after"
        )
        stop = re.compile(r"[.;,)]|\b(?:shall|must|may|and|which|that|or|the Commission)\b").search(
            text, after.end(), min(end, after.end() + 110)
        )
        moment = replace(
            moment,
            relation=relation,
            anchor=(after.end(), stop.start() if stop else min(end, after.end() + 110)),
        )
        for other in result:
            if (
                other.kind == "date"
                and len(other.value) == 10
                and relation == "after"
                and other.start <= after.end() + 2
                and other.end > after.end() >= match.end()
                and other.start >= match.start()
            ):
                result.remove(other)
                return _widened(
                    text,
                    start,
                    end,
                    replace(
                        moment,
                        kind="period",
                        value=f"{other.value}/{value}",
                        end=other.end,
                        anchor=None,
                    ),
                )
    for other in result:
        if (
            other.kind == "date"
            and len(other.value) == 10
            and other.end <= match.start()
            and re.fullmatch(
                r",? for (?:a (?:\w+ )?period of |a duration of )?(?:up to |at least )?",
                text[other.end : match.start()],
            )
        ):
            result.remove(other)
            return replace(
                moment,
                kind="period",
                value=f"{other.value}/{value}",
                start=other.start,
                lead=other.lead,
            )
    return _widened(text, start, end, moment)
