"""What better forecasts of three sets would have to know: scores with knowledge nobody has.

``python benchmarks/bench_forecast_limits.py > benchmarks/results/forecast_limits.json``

On the scored windows of `bench_forecast.py`: houses when `lean_ridge` is told the sun, the grid
or the use of the houses beside it in the week ahead; the steel plant when the usual day of the
week is taken from the very weeks that are scored, and when standing days are known (to it, and as
a covariate to the default); facilities when their growth is fitted to the very years scored.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import polars as pl
from benchmarks.annual_sets import facilities, panel_of
from benchmarks.forecast_sets import cases, folder

from esgml.core.frames import SeriesSpec
from esgml.core.panel import Future, Panel
from esgml.data.panels import to_panel
from esgml.forecast.evaluate import evaluate
from esgml.forecast.metrics import wape
from esgml.forecast.models.lean_ridge import LeanRidge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.forecast.design import Design

#: What is told of the week ahead.
TOLD = {
    "nothing": (),
    "sun": ("sun",),
    "grid": ("grid",),
    "sun_grid": ("sun", "grid"),
    "others": ("others",),
    "sun_grid_others": ("sun", "grid", "others"),
    "sun_grid_own": ("sun", "grid", "own"),
}
#: Below this a plant stands, tCO2 a day.
STANDS = 0.1


class Told(LeanRidge):
    """`lean_ridge` that also looks at the covariates known ahead."""

    def _left_out(self, design: Design, age: NDArray[np.float64], panel: Panel) -> tuple[str, ...]:
        kept = {f"{name}{of}" for name in panel.known_names for of in ("", "_against_recent")}
        return tuple(n for n in super()._left_out(design, age, panel) if n not in kept)


def houses(data: Path) -> dict[str, float]:
    """Return the accuracy of houses by what is told of the week ahead."""
    (case,) = cases(("buildings_daily",))
    sums = ("scope2_kg", "grid_import_kwh", "load_kwh", "solar_kwh")
    intensity = "carbon_intensity_kg_kwh"
    frame = (
        pl.read_parquet(data / "buildings_hourly.parquet")
        .group_by("entity", pl.col("timestamp").dt.truncate("1d"))
        .agg(pl.col(sums).sum(), pl.col(intensity, "price").mean())
        .sort("entity", "timestamp")
        .with_columns(sun="solar_kwh", grid=intensity, own="load_kwh")
        .with_columns(share=pl.col("own") / pl.col("own").mean().over("entity"))
        .with_columns(others=pl.col("share").sum().over("timestamp") - pl.col("share"))
    )
    found = {}
    for name, told in TOLD.items():
        known = frame.drop({"sun", "grid", "own", "others", "share"} - set(told))
        panel, _ = to_panel(known, SeriesSpec(targets=("scope2_kg",), known=told))
        forecast, actual = [], []
        for w in range(case.windows, 0, -1):
            back = case.horizon + case.step * (w - 1)
            index = panel.indptr[1:][:, None] - back + np.arange(case.horizon)
            past = panel.before(back)
            future = Future(panel.time[index], panel.known[index], panel.known_names)
            forecast.append(Told().train(past, horizon=case.horizon).predict(past, future))
            actual.append(panel.values[index])
        found[name] = 1 - wape(np.stack(forecast), np.stack(actual))
    return found


def steel() -> dict[str, float]:
    """Return the accuracy of weekday medians of the scored weeks, and of knowing standing days."""
    (case,) = cases(("steel_daily",))
    actual = case.panel.series(0)[-case.step * case.windows :]
    weekday = np.arange(len(actual)) % 7
    runs = actual >= STANDS

    def accuracy(forecast: NDArray[np.float64]) -> float:
        return float(1 - np.abs(forecast - actual).sum() / actual.sum())

    usual = np.array([np.median(actual[weekday == d]) for d in range(7)])
    running = [actual[(weekday == d) & runs] for d in range(7)]
    when_on = np.array([np.median(part) if len(part) else 0.0 for part in running])
    plan = (case.panel.values < STANDS).astype(np.float64)[:, None]
    told = replace(case.panel, known=plan, known_names=("stands",))
    return {
        "weekday_medians": accuracy(usual[weekday]),
        "standing_days": accuracy(np.where(runs, when_on[weekday], 0.0)),
        "default_told": evaluate(told, case.horizon, case.windows).scores["accuracy"],
    }


def growth(data: Path) -> dict[str, float]:
    """Return the share within 10 %, at best, of growth and reversion fitted to what is scored."""
    rows = []
    panel = panel_of(facilities(data))
    for i in range(len(panel)):
        values = panel.series(i)
        for k in range(max(len(values) - 5, 1), len(values)):
            past = values[:k][np.isfinite(values[:k])]
            if np.isfinite(values[k]) and len(past):
                rows.append((values[k], past[-1], past[-2] if len(past) > 1 else past[-1]))
    actual, last, before = np.array(rows).T
    own = np.zeros(len(last))
    np.log(last / np.where(before > 0, before, 1), out=own, where=(last > 0) & (before > 0))
    own = np.clip(own, -0.5, 0.5)

    def within(common: float, share: float) -> float:
        forecast = last * np.exp(common + share * own)
        return float((np.abs(forecast - actual) <= 0.1 * np.abs(actual)).mean())

    steps = [(c, s) for c in np.linspace(-0.02, 0.02, 41) for s in np.linspace(-0.3, 0.1, 41)]
    return {"last_value": within(0, 0), "hindsight": max(within(c, s) for c, s in steps)}


def main() -> None:
    """Run from the command line."""
    root = folder()
    found: dict[str, Any] = {"skipped": "no real data: set ESGML_DATA"}
    if root is not None:
        data = root / "emissions"
        found = {"houses": houses(data), "steel": steel(), "facilities": growth(data)}
    print(json.dumps(found, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
