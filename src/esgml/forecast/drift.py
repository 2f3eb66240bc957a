"""How annual emissions of many series go on: a random walk of logarithms with shrunk drift.

::

    x[y + 1] = x[y] + drift + innovation          x = log of the annual total
    drift      = common to the target + own part, both shrunk towards nothing
    innovation ~ Student's t, its size shrunk towards that of the other series

Years of real emissions are mostly calm and now and then far off, so innovations have heavy
tails: how heavy is chosen by likelihood among a few, starting from what facilities show. A
change by a third or more is an event (a merger, a closure, a restatement) and no drift. The
innovations of one year are correlated over series. Works from two annual values of a single
series on; there it says little and its bands are accordingly wide.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.forecast.annual import AnnualHistory

#: Changes count as no larger than this in the size of innovations.
LARGEST = 1.15
#: Years of no common drift, and its standard deviation over years, assumed beforehand.
PRIOR_YEARS, PRIOR_COMMON = 4.0, 0.03
#: Larger changes than this are events: they have no part in a drift.
EVENT = 0.4
#: Weight in years of what is assumed of the common drift's deviation, and of a variance.
PRIOR_WEIGHT, PRIOR_INNOVATION = 4.0, 0.1
#: Mean size of a change, assumed beforehand (between facilities and companies), and its weight.
SIZE, PRIOR_SIZE = 0.25, 5.0
#: Own changes the common size is worth, and years after which a change counts half.
OWN_PRIOR, HALF_LIFE = 2.0, 4.0
#: Degrees of freedom to choose from, and the odds it takes to leave the first, that of facilities.
FREEDOMS, ODDS = (2.0, 3.0, 5.0, 30.0), 20.0
#: Innovations are this much larger than sizes show, which are themselves estimated.
INFLATION = 1.13
#: Correlation of innovations between series, and its weight in years, beforehand.
PRIOR_CORRELATION, CORRELATION_YEARS = 0.2, 3.0
#: Pairs of years in which drifts of series did not differ, assumed beforehand.
PRIOR_PAIRS = 20
#: Smallest innovation: no series is known better than this.
LEAST_INNOVATION = 0.005


@dataclass(frozen=True)
class Drift:
    """Annual log growth of n series of one target, and how sure it is.

    Attributes
    ----------
    mean : array, shape (n,)
        Log growth per year.
    common_error : float
        Standard error of the part of the drift that all series share.
    own_error : array, shape (n,)
        Standard error of the rest.
    innovation : array, shape (n,)
        Scale of Student's t of a year's log growth around the drift.
    freedom : array, shape (n,)
        Its degrees of freedom.
    correlation : float
        Of innovations of one year between series.
    """

    mean: NDArray[np.float64]
    common_error: float
    own_error: NDArray[np.float64]
    innovation: NDArray[np.float64]
    freedom: NDArray[np.float64]
    correlation: float


def estimate_drift(histories: Sequence[AnnualHistory]) -> Drift:
    """Estimate the drift of every series from all of one target."""
    growths = [history.growth() for history in histories]
    parts = [history.parts for history in histories]
    n = len(histories)
    mean, spread, count = np.zeros(n), np.zeros(n), np.zeros(n)
    for i, (change, _) in enumerate(growths):
        usual = change[np.abs(change) <= EVENT]
        if len(usual) == 0:
            continue
        count[i] = independent_changes(len(usual), parts[i])
        mean[i] = usual.mean()
        if count[i] > 1:
            spread[i] = usual.var() * count[i] / (count[i] - 1)
    common, common_error = _common(growths)
    own, own_error = _own(
        growths, parts, mean, count, _deviation(mean, spread, count, common), common
    )
    innovation, freedom = _innovation(growths, parts, common + own)
    drift = Drift(common + own, common_error, own_error, innovation, np.full(n, freedom), 0.0)
    return dataclasses.replace(drift, correlation=_correlation(growths, drift))


@functools.cache
def independent_changes(n: int, parts: int) -> float:
    """Return how many independent changes `n` overlapping ones are worth.

    The change of a rolling annual sum weighs the changes of its `parts` like a triangle
    two years wide, so neighbours are nearly equal: 13 monthly ones, which span one year
    from first to last, are worth 1.4.
    """
    if n == 0:
        return 0.0
    triangle = np.concatenate([np.arange(1, parts + 1), np.arange(parts - 1, 0, -1)])
    shared = np.correlate(triangle, triangle, "full")[len(triangle) - 1 :] / (triangle**2).sum()
    lags = np.arange(1, min(n, len(shared)))
    total = n + 2 * float(((n - lags) * shared[lags]).sum())
    return n * n / total


Growths = Sequence[tuple["NDArray[np.float64]", "NDArray[np.int64]"]]


def _common(growths: Growths) -> tuple[float, float]:
    """Return the shared drift, shrunk to zero, and its standard error.

    Its uncertainty comes from years, not from series: all have the same bad year.
    """
    change = np.concatenate([g for g, _ in growths])
    year = np.concatenate([y for _, y in growths])
    usual = np.abs(change) <= EVENT
    change, year = change[usual], year[usual]
    if len(change) == 0:
        return 0.0, PRIOR_COMMON / np.sqrt(PRIOR_YEARS)
    middle = np.array([np.median(change[year == y]) for y in np.unique(year)])
    years = len(middle)
    square = ((middle - middle.mean()) ** 2).sum() + PRIOR_WEIGHT * PRIOR_COMMON**2
    deviation = np.sqrt(square / (years - 1 + PRIOR_WEIGHT))
    return (
        float(middle.mean() * years / (years + PRIOR_YEARS)),
        float(deviation / np.sqrt(years + PRIOR_YEARS)),
    )


def _deviation(
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    count: NDArray[np.float64],
    common: float,
) -> NDArray[np.float64]:
    """Return the standard deviation of the usual changes of each series, shrunk."""
    several = count > 1
    usual = PRIOR_INNOVATION**2
    if several.sum() >= 3:
        usual = max(_typical(spread[several], count[several] - 1), LEAST_INNOVATION**2)
    elif (count == 1).any():  # a single change each: its size is all there is
        once = (mean[count == 1] - common) ** 2
        usual = (usual * PRIOR_WEIGHT + once.sum()) / (PRIOR_WEIGHT + len(once))
    weight = np.where(several, count - 1, 0.0)
    variance = (PRIOR_WEIGHT * usual + weight * spread) / (PRIOR_WEIGHT + weight)
    result: NDArray[np.float64] = np.sqrt(np.maximum(variance, LEAST_INNOVATION**2))
    return result


def _innovation(
    growths: Growths, parts: Sequence[int], drift: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the scale of each series' innovations, and the degrees of freedom of all."""
    away = [np.minimum(np.abs(change - drift[i]), LARGEST) for i, (change, _) in enumerate(growths)]
    count = np.array([independent_changes(len(a), q) for a, q in zip(away, parts, strict=True)])
    means = np.array([a.mean() if len(a) else 0.0 for a in away])
    common = (float(means @ count) + SIZE * PRIOR_SIZE) / (count.sum() + PRIOR_SIZE)
    size = np.empty(len(away))
    for i, (a, q) in enumerate(zip(away, parts, strict=True)):
        fresh = 0.5 ** (np.arange(len(a))[::-1] / (q * HALF_LIFE))
        worth = fresh.sum() * count[i] / max(len(a), 1)
        recent = float(fresh @ a) / fresh.sum() if len(a) else 0.0
        size[i] = (worth * recent + OWN_PRIOR * common) / (worth + OWN_PRIOR)
    freedom = _freedom(growths, parts, drift, common)
    return np.maximum(size * _scale(freedom), LEAST_INNOVATION), freedom


