"""The ratios of sustainability reporting.

Each takes arrays (or single numbers) and gives an array. A ratio whose denominator is zero
or missing is NaN, never infinite: an intensity per nothing is unknown. The unit of a ratio
is that of its numerator per that of its denominator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Return numerator / denominator; NaN where either is not finite or divides by zero."""
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    usable = np.isfinite(top) & np.isfinite(bottom) & (bottom != 0.0)
    result = np.full(top.shape, np.nan)
    with np.errstate(over="ignore"):  # a tiny denominator may overflow; that is unknown too
        np.divide(top, bottom, out=result, where=usable)
    result[np.isinf(result)] = np.nan
    return result


def emissions_intensity(emissions: ArrayLike, activity: ArrayLike) -> Floats:
    """Return emissions per unit of activity: revenue, output, floor area or FTE.

    Negative activity gives NaN: no business has negative output, so it is a fault.
    """
    base = np.asarray(activity, dtype=np.float64)
    return ratio(emissions, np.where(base >= 0.0, base, np.nan))


def renewable_share(renewable: ArrayLike, total: ArrayLike) -> Floats:
    """Return the renewable part of energy use as a share, 0 to 1.

    Pairs that no meter can produce (renewable below zero or above the total, by more than
    one part in a thousand) give NaN; smaller excess is taken for rounding and cut to 1.
    """
    share = ratio(renewable, total)
    share[(share < 0.0) | (share > 1.001)] = np.nan
    return np.minimum(share, 1.0)


def implied_factor(emissions: ArrayLike, activity: ArrayLike) -> Floats:
    """Return emissions per unit of energy or fuel: the factor a booking implies.

    Compare it with the published factor; a factor 1000 off is a unit error.
    """
    return emissions_intensity(emissions, activity)


def load_factor(load: ArrayLike) -> float:
    """Return mean over peak of a load series, 0 to 1; NaN without a positive peak."""
    seen = np.asarray(load, dtype=np.float64)
    seen = seen[np.isfinite(seen)]
    if len(seen) == 0 or seen.max() <= 0.0:
        return float("nan")
    return float(seen.mean() / seen.max())


def base_load(load: ArrayLike, quantile: float = 0.05) -> float:
    """Return the load that never switches off: a low quantile of what was observed.

    Parameters
    ----------
    load : array
        NaN is left out.
    quantile : float
        0 would take the minimum, which one faulty zero spoils.

    Returns
    -------
    float
        In the unit of `load`; NaN where nothing was observed.
    """
    if not 0.0 <= quantile <= 1.0:
        raise UsageError(f"a quantile lies between 0 and 1, got {quantile}.")
    seen = np.asarray(load, dtype=np.float64)
    seen = seen[np.isfinite(seen)]
    return float(np.quantile(seen, quantile)) if len(seen) else float("nan")


def completeness(values: ArrayLike, expected: int | None = None) -> float:
    """Return the share of expected periods that hold a finite value, 0 to 1.

    Parameters
    ----------
    values : array
        One value per period, NaN where missing.
    expected : int, optional
        Number of periods there should be; ``len(values)`` where omitted.

    Raises
    ------
    DataError
        If more values are there than were expected (duplicates).
    """
    found = int(np.isfinite(np.asarray(values, dtype=np.float64)).sum())
    periods = int(np.size(values)) if expected is None else expected
    if found > periods:
        raise DataError(
            f"{found} values where only {periods} periods are expected.",
            code="duplicate_timestamp",
            remedy="Remove the duplicates first (esgml check lists them).",
        )
    return found / periods if periods else float("nan")
