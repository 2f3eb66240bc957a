"""Combining models by how well they did before: weights from past windows only.

The naive forecast is the measure, no part of the mixture: it stands alone where it was better
beyond chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from esgml.forecast.averaging import average
from esgml.forecast.stacking import stack_weights

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
#: Standard errors by which the naive forecast must have done better to stand alone.
BEYOND_CHANCE = 2.0
#: Windows from which the error of the mixture itself is lowered.
LEAST_STACKED = 3
#: Least weight it starts from of a model that is not cut off.
LEAST_PRIOR = 0.02
#: How stiffly the mixture of all series holds to the weights by single errors, and that of
#: one series to the mixture of all: divided by the windows.
STIFFNESS, OWN_STIFFNESS = 0.75, 3.0


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
    later : array, shape (n, models), optional
        Weights of periods after the next step of the levels, where levels step.
    """

    models: tuple[str, ...]
    weights: NDArray[np.float64]
    gated: NDArray[np.bool_]
    later: NDArray[np.float64] | None = None

    def apply(
        self, forecasts: dict[str, NDArray[np.float64]], stepped: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Return the weighted mean (`averaging`) of forecasts of shape (n, horizon).

        `stepped` of the same shape says which periods come after the next step of the levels.
        """
        stack = np.stack([forecasts[name] for name in self.models])
        weights = self.weights.T[:, :, None]
        if self.later is not None and stepped is not None:
            weights = np.where(stepped, self.later.T[:, :, None], weights)
        return average(stack, weights)


def combine(
    forecasts: dict[str, NDArray[np.float64]],
    actual: NDArray[np.float64],
    stepped: NDArray[np.bool_] | None = None,
) -> Combination:
    """Weigh models by their errors in past windows.

    Parameters
    ----------
    forecasts : dict of model to array, shape (windows, n, horizon)
        Past forecasts; no window at all gives equal weights.
    actual : array, shape (windows, n, horizon)
    stepped : array of bool, shape (windows, n, horizon), optional
        Periods after a step of the levels. They are another task than those before it, where
        the level is known, so they get weights of their own.

    Returns
    -------
    Combination
    """
    if stepped is None:
        return _weigh(forecasts, actual)
    before, after = (
        _weigh(forecasts, part if np.isfinite(part).any() else actual)
        for part in (np.where(stepped, np.nan, actual), np.where(stepped, actual, np.nan))
    )
    return replace(before, later=after.weights)


def _weigh(forecasts: dict[str, NDArray[np.float64]], actual: NDArray[np.float64]) -> Combination:
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
    if BASELINE in models:
        # only where no other model has a forecast has the naive a part
        naive = models.index(BASELINE)
        others = np.isfinite(np.delete(score, naive, axis=0)).any(axis=0)
        score[naive, others] = np.inf
    best = np.min(np.where(np.isfinite(score), score, np.inf), axis=0)
    ratio = np.where(np.isfinite(score), score / np.maximum(best, 1e-12), np.inf)
    weights = np.where(ratio <= CUTOFF, np.maximum(ratio, 1e-6) ** -POWER, 0.0)
    weights = (weights / weights.sum(axis=0)).T
    used = weights.max(axis=0) > 0
    known = seen & np.isfinite(stack[used]).all(axis=0)
    if (known.any(axis=2).sum(axis=0) >= LEAST_STACKED).any():
        size = np.sqrt(np.where(usual > 0, usual, 1.0)) * np.where(typical > 0, typical, 1.0)
        matter = np.where(known, (fresh[0] / size)[:, :, None], 0.0)
        weights = _refine(np.nan_to_num(stack), np.where(known, actual, 0.0), matter, weights)
    gated = np.zeros(n, dtype=bool)
    if BASELINE in models:
        mixed = average(stack, weights.T[:, None, :, None])
        worse = np.abs(mixed - np.where(seen, actual, 0)) - error[naive]
        gated = (count >= 4) & _beyond_chance(_mean(np.where(seen, worse, np.nan), axis=2))
        weights[gated] = np.eye(len(models))[naive]
    return Combination(models, weights, gated)


def _refine(
    stack: NDArray[np.float64],
    actual: NDArray[np.float64],
    importance: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weights whose mixture erred least, for all series and then for each one."""
    models, windows, n, _ = stack.shape
    prior = np.nan_to_num(weights).mean(axis=0)
    prior = np.where(prior > 0, np.maximum(prior, LEAST_PRIOR), 0.0)[None, :]
    prior /= prior.sum()
    # windows as they count: newer ones more, those without the series not at all
    age = np.arange(windows)[::-1, None]
    count = np.where((importance > 0).any(axis=2), 0.5 ** (age / HALF_LIFE), 0.0).sum(axis=0)
    pooled = stack_weights(
        stack.reshape(models, 1, -1),
        actual.reshape(1, -1),
        importance.reshape(1, -1),
        prior,
        np.array([STIFFNESS / count.max()]),
    )
    by_series = stack.transpose(0, 2, 1, 3).reshape(models, n, -1)
    return stack_weights(
        by_series,
        actual.transpose(1, 0, 2).reshape(n, -1),
        importance.transpose(1, 0, 2).reshape(n, -1),
        np.repeat(pooled, n, axis=0),
        OWN_STIFFNESS / np.maximum(count, 0.1),
    )


def _beyond_chance(worse: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for which series differences, shape (windows, n), are above zero beyond chance."""
    mean = _mean(worse, axis=0)
    count = np.isfinite(worse).sum(axis=0)
    error = np.sqrt(_mean((worse - mean) ** 2, axis=0) / np.maximum(count - 1, 1))
    return np.asarray(mean > BEYOND_CHANCE * error)


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
