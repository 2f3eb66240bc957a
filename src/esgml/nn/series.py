"""Series by series over flat arrays: filling from the past, moments, sums, calendar."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import HistoryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Panel

    Array = NDArray[np.float64]
    Index = NDArray[np.int64]

#: Standardised inputs and ratios are cut off here, so that one odd value cannot rule a window.
LIMIT = 8.0


def require_observed(history: Panel) -> None:
    """Raise `HistoryError` if a series of `history` has no observed value."""
    for i, key in enumerate(history.keys):
        if not np.isfinite(history.series(i)).any():
            raise HistoryError(
                f"series {key.entity!r} ({key.target}) has no observed value before the forecast.",
                code="no_values",
                remedy="Give at least one observed period, or leave the series out.",
            )


def starts_of(indptr: Index) -> Index:
    """Return for every row the first row of its series, shape (rows,)."""
    return np.repeat(indptr[:-1], np.diff(indptr))


def forward_fill(values: Array, indptr: Index) -> tuple[Array, NDArray[np.bool_]]:
    """Fill missing values with the last one observed before them in the same series.

    Parameters
    ----------
    values : array, shape (rows,) or (rows, k)
    indptr : array of int, shape (n + 1,)

    Returns
    -------
    filled : array, shape of `values`
        NaN only where nothing was observed yet.
    observed : array of bool, shape of `values`
    """
    observed = np.isfinite(values)
    rows = np.arange(len(values))
    first = starts_of(indptr)
    if values.ndim == 2:
        rows, first = rows[:, None], first[:, None]
    last = np.maximum.accumulate(np.where(observed, rows, -1), axis=0) if len(values) else rows
    source = np.maximum(last, 0)
    taken = values[source] if values.ndim == 1 else np.take_along_axis(values, source, axis=0)
    return np.where(last >= first, taken, np.nan), observed


def moments(values: Array, indptr: Index) -> tuple[Array, Array]:
    """Return mean and standard deviation per series of the finite values, each (n, k).

    A series without values has mean 0; one without spread has deviation 1.
    """
    finite = np.isfinite(values)
    plain = np.where(finite, values, 0.0)
    mean = np.zeros((len(indptr) - 1, values.shape[1]))
    std = np.ones_like(mean)
    # series by series: sums over all rows at once would round small series beside large ones
    for i, (a, b) in enumerate(itertools.pairwise(indptr.tolist())):
        count = np.maximum(finite[a:b].sum(axis=0), 1)
        mean[i] = plain[a:b].sum(axis=0) / count
        spread = np.sqrt((((plain[a:b] - mean[i]) * finite[a:b]) ** 2).sum(axis=0) / count)
        std[i] = np.where(spread > 1e-9 * (1 + np.abs(mean[i])), spread, 1.0)
    return mean, std


class RunningSums:
    """Sums over row ranges inside a series, from sums that begin anew with each series.

    Parameters
    ----------
    values : array, shape (rows, k)
    indptr : array of int, shape (n + 1,)
    """

    def __init__(self, values: Array, indptr: Index) -> None:
        self._until = np.empty(values.shape)
        for a, b in itertools.pairwise(indptr.tolist()):
            np.cumsum(values[a:b], axis=0, out=self._until[a:b])
        self._before = self._until - values

    def between(self, begin: Index, end: Index) -> Array:
        """Return the sums over rows ``begin <= row < end``, shape (..., k)."""
        last = np.maximum(end - 1, 0)
        total = self._until[last] - self._before[np.minimum(begin, last)]
        return np.where((end > begin)[..., None], total, 0.0)


def calendar(time: NDArray[np.datetime64]) -> Array:
    """Return hour, weekday and season of each timestamp as points on circles, shape (..., 7).

    Columns: sine and cosine of the hour of the day, of the day of the week, and of the day of
    the year, and 1 on Saturdays and Sundays.
    """
    day = time.astype("datetime64[D]")
    hour = (time - day) / np.timedelta64(1, "h")
    weekday = (day.astype(np.int64) + 3) % 7
    of_year = (day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    angles = np.stack([hour / 24, weekday / 7, of_year / 365.25], axis=-1) * (2 * np.pi)
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    return np.concatenate([waves, (weekday >= 5)[..., None].astype(float)], axis=-1)


def hold_season(history: Array, future: Array, season: int) -> Array:
    """Fill what is unknown of a future covariate with its last same-season value.

    Parameters
    ----------
    history : array, shape (rows, k)
        Of one series, forward filled.
    future : array, shape (horizon, k)
    season : int

    Returns
    -------
    array, shape (horizon, k)
        NaN only where the history is NaN too.
    """
    rows = len(history)
    ahead = np.arange(len(future))
    cycle = min(season, max(rows, 1))
    held = history[rows - cycle + ahead % cycle] if rows else np.full(future.shape, np.nan)
    return np.where(np.isfinite(future), future, held)
