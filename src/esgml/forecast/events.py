"""Known events, such as holidays, and what they usually do to a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel


def event_factors(
    history: Panel, future: Future, i: int, season: int, prior: float = 2.0
) -> NDArray[np.float64]:
    """Return what known events usually multiply the series by, shape (horizon,).

    The effect of an event is its value over the median of the same season around it,
    median over past events, shrunk to one; effects under 20 % are left out.
    """
    factors = np.ones(future.horizon)
    rows = history.rows_of(i)
    values = history.values[rows]
    usual = float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
    for c in range(history.known.shape[1]):
        event = history.known[rows][:, c]
        seen = event[np.isfinite(event)]
        if len(seen) == 0 or not np.isin(seen, (0.0, 1.0)).all() or seen.mean() > 0.2:
            continue
        ratios = []
        for t in np.flatnonzero(event == 1):
            around = t + season * np.array([-3, -2, -1, 1, 2, 3])
            around = around[(around >= 0) & (around < len(values))]
            around = around[(event[around] == 0) & np.isfinite(values[around])]
            quiet = np.median(values[around]) if len(around) else np.nan
            if np.isfinite(quiet) and np.isfinite(values[t]) and quiet > 0.1 * usual > 0:
                ratios.append(min(float(values[t] / quiet), 2.0))
        if not ratios:
            continue
        effect = (np.median(ratios) * len(ratios) + prior) / (len(ratios) + prior)
        if not 0.8 < effect < 1.25:
            factors = np.where(future.known[i][:, c] == 1, factors * effect, factors)
    return factors
