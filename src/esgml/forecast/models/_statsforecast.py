"""What the models of statsforecast share: one series at a time, fitted when they forecast."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.forecast.events import event_factors
from esgml.forecast.history import fill
from esgml.forecast.state import dump_state, restore_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel


class StatsforecastParams(Hyperparameters):
    """Settings of the models of statsforecast."""

    longest: int = tunable(1500, 100, 3000, log=True, description="latest periods used")


class StatsforecastModel(TimeSeriesModel):
    """Base of the models of statsforecast.

    Known events (covariates that are 0 or 1 and mostly 0, such as holidays) multiply the
    forecast by their usual effect. A series too short or constant repeats its last season,
    and so does one the library fails on.
    """

    Params = StatsforecastParams

    @classmethod
    def unsuited(cls, panel: Panel, horizon: int) -> str:
        """Say why the model is no candidate for a panel; empty where it is one."""
        if panel.frequency.sub_daily:
            return "too slow on data finer than daily"
        if len(panel) > 300:
            return "too slow on more than 300 series"
        return ""

    @abstractmethod
    def _method(self, season: int) -> Any:
        """Return the library's model for a season length."""

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self._method(1)  # a missing library is told at training
        self.season_ = panel.frequency.season

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        result = np.empty((len(history), future.horizon))
        for i in range(len(history)):
            values = fill(history.series(i), self.season_)[-self.params.longest :]
            season = self.season_ if len(values) >= 2 * self.season_ + 1 else 1
            result[i] = self._one(values, future.horizon, season)
            if values.min() >= 0:
                result[i] = np.maximum(result[i], 0.0)
            result[i] *= event_factors(history, future, i, self.season_)
        return result

    def _one(self, values: NDArray[np.float64], horizon: int, season: int) -> NDArray[np.float64]:
        repeated = np.resize(values[-season:], horizon)
        if len(values) < 4 or np.ptp(values) == 0:
            return repeated
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = self._method(season).forecast(y=values, h=horizon)["mean"]
        except (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError):
            return repeated
        return np.where(np.isfinite(answer), answer, repeated)

    def _dump(self) -> Files:
        return dump_state(self, season=self.season_)

    def _restore(self, files: Mapping[str, bytes]) -> None:
        self.season_ = int(restore_state(self, files)["season"])
