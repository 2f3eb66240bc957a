"""Combining models by how well they did before: weights from past windows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How sharply a larger error lowers a model's weight.
POWER = 6.0
#: A model with more than this times the error of the best one has no part.
CUTOFF = 1.25
#: Share of the error that is pooled over all series; the rest is the series' own.
POOLED = 0.6
#: Windows after which an error counts half.
HALF_LIFE = 8.0
#: Windows after which the weights are trusted half.
PATIENCE = 2.0
BASELINE = "seasonal_naive"


@dataclass(frozen=True)
class Combination:
    """Weights of models, per series.

    Attributes
    ----------
    models : tuple of str
    weights : array, shape (n, models)
        Rows sum to one.
    gated : array of bool, shape (n,)
        Series for which the naive forecast did better, so it stands alone.
    """

    models: tuple[str, ...]
    weights: NDArray[np.float64]
    gated: NDArray[np.bool_]

    def apply(self, forecasts: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the weighted mean of forecasts of shape (n, horizon)."""
        total = np.zeros_like(forecasts[self.models[0]])
        for m, name in enumerate(self.models):
            weight = self.weights[:, m][:, None]
            total = total + np.where(weight > 0, weight * forecasts[name], 0.0)
        return total


def combine(forecasts: dict[str, NDArray[np.float64]], actual: NDArray[np.float64]) -> Combination:
    """Weigh models by their errors in past windows.

    Parameters
    ----------
    forecasts : dict of model to array, shape (windows, n, horizon)
        Past forecasts; no window at all gives equal weights.
    actual : array, shape (windows, n, horizon)

    Returns
    -------
    Combination
    """
    models = tuple(forecasts)
    windows, n, _ = actual.shape
    skilled = tuple(m for m in models if m != BASELINE) or models
    if windows == 0 or not np.isfinite(actual).any():
        weights = np.array([[1.0 / len(skilled) if m in skilled else 0.0 for m in models]])
        return Combination(models, np.repeat(weights, n, axis=0), np.zeros(n, dtype=bool))
    seen = np.isfinite(actual)
    stack = np.stack([forecasts[m] for m in models])
    error = np.where(seen & np.isfinite(stack), np.abs(stack - np.where(seen, actual, 0)), np.nan)
    count = seen.any(axis=2).sum(axis=0)
    # half-way between errors as they are and errors against the usual one of their window, so
    # that a broken window does not decide alone and a quiet one does not count as much
    by_window = _mean(error, axis=3)  # (models, windows, n)
    usual = _mean(by_window, axis=0)
    by_window = by_window / np.sqrt(np.where(usual > 0, usual, 1.0))
    fresh = np.broadcast_to(0.5 ** (np.arange(windows)[::-1, None] / HALF_LIFE), by_window.shape)
    own = _mean(by_window, axis=1, weights=fresh)
    typical = _mean(own, axis=0)
    relative = own / np.where(np.isfinite(typical) & (typical > 0), typical, 1.0)
    pooled = np.array([_median(row) for row in relative])[:, None]
    relative = np.where(np.isfinite(relative), relative, pooled)
    # a series with few windows leans on the pool
    trust = (1 - POOLED) * (count / (count + PATIENCE))[None, :]
    score = (1 - trust) * pooled + trust * relative
    best = np.min(np.where(np.isfinite(score), score, np.inf), axis=0)
    ratio = np.where(np.isfinite(score), score / np.maximum(best, 1e-12), np.inf)
    weights = np.where(ratio <= CUTOFF, np.maximum(ratio, 1e-6) ** -POWER, 0.0)
    weights = (weights / weights.sum(axis=0)).T
    gated = np.zeros(n, dtype=bool)
    if BASELINE in models:
        naive = models.index(BASELINE)
        mixed = np.einsum("nm,mwnh->wnh", weights, np.nan_to_num(stack))
        combined = _mean(np.where(seen, np.abs(mixed - np.where(seen, actual, 0)), np.nan), (0, 2))
        gated = (count >= 4) & (_mean(error[naive], axis=(0, 2)) < combined)
        weights[gated] = np.eye(len(models))[naive]
    return Combination(models, weights, gated)


def _median(values: NDArray[np.float64]) -> float:
    """Median of the finite values, so that one broken series moves nothing; NaN of none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _mean(
    values: NDArray[np.float64],
    axis: int | tuple[int, ...],
    weights: NDArray[np.float64] | float = 1.0,
) -> NDArray[np.float64]:
    """Mean over the finite values along `axis`; NaN where there is none."""
    finite = np.isfinite(values)
    count = np.where(finite, weights, 0.0).sum(axis=axis)
    total = np.where(finite, values * weights, 0.0).sum(axis=axis)
    result: NDArray[np.float64] = np.divide(
        total, count, out=np.full(np.shape(total), np.nan), where=count > 0
    )
    return result
