"""Distributions of future annual totals: of one series exactly, of sums by simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.forecast.annual import AnnualHistory
    from esgml.forecast.drift import Drift

#: Simulated futures of a sum, and most numbers drawn at once.
DRAWS, CHUNK = 10_000, 2_000_000
#: Largest log deviation of a simulated total from its projection (20-fold).
FARTHEST = 3.0
_LARGEST_LOG = 700.0


@dataclass(frozen=True)
class Start:
    """Where a projection begins: the year, its total, and the share of it not observed.

    The error of a completed year has `unseen` squared times the variance of a year: what
    is left of it tends to go on as what was seen.
    """

    year: int
    total: float
    unseen: float


def start_of(history: AnnualHistory) -> Start:
    """Return the running year, completed, or else the last complete one."""
    running = history.running
    if running is not None:
        return Start(running.year, running.total, 1 - running.share)
    return Start(history.last, history.totals[history.last], 0.0)


@dataclass(frozen=True)
class Projection:
    """Student's t of the log annual total: location, scale, degrees of freedom."""

    location: float
    scale: float
    freedom: float

    def probability(self, goal: float) -> float:
        """Return the probability of at most `goal`."""
        from scipy.special import stdtr

        if goal <= 0:
            return 0.0
        return float(stdtr(self.freedom, (np.log(goal) - self.location) / self.scale))

    def quantile(self, share: float) -> float:
        """Return the total that is not exceeded with probability `share`."""
        from scipy.special import stdtrit

        reach = float(stdtrit(self.freedom, share)) if share != 0.5 else 0.0
        return float(np.exp(min(self.location + self.scale * reach, _LARGEST_LOG)))


def project(history: AnnualHistory, drift: Drift, i: int, year: int) -> Projection:
    """Return the distribution of the total of `year` of series number `i` of `drift`."""
    start = start_of(history)
    ahead = year - start.year
    variance = (ahead + start.unseen**2) * drift.innovation[i] ** 2
    variance += ahead**2 * (drift.common_error**2 + drift.own_error[i] ** 2)
    location = np.log(start.total) + ahead * drift.mean[i]
    scale = max(float(np.sqrt(variance)), 1e-9)
    return Projection(float(location), scale, float(drift.freedom[i]))


def simulate(
    members: Sequence[AnnualHistory],
    drift: Drift,
    years: Sequence[int],
    sums: NDArray[np.float64],
    seed: int,
) -> NDArray[np.float64]:
    """Draw futures of sums of series.

    The draws of one series have the median of its `project`. In a large sum medians do not
    add up: it follows the means, and logarithms that wander apart would let it grow without
    end, which sums of real emissions do not. So in a sum of m series each is scaled down
    by its mean over its median to the power 1 - 1 / sqrt(m), times the share of its variance
    that it has alone: nothing for one series or for series that move as one, nearly all of
    it for many that go their own ways.

    Parameters
    ----------
    members : sequence of AnnualHistory, length n
    drift : Drift
        Of the same n series.
    years : sequence of int
        Ascending and consecutive; a complete year of a series is taken as it was.
    sums : array of 0 and 1, shape (k, n)
    seed : int

    Returns
    -------
    array, shape (years, k, DRAWS)
    """
    n = len(members)
    size = min(DRAWS, max(CHUNK // n, 200))
    futures = np.empty((len(years), len(sums), -(-DRAWS // size) * size))
    starts = [start_of(history) for history in members]
    begin = np.array([start.year for start in starts])
    total = np.array([start.total for start in starts])
    unseen = np.array([start.unseen for start in starts])
    known = np.array([[h.totals.get(y, np.nan) for h in members] for y in years])
    power = 1 - 1 / np.sqrt(sums.sum(axis=1, keepdims=True))
    shared, alone = np.sqrt(drift.correlation), np.sqrt(1 - drift.correlation)
    streams = np.random.SeedSequence(seed).spawn(futures.shape[2] // size)
    for c, stream in enumerate(streams):
        rng = np.random.default_rng(stream)
        # one factor per series makes its normal draws Student's t, as in `project`
        factor = np.sqrt(drift.freedom / rng.chisquare(drift.freedom, (size, n)))
        slope = drift.common_error * rng.standard_normal((size, 1))
        slope = factor * (slope + drift.own_error * rng.standard_normal((size, n)))
        step = factor * drift.innovation
        away = np.zeros((size, n))
        for t, year in enumerate(years):
            noise = shared * rng.standard_normal((size, 1))
            noise = noise + alone * rng.standard_normal((size, n))
            rest = np.where(year == begin, unseen, 0.0)
            away += np.where(year > begin, slope + step * noise, rest * step * noise)
            ratio = np.exp(np.clip(away, -FARTHEST, FARTHEST))
            middle = total * np.exp(np.maximum(year - begin, 0) * drift.mean)
            seen = np.isfinite(known[t])
            value = np.where(seen, known[t], middle * ratio)
            own = _own_share(drift, np.maximum(year - begin, 0), unseen)
            scale = np.where(seen, 1.0, ratio.mean(axis=0) ** -(power * own))
            futures[t, :, c * size : (c + 1) * size] = (sums * scale) @ value.T
    return futures[:, :, :DRAWS]


def _own_share(
    drift: Drift, ahead: NDArray[np.int64], unseen: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of each series' variance that it does not share with the others."""
    steps = (ahead + unseen**2) * drift.innovation**2
    own = (1 - drift.correlation) * steps + ahead**2 * drift.own_error**2
    shared = drift.correlation * steps + ahead**2 * drift.common_error**2
    result: NDArray[np.float64] = own / np.maximum(own + shared, 1e-12)
    return result
