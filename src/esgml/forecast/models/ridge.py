"""Ridge regression on the direct design, one model for all series corrected per series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.forecast.design import Design, build_design, is_multiplicative
from esgml.forecast.linear import ridge, standardize, unhelpful_covariates
from esgml.forecast.state import dump_state, restore_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel


class RidgeParams(Hyperparameters):
    """Settings of the ridge forecaster."""

    penalty: float = tunable(30.0, 0.3, 300.0, log=True, description="shrinkage of coefficients")
    half_life: float = tunable(
        1.0, 0.25, 4.0, log=True, description="years after which a row counts half"
    )
    absolute: int = tunable(5, 0, 8, description="rounds towards the absolute error")
    clip: float = tunable(4.0, 2.0, 8.0, description="limit of standardized features")


class Ridge(TimeSeriesModel):
    """Linear forecasts that react differently near and far ahead.

    Features are standardized and clipped, and enter as they are, times the step ahead, and
    squared. A model over all series is fitted first, for absolute errors; each series then
    gets its own correction, and with data finer than daily each hour of a series another,
    each shrunk towards none. Known covariates are left out where they did not help on the
    latest quarter of the rows. Use it wherever there are a few dozen periods; it does not
    find interactions between covariates.

    Attributes
    ----------
    coefficients_ : list of array
        Of all series (1, columns), per series (n, columns), per hour (24 n, columns).
    dropped_ : tuple of str
        Features left out.
    """

    Params = RidgeParams
    refit_every = 2

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self.log_ = is_multiplicative(panel)
        self.keys_ = [list(key) for key in panel.keys]
        self.dropped_: tuple[str, ...] = ()
        self.coefficients_: list[NDArray[np.float64]] = []
        self.limit_ = 0.0
        design = build_design(panel, horizon, log=self.log_)
        design = design.where(np.isfinite(design.z))
        if len(design.z) == 0:
            self.center_ = self.spread_ = np.zeros(0)
            return
        age = design.age(panel)
        self.dropped_ = self._left_out(design, age, panel)
        design = design.without(self.dropped_)
        self.center_, self.spread_ = standardize(design.x)
        z = np.clip(design.z, -5, 8)
        columns = self._columns(design)
        weight = 0.5 ** (age / (self.params.half_life * max(panel.frequency.year, 1)))
        penalty = self.params.penalty * min(horizon, 24)
        rest = z.copy()
        for group, absolute in self._groups(design, design.series):
            found = np.zeros((int(group.max()) + 1, columns.shape[1]))
            for g in np.unique(group):
                mine = group == g
                found[g] = ridge(
                    columns[mine], rest[mine], weight[mine], penalty, absolute=absolute
                )
            rest = rest - np.einsum("ij,ij->i", columns, found[group])
            self.coefficients_.append(found)
        self.limit_ = float(max(np.quantile(np.abs(z), 0.999), np.quantile(np.abs(rest), 0.99)))

    def _left_out(self, design: Design, age: NDArray[np.float64], panel: Panel) -> tuple[str, ...]:
        """Return the features that are not used."""
        return unhelpful_covariates(design, age)

    def _groups(
        self, design: Design, series: NDArray[np.int64]
    ) -> list[tuple[NDArray[np.int64], int]]:
        """Return which correction each row takes, coarse to fine, and rounds for each.

        `series` numbers the series as in training; one not seen there has no correction.
        """
        groups = [(np.zeros(len(series), dtype=np.int64), self.params.absolute)]
        if len(self.keys_) > 1:
            groups.append((series, 0))
        if "hour" in design.names:
            hour = design.column("hour").astype(np.int64)
            groups.append((series * 24 + hour, 0))
        return groups

    def _columns(self, design: Design) -> NDArray[np.float64]:
        """Return the regressors: intercept, weekdays, features, times step, squared."""
        z = np.nan_to_num((design.x - self.center_) / self.spread_)
        z = np.clip(z, -self.params.clip, self.params.clip)
        parts = [np.ones((len(z), 1))]
        if "weekday" in design.names:
            parts.append(np.eye(7)[design.column("weekday").astype(int)])
        ahead = design.step[:, None] / max(self.horizon_, 1) - 0.5
        parts += [z, 0.7 * z * ahead, 0.4 * (z**2 - 1)]
        return np.hstack(parts)

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        design = build_design(history, future.horizon, log=self.log_, future=future)
        design = design.without(self.dropped_)
        z = np.zeros(len(design.z))
        if self.coefficients_:
            columns = self._columns(design)
            place = {tuple(key): i for i, key in enumerate(self.keys_)}
            unknown = len(self.keys_)
            which = np.array([place.get(tuple(key), unknown) for key in history.keys])
            groups = self._groups(design, which[design.series])
            for (group, _), found in zip(groups, self.coefficients_, strict=True):
                inside = group < len(found)
                chosen = np.where(inside[:, None], found[np.where(inside, group, 0)], 0.0)
                z += np.einsum("ij,ij->i", columns, chosen)
        return design.to_target(np.clip(z, -self.limit_, self.limit_)).reshape(len(history), -1)

    def _dump(self) -> Files:
        return dump_state(
            self,
            log=self.log_,
            keys=self.keys_,
            dropped=list(self.dropped_),
            center=self.center_,
            spread=self.spread_,
            limit=self.limit_,
            levels=len(self.coefficients_),
            **{f"coefficients_{k}": array for k, array in enumerate(self.coefficients_)},
        )

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.log_, self.keys_ = bool(state["log"]), state["keys"]
        self.dropped_ = tuple(state["dropped"])
        self.center_, self.spread_ = state["center"], state["spread"]
        self.limit_ = float(state["limit"])
        self.coefficients_ = [state[f"coefficients_{k}"] for k in range(int(state["levels"]))]
