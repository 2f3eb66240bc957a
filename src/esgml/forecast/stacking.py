"""Weights whose mixture would have erred least, held near weights believed beforehand.

Errors of models one by one do not say what their mixture is worth: two that err alike add
nothing to each other. Here the absolute error of the mixture itself is lowered, over weights
that are shares, with a penalty on leaving the prior ones; few windows move them little.

References
----------
Wolpert (1992), stacked generalization; Kivinen & Warmuth (1997), exponentiated gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.forecast.averaging import average, root, square

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Steps of the descent; the mean of the later half is the answer.
STEPS = 120
#: Largest pull on the logarithm of a weight.
LONGEST = 30.0


def stack_weights(
    forecasts: NDArray[np.float64],
    actual: NDArray[np.float64],
    importance: NDArray[np.float64],
    prior: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return weights of models, shape (n, models), rows summing to one.

    Parameters
    ----------
    forecasts : array, shape (models, n, rows)
    actual : array, shape (n, rows)
    importance : array, shape (n, rows)
        How much the absolute error of a row counts; 0 where it is unknown.
    prior : array, shape (n, models)
        Weights to stay near; a model with none gets none.
    penalty : array, shape (n,)
        What it costs to leave them: times the Kullback-Leibler divergence, in units of the
        error of the prior mixture.
    """
    alive = prior > 0
    believed = np.log(np.where(alive, prior, 1.0))
    usual = (importance * np.abs(average(forecasts, prior.T[:, :, None]) - actual)).sum(axis=1)
    scaled = np.divide(
        importance, usual[:, None], out=np.zeros_like(importance), where=usual[:, None] > 0
    )
    roots, weights, total = root(forecasts), prior, np.zeros_like(prior)
    for step in range(STEPS):
        middle = np.einsum("nm,mnr->nr", weights, roots)
        slope = 2 * np.abs(middle) * np.sign(square(middle) - actual)
        pull = np.einsum("mnr,nr->nm", roots, scaled * slope)
        pull -= (weights * pull).sum(axis=1, keepdims=True)
        # bounded: where the prior mixture hit the truth, any other is infinitely worse
        rate = 1.0 / np.sqrt(step + 4.0)
        logs = np.log(np.maximum(weights, 1e-300)) - rate * np.clip(pull, -LONGEST, LONGEST)
        # the penalty at the end of the step, not at its start: stable however large it is
        hold = rate * penalty[:, None]
        logs = np.where(alive, (logs + hold * believed) / (1 + hold), -np.inf)
        logs -= logs.max(axis=1, keepdims=True)
        weights = np.exp(logs)
        weights = weights / weights.sum(axis=1, keepdims=True)
        if step >= STEPS // 2:
            total += weights
    return np.asarray(total / total.sum(axis=1, keepdims=True))
