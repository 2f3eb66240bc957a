"""Intervals that hold: conformal prediction from past errors, adaptive in time.

Three visible steps: *fit* (the models, elsewhere), *calibrate* (how large past errors were,
by step ahead and by series), *predict* (bounds around a new forecast). Errors are pooled
over series after dividing each by its usual size, so short histories borrow from others.

References
----------
Papadopoulos et al. (2002), normalized conformal prediction; Gibbs & Candes (2021), adaptive
conformal inference. Deviations: the adaptive level of a series moves once per window, partly
with its own misses and partly with those of all series; where levels step with the month,
errors have a profile of their own after the next step.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.forecast.state import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: Errors counted as prior when a series' own size is estimated.
PRIOR = 5.0
#: Least level of a series near zero, as a share of its usual level.
FLOOR = 0.3
#: A band reaches no further than a factor of 100: beyond, scores say nothing of use.
FARTHEST = float(np.log(100.0))
#: Step of the adaptive level per window.
GAMMA = 0.12
#: Share of a series' own misses in its adaptive level; the rest is that of all series.
OWN = 0.8
#: Windows after which an error counts half.
HALF_LIFE = 8.0
#: Windows before the adaptive level starts to learn.
WARM_UP = 3


@dataclass(frozen=True)
class Calibration:
    """How large errors are, by series, step and level.

    Attributes
    ----------
    size : array, shape (n,)
        Usual error of each series: a difference of logarithms, or a share of the level.
    shape : array, shape (horizon,)
        Growth of the error with the step ahead, mean 1.
    quantile : dict of level to array, shape (n,)
        How many usual errors the interval of each series reaches.
    relative : bool
        Whether errors are differences of logarithms.
    floor : array, shape (n,)
        Least level that errors of series near zero are measured in.
    later : array, shape (horizon,), optional
        What stands in place of `shape` after the next step of the levels.
    """

    size: NDArray[np.float64]
    shape: NDArray[np.float64]
    quantile: dict[int, NDArray[np.float64]]
    relative: bool
    floor: NDArray[np.float64]
    later: NDArray[np.float64] | None = None

    def growth(self, horizon: int, stepped: NDArray[np.bool_] | None) -> NDArray[np.float64]:
        """Return how errors grow over the first steps ahead, shape (n or 1, horizon)."""
        shape = self.shape[None, :horizon]
        if self.later is None or stepped is None:
            return shape
        return np.where(stepped, self.later[:horizon], shape)

    def bounds(
        self,
        mean: NDArray[np.float64],
        level: int,
        stepped: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return lower and upper bounds around forecasts of shape (n, horizon).

        `stepped` of the same shape says which periods come after the next step of the levels.
        """
        reach = (self.quantile[level] * self.size)[:, None] * self.growth(mean.shape[1], stepped)
        if self.relative:
            reach = np.minimum(reach, FARTHEST)
            # a series that is at zero now may come back to a part of what it was
            upper = np.where(mean > 0, mean, self.floor[:, None]) * np.exp(reach)
            return mean * np.exp(-reach), upper
        reach = reach * _unit(mean, self.floor)
        return mean - reach, mean + reach

    def select(self, which: Sequence[int]) -> Calibration:
        """Return the calibration of the series numbered `which`."""
        places = list(which)
        quantile = {level: q[places] for level, q in self.quantile.items()}
        return replace(self, size=self.size[places], quantile=quantile, floor=self.floor[places])

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as JSON values."""
        return {
            "size": pack(self.size),
            "shape": pack(self.shape),
            "quantile": {str(k): pack(v) for k, v in self.quantile.items()},
            "relative": self.relative,
            "floor": pack(self.floor),
            "later": None if self.later is None else pack(self.later),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` wrote."""
        return cls(
            unpack(value["size"]),
            unpack(value["shape"]),
            {int(k): unpack(v) for k, v in value["quantile"].items()},
            bool(value["relative"]),
            unpack(value["floor"]),
            unpack(value["later"]) if value.get("later") else None,
        )


