"""Intervals of annual forecasts, where a series has a handful of values and a few go wild.

::

    error  = |log(actual / forecast)|
    usual  = size of errors at the level of the forecast        (error_by_level)
    size   = usual x the series' own earlier errors over their usual ones, clipped, newer ones
             first, shrunk to one
    score  = error / size as it was known before that error
    reach  = quantile of the scores of all series x size now

Scores are measured as they would have been on the day, so those of the past and of the
coming year are alike. A series with few values leans on the scores of others with as few,
one whose last value stands for itself (`unsettled`) on others of that kind, and the
distribution has the tails it was seen to have: a year in ten is far out, and no multiple of
a usual error says how far. A few assumed scores keep the bands of small portfolios finite;
they have the shape of the yearly changes of Canadian facilities up to 2012, which
`benchmarks/annual_sets.py` does not score. Their size lies between facilities and companies,
which change by more.

References
----------
Papadopoulos et al. (2002), normalized conformal prediction; Bostrom et al. (2020), Mondrian
conformal prediction. Deviations: kernel weights instead of categories, and assumed scores.

Known weakness: coverage is that of the past years of these series. Where a file's newest
year is unlike the others, it will not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from esgml.forecast.error_by_level import size_by_level
from esgml.forecast.history import latest
from esgml.forecast.intervals import FARTHEST, FLOOR, Calibration
from esgml.forecast.unit_slips import is_slip

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: An error beyond this counts as this in the usual size (a factor of 3.2): a restatement.
LARGEST = 1.15
#: Own errors that the common size is worth, and the number of them after which one counts half.
PRIOR, HALF_LIFE = 2.0, 4.0
#: Errors the assumed size is worth, and that size.
PRIOR_SIZE, SIZE = 5.0, 0.25
#: Assumed scores: what they are worth, how many stand for them, their shape and median.
PRIOR_SCORES, POINTS, FREEDOM, MEDIAN = 5.0, 40, 1.5, 0.58
#: Growth of the error with years ahead: a power of the year.
POWER = 0.4
#: Series count in full whose number of values has nearly the same logarithm, others this much.
WIDTH, OTHERS = 0.5, 0.3
#: After a last value that stands for itself: what all other scores are worth together, and how
#: much further the assumed ones reach.
LEAN, FURTHER = 10.0, 2.0
_EACH = PRIOR_SCORES / POINTS


def calibrate_targets(
    forecast: NDArray[np.float64],
    actual: NDArray[np.float64],
    levels: Sequence[int],
    targets: Sequence[str],
    coming: NDArray[np.float64],
    alone: NDArray[np.bool_] | None = None,
) -> Calibration:
    """Calibrate the series of each target by themselves, so that no scope changes another's bands.

    Parameters
    ----------
    targets : sequence of str, length n
        What each series measures; the others as in `calibrate_annual`.
    """
    n = len(targets)
    size, floor = np.empty(n), np.empty(n)
    quantile = {level: np.empty(n) for level in levels}
    shape = np.empty(0)
    for target in dict.fromkeys(targets):
        own = np.flatnonzero([one == target for one in targets])
        part = calibrate_annual(
            forecast[:, own],
            actual[:, own],
            levels,
            coming=coming[own],
            alone=None if alone is None else alone[:, own],
        )
        size[own], floor[own], shape = part.size, part.floor, part.shape
        for level in levels:
            quantile[level][own] = part.quantile[level]
    return Calibration(size, shape, quantile, True, floor)


def calibrate_annual(
    forecast: NDArray[np.float64],
    actual: NDArray[np.float64],
    levels: Sequence[int],
    *,
    coming: NDArray[np.float64] | None = None,
    alone: NDArray[np.bool_] | None = None,
) -> Calibration:
    """Learn from past years how far to reach.

    Parameters
    ----------
    forecast, actual : array, shape (windows, n, horizon)
        Past forecasts and what happened, oldest first, none negative; NaN where unknown.
    levels : sequence of int
        Interval levels in percent.
    coming : array, shape (n,), optional
        The level that is forecast now, or the last value; the latest forecast where omitted.
    alone : array of bool, shape (windows + 1, n), optional
        Whether the last value before each window stood for itself (`unsettled`); the last row
        is about the coming one.

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
    level = _log(forecast)
    now = latest(level[:, :, 0]) if coming is None else _log(coming)
    near = seen & np.isfinite(level)
    usual = size_by_level(level[near], clipped[near], now, common)
    if alone is None:
        alone = np.zeros((windows + 1, n), dtype=bool)
    past = _Scores(np.zeros(n), np.zeros(n), np.zeros(n))
    decay = 0.5 ** (1 / HALF_LIFE)
    for w in range(windows):
        here, at = seen[w], usual.at(level[w, :, 0])
        size = at * past.factor()
        each = here.sum(axis=1)
        past.score.append((error[w] / size[:, None])[here])
        past.earlier.append(np.repeat(past.count, each))
        past.alone.append(np.repeat(alone[w], each))
        known = here.any(axis=1)
        mean = clipped[w].sum(axis=1) / np.maximum(each, 1) / at
        past.total = np.where(known, decay * past.total + mean, past.total)
        past.weight = np.where(known, decay * past.weight + 1.0, past.weight)
        past.count = past.count + known
    quantile = {q: np.empty(n) for q in levels}
    for own, apart in set(zip(past.count.tolist(), alone[-1].tolist(), strict=True)):
        which = (past.count == own) & (alone[-1] == apart)
        for q, reach in past.quantiles(own, apart, levels).items():
            quantile[q][which] = reach
    level_of = np.where(np.isfinite(forecast), forecast, 0.0).sum(axis=(0, 2))
    level_of = level_of / np.maximum(np.isfinite(forecast).sum(axis=(0, 2)), 1)
    return Calibration(usual.at(now) * past.factor(), shape, quantile, True, FLOOR * level_of)


