"""What a predicate may look at: each field of an organization, its kind and its name in a sentence.

A predicate names a field by its path, such as ``employees`` or ``group.net_turnover``. The kind
decides what it may be compared with and how it is written in an explanation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from esgml.core.errors import EsgmlError
from esgml.regulatory.activities import ACTIVITIES
from esgml.regulatory.organization import Money, Organization, Quantity
from esgml.regulatory.places import place_name


@dataclass(frozen=True)
class Field:
    """One field: its label, and its kind.

    ``count`` numbers, ``money`` amounts with a currency, a unit such as ``t`` quantities,
    ``flag`` true or false, ``choice`` one word, ``names`` a complete list, ``codes`` a complete
    list of codes of which a prefix names a group, ``place`` one place, ``places`` a complete list
    of places.
    """

    label: str
    kind: str

    @property
    def ordered(self) -> bool:
        """Whether values have an order, so that they can be compared with a threshold."""
        return self.kind not in {"flag", "choice", "names", "codes", "place", "places"}


_SIZE = {
    "employees": Field("employees", "count"),
    "net_turnover": Field("net turnover", "money"),
    "net_turnover_eu": Field("net turnover in the EU", "money"),
    "balance_sheet_total": Field("balance sheet total", "money"),
}
FIELDS: dict[str, Field] = {
    **_SIZE,
    **{f"group.{name}": Field(f"group {f.label}", f.kind) for name, f in _SIZE.items()},
    "group.royalties_eu": Field("group royalties in the EU", "money"),
    "royalties_eu": Field("royalties from franchising or licensing in the EU", "money"),
    "market_capitalization": Field("market capitalization", "money"),
    "gross_assets": Field("consolidated gross assets", "money"),
    "largest_eu_subsidiary_turnover": Field("turnover of its largest EU subsidiary", "money"),
    "parent.net_turnover_eu": Field("turnover of its ultimate parent's group in the EU", "money"),
    "parent.jurisdiction": Field("its ultimate parent is formed", "place"),
    "jurisdiction": Field("formed", "place"),
    "operates_in": Field("does business", "places"),
    "legal_form": Field("legal form", "choice"),
    "listed_on": Field("listed on", "names"),
    "sectors": Field("sector", "codes"),
    "public_interest_entity": Field("public-interest entity", "flag"),
    "is_parent": Field("parent of a group", "flag"),
    "is_subsidiary": Field("subsidiary of a group", "flag"),
    "cbam_imports": Field("imports of CBAM goods a year", "t"),
    "energy_use": Field("energy use a year", "TJ"),
    "thermal_input": Field("total rated thermal input", "MW"),
    "fgas_charge": Field("F-gases in the largest equipment", "tCO2e"),
    "largest_ship": Field("largest ship in gross tonnage", "count"),
    "largest_building": Field("largest non-residential building", "m^2"),
    **{f"activities.{name}": Field(text, "flag") for name, text in ACTIVITIES.items()},
}


def value_of(org: Organization, path: str) -> Any:
    """Return what the organization says of a field; None where it says nothing."""
    if path.startswith("activities."):
        return org.does(path.removeprefix("activities."))
    if path == "operates_in":
        return org.operates_in
    if path == "is_parent" and org.is_parent is None and org.group is not None:
        return True
    if path == "is_subsidiary" and org.is_subsidiary is None and org.parent is not None:
        return True
    if path.startswith("group.") and org.group is None:
        # Figures of an organization that gives no group are those of itself with all it controls.
        path = path.removeprefix("group.")
    value: Any = org
    for part in path.split("."):
        value = getattr(value, part, None)
    return value


def shown_number(value: float) -> str:
    """Write a number as people do: 880, 1,000, 512 m, 1.5 bn."""
    for size, name in ((1e9, " bn"), (1e6, " m")):
        if value >= size and float(f"{value / size:.4g}") * size == value:
            return f"{value / size:,.4g}{name}"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.10g}"


def shown(value: Any) -> str:
    """Write a value of any kind for a sentence."""
    if isinstance(value, Money):
        return f"{shown_number(value.value)} {value.currency}"
    if isinstance(value, Quantity):
        return f"{shown_number(value.value)} {value.unit}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return shown_number(float(value))
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


@dataclass(frozen=True)
class Amount:
    """A value as a plain number in the unit of a threshold, or why there is none."""

    number: float | None
    text: str
    lacking: str = ""
    remedy: str = ""


def amount(org: Organization, path: str, unit: str) -> Amount:
    """Return a field in the unit of a threshold.

    An amount in another currency is converted with the organization's own rate and the sentence
    shows it; without one it stays unknown.
    """
    value = value_of(org, path)
    if value is None:
        label = FIELDS[path].label
        kind = f" with its unit, such as '1 {unit}'" if unit else ""
        return Amount(None, "not given", path, f"Give {path} ({label}){kind}.")
    if isinstance(value, Money):
        if value.currency == unit:
            return Amount(value.value, shown(value))
        rate, inverse = (
            (org.rates or {}).get(pair)
            for pair in (f"{value.currency}/{unit}", f"{unit}/{value.currency}")
        )
        if rate is None and inverse is None:
            pair = f"{value.currency}/{unit}"
            return Amount(
                None,
                f"{shown(value)}, with no rate to {unit}",
                path,
                f"Give {path} in {unit}, or rates: {{'{pair}': …}}.",
            )
        number = value.value * rate if rate is not None else value.value / (inverse or 1.0)
        applied = f"× {rate:.6g}" if rate is not None else f"/ {inverse:.6g}"
        return Amount(number, f"{shown(value)} {applied} = {shown_number(round(number, 2))} {unit}")
    if isinstance(value, Quantity):
        try:
            number = value.into(unit)
        except EsgmlError as error:
            return Amount(None, shown(value), path, error.remedy)
        same = value.unit == unit
        return Amount(number, shown(value) + ("" if same else f" = {number:,.6g} {unit}"))
    return Amount(float(value), shown(value))


def where(path: str, value: Any) -> str:
    """Write the value of a field of places for a sentence."""
    places = value if isinstance(value, tuple) else (value,)
    return f"{FIELDS[path].label} in {', '.join(map(place_name, places)) or 'no place'}"
