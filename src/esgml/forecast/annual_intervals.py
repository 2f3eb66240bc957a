"""Intervals of annual forecasts, where a series has a handful of values and a few go wild.

::

    error  = |log(actual / forecast)|
    size   = the series' own earlier errors, clipped, newer ones first, shrunk to all series
    score  = error / size as it was known before that error
    reach  = quantile of the scores of all series x size now

Scores are measured as they would have been on the day, so those of the past and of the
coming year are alike. A series with few values leans on the scores of others with as few,
and the distribution has the tails it was seen to have: a year in ten is far out, and no
multiple of a usual error says how far. A few assumed scores keep the bands of small
portfolios finite; they have the shape of the yearly changes of Canadian facilities up to
2012, which `benchmarks/annual_sets.py` does not score.

References
----------
Papadopoulos et al. (2002), normalized conformal prediction; Bostrom et al. (2020), Mondrian
conformal prediction. Deviations: kernel weights instead of categories, and assumed scores.

Known weakness: coverage is that of the past years of these series. Where a file's newest
year is unlike the others (many reporters that report for the second time), it will not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from esgml.forecast.intervals import FARTHEST, FLOOR, Calibration
from esgml.forecast.unit_slips import is_slip

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: An error beyond this counts as this in the usual size (a factor of 3.2): a restatement.
LARGEST = 1.15
#: Own errors that the common size is worth, and the number of them after which one counts half.
PRIOR, HALF_LIFE = 2.0, 4.0
#: Errors the assumed size is worth, and that size (the mean of facilities).
PRIOR_SIZE, SIZE = 5.0, 0.17
#: Assumed scores: what they are worth, how many stand for them, their shape and median.
PRIOR_SCORES, POINTS, FREEDOM, MEDIAN = 5.0, 40, 1.5, 0.58
#: Growth of the error with years ahead: a power of the year.
POWER = 0.4
#: Series count in full whose number of values has nearly the same logarithm, others this much.
WIDTH, OTHERS = 0.5, 0.3


def calibrate_annual(
    forecast: NDArray[np.float64], actual: NDArray[np.float64], levels: Sequence[int]
) -> Calibration:
    """Learn from past years how far to reach.

    Parameters
    ----------
    forecast, actual : array, shape (windows, n, horizon)
        Past forecasts and what happened, oldest first, none negative; NaN where unknown.
    levels : sequence of int
        Interval levels in percent.

    Returns
    -------
    Calibration
        Relative: bounds are factors of the forecast. Known also without any past window.
    """
    windows, n, horizon = actual.shape
    shape = np.arange(1.0, horizon + 1) ** POWER
    shape /= shape.mean()
    error = _errors(forecast, actual) / shape
    seen = np.isfinite(error)
    clipped = np.where(seen, np.minimum(error, LARGEST), 0.0)
    common = (clipped.sum() + PRIOR_SIZE * SIZE) / (seen.sum() + PRIOR_SIZE)
    total, weight, count = np.zeros(n), np.zeros(n), np.zeros(n)
    scores, earlier = [], []
    decay = 0.5 ** (1 / HALF_LIFE)
    for w in range(windows):
        size = (total + PRIOR * common) / (weight + PRIOR)
        here = seen[w]
        scores.append((error[w] / size[:, None])[here])
        earlier.append(np.repeat(count, here.sum(axis=1)))
        known = here.any(axis=1)
        mean = clipped[w].sum(axis=1) / np.maximum(here.sum(axis=1), 1)
        total = np.where(known, decay * total + mean, total)
        weight = np.where(known, decay * weight + 1.0, weight)
        count = count + known
    size = (total + PRIOR * common) / (weight + PRIOR)
    score = np.concatenate([*scores, _assumed()])
    order = np.argsort(score, kind="stable")
    of_score = np.concatenate([*earlier, np.zeros(POINTS)])
    quantile = {level: np.empty(n) for level in levels}
    for own in np.unique(count):
        alike = np.log1p(of_score) - np.log1p(own)
        mass = OTHERS + (1 - OTHERS) * np.exp(-0.5 * (alike / WIDTH) ** 2)
        mass[-POINTS:] = PRIOR_SCORES / POINTS
        reached = np.cumsum(mass[order])
        for level in levels:
            # the finite-sample step of conformal prediction: one more, unseen, largest score,
            # less so where most of what is known is assumed
            unseen = 1 - PRIOR_SCORES / reached[-1]
            place = int(np.searchsorted(reached, level / 100 * (reached[-1] + unseen)))
            quantile[level][count == own] = score[order][min(place, len(score) - 1)]
    level_of = np.where(np.isfinite(forecast), forecast, 0.0).sum(axis=(0, 2))
    level_of = level_of / np.maximum(np.isfinite(forecast).sum(axis=(0, 2)), 1)
    return Calibration(size, shape, quantile, True, FLOOR * level_of)


def _errors(forecast: NDArray[np.float64], actual: NDArray[np.float64]) -> NDArray[np.float64]:
    positive = (actual > 0) & (forecast > 0)
    ratio = np.divide(actual, forecast, out=np.ones_like(actual), where=positive)
    size = np.abs(np.log(ratio))
    error = np.minimum(size, FARTHEST)
    # a value that vanishes or appears is as far off as any counts
    error = np.where(positive, error, np.where(actual == forecast, 0.0, FARTHEST))
    # a slip of the unit says nothing about emissions
    known = np.isfinite(actual) & np.isfinite(forecast) & ~is_slip(size)
    result: NDArray[np.float64] = np.where(known, error, np.nan)
    return result


def _assumed() -> NDArray[np.float64]:
    """Return the assumed scores: quantiles of the size of Student's t."""
    from scipy.stats import t

    share = 0.5 + 0.5 * (np.arange(POINTS) + 0.5) / POINTS
    result: NDArray[np.float64] = MEDIAN * t.ppf(share, FREEDOM) / t.ppf(0.75, FREEDOM)
    return result
