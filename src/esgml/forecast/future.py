"""The periods to forecast: covariates as they are given, and what stands in for the others."""

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
    """Return the next `horizon` periods with the known covariates that are given for them.

    A value that is not given is taken from one season before: the weather of yesterday, of
    the same month. With daily data it stays missing, for a season is a week there, and the
    weather of last Monday says less than the usual one, which is what models take then.

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
        Covariates for which some value was not given.
    """
    future = panel.future(horizon)
    known = future.known.copy()
    if given is not None:
        shared = min(horizon, given.horizon)
        known[:, :shared] = given.known[:, :shared]
    assumed = tuple(
        name for c, name in enumerate(panel.known_names) if not np.isfinite(known[:, :, c]).all()
    )
    if panel.frequency.code == "D":
        return Future(future.time, known, panel.known_names), assumed
    season = panel.frequency.season
    for i in range(len(panel)):
        past = panel.known[panel.rows_of(i)]
        for c in range(known.shape[2]):
            whole = fill(np.concatenate([past[:, c], known[i, :, c]]), season)
            known[i, :, c] = whole[len(past) :]
    return Future(future.time, known, panel.known_names), assumed
