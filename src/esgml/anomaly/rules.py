"""Rules for readings that are wrong beyond doubt: dead, stuck, negative, a unit off.

A rule is learned from the meter's own past: zero is no fault where a meter shows zero every
night, nor a repeated value where its resolution is coarse. Readings that break a rule are
alarms without a score, and do not count against the meter's budget.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from esgml.anomaly.context import LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.anomaly.clock import Clock
    from esgml.anomaly.context import Context

    Floats = NDArray[np.float64]

#: Kinds a rule can name, by their number in `Rules.broken`; 0 = none.
KINDS = ("", "zero", "stuck", "negative", "unit_x1000", "level_shift")
_FACTOR = (300.0, 3000.0)
#: Standard deviations of its daily level at which a meter without a schedule has shifted, those
#: at which it is back, and those that the reading itself must be away.
_SHIFT = (3.2, 2.75, 1.5)
#: Days an outage, a stuck value and a shift of the level are alarms at most, and the days in
#: which that allowance grows back.
_LASTS = {"zero": 7.0, "stuck": 7.0, "level_shift": 5.0}
_COOLS = 60.0
#: Share of readings that may be stuck before the bound rises, how fast, and how far.
_STUCK = (0.0025, 0.2, 8.0)
#: Share of the deviation that the hour of the week must explain for a meter to have a schedule.
_SCHEDULE = 0.3


class Carry(NamedTuple):
    """What rules remember of earlier readings.

    That is whether the level has shifted, the bound on runs of one value, and how many
    readings may still be alarms by the rules that can go on for long.
    """

    shifted: NDArray[np.int64]
    stuck: Floats
    left: dict[str, Floats]


@dataclass(frozen=True)
class Rules:
    """Bounds of what a meter can show, learned from its past.

    Attributes
    ----------
    dead_below : float
        Absolute readings below this are no use but an outage; 0 = cannot tell.
    stuck_from : float
        Run of identical readings from which the meter is stuck; infinite = cannot tell.
    never_negative : bool
        Whether no reading of the past was below zero.
    shift_beyond : float
        Standard deviations of the usual level at which a meter without a schedule has
        shifted; infinite where the hour of the week explains the meter, whose profiles then
        tell a shift from a season better.
    day : float
        Readings of a day.
    """

    dead_below: float = 0.0
    stuck_from: float = float("inf")
    never_negative: bool = False
    shift_beyond: float = float("inf")
    day: float = 24.0

    @classmethod
    def learn(cls, values: Floats, context: Context, clock: Clock) -> Self:
        """Learn from past readings, most of which are ordinary.

        Parameters
        ----------
        values : array, shape (n,)
            NaN where missing.
        context : Context
            Features of the same readings.
        clock : Clock
            No run shorter than half its short window is called stuck.
        """
        seen = np.isfinite(values)
        if seen.sum() < 14 * clock.short:
            return cls()
        known, run = values[seen], context.run[seen]
        # outages are few and far below the rest: hardly a reading lies just above them
        size = np.abs(known)
        dead = 0.25 * float(np.quantile(size, 0.05))
        between = float(((size >= dead) & (size < 2 * dead)).mean())
        ends = run[np.append(run[1:] == 1, True)]
        ends = ends[np.argsort(ends)]
        # runs that hold a twentieth of all readings are usual
        held = np.cumsum(ends[::-1])[::-1]
        usual = float(ends[held >= 0.05 * len(known)].max(initial=1.0))
        # a meter that shows one value for a week tells nothing by showing it longer
        stuck = max(4.0, clock.short // 2, 2.0 * usual + 2.0)
        stuck = stuck if usual < clock.span else float("inf")
        return cls(
            dead_below=dead if between <= 0.005 else 0.0,
            stuck_from=stuck,
            never_negative=bool((known >= 0).all()),
            shift_beyond=_SHIFT[0] if _unscheduled(values, context) else float("inf"),
            day=clock.span / 7,
        )

    def broken(
        self, values: Floats, context: Context, carry: Carry | None = None
    ) -> NDArray[np.int64]:
        """Return which rule each reading breaks, as a number into `KINDS`, shape (n,).

        ``carry`` is what is remembered from the readings before, and is moved on; left out,
        there are none before.
        """
        carry = self.begin() if carry is None else carry
        found = np.zeros(len(values), dtype=np.int64)
        size = np.abs(values)
        usual = np.abs(context.expected[:, 0])
        shifted = self._shifted(values, context, carry.shifted)
        found[self._spent(shifted, "level_shift", carry)] = KINDS.index("level_shift")
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(usual > self.dead_below, size / usual, np.nan)
        found[(ratio >= _FACTOR[0]) & (ratio <= _FACTOR[1])] = KINDS.index("unit_x1000")
        if np.isfinite(self.stuck_from):
            from esgml.anomaly.alarm_kernel import stuck

            held = np.zeros(len(values), dtype=bool)
            stuck(context.run, (self.stuck_from, *_STUCK), carry.stuck, held)
            found[self._spent(held, "stuck", carry)] = KINDS.index("stuck")
        dead = self._spent(size < self.dead_below, "zero", carry)
        found[dead] = KINDS.index("zero")
        if self.never_negative:
            found[values < 0] = KINDS.index("negative")
        found[np.isnan(values)] = 0
        return found

    def begin(self) -> Carry:
        """Return what is remembered before the first reading."""
        left = {kind: np.array([days * self.day]) for kind, days in _LASTS.items()}
        return Carry(np.zeros(1, dtype=np.int64), np.array([self.stuck_from]), left)

    def _spent(self, flags: NDArray[np.bool_], kind: str, carry: Carry) -> NDArray[np.bool_]:
        """Return the flags that the allowance of a rule passes on."""
        from esgml.anomaly.alarm_kernel import spend

        out = np.zeros(len(flags), dtype=bool)
        spend(flags, _LASTS[kind] * self.day, _COOLS * self.day, carry.left[kind], out)
        return out

    def _shifted(
        self, values: Floats, context: Context, carry: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return where the level has shifted and not come back yet."""
        n = len(values)
        if n == 0 or not np.isfinite(self.shift_beyond):
            return np.zeros(n, dtype=bool)
        moved = context.z[:, LEVEL]
        size = np.nan_to_num(np.abs(moved))
        opened = size >= self.shift_beyond
        decided = opened | (np.isfinite(moved) & (size < _SHIFT[1]))
        last = np.maximum.accumulate(np.where(decided, np.arange(n), -1))
        shifted = np.where(last >= 0, opened[last], bool(carry[0]))
        carry[0] = int(shifted[-1])
        with np.errstate(invalid="ignore"):
            away = (values - context.expected[:, LEVEL]) / context.scale[:, LEVEL]
            return np.asarray(shifted & (np.sign(moved) * away >= _SHIFT[2]))

    def as_dict(self) -> dict[str, float | bool | None]:
        """Return the bounds as JSON values; None for an infinite one."""
        return {k: None if v == float("inf") else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, stored: dict[str, float | bool | None]) -> Self:
        """Take the bounds back from what `as_dict` returned."""
        return cls(**{k: float("inf") if v is None else v for k, v in stored.items()})  # type: ignore[arg-type]


def _unscheduled(values: Floats, context: Context) -> bool:
    """Return whether the hour of the week explains little of how a meter moves."""
    expected = context.expected[:, 0]
    seen = np.isfinite(values) & np.isfinite(expected)
    if not seen.any():
        return False
    known = values[seen]
    around = float(np.abs(known - np.median(known)).mean())
    left = float(np.abs(known - expected[seen]).mean())
    return left > (1 - _SCHEDULE) * around
