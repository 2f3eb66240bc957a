"""Readings against each other: capacity, price, emission factor, the months of a year."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.core.units import factor
from esgml.data.faults import fault
from esgml.data.rules.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_CAPACITY = re.compile(r"capacity|rated_power|nominal_power|connection_kw", re.I)
_BOUGHT = re.compile(r"import|bought|purchas|grid|electric|consum|usage|^energy|total", re.I)
#: kgCO2e per kWh beyond which no fuel or grid lies.
_HIGHEST_FACTOR = 2.5
_TOLERANCE = 1.05
_OFF = 10.0
_MIN_HISTORY = 4


def find(view: View) -> list[Fault]:
    """Return faults that show only when columns or months are compared."""
    found: list[Fault] = []
    for column in view.amounts:
        numbers = view.values(column)
        found += _capacity(view, column, numbers)
        found += _cost(view, column, numbers)
        found += _whole_year(view, column, numbers)
    return found + _factor(view)


def _capacity_column(view: View, column: str) -> str:
    numeric = [
        c
        for c in view.frame.columns
        if _CAPACITY.search(c) and view.frame.schema[c].is_numeric() and c != column
    ]
    own = [c for c in numeric if c.lower().startswith(column.lower().rsplit("_", 1)[0])]
    return (own or (numeric if view.kind(column) == "energy" else []) or [""])[0]


def beyond_capacity(view: View, column: str, numbers: Floats) -> Mask:
    """Mark readings above what the capacity column of the table allows.

    A capacity in kW bounds energy by the hours of a period; any other capacity bounds a
    column of its own name (``production_capacity`` for ``production``).
    """
    name = _capacity_column(view, column)
    if not name or view.frequency is None:
        return np.zeros(len(view), dtype=bool)
    limit = view.values(name)
    unit = view.spec.unit_of(name)
    if view.kind(column) == "energy" and unit in ("kW", "MW", "W"):
        hours = view.frequency.seconds / 3600 or view.frequency.months * 744
        per_hour = {"W": 0.001, "kW": 1.0, "MW": 1000.0}[unit]
        limit = limit * hours * per_hour * factor("kWh", view.spec.unit_of(column))
    return np.asarray(np.abs(numbers) > _TOLERANCE * limit)


def _capacity(view: View, column: str, numbers: Floats) -> list[Fault]:
    marked = beyond_capacity(view, column, numbers)
    if not marked.any():
        return []
    return [
        fault(
            "beyond_capacity",
            Severity.WARNING,
            f"{int(marked.sum())} values of {column!r} are more than"
            f" {_capacity_column(view, column)!r} allows,"
            f" e.g. {numbers[int(np.argmax(marked))]:g}.",
            "Correct the reading or the capacity; repair 'beyond_capacity' makes them missing.",
            column=column,
            rows=view.rows[marked],
        )
    ]


def _off_ratio(view: View, above: Floats, below: Floats, times: float = _OFF) -> Mask:
    """Mark where a ratio is `times` more or less than the median of its entity."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((below > 0) & (above > 0), above / below, np.nan)
    stats = view.per_entity(ratio, pl.col("v").median().alias("m"), pl.len().alias("n"))
    enough = stats["n"].fill_null(0).to_numpy() >= _MIN_HISTORY
    usual = np.where(enough, stats["m"].cast(pl.Float64).to_numpy(), np.nan)[view.codes]
    return np.asarray((ratio > times * usual) | (ratio < usual / times))


def _cost(view: View, column: str, numbers: Floats) -> list[Fault]:
    stem = re.sub(r"_(?:kwh|mwh|kg|m3|t)$", "", column, flags=re.I)
    names = {c.lower(): c for c in view.frame.columns}
    candidates = [f"{column}_cost", f"{stem}_cost"]
    if len(view.spec.targets) == 1 and column in view.spec.targets:
        candidates.append("cost")
    cost = next((names[c.lower()] for c in candidates if c.lower() in names), "")
    if not cost or not view.frame.schema[cost].is_numeric():
        return []
    marked = _off_ratio(view, view.values(cost), numbers)
    if not marked.any():
        return []
    return [
        fault(
            "cost_ratio",
            Severity.WARNING,
            f"{int(marked.sum())} rows cost ten times more or less per unit of {column!r}"
            " than usual for their entity.",
            "Check quantity, unit and cost against the bill.",
            column=cost,
            rows=view.rows[marked],
        )
    ]


