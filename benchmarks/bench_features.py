"""Features for a million rows: the compiled kernels beside Polars and pandas.

Every engine computes the same 20 columns from the same panel (1,000 series of 1,000 days,
5 % of the readings missing): lags, differences, rolling mean, deviation, extremes, sum and
median, seasonal means, an exponential mean. The results are compared before the times are
reported.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.features.lags import Differences, Lags
from esgml.features.pipeline import FeaturePipeline
from esgml.features.rolling import ExponentialMean, Rolling, SeasonalRolling

SERIES, LENGTH = 1_000, 1_000
LAGS = (1, 2, 3, 7, 14, 28)
STATISTICS = ("mean", "std", "min", "max")


def panel(seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    rows = SERIES * LENGTH
    day = np.tile(np.arange(LENGTH), SERIES)
    values = 100 + 20 * np.sin(2 * np.pi * day / 7) + rng.normal(scale=10, size=rows)
    values[rng.random(rows) < 0.05] = np.nan
    frequency = Frequency("D")
    dates = frequency.advance(np.datetime64("2020-01-01", "us"), np.arange(LENGTH))
    return Panel(
        keys=tuple(SeriesKey(f"site-{i:04d}", "co2_t") for i in range(SERIES)),
        indptr=np.arange(0, rows + 1, LENGTH),
        time=np.tile(dates, SERIES),
        values=values,
        frequency=frequency,
        known=np.empty((rows, 0)),
        past=np.empty((rows, 0)),
    )


def pipeline() -> FeaturePipeline:
    return FeaturePipeline(
        [
            Lags(lags=LAGS),
            Differences(periods=(1, 7)),
            Rolling(windows=(7, 28), statistics=STATISTICS),
            Rolling(windows=(14,), statistics=("sum",)),
            Rolling(windows=(7,), statistics=("median",)),
            SeasonalRolling(season=7, windows=(4,)),
            ExponentialMean(alphas=(0.3,)),
        ]
    )


def with_polars(data: Panel) -> Callable[[], np.ndarray]:
    import polars as pl

    series = np.repeat(np.arange(SERIES), LENGTH)
    phase = np.tile(np.arange(LENGTH) % 7, SERIES)
    frame = pl.DataFrame(
        {"s": series, "phase": phase, "x": pl.Series(data.values, nan_to_null=True)}
    )
    x = pl.col("x")
    columns = [x.shift(k).over("s") for k in LAGS]
    columns += [(x.shift(1) - x.shift(1 + k)).over("s") for k in (1, 7)]
    for w, need in ((7, 4), (28, 14)):
        columns += [
            getattr(x, f"rolling_{s}")(w, min_samples=need).shift(1).over("s") for s in STATISTICS
        ]
    columns.append(x.rolling_sum(14, min_samples=7).shift(1).over("s"))
    columns.append(x.rolling_median(7, min_samples=4).shift(1).over("s"))
    columns.append(x.rolling_mean(4, min_samples=2).shift(1).over("s", "phase"))
    smooth = x.ewm_mean(alpha=0.3, adjust=False, ignore_nulls=True)
    columns.append(smooth.forward_fill().shift(1).over("s"))
    named = [column.alias(f"f{i}") for i, column in enumerate(columns)]
    return lambda: frame.select(named).fill_null(float("nan")).to_numpy()


def with_pandas(data: Panel) -> Callable[[], np.ndarray]:
    import pandas as pd

    series = np.repeat(np.arange(SERIES), LENGTH)
    phase = np.tile(np.arange(LENGTH) % 7, SERIES)
    x = pd.Series(data.values)

    def compute() -> np.ndarray:
        by = x.groupby(series, sort=False)
        last = by.shift(1)
        lagged = last.groupby(series, sort=False)
        columns = [by.shift(k) for k in LAGS]
        columns += [last - by.shift(1 + k) for k in (1, 7)]

        def rolling(w: int, need: int, s: str) -> Any:
            found = getattr(lagged.rolling(w, min_periods=need), s)()
            return found.reset_index(level=0, drop=True)

        for w, need in ((7, 4), (28, 14)):
            columns += [rolling(w, need, s) for s in STATISTICS]
        columns.append(rolling(14, 7, "sum"))
        columns.append(rolling(7, 4, "median"))
        keys = [pd.Series(series), pd.Series(phase)]
        season = x.groupby(keys, sort=False).shift(1).groupby(keys, sort=False)
        found = season.rolling(4, min_periods=2).mean()
        columns.append(found.reset_index(level=[0, 1], drop=True).sort_index())
        smooth = lagged.ewm(alpha=0.3, adjust=False, ignore_na=True).mean()
        columns.append(smooth.reset_index(level=0, drop=True))
        return np.column_stack([c.to_numpy() for c in columns])

    return compute


def _timed(compute: Callable[[], np.ndarray], repeats: int) -> tuple[dict[str, float], np.ndarray]:
    """Return median wall and processor seconds (the latter hold on a busy machine too)."""
    result = compute()
    wall, cpu = [], []
    for _ in range(repeats):
        began, worked = time.perf_counter(), time.process_time()
        result = compute()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - worked)
    seconds = float(np.median(wall))
    return {
        "seconds": seconds,
        "cpu_seconds": float(np.median(cpu)),
        "rows_per_s": len(result) / seconds,
    }, result


def run() -> dict[str, Any]:
    data = panel()
    fitted = pipeline().fit(data)
    rows = data.rows
    ours, expected = _timed(lambda: fitted.transform(data), 5)
    report: dict[str, Any] = {
        "rows": rows,
        "features": len(fitted.names),
        "esgml": ours,
    }
    peers = {"polars": (with_polars(data), 3), "pandas": (with_pandas(data), 1)}
    for name, (compute, repeats) in peers.items():
        times, found = _timed(compute, repeats)
        both = np.isfinite(expected) & np.isfinite(found)
        report[name] = {
            **times,
            "times_slower": times["seconds"] / ours["seconds"],
            "largest_difference": float(np.abs(expected - found)[both].max()),
            "missing_in_one_only": int((np.isnan(expected) != np.isnan(found)).sum()),
        }
    return report


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
