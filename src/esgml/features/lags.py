"""Earlier values, changes, and covariates as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from esgml.core.errors import UsageError
from esgml.core.interfaces import Hyperparameters
from esgml.features.step import FeatureStep, grouped, label, source_values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from esgml.core.panel import Panel


class Lags(FeatureStep):
    """The value some rows earlier, e.g. yesterday's and last week's.

    Parameters
    ----------
    lags : tuple of int
        Rows to look back, each at least 1.
    source : str
        Column to read; empty = the target.

    Examples
    --------
    >>> Lags(lags=(1, 7)).names
    ('target_lag1', 'target_lag7')
    """

    kind = "lags"

    class Params(Hyperparameters):
        """Settings of `Lags`."""

        lags: tuple[pydantic.PositiveInt, ...] = pydantic.Field((1,), min_length=1)
        source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """One name per lag."""
        return tuple(f"{label(self.params.source)}_lag{k}" for k in self.params.lags)

    @property
    def warm_up(self) -> int:
        """The longest lag."""
        return int(max(self.params.lags))

    @property
    def min_lag(self) -> int:
        """The shortest lag."""
        return int(min(self.params.lags))

    def _columns(self, panel: Panel) -> list[NDArray[np.float64]]:
        reader = grouped(panel, self.params.source)
        return [reader.lag(k) for k in self.params.lags]


class Differences(FeatureStep):
    """The change over some rows, e.g. from a week ago to yesterday.

    Parameters
    ----------
    periods : tuple of int
        Rows between the two values.
    lag : int
        Rows from each row back to the newer value, at least 1.
    source : str
        Column to read; empty = the target.
    """

    kind = "differences"

    class Params(Hyperparameters):
        """Settings of `Differences`."""

        periods: tuple[pydantic.PositiveInt, ...] = pydantic.Field((1,), min_length=1)
        lag: pydantic.PositiveInt = 1
        source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """One name per period."""
        p = self.params
        return tuple(f"{label(p.source)}_diff{k}_lag{p.lag}" for k in p.periods)

    @property
    def warm_up(self) -> int:
        """The longest period and the lag."""
        return int(max(self.params.periods) + self.params.lag)

    @property
    def min_lag(self) -> int:
        """The lag."""
        return int(self.params.lag)

    def _columns(self, panel: Panel) -> list[NDArray[np.float64]]:
        reader = grouped(panel, self.params.source)
        return [reader.diff(k, lag=self.params.lag) for k in self.params.periods]


class Covariates(FeatureStep):
    """The covariates known ahead, as they are.

    Parameters
    ----------
    sources : tuple of str
        Which of them; empty = all that the panel has when fitted.

    Raises
    ------
    UsageError
        At `fit`, for a covariate that is not known ahead (use `Lags` for those).
    """

    kind = "covariates"

    class Params(Hyperparameters):
        """Settings of `Covariates`."""

        sources: tuple[str, ...] = ()

    sources_: tuple[str, ...] = ()
    min_lag: ClassVar[None] = None
    warm_up: ClassVar[int] = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the covariates; before `fit` those asked for."""
        return self.sources_ or tuple(self.params.sources)

    def _fit(self, panel: Panel) -> None:
        chosen = tuple(self.params.sources) or panel.known_names
        behind = [name for name in chosen if name in panel.past_names]
        if behind:
            raise UsageError(
                f"{behind} are not known ahead, so their present value is not a feature.",
                remedy="Name them with --known if they are, or use lags of them.",
            )
        for name in chosen:
            source_values(panel, name)
        self.sources_ = chosen

    def _columns(self, panel: Panel) -> list[NDArray[np.float64]]:
        behind = [name for name in self.sources_ if name in panel.past_names]
        if behind:
            raise UsageError(
                f"{behind} were known ahead in training and are not in this panel.",
                remedy="Give the panel the same known covariates as in training.",
            )
        return [source_values(panel, name) for name in self.sources_]

    def _state(self) -> dict[str, Any]:
        return {"sources": list(self.sources_)}

    def _restore(self, state: Any) -> None:
        self.sources_ = tuple(str(name) for name in state["sources"])
