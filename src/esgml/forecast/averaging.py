"""The mean by which forecasts are combined: that of their square roots, squared.

It lies half-way between the arithmetic and the geometric mean. Where models differ by much (it
may stand still, or run) the arithmetic mean lies above what is usual, and absolute errors ask
for a median. Roots keep the sign, so emissions and removals are averaged alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def root(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return square roots, those of negative values negative."""
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)))


def square(roots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values that have these roots."""
    return np.asarray(roots * np.abs(roots))


def average(forecasts: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted mean of forecasts over the first axis.

    Parameters
    ----------
    forecasts : array, shape (models, ...)
        Those of models without weight may be anything, NaN too.
    weights : array that broadcasts to it
        Shares: at least zero, one in sum over the first axis.
    """
    heard = np.where(weights > 0, forecasts, np.nan)
    mean = square((weights * np.where(weights > 0, root(forecasts), 0.0)).sum(axis=0))
    # rounding moves nothing that all agree on
    return np.clip(mean, np.fmin.reduce(heard), np.fmax.reduce(heard))
