"""Contextual features: how far a reading is from what its meter usually shows just then.

Several baselines look at the same reading: the same hour of the week, learned fast and
slowly; the same hour of any day; the mean of the last hours; the shape of the last day; the
change since the last reading. Each is a profile of one derived quantity over recurring
slots, and gives a standardized distance. A missing reading has no features and teaches
nothing; a reading before the profiles know its slot has none either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from esgml.anomaly.clock import Clock
from esgml.anomaly.state import dump_state, restore_state, stored_arrays
from esgml.core.errors import DataError, IntegrityError, UsageError
from esgml.core.frequency import Frequency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.interfaces import Files

    Floats = NDArray[np.float64]


class Profile(NamedTuple):
    """One baseline: which quantity, over which slots, how many values it remembers.

    One that `follows` the season subtracts what all its slots have had in common lately.
    """

    name: str
    quantity: int
    slots: str
    memory: int
    spread_memory: int
    scored: bool = True
    follows: bool = False


#: The baselines, in the order of the columns of the features.
PROFILES = (
    Profile("week", 0, "week", 40, 20, follows=True),
    Profile("recent_weeks", 0, "week", 12, 20, follows=True),
    Profile("short_mean", 1, "week", 40, 20, follows=True),
    Profile("day_ratio", 2, "week", 40, 20),
    Profile("week_ratio", 3, "week", 40, 20),
    Profile("change", 8, "week", 40, 20),
    Profile("top_ratio", 4, "day", 280, 20),
    Profile("day_range", 5, "day", 280, 20),
    Profile("step", 6, "day", 280, 20),
    Profile("top_share", 4, "all", 960, 20),
    Profile("range", 5, "all", 960, 20),
    Profile("level", 7, "all", 2880, 4320, scored=False),
)
#: Number of the baseline that only the rules look at, and which baselines make the score.
LEVEL = len(PROFILES) - 1
SCORED = tuple(i for i, p in enumerate(PROFILES) if p.scored)
#: Baselines whose expectation is in the unit of the meter: the value itself, the daily level.
_IN_UNIT = tuple(i for i, p in enumerate(PROFILES) if p.quantity in (0, 7))
#: Clip of what a strange reading teaches, fewest values of a slot, and
#: how much the spread of the same hour and of all hours weigh beside that of the slot; how
#: many deviations a reading may be away inside windows.
SETTINGS = (2.0, 3.0, 6.0, 2.0, 6.0)
_GROUPS = 24
#: Weeks over which a common shift of all hours is followed.
_SEASON = 4
_ARRAYS = (
    "mean",
    "spread",
    "count",
    "group_spread",
    "group_count",
    "whole_spread",
    "whole_count",
    "bias",
    "bias_count",
    "ring",
    "reals",
    "whole",
)


@dataclass(frozen=True)
class Context:
    """Features of readings.

    Attributes
    ----------
    z : array, shape (n, profiles)
        Standardized distance from each baseline; NaN where not known.
    expected, scale : array, shape (n, profiles)
        Each baseline and its spread, in the unit of its quantity.
    run : array, shape (n,)
        How many readings in a row have had this very value; NaN where missing.
    """

    z: Floats
    expected: Floats
    scale: Floats
    run: Floats

    def __len__(self) -> int:
        return len(self.run)


class MeterState:
    """All that is remembered of one meter: a few profiles and the last day.

    Parameters
    ----------
    frequency : Frequency
        Of the meter's readings.

    Attributes
    ----------
    last : datetime64
        Time of the last reading, NaT before the first.
    """

    def __init__(self, frequency: Frequency) -> None:
        self.clock = Clock(frequency)
        clock = self.clock
        slots = {"week": clock.week, "day": clock.day, "all": 1}
        # a profile counts in values of its slot; where there is but one slot, in readings
        per_slot = {"week": 1, "day": 1, "all": max(clock.long // 24, 1)}
        self._sources = np.array([p.quantity for p in PROFILES], dtype=np.int64)
        self._slots = np.array([slots[p.slots] for p in PROFILES], dtype=np.int64)
        self._offsets = np.concatenate([[0], np.cumsum(self._slots)[:-1]]).astype(np.int64)
        self._memories = np.array([p.memory * per_slot[p.slots] for p in PROFILES], dtype=float)
        self._spread_memories = np.array(
            [p.spread_memory * per_slot[p.slots] for p in PROFILES], dtype=float
        )
        cells = int(self._slots.sum())
        p = len(PROFILES)
        self.mean, self.spread, self.count = np.zeros(cells), np.zeros(cells), np.zeros(cells)
        self.group_spread, self.group_count = np.zeros((p, _GROUPS)), np.zeros((p, _GROUPS))
        self.whole_spread, self.whole_count = np.zeros(p), np.zeros(p)
        self.bias, self.bias_count = np.zeros(p), np.zeros(p)
        self._follows = np.array([_SEASON * clock.span * p.follows for p in PROFILES], dtype=float)
        self.ring = np.full(clock.long, np.nan)
        self.reals = np.array([np.nan, 0.0, 0.0, 0.0, 0.0])
        self.whole = np.zeros(3, dtype=np.int64)
        self.last: np.datetime64 = np.datetime64("NaT", "us")

    @property
    def seen(self) -> int:
        """Readings seen so far."""
        return int(self.whole[2])

    def update(
        self, time: NDArray[np.datetime64], values: Floats, added: Floats | None = None
    ) -> Context:
        """Feed readings in time order and return their features.

        One call with many readings and many calls with one give the same numbers.

        Parameters
        ----------
        time : array of datetime64, shape (n,)
        values : array, shape (n,)
            NaN where missing; infinities count as missing.
        added : array, shape (n,), optional
            What the weather added to each: the baselines look at the rest.

        Raises
        ------
        DataError
            If the readings are not in time order, or begin before the last one seen.
        """
        from esgml.anomaly.context_kernel import advance

        time = np.asarray(time).astype("datetime64[us]")
        values = np.array(values, dtype=np.float64)
        if time.shape != values.shape or time.ndim != 1:
            raise DataError(f"times {time.shape} for values {values.shape}.", code="shape")
        n, p = len(values), len(PROFILES)
        context = Context(np.empty((n, p)), np.empty((n, p)), np.empty((n, p)), np.empty(n))
        if n == 0:
            return context
        start = time[:1] if np.isnat(self.last) else np.array([self.last])
        if np.isnat(time).any() or (np.diff(np.concatenate([start, time])).astype(int) < 0).any():
            raise DataError(
                "readings must come in time order.",
                code="order",
                where=str(time[0]),
                remedy="Sort them; feed a late reading by starting again from a saved state.",
            )
        values[~np.isfinite(values)] = np.nan
        advance(
            values if added is None else values - added,
            values,
            self.clock.slots(time),
            self.clock.skipped(self.last, time),
            self._sources,
            self._slots,
            self._offsets,
            self._memories,
            self._spread_memories,
            self._follows,
            max(self.clock.long // 24, 1),
            self.clock.short,
            self.clock.span,
            self.clock.day,
            SETTINGS,
            *(getattr(self, name) for name in _ARRAYS),
            context.z,
            context.expected,
            context.scale,
            context.run,
        )
        if added is not None:
            context.expected[:, _IN_UNIT] += added[:, None]
        self.last = time[-1]
        return context

    def to_files(self) -> Files:
        """Return the state as JSON and safetensors, every bit kept."""
        last = None if np.isnat(self.last) else int(self.last.astype(np.int64))
        return dump_state(
            frequency=self.clock.frequency.code,
            last=last,
            profiles=[[*p[:5], p.follows] for p in PROFILES],
            **{name: getattr(self, name) for name in _ARRAYS},
        )

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Take a state back from what `to_files` returned.

        Raises
        ------
        IntegrityError
            If the files are unreadable or of other features than these.
        """
        stored: dict[str, Any] = restore_state(files)
        if stored.get("profiles") != [[*p[:5], p.follows] for p in PROFILES]:
            raise IntegrityError(
                "the state was saved with other features.",
                remedy="Feed the meter's history again.",
            )
        try:
            state, last = cls(Frequency(stored["frequency"])), stored["last"]
        except (KeyError, TypeError, UsageError) as error:
            raise IntegrityError("the saved state of the meter is unreadable.") from error
        found = stored_arrays(stored, {name: getattr(state, name).shape for name in _ARRAYS})
        for name, array in found.items():
            setattr(state, name, array)
        if last is not None:
            state.last = np.datetime64(int(last), "us")
        return state
