"""What is known of an organization: lenient on what is missing, strict on types and units.

Every field may be left out; what is left out is *unknown*, never no. What is given must be of
the right kind: an amount of money has a currency, a quantity has a unit, and a name that is not
known is an error, so that a typing mistake cannot pass for a missing fact. Figures are those of the
organization with all it controls, unless `group` gives the consolidated ones apart::

    {"name": "Example Ltd", "jurisdiction": "DE", "employees": 1200,
     "net_turnover": "512 m EUR", "listed_on": ["eu_regulated_market"],
     "activities": {"places_eudr_products": false}, "cbam_imports": "120 t"}
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pydantic

from esgml.core.errors import DataError, EsgmlError
from esgml.core.units import compatible, factor
from esgml.regulatory import synonyms
from esgml.regulatory.activities import ACTIVITIES
from esgml.regulatory.places import place_code

_SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}
_AMOUNT = re.compile(
    r"(?P<value>[0-9][0-9 ,_]*(\.[0-9]+)?([eE][0-9]+)?)\s*(?P<scale>k|mn?|million|bn|billion)?\s+"
    r"(?P<unit>[A-Za-z][A-Za-z0-9^/ ]{0,15})"
)
#: Where securities may be listed or registered.
Listing = Literal[
    "eu_regulated_market",
    "us_sec",
    "uk_listed",
    "tse_prime",
    "tse_other",
    "asx",
    "other",
]


def _parts(value: Any, unit_key: str) -> tuple[float, str]:
    """Read ``"512 m EUR"`` or ``{"value": 512e6, unit_key: "EUR"}``."""
    if isinstance(value, str):
        found = _AMOUNT.fullmatch(value.strip())
        if not found:
            raise ValueError("write a number and its unit, such as '512 m EUR' or '120 t'")
        number = float(re.sub(r"[ ,_]", "", found["value"])) * _SCALES[found["scale"] or ""]
        return number, found["unit"].strip()
    if isinstance(value, Mapping):
        unit = value.get(unit_key, value.get("unit"))
        number = value.get("value", value.get("amount"))
        if set(value) - {"value", "amount", unit_key, "unit"}:
            raise ValueError(f"an amount holds 'value' and {unit_key!r} only")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError("the value is no number")
        if not isinstance(unit, str):
            raise ValueError(f"the {unit_key} is missing: a bare number cannot be compared")
        return float(number), unit
    raise ValueError(f"a bare number cannot be compared: give its {unit_key} too")


class _Amount(pydantic.BaseModel):
    """A number from 0 to 1e18 and what it is counted in, given together or not at all."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    #: The field that says what the number is counted in.
    counted_in: ClassVar[str]
    value: float

    @pydantic.model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        number, unit = _parts(value, cls.counted_in)
        if not math.isfinite(number) or number < 0 or number > 1e18:
            raise ValueError("the value must be a finite number from 0 to 1e18")
        return {"value": number, cls.counted_in: cls._written(unit)}

    @classmethod
    def _written(cls, unit: str) -> str:
        return unit


class Money(_Amount):
    """An amount in one currency; never converted without a rate that the caller gives."""

    counted_in = "currency"
    currency: str

    @classmethod
    def _written(cls, unit: str) -> str:
        if not re.fullmatch(r"[A-Za-z]{3}", unit):
            raise ValueError(f"{unit[:20]!r} is no ISO 4217 currency code such as EUR")
        return unit.upper()


class Quantity(_Amount):
    """A number and a unit the package knows."""

    counted_in = "unit"
    unit: str

    def into(self, unit: str) -> float:
        """Return the value in another unit of the same kind."""
        return self.value * factor(self.unit, unit)


def _of(kind: str) -> pydantic.AfterValidator:
    def check(quantity: Quantity) -> Quantity:
        try:
            fits = compatible(quantity.unit, kind)
        except EsgmlError as error:
            raise ValueError(error.message) from error
        if not fits:
            raise ValueError(f"{quantity.unit!r} does not measure what {kind} measures")
        return quantity

    return pydantic.AfterValidator(check)


