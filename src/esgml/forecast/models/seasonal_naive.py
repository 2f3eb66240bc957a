"""The last season repeated: the baseline every other forecast stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel
from esgml.forecast.history import fill
from esgml.forecast.state import dump_state, restore_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel


class SeasonalNaive(TimeSeriesModel):
    """Repeat the value of the same season one cycle ago.

    The season is a day for hourly data, a week for daily, a year for weeks to quarters, and
    one step (the last value) for annual data or a history shorter than a season.
    """

    Params = Hyperparameters

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self.season_ = panel.frequency.season

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        result = np.empty((len(history), future.horizon))
        for i in range(len(history)):
            values = fill(history.series(i), self.season_)
            season = self.season_ if len(values) >= self.season_ else 1
            result[i] = np.resize(values[-season:], future.horizon)
        return result

    def _dump(self) -> Files:
        return dump_state(self, season=self.season_)

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.season_ = int(state["season"])
