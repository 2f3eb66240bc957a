"""The regular step of a time series: found from timestamps, used to make future ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MINUTE = 60
_DAY = 86_400
#: code -> (seconds, 0 for calendar steps; months per step; season lengths in steps)
_KNOWN: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "1min": (_MINUTE, 0, (60, 1440)),
    "5min": (5 * _MINUTE, 0, (288, 2016)),
    "10min": (10 * _MINUTE, 0, (144, 1008)),
    "15min": (15 * _MINUTE, 0, (96, 672)),
    "30min": (30 * _MINUTE, 0, (48, 336)),
    "h": (3600, 0, (24, 168)),
    "D": (_DAY, 0, (7, 365)),
    "W": (7 * _DAY, 0, (52,)),
    "MS": (0, 1, (12,)),
    "QS": (0, 3, (4,)),
    "YS": (0, 12, ()),
}


@dataclass(frozen=True)
class Frequency:
    """The step between the rows of a series, by its usual code (``15min h D W MS QS YS``)."""

    code: str

    def __post_init__(self) -> None:
        if self.code not in _KNOWN:
            raise UsageError(
                f"unknown frequency {self.code!r}.", remedy=f"Use one of {', '.join(_KNOWN)}."
            )

    @property
    def seconds(self) -> int:
        """Step in seconds, 0 where it is a number of months."""
        return _KNOWN[self.code][0]

    @property
    def months(self) -> int:
        """Step in months, 0 where it is a fixed number of seconds."""
        return _KNOWN[self.code][1]

    @property
    def seasons(self) -> tuple[int, ...]:
        """Usual season lengths in steps, shortest first; empty for annual data."""
        return _KNOWN[self.code][2]

    @property
    def season(self) -> int:
        """Length in steps of the shortest usual season.

        A day for hours, a week for days, a year for weeks to quarters; 1 for annual data,
        where nothing repeats.
        """
        return self.seasons[0] if self.seasons else 1

    @property
    def sub_daily(self) -> bool:
        """Whether the step is shorter than a day."""
        return 0 < self.seconds < _DAY

    @property
    def coarser_than_daily(self) -> bool:
        """Whether the step is longer than a day, so that a season is a year."""
        return self.months > 0 or self.seconds > _DAY

    @property
    def long_season(self) -> int:
        """Length in steps of the next longer season below a year, or 0.

        That is a week for sub-daily data.
        """
        return self.seasons[1] if self.sub_daily else 0

    @property
    def year(self) -> int:
        """Steps back to the comparable period a year ago: the same weekday or month."""
        if self.months:
            return 12 // self.months
        return 52 * 7 * _DAY // self.seconds

    def ordinals(self, time: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Return the numbers of the periods: consecutive periods get consecutive integers."""
        if self.months:
            return np.asarray(time.astype("datetime64[M]").astype(np.int64) // self.months)
        seconds = time.astype("datetime64[s]").astype(np.int64)
        return np.asarray(np.floor_divide(seconds, self.seconds))

    def advance(self, time: np.datetime64, steps: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """Return the timestamps `steps` periods after `time`."""
        steps = np.asarray(steps)
        if self.months:
            month = time.astype("datetime64[M]")
            offset = time - month.astype("datetime64[us]")
            later = month + steps * self.months
            return np.asarray(later.astype("datetime64[us]") + offset)
        return np.asarray(time + (steps * self.seconds).astype("timedelta64[s]"))

    @classmethod
    def infer(cls, time: NDArray[np.datetime64]) -> Frequency:
        """Find the step from the sorted timestamps of one series: the most common one.

        Raises
        ------
        DataError
            If there are fewer than two timestamps, or their step is no usual one.
        """
        steps = np.diff(np.unique(time.astype("datetime64[s]"))).astype(np.int64)
        if len(steps) == 0:
            raise DataError(
                "one row is not enough to tell the frequency of a series.",
                code="too_few_rows",
                remedy="Give at least two periods per entity.",
            )
        values, counts = np.unique(steps, return_counts=True)
        step = int(values[np.argmax(counts)])
        for code, (seconds, _, _) in _KNOWN.items():
            if seconds == step:
                return cls(code)
        for code, months in (("MS", 1), ("QS", 3), ("YS", 12)):
            if 27 * months * _DAY < step <= 31.1 * months * _DAY:
                return cls(code)
        # with gaps that are more usual than neighbours: months apart that share a divisor
        month = time.astype("datetime64[M]")
        inside = np.unique((time - month.astype(time.dtype)).astype("timedelta64[D]"))
        apart = int(np.gcd.reduce(np.diff(np.unique(month)).astype(np.int64)))
        if len(inside) == 1 and apart and step > 31.1 * _DAY:
            return cls("YS" if apart % 12 == 0 else "QS" if apart % 3 == 0 else "MS")
        raise DataError(
            f"the usual step between rows is {step} s, which is no known frequency.",
            code="frequency_unknown",
            remedy=f"Resample the table to one of {', '.join(_KNOWN)}.",
        )
