"""Statistics of what came before: rolling, seasonal, expanding, exponentially weighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import pydantic

from esgml.core.interfaces import Hyperparameters
from esgml.features.kernels import Statistic
from esgml.features.step import FeatureStep, grouped, label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from esgml.core.panel import Panel


def _needed(window: int, share: float) -> int:
    return max(1, round(window * share))


class _Windows(Hyperparameters):
    """Settings of every step over windows."""

    windows: tuple[pydantic.PositiveInt, ...] = pydantic.Field((7,), min_length=1)
    statistics: tuple[Statistic, ...] = pydantic.Field(("mean",), min_length=1)
    min_share: float = pydantic.Field(0.5, gt=0.0, le=1.0)
    source: str = ""

    @pydantic.model_validator(mode="after")
    def _deviation_needs_two(self) -> Self:
        if "std" in self.statistics and min(self.windows) < 2:
            raise ValueError("a deviation needs a window of at least 2")
        return self


class Rolling(FeatureStep):
    """Statistics of the last rows, by default of those before the row itself.

    Parameters
    ----------
    windows : tuple of int
        Window lengths in rows.
    statistics : tuple of {"mean", "std", "min", "max", "median", "sum"}
    lag : int
        Rows from each row back to the newest one in its window, at least 1.
    min_share : float
        Share of the window that must be observed, else NaN.
    source : str
        Column to read; empty = the target.

    Examples
    --------
    >>> Rolling(windows=(7,), statistics=("mean", "std")).names
    ('target_mean7_lag1', 'target_std7_lag1')
    """

    kind = "rolling"

    class Params(_Windows):
        """Settings of `Rolling`."""

        lag: pydantic.PositiveInt = 1

    @property
    def names(self) -> tuple[str, ...]:
        """One name per window and statistic."""
        p = self.params
        return tuple(
            f"{label(p.source)}_{s}{w}_lag{p.lag}" for w in p.windows for s in p.statistics
        )

    @property
    def warm_up(self) -> int:
        """The longest window and the lag."""
        return int(max(self.params.windows) + self.params.lag - 1)

    @property
    def min_lag(self) -> int:
        """The lag."""
        return int(self.params.lag)

    def _columns(self, panel: Panel) -> list[NDArray[np.float64]]:
        p = self.params
        reader = grouped(panel, p.source)
        return [
            reader.rolling(s, w, lag=p.lag, min_samples=_needed(w, p.min_share))
            for w in p.windows
            for s in p.statistics
        ]


class SeasonalRolling(FeatureStep):
    """Statistics of the same phase of earlier seasons, e.g. of the last four Mondays.

    Parameters
    ----------
    season : int
        Season length in rows. With ``lag=season`` a row sees its own phase.
    windows : tuple of int
        Numbers of seasons.
    statistics : tuple of {"mean", "std", "min", "max", "median", "sum"}
    lag : int, optional
        Rows from each row back to the newest one it sees; `season` where omitted.
    min_share : float
        Share of the window that must be observed, else NaN.
    source : str
        Column to read; empty = the target.
    """

    kind = "seasonal_rolling"

    class Params(_Windows):
        """Settings of `SeasonalRolling`."""

        season: pydantic.PositiveInt = 7
        windows: tuple[pydantic.PositiveInt, ...] = pydantic.Field((4,), min_length=1)
        lag: pydantic.PositiveInt | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """One name per window and statistic."""
        p = self.params
        return tuple(
            f"{label(p.source)}_season{p.season}_{s}{w}_lag{self.min_lag}"
            for w in p.windows
            for s in p.statistics
        )

    @property
    def warm_up(self) -> int:
        """All seasons of the longest window."""
        return int(self.min_lag + (max(self.params.windows) - 1) * self.params.season)

    @property
    def min_lag(self) -> int:
        """The lag."""
        return int(self.params.lag or self.params.season)

    def _columns(self, panel: Panel) -> list[NDArray[np.float64]]:
        p = self.params
        reader = grouped(panel, p.source)
        return [
            reader.seasonal_rolling(
                s, p.season, w, lag=self.min_lag, min_samples=_needed(w, p.min_share)
            )
            for w in p.windows
            for s in p.statistics
        ]


class Expanding(FeatureStep):
    """Statistics of everything before: the level and range a series has had so far.

    Its features depend on how far back the history reaches; serve it with all of it.

    Parameters
    ----------
    statistics : tuple of {"mean", "std", "min", "max"}
    lag : int
        Rows from each row back to the newest one it sees, at least 1.
    source : str
        Column to read; empty = the target.
    """

    kind = "expanding"
    warm_up: ClassVar[None] = None

    class Params(Hyperparameters):
        """Settings of `Expanding`."""

        statistics: tuple[Literal["mean", "std", "min", "max"], ...] = pydantic.Field(
            ("mean",), min_length=1
        )
        lag: pydantic.PositiveInt = 1
        source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """One name per statistic."""
        p = self.params
        return tuple(f"{label(p.source)}_expanding_{s}_lag{p.lag}" for s in p.statistics)

    @property
    def min_lag(self) -> int:
        """The lag."""
        return int(self.params.lag)

    def _columns(self, panel: Panel) -> list[NDArray[np.float64]]:
        reader = grouped(panel, self.params.source)
        return [reader.expanding(s, lag=self.params.lag) for s in self.params.statistics]


class ExponentialMean(FeatureStep):
    """Exponentially weighted mean of everything before.

    Its features depend, ever more weakly, on the whole history; serve it with all of it.

    Parameters
    ----------
    alphas : tuple of float
        Weight of the newest value, in (0, 1].
    lag : int
        Rows from each row back to the newest one it sees, at least 1.
    source : str
        Column to read; empty = the target.
    """

    kind = "ewm"
    warm_up: ClassVar[None] = None

    class Params(Hyperparameters):
        """Settings of `ExponentialMean`."""

        alphas: tuple[float, ...] = pydantic.Field((0.3,), min_length=1)
        lag: pydantic.PositiveInt = 1
        source: str = ""

        @pydantic.field_validator("alphas")
        @classmethod
        def _in_range(cls, alphas: tuple[float, ...]) -> tuple[float, ...]:
            if any(not 0.0 < a <= 1.0 for a in alphas):
                raise ValueError("every alpha lies in (0, 1]")
            return alphas

    @property
    def names(self) -> tuple[str, ...]:
        """One name per alpha."""
        p = self.params
        return tuple(f"{label(p.source)}_ewm{a:g}_lag{p.lag}" for a in p.alphas)

    @property
    def min_lag(self) -> int:
        """The lag."""
        return int(self.params.lag)

    def _columns(self, panel: Panel) -> list[NDArray[np.float64]]:
        reader = grouped(panel, self.params.source)
        return [reader.ewm(a, lag=self.params.lag) for a in self.params.alphas]
