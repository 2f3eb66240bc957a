"""Histograms: values that few rows share are strange, column by column."""

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

_FEWEST, _MOST = 8, 100


class HistogramParams(Hyperparameters):
    """Hyperparameters of the histograms."""

    floor: float = pydantic.Field(
        0.05, gt=0, lt=1, description="share of the fullest bin that every bin is taken to hold"
    )


class Histogram(AnomalyModel):
    """Sum over the columns of how empty the bin is that a value falls into.

    When to use it: columns of codes and counts, and values that are strange between two usual
    ones, which tails and distances do not see; it takes one pass. Weakness: columns one by one;
    beyond the last bin a value is strange whatever its distance, and no stranger farther out.

    Bins are equally wide on the scale of `Spread.squeezed`, half the square root of the rows in
    number. A missing value adds nothing.

    Parameters
    ----------
    **params
        See `HistogramParams`.

    Attributes
    ----------
    low_, high_ : array, shape (d,)
        Ends of each column's bins.
    surprise_ : array, shape (d, bins + 1)
        What a value in each bin adds to the score, 0 for the fullest; last: outside of all bins.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.repeat([[1.0], [2.0], [9.0]], 100, axis=0)
    >>> model = Histogram().train(codes)
    >>> bool(model.score([[5.0]])[0] > model.score(codes).max())
    True

    References
    ----------
    Goldstein & Dengel, Histogram-based outlier score (HBOS), KI 2012; here with bins on a
    logarithmic scale and a floor.
    """

    Params: ClassVar[type[Hyperparameters]] = HistogramParams
    fewest_rows: ClassVar[int] = 1

    spread_: Spread
    low_: Floats
    high_: Floats
    surprise_: Floats

    def _train(self, X: Floats, seed: int) -> None:
        self.spread_ = Spread.of(X)
        rows = self.spread_.squeezed(X)
        bins = int(np.clip(0.5 * np.sqrt(len(rows)), _FEWEST, _MOST))
        self.low_, self.high_ = rows.min(axis=0), rows.max(axis=0)
        held = np.zeros((rows.shape[1], bins + 1))
        place = self._bins(rows, bins)
        seen = ~np.isnan(X)
        for j in range(rows.shape[1]):
            held[j] = np.bincount(place[seen[:, j], j], minlength=bins + 1)
        held /= np.maximum(held.max(axis=1, keepdims=True), 1.0)
        floor = self.params.floor
        self.surprise_ = -np.log((held + floor) / (1 + floor))
        # a column without any value says nothing
        self.surprise_[~seen.any(axis=0)] = 0.0

    def _bins(self, rows: Floats, bins: int) -> NDArray[np.int64]:
        """Return the bin of every value; the number of bins where it lies outside of them."""
        width = self.high_ - self.low_
        share = (rows - self.low_) / np.where(width > 0, width, 1.0)
        place = np.minimum((np.clip(share, 0, 1) * bins).astype(np.int64), bins - 1)
        return np.where((rows < self.low_) | (rows > self.high_), bins, place)

    def _contributions(self, X: Floats) -> Floats:
        rows = self.spread_.squeezed(X)
        place = self._bins(rows, self.surprise_.shape[1] - 1)
        part = np.take_along_axis(self.surprise_, place.T, axis=1).T
        return np.where(np.isnan(X), 0.0, np.maximum(part, 0.0))

    def _score(self, X: Floats) -> Floats:
        return np.asarray(self._contributions(X).sum(axis=1))

    def _dump(self) -> Files:
        return dump_state(
            columns=self.columns_,
            low=self.low_,
            high=self.high_,
            surprise=self.surprise_,
            **self.spread_.arrays(),
        )

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(files)
        d, found = state.get("columns"), [state.get(k) for k in ("low", "high", "surprise")]
        if (
            not isinstance(d, int)
            or not all(isinstance(a, np.ndarray) and a.dtype == np.float64 for a in found)
            or any(a.shape != (d,) for a in found[:2])  # type: ignore[union-attr]
            or found[2].ndim != 2  # type: ignore[union-attr]
            or found[2].shape[0] != d  # type: ignore[union-attr]
            or found[2].shape[1] < 2  # type: ignore[union-attr]
            or not all(np.isfinite(a).all() for a in found)  # type: ignore[arg-type]
        ):
            raise IntegrityError("the saved histograms are unusable.")
        self.columns_ = d
        self.low_, self.high_, self.surprise_ = found  # type: ignore[assignment]
        self.spread_ = Spread.from_arrays(state, d)
