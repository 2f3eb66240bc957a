"""Walking forward through a backtest: combine, reconcile, calibrate, each on the past only.

At every origin the weights, the reconciliation and the interval widths are learned from
values dated up to that origin, also across series that end at different times. What comes
out is what would have been published on the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.forecast.annual_intervals import calibrate_targets
from esgml.forecast.combine import Combination, combine
from esgml.forecast.history import in_a_later_month, latest
from esgml.forecast.intervals import Calibration, calibrate, complete
from esgml.forecast.reconcile import Reconciliation, choose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.forecast.backtest import Backtest
    from esgml.forecast.hierarchy import Hierarchy


@dataclass(frozen=True)
class Walk:
    """What would have been published in every window.

    Attributes
    ----------
    forecast : array, shape (windows, n, horizon)
        Combined and reconciled.
    lower, upper : dict of level to array of the same shape
        NaN in the windows that only calibrate.
    combination, reconciliation, calibration
        As learned from all windows, ready for the next forecast.
    """

    forecast: NDArray[np.float64]
    lower: dict[int, NDArray[np.float64]]
    upper: dict[int, NDArray[np.float64]]
    combination: Combination
    reconciliation: Reconciliation | None
    calibration: Calibration


def walk_forward(
    backtest: Backtest,
    levels: Sequence[int],
    *,
    relative: bool,
    annual: bool = False,
    nonnegative: bool = False,
    hierarchy: Hierarchy | None = None,
    only: str = "",
) -> Walk:
    """Walk through the windows of a backtest in the order of their origins.

    Parameters
    ----------
    backtest : Backtest
    levels : sequence of int
        Interval levels in percent.
    relative : bool
        Measure errors as differences of logarithms.
    annual : bool
        Calibrate as for annual series, none negative (`relative` has no say then).
    nonnegative : bool
        Keep forecasts and bounds at or above zero.
    hierarchy : Hierarchy, optional
        The series must then be its nodes, in its order.
    only : str
        Use this model alone instead of combining.
    """
    shape = backtest.actual.shape
    names = (only,) if only else tuple(backtest.forecasts)
    base = np.full(shape, np.nan)
    final = np.full(shape, np.nan)
    lower = {level: np.full(shape, np.nan) for level in levels}
    upper = {level: np.full(shape, np.nan) for level in levels}
    origin = backtest.time[:, :, 0]
    stepped = in_a_later_month(backtest.time) if "month_levels" in names else None

    def steps(which: Any) -> NDArray[np.bool_] | None:
        return None if stepped is None else stepped[which]

    def learn(known: NDArray[np.float64]) -> Combination:
        rows = np.isfinite(known).any(axis=(1, 2))
        past = {name: backtest.forecasts[name][rows] for name in names}
        return combine(past, known[rows], steps(rows))

    def balance(known: NDArray[np.float64]) -> Reconciliation | None:
        if hierarchy is None:
            return None
        rows = np.isfinite(known).any(axis=(1, 2)) & np.isfinite(base).any(axis=(1, 2))
        return choose(hierarchy, base[rows], known[rows], nonnegative=nonnegative)

    def measure(known: NDArray[np.float64], w: int) -> Calibration:
        rows = np.isfinite(known).any(axis=(1, 2)) & np.isfinite(final).any(axis=(1, 2))
        if annual:
            coming = (
                final[w, :, 0] if w >= 0 else latest(np.concatenate(backtest.actual.swapaxes(1, 2)))
            )
            alone = backtest.alone
            if alone is not None:
                alone = np.concatenate([alone[:-1][rows], alone[[w]]])
            targets = [key.target for key in backtest.keys]
            return calibrate_targets(final[rows], known[rows], levels, targets, coming, alone)
        level = np.abs(final[w]).mean(axis=1)
        unknown = np.full(len(level), np.nan)
        usual = np.divide(backtest.naive_error[w], level, out=unknown, where=level > 0)
        found = calibrate(final[rows], known[rows], levels, relative=relative, stepped=steps(rows))
        return complete(found, usual)

    moments = np.unique(origin[~np.isnat(origin)])
    for moment in moments:
        windows, members = np.nonzero(origin == moment)
        known = np.where(backtest.time < moment, backtest.actual, np.nan)
        weights = learn(known)
        for w in np.unique(windows):
            chosen = members[windows == w]
            each = {name: backtest.forecasts[name][w] for name in names}
            one = weights.apply(each, steps(w))
            base[w, chosen] = one[chosen]
        balanced = balance(known)
        for w in np.unique(windows):
            chosen = members[windows == w]
            final[w, chosen] = base[w, chosen]
            if nonnegative:
                final[w, chosen] = np.maximum(base[w, chosen], 0.0)
            if balanced is not None and len(chosen) == len(backtest.keys):
                final[w] = balanced.apply(base[w], nonnegative=nonnegative)
            if w >= backtest.plan.calibrating:
                calibration = measure(known, w)
                for level in levels:
                    low, high = calibration.bounds(final[w], level, steps(w))
                    lower[level][w, chosen], upper[level][w, chosen] = low[chosen], high[chosen]
    if nonnegative:
        lower = {level: np.maximum(bound, 0.0) for level, bound in lower.items()}
    return Walk(
        final,
        lower,
        upper,
        learn(backtest.actual),
        balance(backtest.actual),
        measure(backtest.actual, -1),
    )
