"""AutoTheta of statsforecast: the strong classical forecaster of one series at a time."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel
from esgml.forecast.events import event_factors
from esgml.forecast.history import fill
from esgml.forecast.state import dump_state, restore_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

_LONGEST = 1500


class AutoTheta(TimeSeriesModel):
    """The best of four Theta methods, chosen per series and fitted when it forecasts.

    Known events (covariates that are 0 or 1 and mostly 0, such as holidays) multiply the
    forecast by their usual effect, shrunk towards none. Needs no training; knows nothing of
    other covariates. A series too short or constant repeats its last season.

    References
    ----------
    Fiorucci et al., Models for optimising the theta method (2016); statsforecast.
    """

    Params = Hyperparameters

    @classmethod
    def unsuited(cls, panel: Panel, horizon: int) -> str:
        """Say why the model is no candidate for a panel; empty where it is one."""
        if panel.frequency.sub_daily:
            return "too slow on data finer than daily"
        if len(panel) > 300:
            return "too slow on more than 300 series"
        return ""

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        import statsforecast.models  # noqa: F401  (fail at training, not at serving)

        self.season_ = panel.frequency.season

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        from statsforecast.models import AutoTheta as Method

        result = np.empty((len(history), future.horizon))
        for i in range(len(history)):
            values = fill(history.series(i), self.season_)[-_LONGEST:]
            season = self.season_ if len(values) >= 2 * self.season_ + 1 else 1
            if len(values) < 4 or np.ptp(values) == 0:
                result[i] = np.resize(values[-season:], future.horizon)
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    answer = Method(season_length=season).forecast(y=values, h=future.horizon)
                result[i] = answer["mean"]
            except (ValueError, ZeroDivisionError, FloatingPointError, np.linalg.LinAlgError):
                result[i] = np.resize(values[-season:], future.horizon)
            if values.min() >= 0:
                result[i] = np.maximum(result[i], 0.0)
            result[i] *= event_factors(history, future, i, self.season_)
        return np.where(np.isfinite(result), result, 0.0)

    def _dump(self) -> Files:
        return dump_state(self, season=self.season_)

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.season_ = int(state["season"])
