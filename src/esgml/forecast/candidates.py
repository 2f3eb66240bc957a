"""Which models are tried on a panel by default, and why the others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esgml.core import catalog
from esgml.core.errors import MissingExtraError, UsageError
from esgml.forecast.combine import BASELINE

if TYPE_CHECKING:
    from esgml.core.interfaces import TimeSeriesModel
    from esgml.core.panel import Panel

#: The pool of ``auto`` where a season of a day or a week repeats, where a year does (weeks to
#: quarters), and where none does (annual data). Chosen by measurement, the first and the last on
#: real series; the other models of the catalog are run by name or for comparison.
SEASONAL = (
    BASELINE,
    "seasonal_median",
    "theta",
    "month_levels",
    "ridge",
    "lean_ridge",
    "lightgbm_direct",
    "gaussian_process",
    "lstm",
)
#: A few years show a season of twelve or more places too seldom for the test of theta, which then
#: forecasts without it; ets weighs both.
YEARLY = tuple("ets" if m == "theta" else m for m in SEASONAL if m != "month_levels")
ANNUAL = (BASELINE, "shrunk_growth")
#: Most rows on which a model is in the pool of its own accord: beyond, its training time is
#: out of proportion to what it adds, or (lean_ridge) there is enough to learn from for others.
MOST_ROWS = {"lean_ridge": 5_000, "lstm": 30_000, "gaussian_process": 60_000}
#: Fewest rows on which a model is in the pool of its own accord: below, it learns noise, and
#: a few past windows are too few to find that out.
FEWEST_ROWS = {
    **dict.fromkeys(("lean_ridge", "lightgbm_direct", "gaussian_process"), 500),
    "lstm": 5_000,
}


def choose_models(
    panel: Panel, horizon: int, model: str = "auto", *, compare: bool = False
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the models to run, the baseline first, and why others were left out.

    Parameters
    ----------
    model : str
        ``auto`` or the name of one model.
    compare : bool
        Run every model of the catalog, also those outside the pool.

    Raises
    ------
    NotFoundError, UsageError
        If a model asked for by name does not exist or does not suit the panel.
    """
    seasonal = panel.frequency.season > 1 and int(panel.lengths.max()) > 3 * panel.frequency.season
    pool: tuple[str, ...] = SEASONAL if seasonal else ANNUAL
    if seasonal and panel.frequency.coarser_than_daily:
        pool = YEARLY
    if model != "auto":
        kind: type[TimeSeriesModel] = catalog.load("forecast", model)  # type: ignore[assignment]
        if reason := kind.unsuited(panel, horizon):
            raise UsageError(f"{model} does not suit this data: {reason}.")
        pool = (BASELINE, model) if model != BASELINE else (BASELINE,)
    names = list(pool)
    if compare:
        names += [name for name in catalog.names("forecast") if name not in names]
    chosen, left_out = [], {}
    for name in names:
        try:
            kind = catalog.load("forecast", name)  # type: ignore[assignment]
            reason = kind.unsuited(panel, horizon)
        except MissingExtraError as error:
            reason = str(error)
        most = MOST_ROWS.get(name, panel.rows)
        if not reason and model == "auto" and not compare and panel.rows > most:
            reason = f"slow or no gain on more than {most:,} rows; ask for it by name"
        if not reason and model == "auto" and not compare and panel.rows < FEWEST_ROWS.get(name, 0):
            reason = f"needs {FEWEST_ROWS[name]:,} rows; ask for it by name"
        if reason:
            left_out[name] = reason
        else:
            chosen.append(name)
    if model == "auto" and not compare and "month_levels" in chosen:
        # the same forecast without its steps would count twice
        chosen.remove("theta")
        left_out["theta"] = "contained in month_levels, which also knows the steps of this data"
    return tuple(chosen), left_out