def _bought_energy(view: View) -> str:
    energy = [c for c in view.amounts if view.kind(c) == "energy"]
    energy = [c for c in energy if not re.search(r"renew|solar|export|kvar", c, re.I)]
    named = [c for c in energy if _BOUGHT.search(c)]
    chosen = named or energy
    return chosen[0] if len(chosen) == 1 else ""


def _factor(view: View) -> list[Fault]:
    """Emissions of bought energy against that energy."""
    energy = _bought_energy(view)
    if not energy:
        return []
    found = []
    to_kwh = factor(view.spec.unit_of(energy), "kWh")
    kwh = view.values(energy) * to_kwh
    for column in view.amounts:
        if view.kind(column) != "emission" or re.search(r"scope[ _-]?[13]", column, re.I):
            continue
        kg = view.values(column) * factor(view.spec.unit_of(column), "kgCO2e")
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(kwh > 0, kg / kwh, np.nan)
        # a reading rounded to a few digits says little about a factor
        coarse = kg < 20 * _resolution(kg)
        marked = ((ratio > _HIGHEST_FACTOR) | _off_ratio(view, kg, kwh)) & ~coarse
        if marked.any():
            first = int(np.argmax(marked))
            found.append(
                fault(
                    "implied_factor",
                    Severity.WARNING,
                    f"{int(marked.sum())} rows imply an emission factor that cannot be right"
                    f" or is ten times off their entity's usual one: {column!r} / {energy!r},"
                    f" e.g. {ratio[first]:.3g} kgCO2e/kWh.",
                    "Check the units and the factor that was applied.",
                    column=column,
                    rows=view.rows[marked],
                )
            )
    return found


def _resolution(numbers: Floats) -> float:
    """Return the smallest step between distinct values, 0 where there is none."""
    distinct = np.unique(numbers[np.isfinite(numbers)][:100_000])
    steps = np.diff(distinct)
    return float(steps.min()) if len(steps) else 0.0


def _whole_year(view: View, column: str, numbers: Floats) -> list[Fault]:
    """Find months that hold nearly all of their year."""
    if view.frequency is None or view.frequency.code != "MS":
        return []
    year = view.time.astype("datetime64[Y]").astype(np.int64)
    table = pl.DataFrame(
        {"e": view.codes, "y": year, "v": numbers, "i": np.arange(len(view))}
    ).with_columns(pl.col("v").fill_nan(None))
    whole = (
        table.group_by("e", "y")
        .agg(
            total=pl.col("v").sum(),
            top=pl.col("v").max(),
            at=pl.col("i").sort_by("v", nulls_last=False).last(),
            months=pl.len(),
            booked=(pl.col("v") > 0).sum(),
        )
        .with_columns(usual=pl.col("top").median().over("e"))
    )
    months = table.group_by("e").agg(median=pl.col("v").filter(pl.col("v") > 0).median())
    whole = whole.join(months, on="e").filter(
        (pl.col("top") > 0)
        & (pl.col("top") >= 0.9 * pl.col("total"))
        & ((pl.col("months") >= 6) | (pl.col("top") >= 6 * pl.col("median")))
    )
    if not whole.height:
        return []
    rows = view.rows[np.sort(whole["at"].to_numpy())]
    return [
        fault(
            "year_in_one_month",
            Severity.WARNING,
            f"{whole.height} years of {column!r} are booked in one month.",
            "Spread the bill over the months it covers, or give annual data.",
            column=column,
            rows=rows,
        )
    ]
