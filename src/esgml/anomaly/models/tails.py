"""Sum of each feature's surprise, the tails extrapolated beyond what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from esgml.anomaly.base import AnomalyModel
from esgml.anomaly.state import dump_state, restore_state, stored_arrays
from esgml.core.errors import IntegrityError
from esgml.core.interfaces import Files, Hyperparameters, tunable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_GRID = 513


class TailsParams(Hyperparameters):
    """Settings of the tail model."""

    tail: float = tunable(
        0.02, 0.005, 0.1, log=True, description="share of each feature's rows the tail is fit on"
    )
    resolution: float = tunable(
        0.0, 0.0, 2.0, description="distances up to this are as ordinary as the median"
    )
    heaviest: float = tunable(
        0.15, 0.05, 0.5, description="least tail index: light tails are not trusted beyond data"
    )


class Tails(AnomalyModel):
    """Adds up how improbable each feature of a row is, far beyond the largest value seen too.

    For each feature, the distance from its median is ranked among those of training; the
    surprise is minus the logarithm of the share of rows as far out. Beyond the last 2 % of
    rows a Pareto tail with Hill's index goes on, so that among rows stranger than any of
    training the stranger one still scores higher, which plain ECOD cannot tell. A missing
    feature adds the surprise of an ordinary value. Use it on standardized features such as
    those of `esgml.anomaly.context`; it sees features one by one and misses rows that are
    strange in combination only.

    Attributes
    ----------
    grid_ : array, shape (d, 513)
        Quantiles of each feature's distances.
    center_, edge_, index_, log_share_ : arrays, shape (d,)
        Median, where the tail begins, Hill's index, and minus the log of the tail's share.

    References
    ----------
    Li et al., ECOD (2022), for the sum of log tail probabilities; here two-sided around the
    median, and extrapolated. Hill (1975) for the index.
    """

    Params = TailsParams
    fewest_rows = 20

    def _train(self, X: Floats, seed: int) -> None:
        d = X.shape[1]
        self.grid_ = np.zeros((d, _GRID))
        self.center_, self.edge_ = np.zeros(d), np.zeros(d)
        self.index_, self.log_share_ = np.full(d, self.params.heaviest), np.zeros(d)
        for j in range(d):
            seen = X[np.isfinite(X[:, j]), j]
            if len(seen) < self.fewest_rows:
                continue
            self.center_[j] = np.median(seen)
            distance = np.sort(np.abs(seen - self.center_[j]))
            n = len(distance)
            k = min(max(10, round(self.params.tail * n)), n - 1)
            self.grid_[j] = np.quantile(distance, np.linspace(0, 1, _GRID))
            self.edge_[j] = distance[-k - 1]
            self.log_share_[j] = np.log((n + 1) / (k + 1))
            if self.edge_[j] > 0:
                hill = float(np.log(distance[-k:] / self.edge_[j]).mean())
                self.index_[j] = max(hill, self.params.heaviest)

    def _contributions(self, X: Floats) -> Floats:
        surprise = np.ones(X.shape)
        for j in range(X.shape[1]):
            if self.log_share_[j] == 0:  # too few values to rank anything
                continue
            seen = np.isfinite(X[:, j])
            distance = np.abs(X[seen, j] - self.center_[j])
            rank = np.searchsorted(self.grid_[j], distance, side="left") / _GRID
            inside = -np.log(np.maximum(1 - rank, np.exp(-self.log_share_[j])))
            edge = max(self.edge_[j], self.params.resolution, 1e-12)
            far = distance > edge
            inside[distance <= self.params.resolution] = np.minimum(
                inside[distance <= self.params.resolution], 1.0
            )
            inside[far] = self.log_share_[j] + np.log(distance[far] / edge) / self.index_[j]
            surprise[seen, j] = inside
        return surprise

    def _score(self, X: Floats) -> Floats:
        total: Floats = self._contributions(X).sum(axis=1)
        return total

    def _dump(self) -> Files:
        return dump_state(
            columns=self.columns_,
            grid=self.grid_,
            center=self.center_,
            edge=self.edge_,
            index=self.index_,
            log_share=self.log_share_,
        )

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state = restore_state(files)
        d = state.get("columns")
        if not isinstance(d, int) or d < 1:
            raise IntegrityError("the saved number of columns is unusable.")
        found = stored_arrays(
            state,
            {"grid": (d, _GRID), "center": (d,), "edge": (d,), "index": (d,), "log_share": (d,)},
        )
        if not all(np.isfinite(a).all() for a in found.values()) or (found["index"] <= 0).any():
            raise IntegrityError("the saved tails are unusable.")
        self.columns_ = d
        self.grid_, self.center_, self.edge_ = found["grid"], found["center"], found["edge"]
        self.index_, self.log_share_ = found["index"], found["log_share"]
