"""What comes out: frozen results that carry their units and origins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import UsageError
from esgml.core.panel import SeriesKey

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Forecast:
    """Forecasts of n series over a horizon, with intervals.

    Attributes
    ----------
    keys : tuple of SeriesKey, length n
    time : array of datetime64[us], shape (n, horizon)
    mean : array of float, shape (n, horizon)
        Point forecast, in the unit of the target.
    lower, upper : dict of level in percent to array of shape (n, horizon)
        Bounds of the central interval that should hold the truth `level` % of the time.
    units : dict of target name to unit
    model : str
        What made it.
    """

    keys: tuple[SeriesKey, ...]
    time: NDArray[np.datetime64]
    mean: NDArray[np.float64]
    lower: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    upper: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    model: str = ""

    @property
    def horizon(self) -> int:
        """Number of periods forecast."""
        return int(self.mean.shape[1])

    @property
    def levels(self) -> tuple[int, ...]:
        """Interval levels in percent, ascending."""
        return tuple(sorted(self.lower))

    def at(self, levels: Sequence[int]) -> Forecast:
        """Return the forecast with the intervals of these levels only.

        Raises
        ------
        UsageError
            If a level was not calibrated.
        """
        if missing := set(levels) - set(self.lower):
            raise UsageError(
                f"no interval of level {min(missing)} % was calibrated.",
                where="levels",
                remedy=f"Use {', '.join(map(str, self.levels))}, or train with other levels.",
            )
        lower, upper = ({k: side[k] for k in levels} for side in (self.lower, self.upper))
        return replace(self, lower=lower, upper=upper)

    def to_frame(self) -> pl.DataFrame:
        """Return rows ``entity, timestamp, target, mean, lo-80, hi-80, ...``."""
        import polars as pl

        n, horizon = self.mean.shape
        columns: dict[str, object] = {
            "entity": [key.entity for key in self.keys for _ in range(horizon)],
            "timestamp": self.time.reshape(n * horizon),
            "target": [key.target for key in self.keys for _ in range(horizon)],
            "mean": self.mean.reshape(-1),
        }
        for level in self.levels:
            columns[f"lo-{level}"] = self.lower[level].reshape(-1)
            columns[f"hi-{level}"] = self.upper[level].reshape(-1)
        return pl.DataFrame(columns)
