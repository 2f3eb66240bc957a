"""Scores of forecasts. Accuracy is 1 - WAPE; the naive forecast stands beside every score.

Arrays of a backtest have the shape (windows, series, horizon).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _mean(
    values: NDArray[np.float64], axis: int | tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Mean over the finite values along `axis`; NaN where there is none."""
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0.0).sum(axis=axis)
    return np.asarray(
        np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)
    )


def wape_by_series(
    forecast: NDArray[np.float64], actual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return sum |error| / sum |actual| of each series over all windows, shape (n,).

    Periods without an actual value do not count; a series with no actual volume is NaN.
    """
    seen = np.isfinite(actual)
    error = np.where(seen, np.abs(forecast - np.where(seen, actual, 0.0)), 0.0).sum(axis=(0, 2))
    volume = np.where(seen, np.abs(actual), 0.0).sum(axis=(0, 2))
    result: NDArray[np.float64] = np.divide(
        error, volume, out=np.full(len(volume), np.nan), where=volume > 0
    )
    return result


def wape(forecast: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Return the WAPE, mean over series."""
    return float(_mean(wape_by_series(forecast, actual)))


def wape_pooled(forecast: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Return sum |error| / sum |actual| over all series, so that large ones decide."""
    seen = np.isfinite(actual)
    volume = float(np.abs(actual[seen]).sum())
    return float(np.abs(forecast - actual)[seen].sum() / volume) if volume > 0 else float("nan")


def wape_total(forecast: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Return the WAPE of the sum of all series (periods where any is missing do not count)."""
    total = actual.sum(axis=1)
    seen = np.isfinite(total)
    volume = np.abs(total[seen]).sum()
    if not seen.any() or volume == 0:
        return float("nan")
    return float(np.abs(forecast.sum(axis=1)[seen] - total[seen]).sum() / volume)


def smape(forecast: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Return the symmetric mean absolute percentage error, 0 to 2, mean over all periods."""
    size = np.abs(forecast) + np.abs(actual)
    ratio = np.divide(2 * np.abs(forecast - actual), size, out=np.zeros_like(size), where=size > 0)
    return float(_mean(np.where(np.isfinite(actual), ratio, np.nan)))


def within(forecast: NDArray[np.float64], actual: NDArray[np.float64], share: float = 0.1) -> float:
    """Return the share of periods whose forecast is within `share` of the actual value."""
    seen = np.isfinite(actual)
    hits = np.abs(forecast - actual) <= share * np.abs(actual)
    return float(hits[seen].mean()) if seen.any() else float("nan")


def mase(
    forecast: NDArray[np.float64], actual: NDArray[np.float64], scale: NDArray[np.float64]
) -> float:
    """Return the mean absolute scaled error (Hyndman & Koehler 2006), mean over series.

    Parameters
    ----------
    scale : array, shape (windows, n)
        Mean absolute error of the in-sample seasonal naive forecast at each origin.
    """
    error = _mean(np.abs(forecast - actual), axis=2)
    ratio = np.divide(error, scale, out=np.full_like(error, np.nan), where=scale > 0)
    return float(_mean(ratio))


def coverage(
    lower: NDArray[np.float64], upper: NDArray[np.float64], actual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of actual values inside the bounds, per series, shape (n,)."""
    seen = np.isfinite(actual)
    inside = (actual >= lower) & (actual <= upper) & seen
    count = seen.sum(axis=(0, 2))
    result: NDArray[np.float64] = np.divide(
        inside.sum(axis=(0, 2)), count, out=np.full(len(count), np.nan), where=count > 0
    )
    return result


def relative_width(
    lower: NDArray[np.float64], upper: NDArray[np.float64], actual: NDArray[np.float64]
) -> float:
    """Return the mean interval width as a share of the mean actual value, mean over series."""
    width = _mean(upper - lower, axis=(0, 2))
    size = _mean(np.abs(actual), axis=(0, 2))
    ratio = np.divide(width, size, out=np.full(len(size), np.nan), where=size > 0)
    return float(_mean(ratio))


def binomial_interval(share: float, cases: int) -> tuple[float, float]:
    """Return the 95 % interval of a share seen in so many independent cases (Wilson 1927)."""
    z = 1.96
    spread = 1 + z * z / cases
    middle = (share + z * z / (2 * cases)) / spread
    half = z * float(np.sqrt(share * (1 - share) / cases + (z / (2 * cases)) ** 2)) / spread
    return max(middle - half, 0.0), min(middle + half, 1.0)
