"""Mahalanobis distance in the principal axes: rows against the grain of the columns are strange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pydantic

from esgml.anomaly.base import AnomalyModel
from esgml.anomaly.spread import Spread
from esgml.anomaly.state import dump_state, restore_state
from esgml.core.errors import IntegrityError
from esgml.core.interfaces import Files, Hyperparameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class PCAParams(Hyperparameters):
    """Hyperparameters of the distance in principal axes."""

    floor: float = pydantic.Field(
        1e-3,
        gt=0,
        lt=1,
        description="smallest variance an axis counts with, as a share of the mean axis",
    )


class PCA(AnomalyModel):
    """Distance from the centre, each principal axis measured in its own deviation.

    When to use it: columns that move together; it finds rows whose every value is ordinary but
    whose combination is not. Weakness: one cloud is assumed; several groups, or strange rows
    numerous enough to be an axis of their own, are missed.

    Columns are taken in usual spreads (`Spread`), beyond them on a logarithmic scale, so that a few
    huge values neither become an axis nor are the only rows found; a missing value counts as the
    middle of its column. Axes of almost no variance are given a little, so that rounding is not
    held strange.

    Parameters
    ----------
    **params
        See `PCAParams`.

    Attributes
    ----------
    centre_ : array, shape (d,)
    whitening_ : array, shape (d, d)
        From the columns so scaled to the axes, each divided by its deviation.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.random.default_rng(0).normal(size=500)
    >>> model = PCA().train(np.column_stack([one, one]), seed=1)
    >>> bool(model.score([[1.0, -1.0]])[0] > 5 * model.score([[1.0, 1.0]])[0])
    True

    References
    ----------
    Shyu et al., A novel anomaly detection scheme based on principal component classifier, 2003.
    """

    Params: ClassVar[type[Hyperparameters]] = PCAParams
    fewest_rows: ClassVar[int] = 1

    spread_: Spread
    centre_: Floats
    whitening_: Floats

    def _train(self, X: Floats, seed: int) -> None:
        self.spread_ = Spread.of(X)
        rows = self.spread_.squeezed(X)
        self.centre_ = rows.mean(axis=0)
        away = rows - self.centre_
        variance, axes = np.linalg.eigh(away.T @ away / len(rows))
        least = self.params.floor * max(float(variance.mean()), 1e-12)
        self.whitening_ = axes / np.sqrt(np.maximum(variance, least))

    def _score(self, X: Floats) -> Floats:
        away = self.spread_.squeezed(X) - self.centre_
        return np.asarray(np.sqrt(((away @ self.whitening_) ** 2).sum(axis=1)))

    def _contributions(self, X: Floats) -> Floats:
        """Return the drop of the squared distance if a column had the value the others imply."""
        away = self.spread_.squeezed(X) - self.centre_
        precision = self.whitening_ @ self.whitening_.T
        return np.asarray((away @ precision) ** 2 / np.diag(precision))

    def _dump(self) -> Files:
        return dump_state(
            columns=self.columns_,
            centre=self.centre_,
            whitening=self.whitening_,
            **self.spread_.arrays(),
        )

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(files)
        columns = state.get("columns")
        centre, whitening = state.get("centre"), state.get("whitening")
        if (
            not isinstance(columns, int)
            or not isinstance(centre, np.ndarray)
            or not isinstance(whitening, np.ndarray)
            or centre.shape != (columns,)
            or whitening.shape != (columns, columns)
            or not (np.isfinite(centre).all() and np.isfinite(whitening).all())
            or not whitening.any(axis=1).all()
        ):
            raise IntegrityError("the saved axes are unusable.")
        self.columns_, self.centre_, self.whitening_ = columns, centre, whitening
        self.spread_ = Spread.from_arrays(state, columns)
