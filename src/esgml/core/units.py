"""Units of sustainability data: parse, compare, convert.

Emissions (kgCO2e) are a dimension of their own, so a mass of steel is never added to a
mass of CO2e. Energy is stored as kWh, emissions as kgCO2e; reports show MWh and tCO2e.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import UnitError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Unit a quantity of each dimension is stored in.
STORED = {"energy": "kWh", "emission": "kgCO2e", "area": "m^2", "volume": "m^3", "mass": "kg"}
#: Unit a quantity of each dimension is shown in.
SHOWN = {"energy": "MWh", "emission": "tCO2e"}

_DEFINITIONS = (
    "kgCO2e = [emission] = kgco2e = kg_CO2e = kgCO2 = kgCO2eq = kg_CO2",
    "gCO2e = 0.001 * kgCO2e = gCO2 = g_CO2e",
    "tCO2e = 1000 * kgCO2e = tco2e = t_CO2e = tCO2 = mtCO2e = MTCO2e = tCO2eq = t_CO2",
    "ktCO2e = 1e6 * kgCO2e = ktCO2",
    "MtCO2e = 1e9 * kgCO2e = MtCO2",
    "lbCO2e = 0.45359237 * kgCO2e = lbsCO2e",
    "MMBtu = 1e6 * Btu = MMBTU = mmbtu",
    "FTE = [employment]",
    "tkm = 1000 * kilogram * kilometer",
    "pkm = [passenger_kilometer]",
    *(
        f"{code} = [currency_{code.lower()}]"
        for code in (
            *("USD", "EUR", "GBP", "SEK", "JPY", "CHF", "NOK", "DKK", "PLN", "CZK", "HUF", "CAD"),
            *("AUD", "NZD", "CNY", "INR", "KRW", "BRL", "MXN", "ZAR", "SGD", "HKD"),
        )
    ),
)
_SPELLINGS = {"m2": "m^2", "m3": "m^3", "sqft": "ft^2", "sqm": "m^2", "%": "percent", "": "1"}
_SPELLINGS |= {"€": "EUR", "£": "GBP", "US$": "USD", "m²": "m^2", "m³": "m^3"}
#: Spellings of units that are read whatever their capitals, where as written they are none.
_ANY_CASE = {
    unit.lower(): unit
    for unit in (
        *("Wh", "kWh", "MWh", "GWh", "TWh", "kJ", "MJ", "GJ", "TJ", "therm", "MMBtu"),
        *("kW", "MW", "kg", "km", "tkm", "pkm", "USD", "EUR", "GBP", "SEK", "JPY", "CHF"),
    )
}
_CO2E = re.compile(r"(.+?)[ _]*(?:of )?CO[2₂][ _-]?(?:e|eq|eqv|equiv|equivalents?)?\.?", re.I)
#: Masses before CO2e. A bare "ton" is none of them: it may be short, long or metric.
_MASSES = {
    **dict.fromkeys(("g", "gram", "grams"), "gCO2e"),
    **dict.fromkeys(("kg", "kgs", "kilogram", "kilograms", "kilogramme", "kilogrammes"), "kgCO2e"),
    **dict.fromkeys(("t", "tonne", "tonnes", "metric ton", "metric tons"), "tCO2e"),
    **dict.fromkeys(("metric tonne", "metric tonnes", "te"), "tCO2e"),
    **dict.fromkeys(("kt", "kilotonne", "kilotonnes", "thousand tonnes"), "ktCO2e"),
    **dict.fromkeys(("megatonne", "megatonnes", "million tonnes"), "MtCO2e"),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds"), "lbCO2e"),
}


@functools.cache
def _registry() -> Any:
    import pint  # 0.2 s: only when a unit is really looked at

    registry = pint.UnitRegistry(cache_folder=None)
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


@functools.cache
def _parse(unit: str) -> Any:
    text = _SPELLINGS.get(unit.strip(), unit.strip())
    try:
        return _registry().parse_units(text)
    except Exception as error:
        other = _respelled(text)
        if other:
            return _registry().parse_units(other)
        raise UnitError(
            f"unknown unit {unit!r}.",
            code="unit_unknown",
            remedy="Use a unit such as kWh, MWh, GJ, therm, kgCO2e, tCO2e, m^3, kg, USD or EUR.",
        ) from error


def _respelled(text: str) -> str:
    """Return the name here of a unit in another common spelling, or an empty text."""
    words = " ".join(text.split())
    emission = _CO2E.fullmatch(words)
    if emission is None:
        mass = _MASSES.get(words.lower(), "")
        return mass.removesuffix("CO2e") if " " in words else _ANY_CASE.get(words.lower(), "")
    # capitals count where they tell mega from metric: MtCO2e is a million tonnes
    exact = {"Mt": "MtCO2e", "MT": "tCO2e", "mt": "tCO2e"}.get(emission[1])
    return exact or _MASSES.get(emission[1].lower(), "")


def is_unit(unit: str) -> bool:
    """Whether `unit` is a unit this package knows."""
    try:
        _parse(unit)
    except UnitError:
        return False
    return True


def compatible(a: str, b: str) -> bool:
    """Whether quantities in `a` and `b` can be converted into each other."""
    return bool(_parse(a).dimensionality == _parse(b).dimensionality)


@functools.cache
def factor(source: str, target: str) -> float:
    """Return the number of `target` units in one `source` unit.

    Raises
    ------
    UnitError
        If either unit is unknown, or the two are of different dimensions.
    """
    if not compatible(source, target):
        raise UnitError(
            f"cannot convert {source!r} to {target!r}: they measure different things.",
            code="unit_incompatible",
            remedy="Give the quantity in a unit of the expected kind.",
        )
    return float(_registry().Quantity(1.0, _parse(source)).to(_parse(target)).magnitude)


def convert(values: ArrayLike, source: str, target: str) -> NDArray[np.float64]:
    """Convert `values` from one unit to another, shape kept."""
    return np.asarray(values, dtype=np.float64) * factor(source, target)


@functools.cache
def stored_unit(unit: str) -> str:
    """Return the unit in which quantities like `unit` are stored (itself where none is fixed)."""
    for candidate in STORED.values():
        if compatible(unit, candidate):
            return candidate
    return unit


@functools.cache
def shown_unit(unit: str) -> str:
    """Return the unit in which quantities like `unit` are shown to people."""
    for candidate in SHOWN.values():
        if compatible(unit, candidate):
            return candidate
    return unit
