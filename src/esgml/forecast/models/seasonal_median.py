"""The usual value of the same season: a weighted median that stops and spikes do not move."""

from __future__ import annotations

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


class SeasonalMedian(TimeSeriesModel):
    """The weighted median of past values at the same place in the season, newer ones more.

    The median minimises the absolute error of a quantity without trend, and a week in which a
    plant stood still does not pull it down. Suits sites that work to a calendar with a steady
    level, above all with little history. Follows no trend and only slowly a change of level;
    events known ahead multiply it by their usual effect.
    """

    class Params(Hyperparameters):
        """Settings of the memory."""

        half_life: float = tunable(
            16.0, 2.0, 64.0, log=True, description="seasons after which a value counts half"
        )

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self.season_ = panel.frequency.season

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        season = self.season_
        result = np.empty((len(history), future.horizon))
        for i in range(len(history)):
            values = fill(history.series(i), season)
            usual = np.array(
                [
                    self._median(values[-1 - back :: -season])
                    for back in range(min(season, len(values)))
                ]
            )[::-1]
            result[i] = np.resize(usual, future.horizon)
            result[i] *= event_factors(history, future, i, season)
        return result

    def _median(self, values: NDArray[np.float64]) -> float:
        """Return the weighted median of values, newest first."""
        weight = 0.5 ** (np.arange(len(values)) / self.params.half_life)
        order = np.argsort(values, kind="stable")
        mass = np.cumsum(weight[order])
        return float(values[order][np.searchsorted(mass, 0.5 * mass[-1])])

    def _dump(self) -> Files:
        return dump_state(self, season=self.season_)

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.season_ = int(state["season"])
