"""A seeded portfolio of sites whose emissions come about the way real ones do.

::

    season, weather ----> degree days ----> heating gas --------------> scope 1
         |                     `----------> cooling --.                   ^
         v                                            v                   | process
    sun on the roof --> own power --> electricity bought --x grid factor--|--> scope 2 (location)
                                          ^           `--x contracts------|--> scope 2 (market)
    economy --> production (weekdays, holidays) -----------------> goods, freight --> scope 3

Faults of the kinds real meters have are put in afterwards, each with a label, so that
checks and detectors can be scored.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from esgml.core.errors import UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.random import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: country -> (mean temperature C, seasonal swing C, grid factor kgCO2e/kWh, share of sun)
_COUNTRIES = {
    "DE": (9.5, 9.5, 0.38, 0.9),
    "US": (12.0, 12.0, 0.39, 1.2),
    "SE": (5.5, 11.0, 0.04, 0.8),
    "PL": (8.5, 10.5, 0.66, 0.9),
    "ES": (15.5, 8.0, 0.19, 1.4),
    "GB": (10.0, 6.5, 0.21, 0.8),
}
_GAS_FACTOR = 0.183  # kgCO2e per kWh of natural gas, gross calorific value
_HEATING_BASE, _COOLING_BASE = 15.5, 18.0  # C
_SUNDAY, _SATURDAY = 6, 5
TARGETS = ("scope1_kg", "scope2_kg", "scope3_kg")


@dataclass(frozen=True)
class Portfolio:
    """A generated portfolio.

    Attributes
    ----------
    frame : DataFrame
        One row per site and day, sorted; see `portfolio` for the columns.
    spec : SeriesSpec
        Targets are the three scopes, weather and holidays are known ahead.
    labels : DataFrame
        The faults put in: ``entity, timestamp, column, kind``.
    hierarchy : tuple of str
        Columns above the site, from the top down.
    """

    frame: pl.DataFrame
    spec: SeriesSpec
    labels: pl.DataFrame
    hierarchy: tuple[str, ...] = ("company",)


def portfolio(
    seed: int = 0,
    sites: int = 6,
    years: int = 2,
    *,
    faults: bool = True,
    start: dt.date = dt.date(2023, 1, 1),
) -> Portfolio:
    """Generate a portfolio of sites with daily energy, production and emissions.

    Parameters
    ----------
    seed : int
        Same seed, same bytes; a site's numbers do not depend on how many others there are.
    sites, years : int
        Number of sites, and of calendar years from `start` on.
    faults : bool
        Whether to put labelled faults in.
    start : date
        First day.

    Returns
    -------
    Portfolio
        Columns ``entity, timestamp, company, country``, ``scope1_kg, scope2_kg`` (location-
        based), ``scope2_market_kg, scope3_kg`` in kgCO2e, ``energy_kwh, renewable_kwh``,
        ``production`` (units), ``temperature`` (C), ``holiday`` (0/1), ``economic_index``
        (100 at the start), ``revenue_usd, floor_area_m2, employees``.

    Raises
    ------
    UsageError
        If `sites` or `years` is below 1.

    Examples
    --------
    >>> portfolio(seed=1, sites=2, years=1).frame.shape
    (730, 17)
    """
    if sites < 1 or years < 1:
        raise UsageError("a portfolio needs at least one site and one year.")
    if (start.month, start.day) == (2, 29):
        raise UsageError("a portfolio cannot start on a 29 February.")
    end = start.replace(year=start.year + years)
    days = np.arange(np.datetime64(start), np.datetime64(end))
    economy = _economy(seed, len(days))
    frames, labels = [], []
    for number in range(sites):
        frame = _site(seed, number, days, economy)
        if faults:
            frame, found = _put_faults(frame, generator(seed, "faults", number))
            labels.append(found)
        frames.append(frame)
    spec = SeriesSpec(
        targets=TARGETS,
        known=("temperature", "holiday"),
        hierarchy=("company",),
        units={
            **dict.fromkeys((*TARGETS, "scope2_market_kg"), "kgCO2e"),
            "energy_kwh": "kWh",
            "renewable_kwh": "kWh",
            "temperature": "degC",
            "revenue_usd": "USD",
            "floor_area_m2": "m^2",
        },
    )
    empty = pl.DataFrame(schema=_LABELS)
    return Portfolio(pl.concat(frames), spec, pl.concat([empty, *labels]))


_LABELS: dict[str, pl.DataType | type[pl.DataType]] = {
    "entity": pl.String,
    "timestamp": pl.Datetime("us"),
    "column": pl.String,
    "kind": pl.String,
}


def _economy(seed: int, days: int) -> Floats:
    """Return an index of the economy all sites share: growth, a cycle and a random walk."""
    random = generator(seed, "economy")
    t = np.arange(days) / 365.25
    walk = np.cumsum(random.normal(0, 0.08, days))
    return np.asarray(100 * (1 + 0.015 * t) + 1.5 * np.sin(2 * np.pi * t / 3.5) + walk)


def _persistent(random: np.random.Generator, size: int, memory: float, spread: float) -> Floats:
    """Return noise that remembers: AR(1) with stationary standard deviation `spread`."""
    from scipy.signal import lfilter

    shocks = random.normal(0, spread * np.sqrt(1 - memory**2), size)
    shocks[0] = random.normal(0, spread)
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks))


def _holidays(country: str, days: NDArray[np.datetime64]) -> Floats:
    import holidays

    first, last = (int(str(d)[:4]) for d in (days[0], days[-1]))
    dates = holidays.country_holidays(country, years=range(first, last + 1))
    return np.isin(days, np.array(sorted(dates), dtype="datetime64[D]")).astype(np.float64)


def _site(seed: int, number: int, days: NDArray[np.datetime64], economy: Floats) -> pl.DataFrame:
    random = generator(seed, "site", number)
    country = list(_COUNTRIES)[(number // 2) % len(_COUNTRIES)]
    mean, swing, factor, sun = _COUNTRIES[country]
    size = len(days)
    day_of_year = (days - days.astype("datetime64[Y]")).astype(int)
    season = np.cos(2 * np.pi * (day_of_year - 200) / 365.25)  # 1 in mid-July
    weekday = (days.astype(np.int64) + 3) % 7
    holiday = _holidays(country, days)

    temperature = mean + swing * season + _persistent(random, size, 0.78, 3.2)
    heating = np.maximum(_HEATING_BASE - temperature, 0)
    cooling = np.maximum(temperature - _COOLING_BASE, 0)

    office = number % 3 == 2  # every third site is an office, the others make things
    area = float(np.round(random.uniform(4e3, 3e4), -1))
    employees = float(np.round(area / (25 if office else 60)))
    weekend = random.uniform(0.05, 0.2) if office else random.uniform(0.25, 0.7)
    working = np.where(weekday == _SUNDAY, weekend, np.where(weekday == _SATURDAY, weekend, 1.0))
    working = np.where(holiday > 0, np.minimum(working, weekend), working)
    trend = 1 + random.normal(0.0, 0.015) * np.arange(size) / 365.25
    demand = (economy / 100) ** 1.5 * trend * np.exp(_persistent(random, size, 0.93, 0.05))
    production = random.uniform(200, 900) * demand * working
    production *= np.exp(random.normal(0, 0.03, size))

    base = area * random.uniform(0.12, 0.25)
    power = base * (0.45 + 0.55 * working) + cooling * area * random.uniform(0.006, 0.012)
    power += production * random.uniform(4, 9)
    power *= np.exp(_persistent(random, size, 0.6, 0.025))
    gas = heating * area * random.uniform(0.02, 0.05) * (0.7 + 0.3 * working)
    gas *= np.exp(random.normal(0, 0.03, size))
    process = 0.0 if office else random.uniform(0.3, 1.2)

    clouds = 1 / (1 + np.exp(-_persistent(random, size, 0.5, 1.2)))
    roof = area * random.uniform(0.0, 0.15) * sun
    own_power = np.minimum(roof * (0.35 + 0.3 * season) * (0.4 + clouds), 0.8 * power)
    bought = power - own_power
    windy = _persistent(random, size, 0.6, 0.12)
    grid = factor * (1 - 0.08 * season) * np.exp(-0.03 * np.arange(size) / 365.25 + windy)
    contract = random.uniform(0.1, 0.6)
    scope1 = gas * _GAS_FACTOR + process * production
    scope2 = bought * grid
    market = bought * (1 - contract) * factor * 1.15
    shipped = np.convolve(np.concatenate([np.full(6, production[0]), production]), np.ones(7) / 7)
    scope3 = shipped[6 : 6 + size] * random.uniform(3, 8) + employees * working * 3.1
    scope3 *= np.exp(_persistent(random, size, 0.7, 0.04))
    return pl.DataFrame(
        {
            "entity": [f"site-{number + 1:02d}"] * size,
            "timestamp": days.astype("datetime64[us]"),
            "company": [f"company-{chr(65 + number // 2 % 26)}"] * size,
            "country": [country] * size,
            "scope1_kg": np.round(scope1, 3),
            "scope2_kg": np.round(scope2, 3),
            "scope2_market_kg": np.round(market, 3),
            "scope3_kg": np.round(scope3, 3),
            "energy_kwh": np.round(power + gas, 3),
            "renewable_kwh": np.round(own_power + contract * bought, 3),
            "production": np.round(production, 2),
            "temperature": np.round(temperature, 2),
            "holiday": holiday,
            "economic_index": np.round(economy, 3),
            "revenue_usd": np.round(production * random.uniform(120, 400), 2),
            "floor_area_m2": np.full(size, area),
            "employees": np.full(size, employees),
        }
    )


def _put_faults(
    frame: pl.DataFrame, random: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Overwrite stretches of readings with faults; about two readings in a hundred."""
    size = frame.height
    columns = {c: frame[c].to_numpy().copy() for c in (*TARGETS, "energy_kwh")}
    found: list[tuple[int, int, str, str]] = []
    taken = np.zeros(size, dtype=bool)

    def place(length: int) -> tuple[int, int] | None:
        """Find a free stretch, a month or more after the start."""
        for _ in range(50):
            if size <= 40 + length:
                return None
            first = int(random.integers(30, size - length - 5))
            if not taken[max(first - 3, 0) : first + length + 3].any():
                taken[first : first + length] = True
                return first, first + length
        return None

    rounds = max(1, size // 365)
    plan: list[tuple[str, str, int]] = []
    for _ in range(rounds):
        plan += [
            ("spike", TARGETS[int(random.integers(3))], 1),
            ("spike", TARGETS[int(random.integers(3))], int(random.integers(1, 3))),
            ("stuck", TARGETS[int(random.integers(2))], int(random.integers(8, 13))),
            ("zero_run", "scope2_kg", int(random.integers(6, 10))),
            ("missing", TARGETS[int(random.integers(3))], int(random.integers(2, 6))),
            ("leak", "energy_kwh", int(random.integers(5, 15))),
            ("unit_x1000", "energy_kwh", int(random.integers(1, 4))),
            ("negative", "energy_kwh", 1),
        ]
    for kind, column, length in plan:
        spot = place(length)
        if spot is None:
            continue
        a, b = spot
        values = columns[column]
        if kind == "spike":
            values[a:b] = np.round(values[a:b] * random.uniform(2.5, 5), 3)
        elif kind == "stuck":
            values[a:b] = values[a - 1]
        elif kind == "zero_run":
            values[a:b] = 0.0
        elif kind == "missing":
            values[a:b] = np.nan
        elif kind == "leak":
            values[a:b] = np.round(values[a:b] * 1.35, 3)
        elif kind == "unit_x1000":
            values[a:b] *= 1000
        else:
            values[a:b] *= -1
        found.append((a, b, column, kind))
    frame = frame.with_columns(
        pl.Series(name, values).fill_nan(None) for name, values in columns.items()
    )
    rows = [(i, column, kind) for a, b, column, kind in found for i in range(a, b)]
    index = [i for i, _, _ in rows]
    labels = frame.select("entity", "timestamp")[index].with_columns(
        pl.Series("column", [c for _, c, _ in rows], dtype=pl.String),
        pl.Series("kind", [k for _, _, k in rows], dtype=pl.String),
    )
    return frame, labels.sort("timestamp", "column")