Mass = Annotated[Quantity, _of("t")]
Energy = Annotated[Quantity, _of("TJ")]
Power = Annotated[Quantity, _of("MW")]
Emissions = Annotated[Quantity, _of("tCO2e")]
Area = Annotated[Quantity, _of("m^2")]
Count = Annotated[float, pydantic.Field(ge=0, le=1e8, allow_inf_nan=False, strict=True)]
Name = Annotated[str, pydantic.Field(max_length=200)]
Sector = Annotated[str, pydantic.Field(pattern=r"^[A-U](\d{2}(\.\d{1,2})?)?$")]
Place = Annotated[str, pydantic.AfterValidator(place_code)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Figures(_Part):
    """Size of an undertaking or a group in one financial year."""

    employees: Count | None = pydantic.Field(None, description="average number over the year")
    net_turnover: Money | None = pydantic.Field(None, description="worldwide")
    net_turnover_eu: Money | None = pydantic.Field(None, description="generated in the EU")
    balance_sheet_total: Money | None = None


class Group(Figures):
    """Consolidated figures of the group that the organization heads."""

    royalties_eu: Money | None = pydantic.Field(
        None, description="from franchising or licensing in the EU, a year"
    )


class Parent(_Part):
    """The ultimate parent of the group that the organization belongs to."""

    jurisdiction: Place | None = None
    net_turnover_eu: Money | None = pydantic.Field(None, description="of its group, in the EU")


class Organization(Figures):
    """What the applicability engine may know; every field is optional, None = not known."""

    name: str = pydantic.Field("", max_length=200)
    jurisdiction: Place | None = pydantic.Field(None, description="where it is formed, ISO 3166")
    operates_in: tuple[Place, ...] | None = pydantic.Field(
        None, max_length=300, description="where it does business: the complete list"
    )
    legal_form: Literal["limited_liability", "partnership", "public_body", "non_profit"] | None = (
        None
    )
    sectors: tuple[Sector, ...] | None = pydantic.Field(
        None, max_length=50, description="NACE codes such as C24 or K65: the complete list"
    )
    listed_on: tuple[Listing, ...] | None = pydantic.Field(
        None, max_length=20, description="the complete list; [] = not listed"
    )
    public_interest_entity: bool | None = None
    market_capitalization: Money | None = None
    gross_assets: Money | None = None
    royalties_eu: Money | None = None
    financial_year_start: str | None = pydantic.Field(
        None, pattern=r"^\d{2}-\d{2}$", description="month and day, such as 01-01"
    )
    previous_year: Figures | None = pydantic.Field(None, description="the financial year before")
    group: Group | None = pydantic.Field(None, description="where the organization is a parent")
    is_parent: bool | None = None
    is_subsidiary: bool | None = None
    parent: Parent | None = None
    largest_eu_subsidiary_turnover: Money | None = pydantic.Field(
        None, description="of its largest subsidiary or branch in the EU"
    )
    activities: Mapping[str, bool] | None = pydantic.Field(
        None, description="name to true or false; a list stands for those that are true"
    )
    cbam_imports: Mass | None = pydantic.Field(
        None, description="net mass a calendar year, without electricity and hydrogen"
    )
    energy_use: Energy | None = pydantic.Field(
        None, description="a year, mean of the last three, all energy carriers"
    )
    thermal_input: Power | None = pydantic.Field(
        None, description="total rated thermal input of the largest installation"
    )
    fgas_charge: Emissions | None = pydantic.Field(
        None, description="F-gases in the largest piece of equipment"
    )
    largest_ship: Count | None = pydantic.Field(
        None, description="gross tonnage of the largest ship calling at EU ports"
    )
    largest_building: Area | None = pydantic.Field(
        None, description="useful floor area of the largest non-residential building in the EU"
    )
    claims: Mapping[str, bool] | None = pydantic.Field(
        None, max_length=500, description="exemptions it claims, by the id of the fact"
    )
    available_data: tuple[Name, ...] | None = pydantic.Field(
        None, max_length=2000, description="data points or metrics it can report today"
    )
    rates: Mapping[str, float] | None = pydantic.Field(
        None, max_length=500, description="exchange rates such as {'USD/EUR': 0.92}: one USD in EUR"
    )

    @pydantic.field_validator("activities", mode="before")
    @classmethod
    def _activities(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            if not all(isinstance(name, str) for name in value):
                raise ValueError("an activity is named by a word")
            value = dict.fromkeys(value, True)
        if not isinstance(value, Mapping):
            return value
        unknown = [str(name)[:60] for name in value if name not in ACTIVITIES and name != "*"]
        if unknown:
            raise ValueError(f"unknown {unknown[0]!r}; known: {', '.join(ACTIVITIES)}")
        if not all(isinstance(flag, bool) for flag in value.values()):
            raise ValueError("an activity is true or false; leave out what is not known")
        return value

    @pydantic.field_validator("rates")
    @classmethod
    def _rates(cls, value: Mapping[str, float] | None) -> Mapping[str, float] | None:
        for pair, rate in (value or {}).items():
            if not re.fullmatch(r"[A-Z]{3}/[A-Z]{3}", pair) or not 0 < rate < 1e9:
                raise ValueError(f"{pair[:20]!r}: write 'USD/EUR': a positive rate")
        return value

    @pydantic.field_validator("financial_year_start")
    @classmethod
    def _year_start(cls, value: str | None) -> str | None:
        if value is not None:
            dt.date.fromisoformat(f"2023-{value}")
        return value

    @pydantic.model_validator(mode="after")
    def _agrees(self) -> Organization:
        said = (self.activities or {}).get("imports_cbam_goods")
        mass = self.cbam_imports
        if said is not None and mass is not None and said != (mass.value > 0):
            raise ValueError("cbam_imports and activities.imports_cbam_goods contradict each other")
        return self

    def does(self, activity: str) -> bool | None:
        """Whether the organization does it; None where nothing says so."""
        given = self.activities or {}
        if activity in given:
            return given[activity]
        if activity == "imports_cbam_goods" and self.cbam_imports is not None:
            return self.cbam_imports.value > 0
        return given.get("*")


#: Names that people write for a field.
_MEANT = {
    "turnover": "net_turnover", "revenue": "net_turnover", "sales": "net_turnover",
    "country": "jurisdiction", "headcount": "employees", "staff": "employees",
    "total_assets": "balance_sheet_total", "balance_sheet": "balance_sheet_total",
    "market_cap": "market_capitalization", "countries": "operates_in", "listed": "listed_on",
    "sector": "sectors", "nace": "sectors", "metrics": "available_data", "fx": "rates",
    "energy": "energy_use", "imports": "cbam_imports",
}  # fmt: skip


def _suggestion(name: str) -> str:
    """Say which field may have been meant, and which there are."""
    near = difflib.get_close_matches(name, Organization.model_fields, 1)
    meant = _MEANT.get(name, near[0] if near else "")
    known = f"Known: {', '.join(Organization.model_fields)}."
    return f"Did you mean {meant!r}? {known}" if meant else known


def organization(value: Organization | Mapping[str, Any]) -> Organization:
    """Check what is known of an organization.

    Raises
    ------
    DataError
        Naming the field at fault and what it should be.
    """
    if isinstance(value, Organization):
        return value
    if not isinstance(value, Mapping):
        raise DataError(
            "an organization is an object.",
            code="organization",
            where="organization",
            remedy='Give fields such as {"jurisdiction": "DE", "employees": 1200}.',
        )
    try:
        return Organization.model_validate(synonyms.fields(value))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "organization"
        unknown = first["type"] == "extra_forbidden"
        raise DataError(
            "there is no such field." if unknown else f"{first['msg']}.",
            code="organization_field",
            where=where,
            remedy=_suggestion(str(first["loc"][-1]))
            if unknown
            else "Leave the field out where it is not known.",
        ) from error


def read_organization(text: str | bytes) -> Organization:
    """Read an organization from JSON.

    Raises
    ------
    DataError
        If the text is no JSON object or a field is wrong.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            "this is no JSON.", code="organization", where="organization", remedy=str(error)
        ) from error
    return organization(value)


def organization_schema() -> dict[str, Any]:
    """Return the JSON schema of an organization."""
    number = {"type": "object", "properties": {"value": {"type": "number"}}}
    schema = Organization.model_json_schema()
    for name, unit in (("Money", "currency"), ("Quantity", "unit")):
        as_object = {**number, "properties": {**number["properties"], unit: {"type": "string"}}}  # type: ignore[dict-item]
        schema["$defs"][name] = {
            "title": name,
            "description": "such as '512 m EUR' or '120 t'",
            "anyOf": [{"type": "string"}, {**as_object, "required": ["value", unit]}],
        }
    flags = {"type": "object", "additionalProperties": {"type": "boolean"}}
    schema["properties"]["activities"] = {
        "description": "; ".join(f"{name}: {text}" for name, text in ACTIVITIES.items()),
        "anyOf": [
            {**flags, "propertyNames": {"enum": [*ACTIVITIES, "*"]}},
            {"type": "array", "items": {"enum": list(ACTIVITIES)}},
            {"type": "null"},
        ],
    }
    return schema
