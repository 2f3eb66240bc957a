"""The generated portfolio that shows the whole road, and the truth it can be held against.

The last periods of the portfolio lose everything that would be measured, and keep the
weather and the holidays, as a forecaster finds them. What was taken away is kept, so the
forecast can be scored; the faults put in are labelled, so the check can be.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from esgml.core.errors import UsageError
from esgml.core.panel import Panel
from esgml.data.checks import check
from esgml.data.synthetic import Portfolio, portfolio
from esgml.training.crossval import seasonal_naive

if TYPE_CHECKING:
    from esgml.core.frames import SeriesSpec

#: The generated years: two complete ones, so that annual targets can be assessed, and the
#: beginning of a third.
START = dt.date(2022, 1, 1)
YEARS = 3
ORIGIN = dt.datetime(2024, 2, 1)
#: Suspicious values that the demo has mended, as `esgml.data.cleaning.clean` names them.
REPAIR = ("unit_x1000", "negative_value", "stuck_run", "zero_run")
_AHEAD = ("entity", "timestamp", "company", "country", "temperature", "holiday")
_LONGEST = 180


@dataclass(frozen=True)
class Showcase:
    """What the demo starts from.

    Attributes
    ----------
    frame : DataFrame
        The raw table: measured up to the origin, known ahead after it.
    spec : SeriesSpec
    labels : DataFrame
        Faults put in: ``entity, timestamp, column, kind``.
    truth : DataFrame
        ``entity, timestamp`` and the targets after the origin, faults left out.
    """

    frame: pl.DataFrame
    spec: SeriesSpec
    labels: pl.DataFrame
    truth: pl.DataFrame


def showcase(seed: int = 0, sites: int = 3, horizon: int = 14) -> Showcase:
    """Generate the portfolio and take away what comes after the origin.

    Raises
    ------
    UsageError
        If there is no site, or the horizon is not 1 to 180 days.
    """
    if not 1 <= horizon <= _LONGEST:
        raise UsageError(f"the demo looks 1 to {_LONGEST} days ahead, not {horizon}.")
    made: Portfolio = portfolio(seed, sites, YEARS, start=START)
    end = ORIGIN + dt.timedelta(days=horizon)
    time = pl.col("timestamp")
    frame = made.frame.filter(time < end)
    measured = [c for c in frame.columns if c not in _AHEAD]
    raw = frame.with_columns(pl.when(time < ORIGIN).then(pl.col(c)).alias(c) for c in measured)
    wrong = made.labels.filter(time >= ORIGIN)
    truth = frame.filter(time >= ORIGIN).select("entity", "timestamp", *made.spec.targets)
    for column in made.spec.targets:
        here = wrong.filter(pl.col("column") == column).select("entity", "timestamp")
        bad = here.with_columns(pl.lit(True).alias("bad"))
        truth = truth.join(bad, on=["entity", "timestamp"], how="left", maintain_order="left")
        truth = truth.with_columns(
            pl.when(pl.col("bad").is_null()).then(pl.col(column)).alias(column)
        ).drop("bad")
    return Showcase(raw, made.spec, made.labels.filter(time < ORIGIN), truth)


def faults_found(
    frame: pl.DataFrame, spec: SeriesSpec, labels: pl.DataFrame
) -> dict[str, dict[str, int]]:
    """Return how many episodes of each kind of fault were put in, and how many a check found.

    An episode is found if any fault reported of its column names one of its rows.

    Returns
    -------
    dict of kind to ``{"injected", "found"}``
    """
    result: dict[str, dict[str, int]] = {}
    for (entity,), part in frame.group_by(["entity"], maintain_order=True):
        seen: set[tuple[str, int]] = set()
        for fault in check(part, replace(spec, hierarchy=())).faults:
            seen |= {(fault.column, row) for row in fault.rows}
        rows = {moment: i for i, moment in enumerate(part["timestamp"])}
        mine = labels.filter(pl.col("entity") == entity).sort("column", "kind", "timestamp")
        for column, kind, members in _episodes(mine, rows):
            count = result.setdefault(kind, {"injected": 0, "found": 0})
            count["injected"] += 1
            count["found"] += any((column, row) in seen for row in members)
    return dict(sorted(result.items()))


def _episodes(
    labels: pl.DataFrame, rows: Mapping[dt.datetime, int]
) -> list[tuple[str, str, list[int]]]:
    """Join labels of one entity that follow each other into column, kind and rows."""
    found: list[tuple[str, str, list[int]]] = []
    for _, moment, column, kind in labels.iter_rows():
        row = rows[moment]
        if found and found[-1][:2] == (column, kind) and found[-1][2][-1] == row - 1:
            found[-1][2].append(row)
        else:
            found.append((column, kind, [row]))
    return found


def gaps_estimated(panel: Panel) -> tuple[Panel, int]:
    """Fill missing periods from the same place in the season up to four seasons around.

    For annual totals, which do not exist where a day is missing; never for training.

    Returns
    -------
    panel : Panel
    count : int
        Number of values that were estimated.
    """
    season = panel.frequency.season
    values, count = panel.values.copy(), 0
    around = season * np.array([-4, -3, -2, -1, 1, 2, 3, 4])
    for i in range(len(panel)):
        rows = panel.rows_of(i)
        series = panel.values[rows]
        for at in np.flatnonzero(~np.isfinite(series)):
            near = at + around
            found = series[near[(near >= 0) & (near < len(series))]]
            found = found[np.isfinite(found)]
            if len(found):
                values[rows.start + at] = found.mean()
                count += 1
    return replace(panel, values=values), count


def held_out(
    panel: Panel, forecasts: Sequence[Mapping[str, Any]], truth: pl.DataFrame
) -> dict[str, Any]:
    """Score forecasts of single series against what was taken away.

    Returns
    -------
    dict
        ``wape`` (mean over series), ``naive`` likewise, ``coverage`` by level, ``series``.
    """
    place = {key: i for i, key in enumerate(panel.keys)}
    errors, naive_errors = [], []
    inside: dict[str, list[bool]] = {}
    for item in forecasts:
        i = place.get((item["entity"], item["target"]))  # type: ignore[call-overload]
        if i is None:
            continue
        actual = (
            truth.filter(pl.col("entity") == item["entity"])
            .sort("timestamp")[item["target"]]
            .to_numpy()[: len(item["mean"])]
        )
        seen = np.isfinite(actual)
        volume = np.abs(actual[seen]).sum()
        if volume == 0:
            continue
        naive = seasonal_naive(panel.select([i]), len(actual))[0]
        mean = np.asarray(item["mean"])[: len(actual)]
        errors.append(np.abs(mean - actual)[seen].sum() / volume)
        naive_errors.append(np.abs(naive - actual)[seen].sum() / volume)
        for level, low in item.get("lower", {}).items():
            high = np.asarray(item["upper"][level])[: len(actual)]
            within = (actual >= np.asarray(low)[: len(actual)]) & (actual <= high)
            inside.setdefault(level, []).extend(within[seen].tolist())
    return {
        "wape": float(np.mean(errors)) if errors else None,
        "naive": {"wape": float(np.mean(naive_errors)) if errors else None},
        "coverage": {level: float(np.mean(hits)) for level, hits in inside.items()},
        "series": len(errors),
    }
