"""Isolation forest: rows that few random cuts set apart are strange."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pydantic

from esgml.anomaly.base import AnomalyModel
from esgml.anomaly.flat_forest import FlatForest, as_float32, path_length
from esgml.anomaly.state import dump_state, restore_state
from esgml.core.errors import IntegrityError, MissingExtraError
from esgml.core.interfaces import Files, Hyperparameters, tunable
from esgml.core.random import derive_seed

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class IsolationForestParams(Hyperparameters):
    """Hyperparameters of the isolation forest."""

    trees: int = tunable(100, 50, 400, log=True, description="number of trees")
    samples: int = tunable(256, 64, 2048, log=True, description="rows each tree is grown on")
    contamination: float = pydantic.Field(
        0.1, gt=0, le=0.5, description="share of the training rows that `is_anomaly` flags"
    )

    @pydantic.field_validator("trees", "samples")
    @classmethod
    def _within(cls, value: int) -> int:
        if not 1 <= value <= 100_000:
            raise ValueError("must lie between 1 and 100,000")
        return value


class IsolationForest(AnomalyModel):
    """How few random cuts set a row apart from the others, between 0 and 1.

    When to use it: rows of many kinds of columns, thousands of them, unscaled; it looks at one
    column at a time, needs no distances and is hardly disturbed by irrelevant columns.
    Weakness: what is strange only in combination (each column ordinary by itself), and what is
    strange only beside its neighbours. A contamination of 0.1 flags every tenth training row,
    whether it is strange or not: the share is assumed, not measured.

    scikit-learn grows the trees; scoring walks them as flat arrays, compiled where numba is
    installed, and returns what scikit-learn's ``-score_samples`` returns, up to rounding.

    Parameters
    ----------
    **params
        See `IsolationForestParams`.

    Attributes
    ----------
    forest_ : FlatForest
    threshold_ : float
        Score above which `is_anomaly` is true.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(500, 2))
    >>> model = IsolationForest().train(rows, seed=1)
    >>> bool(model.score([[6.0, 6.0]])[0] > model.score(rows).mean() + 0.2)
    True

    References
    ----------
    Liu, Ting & Zhou, Isolation Forest, ICDM 2008.
    """

    Params: ClassVar[type[Hyperparameters]] = IsolationForestParams
    fewest_rows: ClassVar[int] = 1

    forest_: FlatForest
    threshold_: float
    scale_: float

    def _train(self, X: Floats, seed: int) -> None:
        p = self.params
        try:
            from sklearn.ensemble import IsolationForest as Grower
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("scikit-learn", "train") from error
        samples = min(p.samples, len(X))
        grower = Grower(
            n_estimators=p.trees,
            max_samples=samples,
            random_state=derive_seed(seed, "isolation forest") % 2**32,
        )
        with warnings.catch_warnings():
            # columns without any observed value hold nothing to cut at, and are never cut
            warnings.simplefilter("ignore", RuntimeWarning)
            grower.fit(as_float32(X))
        self._adopt(grower, samples)
        self.threshold_ = float(-np.percentile(-self._score(X), 100.0 * p.contamination))

    def _adopt(self, grower: Any, samples: int) -> None:
        """Take over the trees of a fitted forest of scikit-learn."""
        self.forest_ = FlatForest.of(
            [tree.tree_ for tree in grower.estimators_], grower.estimators_features_
        )
        self.scale_ = float(len(self.forest_.roots) * path_length(np.array([float(samples)]))[0])

    def _score(self, X: Floats) -> Floats:
        return self._from_depths(self.forest_.depths(X))

    def _from_depths(self, depths: Floats) -> Floats:
        if self.scale_ == 0:  # grown on one row: every row is as far from it as any other
            return np.full(len(depths), 0.5)
        return np.asarray(2.0 ** -(depths / self.scale_))

    def is_anomaly(self, X: Any) -> NDArray[np.bool_]:
        """Return whether each row scores above the share assumed by ``contamination``.

        Agrees with ``predict(X) == -1`` of scikit-learn.
        """
        return np.asarray(-self.score(X) + self.threshold_ < 0)

    def _contributions(self, X: Floats) -> Floats:
        return np.maximum(self.forest_.contributions(X), 0.0)

    def _dump(self) -> Files:
        return dump_state(
            columns=self.columns_,
            flagged_above=self.threshold_,
            scale=self.scale_,
            **self.forest_.arrays(),
        )

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state = restore_state(files)
        try:
            self.columns_ = int(state["columns"])
            self.threshold_ = float(state["flagged_above"])
            self.scale_ = float(state["scale"])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("the saved forest is incomplete.") from error
        self.forest_ = FlatForest.from_arrays(state, self.columns_)

    def _details(self) -> dict[str, Any]:
        return {"nodes": len(self.forest_.left)} if self.trained_ else {}
