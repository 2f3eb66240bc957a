"""Real houses, tariffs and vehicles as problems: read from ``ESGML_DATA``, never copied."""

from __future__ import annotations

import functools
import itertools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOUSES = (1, 2, 3, 4, 5)
#: Months whose second full Monday-to-Sunday week is judged.
MONTHS = (10, 1, 4, 7)
WEEK = 168
#: Days of history a controller is given.
PAST = 56
#: What the 20 house-weeks cost with an idle battery, as a check of the reading.
IDLE = (669.26, 363.38)


def folder() -> Path | None:
    """Return the folder of the optimization data, None where there is none."""
    root = Path(os.environ.get("ESGML_DATA", "../shared/data")) / "optimization"
    return root if root.is_dir() else None


@functools.cache
def calendar() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return month, hour 1-24 and day type 1-8 of every row."""
    table = _table("citylearn/Building_1.csv")
    month, hour, day = (
        table[name].to_numpy().astype(np.int64) for name in ("month", "hour", "day_type")
    )
    return month, hour, day


@functools.cache
def _table(name: str) -> pl.DataFrame:
    root = folder()
    assert root is not None
    return pl.read_csv(root / name)


@functools.cache
def house(number: int) -> tuple[Floats, Floats]:
    """Return load and solar of a house, kWh per hour over the year."""
    root = folder()
    assert root is not None
    table = _table(f"citylearn/Building_{number}.csv")
    schema = json.loads((root / "citylearn/schema.json").read_text())
    size = schema["buildings"][f"Building_{number}"]["pv"]["attributes"]["nominal_power"]
    solar = table["solar_generation"].to_numpy() * size / 1000
    return table["non_shiftable_load"].to_numpy(), solar


@functools.cache
def tariff() -> Floats:
    """Return USD per kWh."""
    return _table("citylearn/pricing.csv")["electricity_pricing"].to_numpy()


@functools.cache
def carbon() -> Floats:
    """Return kgCO2e per kWh."""
    return _table("citylearn/carbon_intensity.csv")["carbon_intensity"].to_numpy()


@functools.cache
def spanish() -> Floats:
    """Return EUR per kWh of the same day of the year 2023, hour by hour."""
    root = folder()
    assert root is not None
    table = pl.read_csv(
        root / "tariff_es/PVPC_2023_ES_peninsula_hourly.csv", separator=";"
    ).with_columns(
        pl.col("datetime").str.slice(5, 5).alias("day"),
        pl.col("datetime").str.slice(11, 2).cast(pl.Int64).alias("hour"),
    )
    by_hour = {
        (row["day"], row["hour"]): row["value"] / 1000 for row in table.iter_rows(named=True)
    }
    # rows start in the last hour of July 31; the two clock changes take the hour before
    moments = np.datetime64("2022-07-31T23") + np.arange(8760) * np.timedelta64(1, "h")
    found = np.empty(8760)
    for i, moment in enumerate(moments):
        text = str(moment)
        key = (text[5:10], int(text[11:13]))
        found[i] = by_hour.get(key, found[i - 1] if i else np.nan)
    return found


def mondays() -> list[int]:
    """Return the first row of every whole Monday-to-Sunday week."""
    _, hour, day = calendar()
    return [r for r in range(1, 8760 - WEEK + 1) if hour[r] == 1 and day[r] == 1]


def judged_weeks() -> list[int]:
    """Return the first rows of the second full week of `MONTHS`."""
    month, _, _ = calendar()
    found = []
    for wanted in MONTHS:
        whole = [r for r in mondays() if (month[r : r + WEEK] == wanted).all()]
        found.append(whole[1])
    return found


def months() -> list[slice]:
    """Return the rows of every calendar month that has two weeks before it."""
    month, _, _ = calendar()
    edges = [1, *(np.flatnonzero(np.diff(month[1:])) + 2).tolist(), 8760]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if a > 14 * 24]


def dispatch(
    rows: slice, houses: tuple[int, ...] = HOUSES, price: Floats | None = None, **fields: Any
) -> dict[str, Any]:
    """Return the document of some houses over some rows, with up to eight weeks before."""
    _, hour, day = calendar()
    before = slice(max(rows.start - 24 * PAST, 1), rows.start)
    values = tariff() if price is None else price
    first = int(min(day[rows.start], 7) - 1) * 24 + int(hour[rows.start] - 1)
    monday = np.datetime64("2024-01-01T00") + np.timedelta64(first, "h")
    return {
        "problem": "battery_dispatch",
        "load": [house(h)[0][rows].tolist() for h in houses],
        "solar": [house(h)[1][rows].tolist() for h in houses],
        "price": values[rows].tolist(),
        "carbon": carbon()[rows].tolist(),
        "battery": {"capacity": 6.4, "power": 5.0, "efficiency": 0.9},
        "start": str(monday),
        "history": {
            "load": [house(h)[0][before].tolist() for h in houses],
            "solar": [house(h)[1][before].tolist() for h in houses],
            "carbon": carbon()[before].tolist(),
            "price": values[before].tolist(),
        },
        **fields,
    }


def charging(days: int = 7, first_day: int = 70) -> dict[str, Any]:
    """Return a week of the three chargers at one site under a tight limit."""
    root = folder()
    assert root is not None
    begin, steps = 1 + 24 * first_day, 24 * days
    sessions = []
    for charger in ("1_1", "4_1", "5_1"):
        table = _table(f"citylearn_evs/charger_{charger}.csv")
        state = table["electric_vehicle_charger_state"].to_numpy()[begin : begin + steps]
        full = table["electric_vehicle_battery_capacity_khw"].to_numpy()[begin : begin + steps]
        level = table["current_soc"].to_numpy()[begin : begin + steps]
        wanted = table["electric_vehicle_required_soc_departure"].to_numpy()[begin : begin + steps]
        plugged = state == 1
        edges = np.flatnonzero(np.diff(np.concatenate([[0], plugged.astype(int), [0]])))
        for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            power = 7.4
            need = max(0.0, float(wanted[a] - level[a])) / 100 * float(full[a])
            if need > 0 and b < steps:  # one that leaves after the week is not asked for
                sessions.append(
                    {
                        "name": f"charger {charger[0]}, hour {a}",
                        "arrival": a,
                        "departure": b,
                        "energy": min(need, 0.95 * power * (b - a)),
                        "power": power,
                    }
                )
    rows = slice(begin, begin + steps)
    return {
        "problem": "ev_charging",
        "sessions": sessions,
        "price": tariff()[rows].tolist(),
        "carbon": carbon()[rows].tolist(),
        "site_limit": 9.0,
        "carbon_price": 0.5,
    }
