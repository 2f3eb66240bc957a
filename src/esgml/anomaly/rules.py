"""Rules for readings that are wrong beyond doubt: dead, stuck, negative, a unit off.

A rule is learned from the meter's own past: zero is no fault where a meter shows zero every
night, nor a repeated value where its resolution is coarse. Readings that break a rule are
alarms without a score, and do not count against the meter's budget.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Kinds a rule can name, by their number in `Rules.broken`; 0 = none.
KINDS = ("", "zero", "stuck", "negative", "unit_x1000")
_FACTOR = (300.0, 3000.0)


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
    """

    dead_below: float = 0.0
    stuck_from: float = float("inf")
    never_negative: bool = False

    @classmethod
    def learn(cls, values: Floats, runs: Floats, short: int) -> Self:
        """Learn from past readings, most of which are ordinary.

        Parameters
        ----------
        values, runs : array, shape (n,)
            Readings and how many in a row had the same value; NaN where missing.
        short : int
            Readings of the short window: no shorter run is called stuck.
        """
        seen = np.isfinite(values)
        if seen.sum() < 28 * short // 2:
            return cls()
        known, run = values[seen], runs[seen]
        # outages are few and far below the rest: hardly a reading lies just above them
        size = np.abs(known)
        dead = 0.25 * float(np.quantile(size, 0.05))
        between = float(((size >= dead) & (size < 2 * dead)).mean())
        ends = run[np.append(run[1:] == 1, True)]
        ends = ends[np.argsort(ends)]
        # runs that hold a twentieth of all readings are usual
        held = np.cumsum(ends[::-1])[::-1]
        usual = float(ends[held >= 0.05 * len(known)].max(initial=1.0))
        return cls(
            dead_below=dead if between <= 0.005 else 0.0,
            stuck_from=max(short - 1.0, 2.0 * usual + 1.0),
            never_negative=bool((known >= 0).all()),
        )

    def broken(self, values: Floats, runs: Floats, expected: Floats) -> NDArray[np.int64]:
        """Return which rule each reading breaks, as a number into `KINDS`, shape (n,)."""
        found = np.zeros(len(values), dtype=np.int64)
        size = np.abs(values)
        usual = np.abs(expected)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(usual > self.dead_below, size / usual, np.nan)
        found[(ratio >= _FACTOR[0]) & (ratio <= _FACTOR[1])] = KINDS.index("unit_x1000")
        found[runs >= self.stuck_from] = KINDS.index("stuck")
        found[size < self.dead_below] = KINDS.index("zero")
        if self.never_negative:
            found[values < 0] = KINDS.index("negative")
        found[np.isnan(values)] = 0
        return found

    def as_dict(self) -> dict[str, float | bool | None]:
        """Return the bounds as JSON values; None for an infinite one."""
        return {k: None if v == float("inf") else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, stored: dict[str, float | bool | None]) -> Self:
        """Take the bounds back from what `as_dict` returned."""
        return cls(**{k: float("inf") if v is None else v for k, v in stored.items()})  # type: ignore[arg-type]