def calibrate(
    forecast: NDArray[np.float64],
    actual: NDArray[np.float64],
    levels: Sequence[int],
    *,
    relative: bool,
    stepped: NDArray[np.bool_] | None = None,
) -> Calibration:
    """Learn from past windows how far to reach.

    Parameters
    ----------
    forecast, actual : array, shape (windows, n, horizon)
        Past forecasts and what happened, oldest first.
    levels : sequence of int
        Interval levels in percent.
    relative : bool
        Take errors as differences of logarithms; all values must be positive.
    stepped : array of bool, shape (windows, n, horizon), optional
        Periods after a step of the levels. The level is known before it and not after it, and
        how much of a window lies after it changes from window to window.

    Returns
    -------
    Calibration
    """
    windows = len(actual)
    floor = FLOOR * _typical(forecast)
    error = _errors(forecast, actual, relative, floor)
    wanted = {level: 1 - level / 100 for level in levels}
    miss: dict[int, NDArray[np.float64]] = {
        level: np.full(error.shape[1], rate) for level, rate in wanted.items()
    }
    for w in range(WARM_UP, windows):
        state = _state(error[:w], miss, relative, floor, stepped)
        growth = state.growth(error.shape[2], None if stepped is None else stepped[w])
        scaled = error[w] / np.maximum(state.size[:, None] * growth, 1e-12)
        seen = np.isfinite(scaled)
        if not seen.any():
            continue
        for level, target in wanted.items():
            beyond = (scaled > state.quantile[level][:, None]) & seen
            overall = beyond.sum() / seen.sum()
            count = seen.sum(axis=1)
            own = np.where(count > 0, beyond.sum(axis=1) / np.maximum(count, 1), overall)
            outside = OWN * own + (1 - OWN) * overall
            miss[level] = np.clip(miss[level] + GAMMA * (target - outside), 0.005, 0.6)
    return _state(error, miss, relative, floor, stepped)


def complete(calibration: Calibration, usual: NDArray[np.float64]) -> Calibration:
    """Give series and levels without any past error a usual one.

    Parameters
    ----------
    calibration : Calibration
    usual : array, shape (n,)
        The error of the seasonal naive forecast as a share of the level; NaN where unknown.

    Returns
    -------
    Calibration
        Missing sizes taken from `usual` (its median where it is missing too), missing
        quantiles from the normal distribution.
    """
    known = usual[np.isfinite(usual)]
    usual = np.where(np.isfinite(usual), usual, np.median(known) if len(known) else 0.1)
    size = np.where(np.isfinite(calibration.size), calibration.size, usual)
    quantile: dict[int, NDArray[np.float64]] = {}
    for level, values in calibration.quantile.items():
        # in units of the mean absolute value of a normal error
        normal = 1.2533 * NormalDist().inv_cdf(0.5 + level / 200)
        quantile[level] = np.nan_to_num(values, nan=normal)
    return replace(calibration, size=size, quantile=quantile)


