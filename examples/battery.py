"""A battery in a real house: a week beside rules and limit, then tomorrow on a forecast.

    ESGML_DATA=FOLDER python examples/battery.py [HOUSE]

Reads a house, its tariff and the carbon intensity of its grid from the CityLearn tables in
FOLDER/optimization/citylearn; says so where they are missing. It takes about half a minute.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import polars as pl

from esgml import OptimizationEngine
from esgml.training.foresight import with_forecast

WEEK, PAST = 168, 4 * 168
FIRST = 24 * 170 + 1  # midnight of a day in January


def house(folder: Path, number: int) -> pl.DataFrame:
    """Return the hours of a house: load, sun, price, carbon intensity."""
    name = f"Building_{number}"
    table = pl.read_csv(folder / f"{name}.csv")
    buildings = json.loads((folder / "schema.json").read_text())["buildings"]
    size = buildings[name]["pv"]["attributes"]["nominal_power"]  # kW; the table is W per kW
    start = np.datetime64("2021-07-31T23", "us")
    return pl.DataFrame(
        {
            "entity": f"house {number}",
            "timestamp": start + np.arange(table.height) * np.timedelta64(1, "h"),
            "load_kwh": table["non_shiftable_load"],
            "solar_kwh": table["solar_generation"] * size / 1000,
            "price": pl.read_csv(folder / "pricing.csv")["electricity_pricing"],
            "carbon": pl.read_csv(folder / "carbon_intensity.csv")["carbon_intensity"],
        }
    )


def main(number: int) -> int:
    """Plan the battery of one house."""
    folder = Path(os.environ.get("ESGML_DATA", "../shared/data")) / "optimization" / "citylearn"
    if not (folder / f"Building_{number}.csv").is_file():
        print(f"skipped: there is no house {number} in {folder} (set ESGML_DATA)")
        return 0
    hours = house(folder, number)
    past, week = hours[FIRST - PAST : FIRST], hours[FIRST : FIRST + WEEK]
    battery = {"capacity": 6.4, "power": 5.0, "efficiency": 0.9}

    # a week that is over: what was possible, and what a controller gets that knew no future
    problem = {
        "problem": "battery_dispatch",
        "load": week["load_kwh"].to_list(),
        "solar": week["solar_kwh"].to_list(),
        "price": week["price"].to_list(),
        "carbon": week["carbon"].to_list(),
        "battery": battery,
        "start": str(week["timestamp"][0]),
        "history": {
            "load": past["load_kwh"].to_list(),
            "solar": past["solar_kwh"].to_list(),
            "carbon": past["carbon"].to_list(),
        },
    }
    engine = OptimizationEngine()
    run, best = engine.solve(problem, "mpc"), engine.solve(problem)
    print(f"the week from {week['timestamp'][0]:%d %B}, cost in USD")
    for name, values in best.comparison.items():
        print(f"  {name:<24} {values['cost']:6.2f}")
    print(f"  {'controller, no future':<24} {run.objective['cost']:6.2f}")
    print(f"  {'limit of physics':<24} {best.bound:6.2f}")
    print(f"  the controller gets {run.share_of_attainable:.1%} of what is attainable")

    # the day that comes: load and sun are not known, so they are forecast with intervals
    after = hours[FIRST + WEEK : FIRST + WEEK + 24]
    tomorrow = {
        "problem": "battery_dispatch",
        "price": after["price"].to_list(),
        "carbon": after["carbon"].to_list(),
        "battery": battery,
    }
    known = hours[FIRST - PAST : FIRST + WEEK].select(
        "entity", "timestamp", "load_kwh", "solar_kwh"
    )
    plan = engine.solve(with_forecast(tomorrow, known, model="seasonal_median"), "mpc")
    paths = plan.details["paths"]
    print(f"tomorrow, on a forecast by {plan.details['forecaster']}:")
    print(f"  expected {paths['expected']:.2f} USD, {paths['least']:.2f} to {paths['most']:.2f}")
    for hour, power in enumerate(plan.solution["battery"]):
        if abs(power) > 0.05:
            print(
                f"  {hour:02d}:00 {'charge' if power > 0 else 'discharge':<9} {abs(power):.1f} kW"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
