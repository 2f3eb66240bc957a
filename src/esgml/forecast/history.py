"""Preparing the past of one series: gaps filled from the same season, never from the future."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fill(values: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return `values` with every gap filled from one season before, else the last value.

    Leading gaps take the first observed value. Only earlier values are used otherwise.
    """
    if np.isfinite(values).all():
        return values
    filled = values.copy()
    seen = np.flatnonzero(np.isfinite(values))
    if len(seen) == 0:
        return np.zeros_like(values)
    filled[: seen[0]] = values[seen[0]]
    for i in np.flatnonzero(~np.isfinite(filled)):
        filled[i] = filled[i - season] if i >= season else filled[i - 1]
    return filled


def seasonal_naive_error(values: NDArray[np.float64], season: int) -> float:
    """Return the mean absolute in-sample error of the seasonal naive forecast."""
    if len(values) <= season:
        return float("nan")
    steps = np.abs(values[season:] - values[:-season])
    return float(np.nanmean(steps)) if np.isfinite(steps).any() else float("nan")


def latest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the last known value of each column of values of shape (rows, n); NaN of none."""
    found = np.full(values.shape[1], np.nan)
    for row in values:
        found = np.where(np.isfinite(row), row, found)
    return found


def in_a_later_month(time: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Return which days ahead lie in a later month than the last day seen.

    Parameters
    ----------
    time : array, shape (..., horizon)
        Days ahead, the first of them the day after the last one seen.
    """
    origin = time[..., :1] - np.timedelta64(1, "D")
    return np.asarray(time.astype("datetime64[M]") != origin.astype("datetime64[M]"))
