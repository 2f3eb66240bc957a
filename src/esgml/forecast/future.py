"""The periods to forecast: given covariates where there are any, else the last season again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.core.panel import Future
from esgml.forecast.history import fill

if TYPE_CHECKING:
    from esgml.core.panel import Panel


def complete_future(
    panel: Panel, given: Future | None, horizon: int
) -> tuple[Future, tuple[str, ...]]:
    """Return the next `horizon` periods with every known covariate filled in.

    Parameters
    ----------
    panel : Panel
    given : Future or None
        Covariates the data already has for later periods, as `esgml.data.panels.to_panel`
        returns them; it may be shorter than the horizon.
    horizon : int

    Returns
    -------
    future : Future
    assumed : tuple of str
        Covariates for which some value was not given, so that the value one season before
        was used.
    """
    future = panel.future(horizon)
    known = future.known.copy()
    if given is not None:
        shared = min(horizon, given.horizon)
        known[:, :shared] = given.known[:, :shared]
    assumed = tuple(
        name for c, name in enumerate(panel.known_names) if not np.isfinite(known[:, :, c]).all()
    )
    season = panel.frequency.season
    for i in range(len(panel)):
        past = panel.known[panel.rows_of(i)]
        for c in range(known.shape[2]):
            whole = fill(np.concatenate([past[:, c], known[i, :, c]]), season)
            known[i, :, c] = whole[len(past) :]
    return Future(future.time, known, panel.known_names), assumed
