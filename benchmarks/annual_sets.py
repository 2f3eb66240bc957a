"""One year ahead on annual inventories: facilities and companies, beside the last value.

Every pair of years is forecast from the years before it, pooled over entities: once all pairs,
restated and misread ones included, and once the steady ones alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.forecast_sets import folder

from esgml.core.frames import SeriesSpec
from esgml.core.panel import Panel
from esgml.data.panels import to_panel
from esgml.forecast.evaluate import Evaluation, evaluate
from esgml.forecast.metrics import binomial_interval

#: Values that make a series long, and the factor beyond which a change is no emission's.
LONG, RESTATED = 4, 3.0


def facilities(data: Path) -> pl.DataFrame:
    """Return emissions of facilities by entity and year: Canada, then Washington."""
    canada = pl.read_csv(data / "facilities_canada_annual.csv", infer_schema_length=None)
    canada = canada.select(
        pl.col("actor_id").alias("entity"), "year", pl.col("co2e_t").cast(pl.Float64)
    )
    washington = pl.read_csv(data / "facilities_washington_annual.csv", infer_schema_length=None)
    washington = washington.select(
        (pl.col("Reporter") + "|" + pl.col("Sector")).alias("entity"),
        pl.col("Year").alias("year"),
        pl.col("Total Emissions (MTCO2e)").cast(pl.Float64, strict=False).alias("co2e_t"),
    )
    return pl.concat([canada, washington]).group_by("entity", "year").agg(pl.col("co2e_t").sum())


def companies(data: Path, column: str) -> pl.DataFrame:
    """Return one scope of companies by entity and year; Scope 2 market-based where reported."""
    frame = pl.read_csv(data / "companies_scope123_annual.csv", infer_schema_length=None)
    market = pl.coalesce(
        "scope2_mb_t", "scope2_lb_t", pl.col("scope2_t").cast(pl.Float64, strict=False)
    )
    value = market if column == "scope2_t" else pl.col(column).cast(pl.Float64, strict=False)
    return (
        frame.select(pl.col("company").alias("entity"), "year", value.alias("co2e_t"))
        .drop_nulls()
        .group_by("entity", "year")
        .agg(pl.col("co2e_t").last())
    )


def panel_of(frame: pl.DataFrame) -> Panel:
    """Return the series of at least two years as a panel."""
    frame = frame.with_columns(pl.datetime(pl.col("year"), 1, 1).alias("timestamp")).drop("year")
    panel, _ = to_panel(frame, SeriesSpec(targets=("co2e_t",)))
    return panel.select([i for i, length in enumerate(panel.lengths) if length >= 2])


def _score(panel: Panel, windows: int) -> dict[str, Any]:
    found = evaluate(panel, 1, windows, total=False)
    first = found.backtest.plan.calibrating
    actual = found.backtest.actual[first:]
    naive = found.backtest.forecasts["seasonal_naive"][first:]
    seen = np.isfinite(actual) & np.isfinite(naive)
    # the steady part: series of four values or more, years that are not restated or misread
    lengths = np.array([np.isfinite(found.panel.series(i)).sum() for i in range(len(found.panel))])
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(np.log(actual / naive))
    steady = seen & (lengths >= LONG)[None, :, None] & (change <= np.log(RESTATED))

    def scores(forecast: np.ndarray, seen: np.ndarray = seen) -> dict[str, float]:
        error = np.abs(forecast - actual)[seen]
        return {
            "within_10pct": float((error <= 0.1 * np.abs(actual[seen])).mean()),
            "wape_pooled": float(error.sum() / np.abs(actual[seen]).sum()),
        }

    return {
        "model": scores(found.walk.forecast[first:]),
        "last_value": scores(naive),
        "steady": {
            "model": scores(found.walk.forecast[first:], steady),
            "last_value": scores(naive, steady),
            "pairs": int(steady.sum()),
        },
        "error": _carried(np.where(seen, np.abs(naive - actual), 0.0), change, found),
        "coverage": found.scores["coverage"],
        "coverage_interval": {
            level: binomial_interval(share, int(seen.sum()))
            for level, share in found.scores["coverage"].items()
        },
        "parts": _parts(found, seen),
        "width": found.scores["width"],
        "pairs": int(seen.sum()),
    }


def _carried(error: np.ndarray, change: np.ndarray, found: Evaluation) -> dict[str, float]:
    """Return what carries the pooled error of the last value.

    ``pairs`` is how many equal errors would be as uncertain (Kish 1965), ``largest`` the share of
    the two largest, ``restated`` of changes beyond a factor of three, ``late`` of last values that
    are older than a year.
    """
    first = found.backtest.plan.calibrating
    late = np.zeros(error.shape, dtype=bool)
    for w in range(len(error)):
        back = found.backtest.plan.backs[first + w]
        for i in range(len(found.panel)):
            past = found.panel.series(i)[: max(len(found.panel.series(i)) - back, 0)]
            late[w, i] = len(past) > 0 and not np.isfinite(past[-1])
    total = float(error.sum())
    return {
        "pairs": total**2 / float((error**2).sum()),
        "largest": float(np.sort(error.ravel())[-2:].sum()) / total,
        "restated": float(error[(change > np.log(RESTATED)) & (error > 0)].sum()) / total,
        "late": float(error[late].sum()) / total,
    }


def _parts(found: Evaluation, seen: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the coverage by year and of some kinds of pairs.

    ``first`` and ``again`` are series forecast for the first and a later time, ``unsettled`` those
    whose last value stands for itself (`esgml.forecast.unsettled`).
    """
    first = found.backtest.plan.calibrating
    earlier = np.isfinite(found.backtest.actual) & np.isfinite(found.walk.forecast)
    again = (np.cumsum(earlier.any(axis=2), axis=0) > 1)[first:, :, None] & seen
    year = found.backtest.time[first:].astype("datetime64[Y]").astype(int) + 1970
    parts = {str(y): seen & (year == y) for y in np.unique(year[seen])}
    parts |= {"first": seen & ~again, "again": again}
    parts["unsettled"] = seen & found.backtest.alone[first:-1, :, None]
    actual = found.backtest.actual[first:]
    inside = {
        str(level): (actual >= low[first:]) & (actual <= found.walk.upper[level][first:])
        for level, low in found.walk.lower.items()
    }
    return {
        name: {"pairs": int(part.sum())}
        | {lv: float(hit[part].mean()) for lv, hit in inside.items()}
        for name, part in parts.items()
        if part.any()
    }


def run() -> dict[str, Any]:
    """Return the annual scores, the last value beside each."""
    root = folder()
    if root is None:
        return {"skipped": "no real data: set ESGML_DATA"}
    data = root / "emissions"
    found = {"facilities": _score(panel_of(facilities(data)), 5)}
    for scope in ("scope1_t", "scope2_t", "scope3_t"):
        found[f"companies_{scope}"] = _score(panel_of(companies(data, scope)), 2)
    return found