def _typical(forecast: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean size of past forecasts of each series, shape (n,); 0 where none."""
    size = np.abs(np.nan_to_num(forecast)).sum(axis=(0, 2))
    count = np.isfinite(forecast).sum(axis=(0, 2))
    result: NDArray[np.float64] = size / np.maximum(count, 1)
    return result


def _unit(forecast: NDArray[np.float64], floor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what errors of series near zero are measured in, so that bands follow the level.

    Half of it is the size of the forecast period, half that of the whole window, but no less
    than `floor`, so that a season of almost nothing does not look like a huge relative error.
    """
    size = np.abs(forecast)
    level = 0.5 * (size + size.mean(axis=-1, keepdims=True))
    return np.asarray(np.maximum(level, floor[:, None]) + 1e-12)


def _errors(
    forecast: NDArray[np.float64],
    actual: NDArray[np.float64],
    relative: bool,
    floor: NDArray[np.float64],
) -> NDArray[np.float64]:
    if not relative:
        return np.asarray(np.abs(actual - forecast) / _unit(forecast, floor))
    positive = (actual > 0) & (forecast > 0)
    ratio = np.divide(actual, forecast, out=np.ones_like(actual), where=positive)
    return np.where(positive, np.abs(np.log(ratio)), np.nan)


def _state(
    error: NDArray[np.float64],
    miss: Mapping[int, NDArray[np.float64]],
    relative: bool,
    floor: NDArray[np.float64],
    stepped: NDArray[np.bool_] | None,
) -> Calibration:
    windows, n, _ = error.shape
    seen = np.isfinite(error)
    age = np.arange(windows)[::-1]
    weight = np.where(seen, (0.5 ** (age / HALF_LIFE))[:, None, None], 0.0)
    value = np.where(seen, error, 0.0)
    size, others = _sizes(weight, value)
    scaled = value / others
    shape, later = _profile(weight, scaled)[0], None
    profile = shape
    if stepped is not None:
        after = stepped[:windows]
        parts = [weight * ~after, weight * after]
        if all((part > 0).any(axis=(1, 2)).sum() >= WARM_UP for part in parts):
            (shape, before), (later, level) = (_profile(part, scaled) for part in parts)
            later = later * (level / before if before > 0 else 1.0)
            profile = np.where(after, later, shape)
            # what is usual for a series must not hang on how much of its windows was stepped
            size, others = _sizes(weight, value / profile)
            scaled = value / others
    scaled = scaled / profile
    order = np.argsort(scaled[weight > 0], kind="stable")
    ranked, mass = scaled[weight > 0][order], np.cumsum(weight[weight > 0][order])
    quantile = {}
    for level, rate in miss.items():
        if len(ranked) == 0:
            quantile[level] = np.full(n, np.nan)
            continue
        # the finite-sample step of split conformal prediction: one more, unseen, largest error
        place = np.searchsorted(mass, (1 - rate) * (mass[-1] + 1.0))
        beyond_all = np.append(ranked, 1.25 * ranked[-1])
        quantile[level] = beyond_all[np.minimum(place, len(ranked))]
    levels = sorted(quantile)
    for small, large in itertools.pairwise(levels):
        quantile[large] = np.maximum(quantile[large], quantile[small])  # nested intervals
    return Calibration(size, shape, quantile, relative, floor, later)


def _sizes(
    weight: NDArray[np.float64], value: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean error of each series, shrunk to the pooled one, and that of the others.

    The latter, shape (windows, n, 1), is what an error is measured by, the other errors of its
    series: by itself too, a large one would look small.
    """
    of_window, total_of_window = weight.sum(axis=2), (weight * value).sum(axis=2)
    count, total = of_window.sum(axis=0), total_of_window.sum(axis=0)
    own = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    pooled = float(np.nanmedian(own)) if np.isfinite(own).any() else np.nan
    size = np.where(count > 0, (total + PRIOR * pooled) / (count + PRIOR), pooled)
    others = (total - total_of_window + PRIOR * pooled) / (count - of_window + PRIOR)
    return size, np.maximum(others, 1e-12)[:, :, None]


def _profile(
    weight: NDArray[np.float64], scaled: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return how errors grow with the step ahead, mean 1, and their mean size."""
    by_step, total = weight.sum(axis=(0, 1)), (weight * scaled).sum(axis=(0, 1))
    if by_step.sum() == 0:
        return np.ones(len(by_step)), 1.0
    usual = np.full(len(by_step), total.sum() / by_step.sum())
    profile = _rising(np.divide(total, by_step, out=usual, where=by_step > 0), by_step)
    return profile, float((total / profile).sum() / by_step.sum())


def _rising(mean_step: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the closest non-decreasing profile with mean 1 (pool adjacent violators)."""
    from scipy.optimize import isotonic_regression

    if len(mean_step) == 1:
        return np.ones(1)
    profile = isotonic_regression(mean_step, weights=np.maximum(weight, 1e-9)).x
    if profile.mean() <= 0:  # no error at all
        return np.ones(len(mean_step))
    profile = np.maximum(profile, 0.2 * profile.mean())
    return np.asarray(profile / profile.mean())
