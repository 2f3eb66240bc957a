"""Nearest neighbours in many small samples: rows far from every sample are strange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pydantic

from esgml.anomaly.base import AnomalyModel
from esgml.anomaly.spread import Spread
from esgml.anomaly.state import dump_state, restore_state
from esgml.core.errors import IntegrityError
from esgml.core.interfaces import Files, Hyperparameters, tunable
from esgml.core.random import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_CELLS = 4_000_000  # distances held at a time


class SampledNeighboursParams(Hyperparameters):
    """Hyperparameters of the sampled neighbours."""

    rounds: int = pydantic.Field(100, ge=1, le=10_000, description="number of samples")
    samples: int = tunable(32, 8, 256, log=True, description="rows in each sample")

    @pydantic.field_validator("samples")
    @classmethod
    def _within(cls, value: int) -> int:
        if not 1 <= value <= 10_000:
            raise ValueError("must lie between 1 and 10,000")
        return value


class SampledNeighbours(AnomalyModel):
    """Mean distance of a row to its nearest neighbour in many small random samples.

    When to use it: numeric columns, also where the strange rows form a small group of their own:
    a sample rarely holds one of a group of fewer than one row in ``samples``, so they do not
    vouch for each other, as they do in plain k-nearest neighbours. Weakness: larger groups, rows
    strange only beside a dense neighbourhood (local outliers), hundreds of irrelevant columns.
    Scoring costs ``rounds x samples`` distances a row.

    Distances are sums over columns (city block: a column of noise adds a little instead of
    drowning the others), each in its usual spread (`Spread`). A missing value counts as the
    middle of its column.

    Parameters
    ----------
    **params
        See `SampledNeighboursParams`.

    Attributes
    ----------
    spread_ : Spread
    samples_ : array, shape (rounds, samples, d)
        In usual spreads. Never more than an eighth of the rows in a sample, so that scores of
        the training rows, which may meet themselves, stay comparable with those of others.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(500, 2))
    >>> model = SampledNeighbours().train(rows, seed=1)
    >>> bool(model.score([[6.0, 6.0]])[0] > 3 * model.score(rows).mean())
    True

    References
    ----------
    Pang, Ting & Albrecht, LeSiNN: Detecting anomalies by identifying least similar nearest
    neighbours, ICDM Workshops 2015; here with robust scaling and city-block distances.
    """

    Params: ClassVar[type[Hyperparameters]] = SampledNeighboursParams
    fewest_rows: ClassVar[int] = 1

    spread_: Spread
    samples_: Floats

    def _train(self, X: Floats, seed: int) -> None:
        self.spread_ = Spread.of(X)
        rows = self.spread_.filled(X)
        size = min(self.params.samples, max(1, len(rows) // 8))
        draw = generator(seed, "sampled neighbours")
        self.samples_ = np.stack(
            [rows[draw.choice(len(rows), size, replace=False)] for _ in range(self.params.rounds)]
        )

    def _score(self, X: Floats) -> Floats:
        from scipy.spatial.distance import cdist

        rounds, size, columns = self.samples_.shape
        rows = self.spread_.filled(X)
        flat = self.samples_.reshape(rounds * size, columns)
        out = np.empty(len(rows))
        chunk = max(1, _CELLS // (rounds * size))
        for start in range(0, len(rows), chunk):
            # each distance is computed by itself, so a row scores the same alone and among others
            apart = cdist(rows[start : start + chunk], flat, "cityblock")
            nearest = apart.reshape(-1, rounds, size).min(axis=2)
            out[start : start + chunk] = nearest.mean(axis=1)
        return out

    def _contributions(self, X: Floats) -> Floats:
        """Return each column's part of the mean distance; the parts add up to the score."""
        from scipy.spatial.distance import cdist

        rounds, size, _ = self.samples_.shape
        rows = self.spread_.filled(X)
        out = np.zeros(rows.shape)
        for sample in self.samples_:
            for start in range(0, len(rows), max(1, _CELLS // size)):
                part = rows[start : start + max(1, _CELLS // size)]
                nearest = sample[cdist(part, sample, "cityblock").argmin(axis=1)]
                out[start : start + len(part)] += np.abs(part - nearest)
        return np.asarray(out / rounds)

    def _dump(self) -> Files:
        return dump_state(columns=self.columns_, samples=self.samples_, **self.spread_.arrays())

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(files)
        self.columns_, samples = state.get("columns"), state.get("samples")  # type: ignore[assignment]
        if (
            not isinstance(self.columns_, int)
            or not isinstance(samples, np.ndarray)
            or samples.ndim != 3
            or samples.shape[2] != self.columns_
            or samples.size == 0
            or samples.dtype != np.float64
            or not np.isfinite(samples).all()
        ):
            raise IntegrityError("the saved samples are unusable.")
        self.samples_ = samples
        self.spread_ = Spread.from_arrays(state, self.columns_)