@dataclass
class _Scores:
    """What was learned window by window: own errors of each series, and the scores of all.

    `total`, `weight` and `count` have the shape (n,): own errors over usual ones, their weights
    and their number. `score`, `earlier` (the count before it) and `alone` gather all cases.
    """

    total: NDArray[np.float64]
    weight: NDArray[np.float64]
    count: NDArray[np.float64]
    score: list[NDArray[np.float64]] = field(default_factory=list)
    earlier: list[NDArray[np.float64]] = field(default_factory=list)
    alone: list[NDArray[np.bool_]] = field(default_factory=list)

    def factor(self) -> NDArray[np.float64]:
        """Return how many usual errors those of each series are, shrunk to one."""
        return (self.total + PRIOR) / (self.weight + PRIOR)

    def quantiles(self, own: float, apart: bool, levels: Sequence[int]) -> dict[int, float]:
        """Return how many sizes to reach after `own` errors, or after a value that is alone."""
        score = np.concatenate([*self.score, _assumed() * (FURTHER if apart else 1.0)])
        alike = np.log1p(np.concatenate([*self.earlier, np.empty(0)])) - np.log1p(own)
        mass = OTHERS + (1 - OTHERS) * np.exp(-0.5 * (alike / WIDTH) ** 2)
        other = np.concatenate([*self.alone, np.empty(0, dtype=bool)]) != apart
        shared = min(1.0, LEAN / max(float(mass[other].sum()), 1e-9)) if apart else 0.0
        mass = np.concatenate([np.where(other, shared, 1.0) * mass, np.full(POINTS, _EACH)])
        order = np.argsort(score, kind="stable")
        reached = np.cumsum(mass[order])
        # the finite-sample step of conformal prediction: one more, unseen, largest score,
        # less so where most of what is known is assumed
        unseen = 1 - PRIOR_SCORES / reached[-1]
        places = np.searchsorted(reached, np.array(levels) / 100 * (reached[-1] + unseen))
        found = score[order][np.minimum(places, len(score) - 1)]
        return dict(zip(levels, found.tolist(), strict=True))


def _log(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logarithms; NaN for what is not positive."""
    result: NDArray[np.float64] = np.log(
        level, out=np.full(level.shape, np.nan), where=np.nan_to_num(level) > 0
    )
    return result


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
