"""Units of a long table: every quantity in the unit its kind is stored in."""

from __future__ import annotations

import re

import polars as pl

from esgml.core.errors import UnitError
from esgml.core.frames import Severity
from esgml.core.units import STORED, factor, is_unit, stored_unit
from esgml.data.long_rows import LongRows

_EMISSION = re.compile(r"scope[ _-]?[123]|co2|emission|ghg", re.I)
#: Gases whose mass is not that of CO2e.
_OTHER_GAS = re.compile(r"ch4|methane|n2o|nitrous|sf6|nf3|hfc|pfc|refrigerant|(?:^|_)r-?\d", re.I)


def convert_units(rows: LongRows, unit: str) -> dict[str, str]:
    """Bring quantities to the stored unit of their metric; return that unit per metric.

    Of a metric that is named for emissions, a mass (``t``) is one of CO2e.
    """
    spellings = rows.work["unit"].unique().to_list()
    known = {u: stored_unit(u) for u in spellings if u and is_unit(u)}
    strange = [u for u in spellings if u and u not in known]
    rows.set_aside(
        pl.col("unit").is_in(strange),
        "unit_unknown",
        "{count} rows have a unit that is not known: " + ", ".join(map(repr, strange[:5])) + ".",
        "Use a unit such as kWh, MWh, GJ, kgCO2e, tCO2e, m^3 or kg.",
        column=unit,
    )
    emission = pl.col("metric").str.contains(f"(?i){_EMISSION.pattern}")
    ton = pl.col("unit").str.to_lowercase().is_in(["ton", "tons"])
    rows.set_aside(
        ton & emission,
        "unit_ambiguous",
        "{count} emissions are stated in tons, which may be metric or short ones.",
        "Write tCO2e, or convert short tons (1 short ton = 0.907 t).",
        column=unit,
    )
    rows.tell(
        ton,
        "unit_ambiguous",
        "{count} rows state tons: read as short tons of 907 kg.",
        "Write t for metric tonnes.",
        unit,
    )
    chosen: dict[str, str] = {}
    for (metric,), part in rows.work.group_by("metric", maintain_order=True):
        named = part["unit"].filter(part["unit"] != "")
        stored = named.replace_strict(known, return_dtype=pl.String) if len(named) else named
        if _EMISSION.search(str(metric)) and not _OTHER_GAS.search(str(metric)):
            stored = stored.replace({STORED["mass"]: STORED["emission"]})
        most = stored.value_counts(sort=True)[stored.name][0] if len(stored) else ""
        chosen[str(metric)] = most
    factors: dict[tuple[str, str], float | None] = {}
    masses: set[tuple[str, str]] = set()
    for metric, spelling in rows.work.select("metric", "unit").unique().iter_rows():
        target = chosen[metric]
        if target == STORED["emission"] and known.get(spelling) == STORED["mass"]:
            masses.add((metric, spelling))
            target = STORED["mass"]
        try:
            factors[(metric, spelling)] = factor(spelling, target) if spelling and target else 1.0
        except UnitError:
            factors[(metric, spelling)] = None
    table = pl.DataFrame(
        [(m, u, f, (m, u) in masses) for (m, u), f in factors.items()],
        schema={"metric": pl.String, "unit": pl.String, "factor": pl.Float64, "mass": pl.Boolean},
        orient="row",
    )
    rows.work = rows.work.join(table, on=["metric", "unit"], how="left", maintain_order="left")
    rows.set_aside(
        pl.col("factor").is_null(),
        "unit_incompatible",
        "{count} rows have a unit of another kind than their metric's other rows.",
        "Correct the unit or the metric.",
        column=unit,
    )
    rows.tell(
        pl.col("mass"),
        "mass_as_co2e",
        "{count} emissions are stated in a unit of mass; read as CO2e.",
        "Nothing to do where it is CO2e; convert other gases first, and write tCO2e.",
        unit,
        Severity.INFO,
    )
    rows.tell(
        (pl.col("unit") == "") & pl.col("metric").is_in([m for m, u in chosen.items() if u]),
        "unit_missing",
        "{count} rows state no unit; the metric's usual unit was assumed.",
        "State the unit of every row.",
        unit,
    )
    rows.tell(
        (pl.col("unit") == "") & pl.col("metric").is_in([m for m, u in chosen.items() if not u]),
        "unit_missing",
        "{count} rows state no unit, nor does any other row of their metric.",
        "Add a column 'unit'.",
        unit,
    )
    rows.work = rows.work.with_columns(quantity=pl.col("quantity") * pl.col("factor"))
    return chosen
