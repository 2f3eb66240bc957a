"""Ridge regression on few features, the same for all series: for little data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.forecast.models.ridge import Ridge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Panel
    from esgml.forecast.design import Design

#: Features of the target that are used, where the frequency has them.
KEPT = (
    "weekday",
    "lag_1",
    "lag_2",
    "lag_3",
    "same_season_mean_4",
    "same_season_mean_8",
    "same_season_median_8",
    "smooth_0.1",
    "smooth_0.25",
    "smooth_0.5",
)


class LeanRidge(Ridge):
    """The usual levels of a series and of what was measured beside it, weighed for all alike.

    As `ridge`, fitted for absolute errors, but with a dozen features of the target, those of
    its past covariates, no squares and no coefficients of a single series: where a few series
    have about a year of noisy days, the rest is learned from chance. Houses with a meter for
    load and one for solar output are such a case. Knows no covariates ahead; on long or calm
    series `ridge` is better.
    """

    refit_every = 1

    @classmethod
    def unsuited(cls, panel: Panel, horizon: int) -> str:
        """Say why the model is no candidate for a panel; empty where it is one."""
        if panel.frequency.season == 1 or panel.frequency.sub_daily:
            return "for daily to quarterly data"
        if not panel.past_names:
            return "nothing was measured beside the target"
        return super().unsuited(panel, horizon)

    def _left_out(self, design: Design, age: NDArray[np.float64], panel: Panel) -> tuple[str, ...]:
        season = panel.frequency.season
        levels = tuple(f"mean_{k * season}" for k in (1, 2, 4))
        beside = tuple(f"{name}_" for name in panel.past_names)
        return tuple(
            name
            for name in design.names
            if name not in KEPT + levels and (name in design.ahead or not name.startswith(beside))
        )

    def _groups(
        self, design: Design, series: NDArray[np.int64]
    ) -> list[tuple[NDArray[np.int64], int]]:
        return [(np.zeros(len(series), dtype=np.int64), self.params.absolute)]

    def _columns(self, design: Design) -> NDArray[np.float64]:
        columns = super()._columns(design)
        return np.ascontiguousarray(columns[:, : columns.shape[1] - design.x.shape[1]])