def _scale(freedom: float) -> float:
    """Return the scale of innovations whose mean size is one."""
    from scipy.special import gammaln

    half = np.exp(gammaln((freedom + 1) / 2) - gammaln(freedom / 2))
    mean_size = 2 * np.sqrt(freedom / np.pi) * half / (freedom - 1)
    return float(INFLATION / mean_size)


def _freedom(
    growths: Growths, parts: Sequence[int], drift: NDArray[np.float64], common: float
) -> float:
    """Return the degrees of freedom under which the changes are likeliest.

    Each is measured by the size that was known before it; else a large one would look small.
    """
    from scipy.stats import t

    scores = [np.empty(0)]
    for i, (change, _) in enumerate(growths):
        apart = change[:: -parts[i]][::-1] - drift[i]
        sizes = np.minimum(np.abs(apart), LARGEST)
        before = np.cumsum(sizes) - sizes
        scores.append(apart / ((before + OWN_PRIOR * common) / (np.arange(len(apart)) + OWN_PRIOR)))
    z = np.concatenate(scores)
    likelihood = [t.logpdf(z, f, scale=_scale(f)).sum() for f in FREEDOMS]
    best = int(np.argmax(likelihood))
    return FREEDOMS[best] if likelihood[best] > likelihood[0] + np.log(ODDS) else FREEDOMS[0]


def _typical(spread: NDArray[np.float64], freedom: NDArray[np.float64]) -> float:
    """Return the variance of the median series; sample variances lie mostly below it."""
    from scipy.stats import chi2

    typical = max(float(np.median(freedom)), 1.0)
    return float(np.median(spread) * typical / chi2.ppf(0.5, typical))


def _own(
    growths: Growths,
    parts: Sequence[int],
    mean: NDArray[np.float64],
    count: NDArray[np.float64],
    innovation: NDArray[np.float64],
    common: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the series' own drift by empirical Bayes, and its standard error.

    How much drifts differ between series shows in growth that is alike in different years
    of one series: the mean product of their deviations. Growth that reverses shows none.
    """
    product, pairs = 0.0, 0
    for i, (change, _) in enumerate(growths):
        apart = change[:: -parts[i]] if len(change) else change
        away = np.clip(apart - common, -3 * innovation[i], 3 * innovation[i])
        product += float(away.sum() ** 2 - (away**2).sum())
        pairs += len(away) * (len(away) - 1)
    between = max(product / (pairs + 2 * PRIOR_PAIRS), 0.0)
    noise = innovation**2 / np.maximum(count, 1e-9)
    trust = np.where(count > 0, between / (between + noise), 0.0)
    return trust * (mean - common), np.sqrt(between * (1 - trust))


def _correlation(growths: Growths, drift: Drift) -> float:
    """Return the mean correlation of innovations between series, shrunk to the prior."""
    by_year: dict[int, list[float]] = {}
    for i, (change, year) in enumerate(growths):
        for y in np.unique(year).tolist():
            at_end = float(np.clip(change[year == y][-1], -LARGEST, LARGEST))
            by_year.setdefault(y, []).append((at_end - drift.mean[i]) / drift.innovation[i])
    found, years = 0.0, 0
    for scores in by_year.values():
        z = np.clip(scores, -3.0, 3.0)
        if len(z) > 1:
            found += float((z.sum() ** 2 - (z**2).sum()) / (len(z) * (len(z) - 1)))
            years += 1
    total = found + CORRELATION_YEARS * PRIOR_CORRELATION
    return float(np.clip(total / (years + CORRELATION_YEARS), 0.0, 0.95))
