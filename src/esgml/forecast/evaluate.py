"""Evaluation of forecasts on a panel: the backtest, walked forward and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import HistoryError
from esgml.forecast.backtest import Backtest, Checkpoint, plan_windows, run_backtest
from esgml.forecast.candidates import choose_models
from esgml.forecast.design import is_multiplicative
from esgml.forecast.hierarchy import Hierarchy, aggregate
from esgml.forecast.score import score
from esgml.forecast.walk import Walk, walk_forward

if TYPE_CHECKING:
    from esgml.core.panel import Panel

#: More series than this get no sum of their own.
MOST_SUMMED = 60


@dataclass(frozen=True)
class Evaluation:
    """A backtest with all that was learned and scored on the way."""

    scores: dict[str, Any]
    backtest: Backtest
    walk: Walk
    panel: Panel
    hierarchy: Hierarchy | None
    left_out: dict[str, str]


def with_sums(panel: Panel, total: bool) -> tuple[Panel, Hierarchy | None]:
    """Return the panel with the sums of its hierarchy appended, where there is one.

    Sums are of series that end together, as most of them do: a site that was closed, or has
    not reported yet, is forecast by itself. Without labels, `total` adds the sum of all series
    if they all end at the same time and some period has all of them.
    """
    if not panel.groups:
        same_end = len(np.unique(panel.last_time())) == 1
        if not total or not same_end or not 1 < len(panel) <= MOST_SUMMED:
            return panel, None
    ends, count = np.unique(panel.last_time(), return_counts=True)
    usual = ends[len(ends) - 1 - int(count[::-1].argmax())]  # the later of two as common ones
    apart = {key for key, end in zip(panel.keys, panel.last_time(), strict=True) if end != usual}
    hierarchy = Hierarchy.from_groups(panel.keys, panel.groups, apart=apart)
    if not hierarchy.aggregates:
        return panel, None
    try:
        return aggregate(panel, hierarchy), hierarchy
    except HistoryError:
        if panel.groups:
            raise
        return panel, None  # nobody asked for this sum


def evaluate(
    panel: Panel,
    horizon: int,
    windows: int,
    *,
    step: int | None = None,
    levels: Sequence[int] = (80, 90),
    model: str = "auto",
    compare: bool = False,
    total: bool = True,
    seed: int = 0,
    threads: int = 1,
    checkpoint: Checkpoint | None = None,
) -> Evaluation:
    """Backtest a panel from rolling origins.

    Parameters
    ----------
    panel : Panel
    horizon, windows : int
        Periods ahead, and windows that are scored.
    step : int, optional
        Periods between origins; the horizon where omitted.
    levels : sequence of int
        Interval levels in percent.
    model : str
        ``auto`` combines the default pool; a name runs that model alone.
    compare : bool
        Run and print every model of the catalog; they have no part in ``auto``.
    total : bool
        Also forecast and reconcile the sum of all series.
    checkpoint : callable, optional
        Stores the bytes of each finished backtest, so that a run resumes after a kill.
    """
    pool, left_out = choose_models(panel, horizon, model)
    names = pool
    if compare:
        every, left_out = choose_models(panel, horizon, model, compare=True)
        names = pool + tuple(name for name in every if name not in pool)
    full, hierarchy = with_sums(panel, total)
    plan = plan_windows(full, horizon, windows, step)
    backtest = run_backtest(full, plan, names, seed=seed, threads=threads, checkpoint=checkpoint)
    # how errors are measured is decided on what was known at the first scored origin
    past = panel.before(plan.backs[plan.calibrating])
    past = past if np.isfinite(past.values).any() else panel
    observed = past.values[np.isfinite(past.values)]
    nonnegative = bool((observed >= 0).all())
    part = replace(backtest, forecasts={name: backtest.forecasts[name] for name in pool})
    walk = walk_forward(
        part,
        levels,
        # errors as logarithms would make bands needlessly wide for series that come near zero
        relative=is_multiplicative(past, share=0.2),
        annual=full.frequency.season == 1 and nonnegative,
        nonnegative=nonnegative,
        hierarchy=hierarchy,
        only="" if model == "auto" else model,
    )
    scores = score(backtest, walk, levels, len(panel))
    scores["model"] = model
    scores["left_out"] = left_out
    return Evaluation(scores, backtest, walk, full, hierarchy, left_out)
