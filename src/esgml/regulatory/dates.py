"""The calendar in legal text: dates, years, periods between them, and lengths of time.

What is found here is only where a text writes about time; whether it sets a deadline, and which,
is decided in `timeline`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from esgml.regulatory.numerals import ORDINALS, SPELLED, whole

MONTHS = {
    name: i
    for i, name in enumerate(
        [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        1,
    )
}
_MONTH = "|".join(MONTHS)
_SHORT = {name[:3]: i for name, i in MONTHS.items()} | {"Sept": 9}
_DATE = (
    rf"(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: day of)? (?P<m1>{_MONTH}),? (?P<y1>\d{{4}})(?!\d)"
    rf"|(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?, ?(?P<y2>\d{{4}})(?!\d)"
    r"|(?<![\d./-])(?P<y3>(?:19|20)\d{2})-(?P<m3>\d{2})-(?P<d3>\d{2})(?![\d-])"
    r"|(?<![\d./-])(?P<d4>\d{1,2})(?P<sep>[./])\s?(?P<m4>\d{1,2})(?P=sep)\s?(?P<y4>(?:19"
    r"|20)\d{2})(?![\d/])"
)
_YEARLY = (
    rf"(?P<d5>\d{{1,2}})(?:st|nd|rd|th)? (?P<m5>{_MONTH})(?! \d{{4}})"
    rf"|(?P<m6>{_MONTH}) (?P<d6>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|,? \d{{4}})"
)
_CALENDAR = re.compile(f"{_DATE}|{_YEARLY}")
_NUMBER = rf"\d{{1,2}} \d{{3}}|\d{{1,3}}|{SPELLED}"
_UNIT = r"days?|weeks?|months?|years?|hours?|minutes?"
#: A length of time: number, kind of day, unit.
LENGTH = re.compile(
    rf"(?<![\w.,/-])(?P<n>{_NUMBER})(?: \((?:\d{{1,3}}"
    r"|[a-z-]+)\))?[ -](?P<kind>(?:(?:consecutive|full|complete|calendar|working|business"
    r"|additional|further|previous|preceding|subsequent|successive|civil|marketing"
    r"|financial|fiscal|operating|school|fishing|reporting|accounting|trading|clear"
    rf"|more)[ -]){{0,2}})(?P<u>{_UNIT})\b",
    re.IGNORECASE,
)
#: "the day following", "the twentieth day following", "the first day of the third month after".
FOLLOWING = re.compile(
    rf"\b(?:(?P<n>\d{{1,2}}(?:st|nd|rd|th)"
    rf"|{'|'.join(ORDINALS)}) )?(?P<u>day)(?: of the (?:(?P<nth>{'|'.join(ORDINALS)}) "
    r")?(?P<month>month))? (?:following|after|thereafter)\b",
    re.IGNORECASE,
)
#: "on the day of its publication".
SAME_DAY = re.compile(r"\bon the (?:day|date) of (?:its|their|the) publication\b", re.IGNORECASE)
#: How often: "every two years", "annually", "each year", "on a yearly basis".
RECURRENCE = re.compile(
    rf"\b(?:every (?:(?P<n>{_NUMBER}|second|third|fourth|fifth|other) )?(?P<u>{_UNIT})\b"
    r"|(?P<adverb>annually|yearly|biennially|triennially|biannually|half-yearly|quarterly"
    r"|monthly|weekly|daily)\b"
    r"|(?:on )?an? (?P<basis>annual|yearly|biennial|half-yearly|six-monthly|quarterly|monthly"
    r"|weekly|daily) basis"
    r"|(?:each|every) (?P<each>(?:calendar |financial |reporting )?year|month|quarter|week"
    r"|day)\b"
    r"|(?:(?P<times>once|twice) (?:a|per|in each|every|each|in every) (?P<per>year|month"
    r"|quarter|week|day))\b"
    r"|(?:each|any|every) (?P<subsequent>subsequent|successive"
    rf"|following) (?P<sn>{_NUMBER})[- ](?P<su>year|month)(?: period)?)",
    re.IGNORECASE,
)
_LETTER = {"day": "D", "week": "W", "month": "M", "year": "Y", "hour": "H", "minute": "M"}


@dataclass(frozen=True)
class When:
    """A point of the calendar as the text writes it.

    Attributes
    ----------
    start, end : int
    value : str
        ``2027-07-10``, ``2027-07`` or ``2027``; ``--03-31`` for a day of every year; empty
        where the calendar has no such day.
    """

    start: int
    end: int
    value: str


def calendar(text: str, start: int = 0, end: int | None = None) -> Iterator[When]:
    """Yield full dates and days of every year, in order."""
    for match in _CALENDAR.finditer(text, start, len(text) if end is None else end):
        got = match.groupdict()
        day = next(got[f"d{i}"] for i in range(1, 7) if got[f"d{i}"])
        month = next(got[f"m{i}"] for i in range(1, 7) if got[f"m{i}"])
        number = MONTHS.get(month) or int(month)
        year = next((got[f"y{i}"] for i in range(1, 5) if got[f"y{i}"]), None)
        if got["y3"] and number > 12:
            continue  # the number of a directive, such as 2018-25-16
        try:
            # a leap year where none is given, so that 29 February stands
            moment = dt.date(int(year) if year else 2024, number, int(day))
        except ValueError:
            yield When(match.start(), match.end(), "")
            continue
        value = moment.isoformat() if year else f"--{moment:%m-%d}"
        yield When(match.start(), match.end(), value)


def length(number: str, unit: str) -> str:
    """Return a length of time in ISO 8601, in the unit the text uses: ``P12M`` is not ``P1Y``."""
    name = unit.lower().rstrip("s")
    prefix = "PT" if name in ("hour", "minute") else "P"
    return f"{prefix}{whole(number)}{_LETTER[name]}"


def recurrence(match: re.Match[str]) -> str:
    """Return how often a match of `RECURRENCE` says, as ``R/P2Y``."""
    got = match.groupdict()
    if got["u"]:
        n = {None: "1", "other": "2"}.get(got["n"], got["n"])
        return "R/" + length(n or "1", got["u"])
    if got["subsequent"]:
        return "R/" + length(got["sn"], got["su"])
    word = (got["adverb"] or got["basis"] or "").lower()
    fixed = {
        "annually": "P1Y", "annual": "P1Y", "yearly": "P1Y", "biennially": "P2Y", "biennial": "P2Y",
        "triennially": "P3Y", "biannually": "P6M", "half-yearly": "P6M", "six-monthly": "P6M",
        "quarterly": "P3M", "monthly": "P1M", "weekly": "P1W", "daily": "P1D", "quarter": "P3M",
        "month": "P1M", "week": "P1W", "day": "P1D", "year": "P1Y",
    }  # fmt: skip
    if word:
        return "R/" + fixed[word]
    if got["times"]:
        one = fixed[got["per"].lower()]
        return "R/" + ("P6M" if got["times"].lower() == "twice" and one == "P1Y" else one)
    return "R/" + fixed[got["each"].lower().rsplit(" ", 1)[-1]]


def add(day: dt.date, span: str) -> dt.date | None:
    """Return a day some months, years, weeks or days on; None beyond the calendar."""
    match = re.fullmatch(r"P(\d+)([DWMY])", span)
    if match is None:
        return None
    n, unit = int(match[1]), match[2]
    try:
        if unit in "DW":
            return day + dt.timedelta(days=n * (7 if unit == "W" else 1))
        months = day.year * 12 + day.month - 1 + n * (12 if unit == "Y" else 1)
        year, month = divmod(months, 12)
        last = (dt.date(year + month // 11, (month + 1) % 12 + 1, 1) - dt.timedelta(days=1)).day
        return dt.date(year, month + 1, min(day.day, last))
    except (ValueError, OverflowError):
        return None
