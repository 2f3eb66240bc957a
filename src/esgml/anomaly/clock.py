"""Where a reading falls in its week and day, and how many readings its windows hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.frequency import Frequency

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WEEK = 7 * 86_400
_DAY = 86_400
#: 1970-01-01 was a Thursday; weeks of the profile begin on Monday.
_MONDAY = 3 * _DAY
#: Slots of a week are never finer than a quarter of an hour: finer profiles learn too slowly.
_MOST_SLOTS = 672


@dataclass(frozen=True)
class Clock:
    """The recurring places of a meter's readings, from its frequency.

    Attributes
    ----------
    frequency : Frequency
    week : int
        Slots of the weekly profile: hours or quarters of the week, weekdays, or 1.
    day : int
        Slots of the daily profile, 1 where readings are daily or coarser.
    short : int
        Readings of the short window (6 hours, or 3 periods).
    long : int
        Readings of the long window (a day, or a week of days, or 4 periods).
    span : int
        Readings of a week, or of the long window where that is longer.
    """

    frequency: Frequency

    @property
    def _steps(self) -> int:
        """Readings of a day; 0 where they are daily or coarser."""
        return _DAY // self.frequency.seconds if self.frequency.sub_daily else 0

    @property
    def week(self) -> int:
        """Slots of the weekly profile."""
        if self._steps:
            return min(7 * self._steps, _MOST_SLOTS)
        return 7 if self.frequency.code == "D" else 1

    @property
    def day(self) -> int:
        """Slots of the daily profile."""
        return self.week // 7 if self._steps else 1

    @property
    def short(self) -> int:
        """Readings of the short window."""
        return max(self._steps // 4, 3) if self._steps else 3

    @property
    def long(self) -> int:
        """Readings of the long window."""
        return self._steps or (7 if self.frequency.code == "D" else 4)

    @property
    def span(self) -> int:
        """Readings of a week, or of four periods."""
        return 7 * self._steps if self._steps else self.long

    def slots(self, time: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Return the slot of the week of each timestamp, Monday 00:00 = 0."""
        if self.week == 1:
            return np.zeros(len(time), dtype=np.int64)
        seconds = time.astype("datetime64[s]").astype(np.int64) + _MONDAY
        slot: NDArray[np.int64] = (seconds % _WEEK) // (_WEEK // self.week)
        return slot

    def skipped(self, before: np.datetime64, time: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Return how many periods without a reading lie before each timestamp.

        `before` is the time of the last reading, NaT for none.
        """
        ordinal = self.frequency.ordinals(time)
        first = ordinal[:1] - 1 if np.isnat(before) else self.frequency.ordinals(np.array([before]))
        gaps: NDArray[np.int64] = np.maximum(np.diff(ordinal, prepend=first) - 1, 0)
        return gaps
