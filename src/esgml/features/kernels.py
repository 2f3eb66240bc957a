"""Compiled statistics over a panel: flat values plus ``indptr``, one pass a feature.

The loops run in C++ (coreforecast); medians of short windows take a sorting network. What
holds for every function here:

- Series never mix: a window is cut at the start of its own series.
- A missing value (NaN) stays missing: a lag that lands on one is NaN, and windows count and
  use only what was observed. A window with fewer than ``min_samples`` observed values gives
  NaN. Infinities are treated as missing.
- ``lag`` shifts the window back: row t sees the rows up to t - lag, so ``lag=1`` never
  looks at its own row. Lags and shifts are never negative, so nothing looks ahead.
- The result has one float64 value per row.

The compiled windows slide: they add the new value and subtract the old one, so one absurd
reading (a placeholder of 1e14) leaves rounding dust in every later window of that series,
and a stretch of constant values then has a deviation above zero. Rows where that dust could
exceed `TOLERANCE` of the true result are found with a bound on the error and computed again
from their own window, so one bad reading harms only the windows that hold it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from esgml.core.errors import DataError, UsageError
from esgml.features.order_statistics import LONGEST, sliding_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Statistic = Literal["mean", "std", "min", "max", "median", "sum"]
STATISTICS: tuple[str, ...] = get_args(Statistic)

#: Largest relative rounding error left in a rolling mean, sum or variance.
TOLERANCE = 1e-9
_GROWTH = 64.0  # how far rounding errors of a sliding sum may have piled up, in half-ulps
_COUNTS = 4  # window counts kept for the next statistic of the same window
_CHUNK = 4_000_000  # elements gathered at a time when rows are computed again


class Grouped:
    """Statistics over every series of a panel.

    Parameters
    ----------
    values : array, shape (rows,)
        The series one after the other. Not changed; infinities count as missing.
    indptr : array of int, shape (n + 1,)
        Where each series begins, and the end.
    threads : int
        Threads of the compiled loops.

    Raises
    ------
    DataError
        If `indptr` does not run from 0 to the number of rows without going back.

    Examples
    --------
    >>> import numpy as np
    >>> g = Grouped(np.array([1.0, 2.0, 4.0, 10.0, 20.0]), np.array([0, 3, 5]))
    >>> g.rolling("mean", window=2, lag=1, min_samples=1).tolist()
    [nan, 1.0, 1.5, nan, 10.0]
    """

    def __init__(self, values: ArrayLike, indptr: ArrayLike, *, threads: int = 1) -> None:
        flat = np.ascontiguousarray(values, dtype=np.float64)
        if flat.ndim != 1:
            raise DataError(f"values must be flat, got shape {flat.shape}.", code="panel_shape")
        bounds = np.ascontiguousarray(indptr, dtype=np.int64)
        if (
            bounds.ndim != 1
            or len(bounds) == 0
            or bounds[0] != 0
            or bounds[-1] != len(flat)
            or (np.diff(bounds) < 0).any()
        ):
            raise DataError(
                "indptr must run from 0 to the number of rows without going back.",
                code="panel_shape",
            )
        if np.isinf(flat).any():
            flat = np.where(np.isfinite(flat), flat, np.nan)
        self.values: Floats = flat
        self.indptr: NDArray[np.int64] = bounds
        self.threads = threads
        self._counts: dict[tuple[int, int], NDArray[np.int64]] = {}

    @cached_property
    def _compiled(self) -> Any:
        from coreforecast.grouped_array import GroupedArray

        return GroupedArray(self.values, self.indptr, self.threads)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """First row of the series each row belongs to, shape (rows,)."""
        return np.repeat(self.indptr[:-1], np.diff(self.indptr))

    def _empty(self) -> bool:
        return len(self.values) == 0

    def lag(self, k: int) -> Floats:
        """Return the value `k` rows before each row of the same series."""
        _at_least("lag", k, 0)
        if self._empty() or k == 0:
            return self.values.copy()
        return np.asarray(self._compiled._lag(k))

    def diff(self, k: int = 1, *, lag: int = 0) -> Floats:
        """Return the change over `k` rows, as seen `lag` rows later."""
        _at_least("diff", k, 1)
        return np.asarray(self.lag(lag) - self.lag(lag + k))

    def rolling(
        self,
        statistic: str,
        window: int,
        *,
        lag: int = 0,
        min_samples: int | None = None,
        quantile: float = 0.5,
    ) -> Floats:
        """Return a statistic of the `window` rows that end `lag` rows before each row.

        Parameters
        ----------
        statistic : {"mean", "std", "min", "max", "median", "sum"}
            ``std`` is the sample deviation (n - 1) and needs two observed values.
        window : int
            Rows in the window, observed or not.
        lag : int
        min_samples : int, optional
            Observed values needed; `window` where omitted.
        quantile : float
            Which quantile ``median`` gives, linearly interpolated.
        """
        need = _samples(statistic, window, min_samples, lag)
        if not 0.0 <= quantile <= 1.0:
            raise UsageError(f"a quantile lies between 0 and 1, got {quantile}.")
        if self._empty():
            return np.empty(0)
        found = self._window(statistic, window, lag, need, quantile)
        if statistic in ("mean", "std", "sum"):
            suspects = self._suspects(statistic, found, window, lag)
            if len(suspects):
                found[suspects] = self._from_windows(statistic, suspects, window, lag)
        return found * self._count(window, lag) if statistic == "sum" else found

    def _window(
        self, statistic: str, window: int, lag: int, need: int, quantile: float = 0.5
    ) -> Floats:
        """Run the compiled loop and blank the windows with too few observed values."""
        if statistic == "median" and window <= LONGEST:
            place = np.arange(len(self.values)) - self._starts
            count = self._count(window, lag)
            found = sliding_quantile(self.values, place, count, window, lag, quantile)
            found[count < need] = np.nan
            return found
        if statistic == "median":
            found = np.asarray(self._compiled._rolling_quantile(lag, quantile, window, need, True))
        else:
            name = "mean" if statistic == "sum" else statistic
            compute = getattr(self._compiled, f"_rolling_{name}")
            found = np.asarray(compute(lag, window, need, True))
        if self._seen[-1] < len(self.values):
            # the compiled loop asks for min_samples only until it was met once
            found[self._count(window, lag) < need] = np.nan
        return found

    def seasonal_rolling(
        self,
        statistic: str,
        season: int,
        window: int,
        *,
        lag: int = 0,
        min_samples: int | None = None,
    ) -> Floats:
        """Return a statistic of the `window` rows of the same phase of the season.

        Row t sees rows t - lag, t - lag - season, ..., `window` of them.

        Parameters
        ----------
        statistic : {"mean", "std", "min", "max", "median", "sum"}
        season : int
            Season length in rows.
        window : int
            Number of seasons.
        lag, min_samples : int
            As in `rolling`.
        """
        _at_least("season", season, 1)
        need = _samples(statistic, window, min_samples, lag)
        # Laid out phase by phase, the rows of one phase are neighbours, so the plain window
        # (and its guard against rounding dust) serves seasons as well.
        lengths = np.diff(self.indptr)
        length = np.repeat(lengths, lengths)
        cycle, phase = np.divmod(np.arange(len(self.values)) - self._starts, season)
        whole, rest = np.divmod(length, season)
        place = self._starts + phase * whole + np.minimum(phase, rest) + cycle
        values = np.empty(len(self.values))
        values[place] = self.values
        by_phase = Grouped(values, self._phase_bounds(season), threads=self.threads)
        found = by_phase.rolling(statistic, window, min_samples=need)[place]
        return self._shifted(found, lag)

    def _phase_bounds(self, season: int) -> NDArray[np.int64]:
        """Return where each phase of each series begins when laid out phase by phase."""
        whole, rest = np.divmod(np.diff(self.indptr), season)
        sizes = whole[:, None] + (np.arange(season) < rest[:, None])
        return np.concatenate([[0], np.cumsum(sizes.ravel())])

    def expanding(self, statistic: str, *, lag: int = 0) -> Floats:
        """Return a statistic of all rows of the series up to `lag` rows before each row.

        Parameters
        ----------
        statistic : {"mean", "std", "min", "max"}
        lag : int
        """
        _at_least("lag", lag, 0)
        if statistic not in ("mean", "std", "min", "max"):
            raise UsageError(
                f"unknown expanding statistic {statistic!r}.", remedy="Use mean, std, min or max."
            )
        if self._empty():
            return np.empty(0)
        found = getattr(self._compiled, f"_expanding_{statistic}")(lag, True)
        return np.asarray(found[0] if isinstance(found, tuple) else found)

    def ewm(self, alpha: float, *, lag: int = 0) -> Floats:
        """Return the exponentially weighted mean ``s = alpha x + (1 - alpha) s``.

        It starts at the first observed value; a missing row repeats the last mean.
        """
        _at_least("lag", lag, 0)
        if not 0.0 < alpha <= 1.0:
            raise UsageError(f"alpha lies in (0, 1], got {alpha}.")
        if self._empty():
            return np.empty(0)
        return np.asarray(self._compiled._exponentially_weighted_mean(lag, alpha, True))

    # Guard against rounding dust ---------------------------------------------------------

    @cached_property
    def _extremes(self) -> tuple[Floats, Floats]:
        """Smallest and largest value so far, shape (rows,) each."""
        return self.expanding("min"), self.expanding("max")

    @cached_property
    def _bounds(self) -> tuple[float, float, float]:
        """Smallest size of a value, smallest value and largest value of the whole panel."""
        return (
            float(np.fmin.reduce(np.abs(self.values))),
            float(np.fmin.reduce(self.values)),
            float(np.fmax.reduce(self.values)),
        )

    def _suspects(self, statistic: str, found: Floats, window: int, lag: int) -> NDArray[np.intp]:
        """Return the rows where piled-up rounding may exceed `TOLERANCE`."""
        unit = _GROWTH * np.finfo(np.float64).eps / TOLERANCE
        least, low, high = self._bounds
        if statistic == "std":
            deviation = float(np.fmin.reduce(found))
            if not unit * max(abs(low), abs(high)) * (high - low) > deviation**2:
                return np.empty(0, dtype=np.intp)
            lows, highs = (self._shifted(e, lag) for e in self._extremes)
            largest = np.maximum(np.abs(lows), np.abs(highs))
            return np.flatnonzero(unit * largest * (highs - lows) > found * found)
        if not unit * max(abs(low), abs(high)) > least:
            return np.empty(0, dtype=np.intp)
        # A mean may be near zero by cancelling inside its window; that is no dust, so the
        # yardstick is the largest value inside the window.
        lows, highs = (self._shifted(e, lag) for e in self._extremes)
        largest = unit * np.maximum(np.abs(lows), np.abs(highs))
        rows = np.flatnonzero(largest > np.abs(found))
        if len(rows) == 0:
            return rows
        inside = np.maximum(
            -self._window("min", window, lag, 1), self._window("max", window, lag, 1)
        )
        return rows[largest[rows] > inside[rows]]

    def _shifted(self, values: Floats, lag: int) -> Floats:
        return Grouped(values, self.indptr).lag(lag) if lag else values

    def _from_windows(
        self, statistic: str, rows: NDArray[np.intp], window: int, lag: int
    ) -> Floats:
        """Compute mean or deviation of the given rows from their own windows."""
        result = np.empty(len(rows))
        size = max(1, _CHUNK // window)
        for at in range(0, len(rows), size):
            part = rows[at : at + size]
            index = part[:, None] - lag - np.arange(window)
            values = np.where(
                index >= self._starts[part][:, None], self.values[np.maximum(index, 0)], np.nan
            )
            observed = ~np.isnan(values)
            count = observed.sum(axis=1)
            mean = np.where(observed, values, 0.0).sum(axis=1) / np.maximum(count, 1)
            if statistic == "std":
                square = np.where(observed, values - mean[:, None], 0.0) ** 2
                # the last bit of a mean of equal values must not look like deviation
                same = np.nanmax(values, axis=1) == np.nanmin(values, axis=1)
                variance = square.sum(axis=1) / np.maximum(count - 1, 1)
                result[at : at + size] = np.where(same, 0.0, np.sqrt(variance))
            else:
                result[at : at + size] = mean
        return result

    @cached_property
    def _seen(self) -> NDArray[np.int64]:
        """How many values were observed before each row of the whole panel, shape (rows + 1,)."""
        return np.concatenate([[0], np.cumsum(~np.isnan(self.values))])

    def _count(self, window: int, lag: int) -> NDArray[np.int64]:
        """Return how many observed values each window holds."""
        if (window, lag) not in self._counts:
            if len(self._counts) >= _COUNTS:
                self._counts.clear()
            first = self._starts
            row = np.arange(1 - lag, len(self.values) + 1 - lag)
            start = np.maximum(row - window, first)
            end = np.maximum(row, first, out=row) if lag else row
            self._counts[window, lag] = self._seen[end] - self._seen[start]
        return self._counts[window, lag]


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise UsageError(f"{name} must be at least {least}, got {value}.")


def _samples(statistic: str, window: int, min_samples: int | None, lag: int) -> int:
    """Check the settings of a window and return the observed values it needs."""
    _at_least("lag", lag, 0)
    _at_least("window", window, 1)
    if statistic not in STATISTICS:
        raise UsageError(
            f"unknown statistic {statistic!r}.", remedy=f"Use one of {', '.join(STATISTICS)}."
        )
    need = window if min_samples is None else min_samples
    if not 1 <= need <= window:
        raise UsageError(f"min_samples must lie between 1 and the window of {window}, got {need}.")
    if statistic == "std":
        if window < 2:
            raise UsageError("a deviation needs a window of at least 2.")
        need = max(need, 2)
    return need
