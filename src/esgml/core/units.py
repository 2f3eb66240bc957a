"""Units of sustainability data: parse, compare, convert.

Emissions (kgCO2e) are a dimension of their own, so a mass of steel is never added to a
mass of CO2e. Energy is stored as kWh, emissions as kgCO2e; reports show MWh and tCO2e.
"""

from __future__ import annotations

import functools
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
    "USD = [currency_usd]",
    "EUR = [currency_eur]",
    "GBP = [currency_gbp]",
    "SEK = [currency_sek]",
    "JPY = [currency_jpy]",
)
_SPELLINGS = {"m2": "m^2", "m3": "m^3", "sqft": "ft^2", "sqm": "m^2", "%": "percent", "": "1"}


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
        raise UnitError(
            f"unknown unit {unit!r}.",
            code="unit_unknown",
            remedy="Use a unit such as kWh, MWh, GJ, therm, kgCO2e, tCO2e, m^3, kg, USD or EUR.",
        ) from error


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
