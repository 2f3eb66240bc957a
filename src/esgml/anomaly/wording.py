"""What baselines and kinds of alarm are called, in the rhythm of a meter's readings.

The windows of a meter follow its step (`Clock`): the short one is some hours of an hourly
meter and some days of a daily one. The words must say which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from esgml.core.frequency import Frequency


class Wording(NamedTuple):
    """The words for the slots and windows of a `Clock`."""

    same: str
    lately: str
    by_week: str
    by_day: str
    short: str
    long: str
    span: str
    here: str
    readings: str
    course: str

    def baseline(self, name: str) -> str:
        """Say what the baseline of this name compares a reading with."""
        return _BASELINES[name].format(**self._asdict())

    def meaning(self, kind: str) -> str:
        """Say what a kind of alarm means to the person who reads it."""
        return _MEANINGS[kind].format(**self._asdict())


_BASELINES = {
    "week": "{same}",
    "recent_weeks": "{lately}",
    "short_mean": "the mean of the last {short}{by_week}",
    "day_ratio": "the share of the mean of the last {long}{by_week}",
    "week_ratio": "the share of the level of the last {span}",
    "change": "the change against the last {short}{by_week}",
    "top_ratio": "the share of the peak of the last {long}{by_day}",
    "day_range": "the range of the last {long}{by_day}",
    "step": "the change since the last reading",
    "top_share": "the share of the peak of the last {long}",
    "range": "the range of the last {long}",
    "level": "the usual level",
}
_MEANINGS = {
    "zero": "the meter shows next to nothing, far below the lowest it ever shows",
    "stuck": "the same value again and again",
    "negative": "a meter that is never negative shows a negative value",
    "unit_x1000": "about a thousand times what is usual: a unit was mixed up",
    "spike": "far more than usual{here}",
    "drop": "far less than usual{here}",
    "level_shift": "for many {readings} at another level than usual",
    "drift": "slowly away from where it was months ago",
    "schedule": "as on another day of the week",
    "shape": "an unusual course of the {course} at a usual level",
    "duplicate": "a second reading for the same period",
    "swap": "what another meter was expected to show, and the other way round",
}
_HOURS = Wording(
    same="the same hour of past weeks",
    lately="the same hour of the latest weeks",
    by_week=", by hour of the week",
    by_day=", by hour",
    short="hours",
    long="day",
    span="week",
    here=" at this hour",
    readings="hours",
    course="day",
)
_DAYS = Wording(
    same="the same weekday of past weeks",
    lately="the same weekday of the latest weeks",
    by_week=", by weekday",
    by_day="",
    short="days",
    long="week",
    span="week",
    here=" on this weekday",
    readings="days",
    course="week",
)
_PERIODS = Wording(
    same="past periods",
    lately="the latest periods",
    by_week="",
    by_day="",
    short="periods",
    long="four periods",
    span="four periods",
    here="",
    readings="periods",
    course="last periods",
)


def wording(frequency: Frequency) -> Wording:
    """Return the words for meters read at this frequency."""
    if frequency.sub_daily:
        return _HOURS
    return _DAYS if frequency.code == "D" else _PERIODS
