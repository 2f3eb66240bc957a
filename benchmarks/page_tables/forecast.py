"""How good forecasts are, by set of series: what ``bench_forecast.py --save`` kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.kept import kept, markdown, written

#: Results that are backtests of series with seasons, in the order of the columns.
TITLES = {
    "grids_daily": "power grids, daily, weather known",
    "grids_daily_no_weather": "power grids, daily, no weather",
    "grids_hourly_us": "US grids, hourly",
    "china_daily": "China by sector, daily",
    "buildings_daily": "buildings, daily",
    "steel_daily": "steel plant, daily, CO2",
    "steel_daily_energy": "steel plant, daily, energy",
}
ANNUAL = {
    "facilities": "facilities",
    "companies_scope1_t": "companies, Scope 1",
    "companies_scope2_t": "companies, Scope 2",
    "companies_scope3_t": "companies, Scope 3",
}
NAIVE = "seasonal_naive"


def by_season() -> str:
    """Return the table of backtests of series with seasons."""
    found = kept("forecast_accuracy")
    return seasonal({name: found[name] for name in TITLES if name in found})


def by_year() -> str:
    """Return the table of annual series."""
    found = kept("forecast_accuracy/annual")
    return annual({name: found[name] for name in ANNUAL if name in found})


def seasonal(results: Mapping[str, Mapping[str, Any]]) -> str:
    """One column a set, one row a forecaster, then how the intervals held."""
    columns = list(results.values())
    names = dict.fromkeys(name for one in columns for name in one["models"])
    single = sorted(
        (n for n in names if n != NAIVE),
        key=lambda n: -_mean([one["models"].get(n) for one in columns]),
    )
    rows: list[list[str]] = [
        ["series", *(str(one["series"]) for one in columns)],
        [
            "periods ahead x windows, apart",
            *(f"{one['horizon']} x {one['windows']}, {one['step']}" for one in columns),
        ],
        ["naive", *(_number(one["naive"]) for one in columns)],
        ["**default: all weighed**", *(f"**{_number(one['accuracy'])}**" for one in columns)],
    ]
    rows += [[f"`{n}` alone", *(_number(one["models"].get(n)) for one in columns)] for n in single]
    peers: dict[str, list[float | None]] = {}
    for i, one in enumerate(columns):
        for peer, scores in (one.get("peers") or {}).items():
            peers.setdefault(peer, [None] * len(columns))[i] = scores.get("accuracy")
    # one that ran nowhere, because it was not installed, is no row
    rows += [
        [f"*{peer}*", *map(_number, found)]
        for peer, found in peers.items()
        if any(accuracy is not None for accuracy in found)
    ]
    rows.append(["sum of all series, default", *(_number(one.get("total")) for one in columns)])
    rows.append(["MASE, default", *(_number(one.get("mase"), 2) for one in columns)])
    for level in _levels(columns):
        rows += [
            [
                f"{level} % interval held",
                *(_percent(one["coverage"].get(level)) for one in columns),
            ],
            [
                f"{level} %, smallest series",
                *(_percent(one["coverage_smallest"].get(level)) for one in columns),
            ],
            [
                f"{level} %, smallest if all were alike",
                *(_chance(one.get("chance"), level) for one in columns),
            ],
            [
                f"{level} %, width / level of series",
                *(_number(one["width"].get(level), 2) for one in columns),
            ],
        ]
    return markdown(["accuracy", *(f"{TITLES[name]} `{name}`" for name in results)], rows)


def annual(results: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a kind of series, the last value beside the default."""
    head = [
        "one year ahead",
        "pairs of years",
        "within 10 %: last value",
        "default",
        "pooled WAPE: last value",
        "default",
        "as of so many equal errors",
        "steady pairs",
        "their WAPE: last value",
        "default",
    ]
    levels = _levels(list(results.values()))
    rows = []
    for name, one in results.items():
        model, last = one["model"], one["last_value"]
        row = [ANNUAL[name], f"{one['pairs']:,}"]
        row += [_number(last["within_10pct"]), f"**{_number(model['within_10pct'])}**"]
        row += [_number(last["wape_pooled"]), f"**{_number(model['wape_pooled'])}**"]
        row.append(f"{one['error']['pairs']:.0f}")
        steady = one["steady"]
        row += [f"{steady['pairs']:,}", _number(steady["last_value"]["wape_pooled"])]
        row += [f"**{_number(steady['model']['wape_pooled'])}**"]
        for level in levels:
            low, high = one["coverage_interval"][level]
            row.append(f"{_percent(one['coverage'][level])} ({100 * low:.0f} to {100 * high:.0f})")
        rows.append(row)
    return markdown([*head, *(f"{level} % interval held" for level in levels)], rows)


def _levels(results: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({level for one in results for level in one["coverage"]}, key=int)


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else -math.inf


def _number(value: float | None, digits: int = 3) -> str:
    return written(value, f".{digits}f")


def _percent(value: float | None) -> str:
    return written(value, ".1%")


def _chance(chance: Mapping[str, Any] | None, level: str) -> str:
    if not chance:
        return "-"
    low, middle, high = (100 * share for share in chance[level]["smallest"])
    return f"{_percent(middle / 100)} ({low:.0f} to {high:.0f})"
