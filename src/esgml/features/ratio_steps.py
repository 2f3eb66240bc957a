"""Ratios as features of a panel: what one column was per another, and the shape of a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pydantic

from esgml.core.interfaces import Hyperparameters
from esgml.features.kernels import Grouped
from esgml.features.ratios import ratio
from esgml.features.step import FeatureStep, grouped, label, source_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Panel

    Floats = NDArray[np.float64]


class Ratio(FeatureStep):
    """One column per another over the last rows: an intensity, a share, an implied factor.

    The ratio of sums, not the mean of ratios, so that idle days do not dominate; only rows
    where both were observed count.

    Parameters
    ----------
    numerator, denominator : str
        Columns; an empty numerator is the target.
    window : int
        Rows summed on both sides.
    lag : int
        Rows from each row back to the newest one it sees, at least 1.
    """

    kind = "ratio"

    class Params(Hyperparameters):
        """Settings of `Ratio`."""

        numerator: str = ""
        denominator: str
        window: pydantic.PositiveInt = 7
        lag: pydantic.PositiveInt = 1

    @property
    def names(self) -> tuple[str, ...]:
        """One name."""
        p = self.params
        return (f"{label(p.numerator)}_per_{label(p.denominator)}_{p.window}_lag{p.lag}",)

    @property
    def warm_up(self) -> int:
        """Window and lag."""
        return int(self.params.window + self.params.lag - 1)

    @property
    def min_lag(self) -> int:
        """The lag."""
        return int(self.params.lag)

    def _fit(self, panel: Panel) -> None:
        source_values(panel, self.params.numerator)
        source_values(panel, self.params.denominator)

    def _columns(self, panel: Panel) -> list[Floats]:
        p = self.params
        top = source_values(panel, p.numerator)
        bottom = source_values(panel, p.denominator)
        both = np.isfinite(top) & np.isfinite(bottom)
        sums = [
            Grouped(np.where(both, side, np.nan), panel.indptr).rolling(
                "sum", p.window, lag=p.lag, min_samples=1
            )
            for side in (top, bottom)
        ]
        return [ratio(*sums)]


class LoadShape(FeatureStep):
    """Load factor (mean over peak) and base load (a low quantile) of the last rows.

    Parameters
    ----------
    window : int
        Rows looked at, at least 2.
    quantile : float
        Which quantile is taken for the base load.
    lag : int
        Rows from each row back to the newest one it sees, at least 1.
    source : str
        Column with the load; empty = the target.
    """

    kind = "load_shape"

    class Params(Hyperparameters):
        """Settings of `LoadShape`."""

        window: int = pydantic.Field(28, ge=2)
        quantile: float = pydantic.Field(0.05, ge=0.0, le=1.0)
        lag: pydantic.PositiveInt = 1
        source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Load factor, then base load."""
        p = self.params
        return tuple(
            f"{label(p.source)}_{kind}{p.window}_lag{p.lag}"
            for kind in ("load_factor", "base_load")
        )

    @property
    def warm_up(self) -> int:
        """Window and lag."""
        return int(self.params.window + self.params.lag - 1)

    @property
    def min_lag(self) -> int:
        """The lag."""
        return int(self.params.lag)

    def _columns(self, panel: Panel) -> list[Floats]:
        p = self.params
        reader = grouped(panel, p.source)
        need = max(1, p.window // 2)
        mean = reader.rolling("mean", p.window, lag=p.lag, min_samples=need)
        peak = reader.rolling("max", p.window, lag=p.lag, min_samples=need)
        base = reader.rolling("median", p.window, lag=p.lag, min_samples=need, quantile=p.quantile)
        return [ratio(mean, np.where(peak > 0.0, peak, np.nan)), base]
