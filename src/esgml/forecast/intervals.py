"""Intervals that hold: conformal prediction from past errors, adaptive in time.

Three visible steps: *fit* (the models, elsewhere), *calibrate* (how large past errors were,
by step ahead and by series), *predict* (bounds around a new forecast). Errors are pooled
over series after dividing each by its usual size, so short histories borrow from others.

References
----------
Papadopoulos et al. (2002), normalized conformal prediction; Gibbs & Candes (2021), adaptive
conformal inference. Deviation: the adaptive level moves once per window, with all series.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.forecast.state import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: Errors counted as prior when a series' own size is estimated.
PRIOR = 10.0
#: Step of the adaptive level per window.
GAMMA = 0.04
#: Windows after which an error counts half.
HALF_LIFE = 16.0
#: Windows before the adaptive level starts to learn.
WARM_UP = 3


@dataclass(frozen=True)
class Calibration:
    """How large errors are, by series, step and level.

    Attributes
    ----------
    size : array, shape (n,)
        Usual error of each series, relative (log) or in the unit of the target.
    shape : array, shape (horizon,)
        Growth of the error with the step ahead, mean 1.
    quantile : dict of level to float
        How many usual errors the interval reaches.
    relative : bool
        Whether errors are differences of logarithms.
    """

    size: NDArray[np.float64]
    shape: NDArray[np.float64]
    quantile: dict[int, float]
    relative: bool

    def bounds(
        self, mean: NDArray[np.float64], level: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return lower and upper bounds around forecasts of shape (n, horizon)."""
        reach = self.quantile[level] * self.size[:, None] * self.shape[None, : mean.shape[1]]
        if self.relative:
            return mean * np.exp(-reach), mean * np.exp(reach)
        return mean - reach, mean + reach

    def select(self, which: Sequence[int]) -> Calibration:
        """Return the calibration of the series numbered `which`."""
        return Calibration(self.size[list(which)], self.shape, self.quantile, self.relative)

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as JSON values."""
        return {
            "size": pack(self.size),
            "shape": pack(self.shape),
            "quantile": {str(k): v for k, v in self.quantile.items()},
            "relative": self.relative,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` wrote."""
        return cls(
            unpack(value["size"]),
            unpack(value["shape"]),
            {int(k): float(v) for k, v in value["quantile"].items()},
            bool(value["relative"]),
        )


def calibrate(
    forecast: NDArray[np.float64],
    actual: NDArray[np.float64],
    levels: Sequence[int],
    *,
    relative: bool,
    fallback: NDArray[np.float64] | None = None,
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
    fallback : array, shape (n,), optional
        Usual error where no past window exists.

    Returns
    -------
    Calibration
    """
    windows = len(actual)
    error = _errors(forecast, actual, relative)
    wanted = {level: 1 - level / 100 for level in levels}
    miss = dict(wanted)
    for w in range(WARM_UP, windows):
        state = _state(error[:w], miss, relative)
        scaled = error[w] / np.maximum(state.size[:, None] * state.shape[None, :], 1e-12)
        seen = np.isfinite(scaled)
        if not seen.any():
            continue
        for level, target in wanted.items():
            outside = float((scaled[seen] > state.quantile[level]).mean())
            miss[level] = float(np.clip(miss[level] + GAMMA * (target - outside), 0.005, 0.6))
    state = _state(error, miss, relative)
    if fallback is not None:
        size = np.where(np.isfinite(state.size) & (state.size > 0), state.size, fallback)
        state = Calibration(size, state.shape, state.quantile, relative)
    return state


def _errors(
    forecast: NDArray[np.float64], actual: NDArray[np.float64], relative: bool
) -> NDArray[np.float64]:
    if not relative:
        return np.abs(actual - forecast)
    positive = (actual > 0) & (forecast > 0)
    ratio = np.divide(actual, forecast, out=np.ones_like(actual), where=positive)
    return np.where(positive, np.abs(np.log(ratio)), np.nan)


def _state(error: NDArray[np.float64], miss: Mapping[int, float], relative: bool) -> Calibration:
    windows, n, horizon = error.shape
    age = np.arange(windows)[::-1]
    decay = 0.5 ** (age / HALF_LIFE)
    weight = np.where(np.isfinite(error), decay[:, None, None], 0.0)
    value = np.where(np.isfinite(error), error, 0.0)
    # the series' own mean error, shrunk to the pooled one where errors are comparable
    count = weight.sum(axis=(0, 2))
    total = (weight * value).sum(axis=(0, 2))
    own = np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
    pooled = float(np.nanmedian(own)) if np.isfinite(own).any() else np.nan
    prior = PRIOR if relative else 1e-9
    size = (np.where(count > 0, total, 0.0) + prior * pooled) / (count + prior)
    size = np.where(count > 0, size, pooled)
    scaled = value / np.maximum(size, 1e-12)[None, :, None]
    by_step = weight.sum(axis=(0, 1))
    mean_step = np.divide(
        (weight * scaled).sum(axis=(0, 1)), by_step, out=np.ones(horizon), where=by_step > 0
    )
    shape = _rising(mean_step, by_step)
    scaled = scaled / shape
    order = np.argsort(scaled[weight > 0], kind="stable")
    ranked, mass = scaled[weight > 0][order], np.cumsum(weight[weight > 0][order])
    quantile = {}
    for level, m in miss.items():
        if len(ranked) == 0:
            quantile[level] = float("nan")
            continue
        # the finite-sample step of split conformal prediction: one more, unseen, largest error
        place = np.searchsorted(mass, (1 - m) * (mass[-1] + 1.0))
        last = ranked[-1] * (1.25 if place >= len(ranked) else 1.0)
        quantile[level] = float(ranked[place]) if place < len(ranked) else float(last)
    levels = sorted(quantile)
    for small, large in itertools.pairwise(levels):
        quantile[large] = max(quantile[large], quantile[small])  # intervals are nested
    return Calibration(size, shape, quantile, relative)


def _rising(mean_step: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the closest non-decreasing profile with mean 1 (pool adjacent violators)."""
    from scipy.optimize import isotonic_regression

    if len(mean_step) == 1:
        return np.ones(1)
    profile = isotonic_regression(mean_step, weights=np.maximum(weight, 1e-9)).x
    profile = np.maximum(profile, 0.2 * profile.mean())
    return np.asarray(profile / profile.mean())
