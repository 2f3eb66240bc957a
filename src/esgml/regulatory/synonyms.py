"""Other words for the fields of an organization, as registers and questionnaires have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from esgml.core.errors import DataError

#: Other name -> field.
SYNONYMS = {
    "country": "jurisdiction",
    "headquarters": "jurisdiction",
    "countries": "operates_in",
    "number_of_employees": "employees",
    "headcount": "employees",
    "fte": "employees",
    "turnover": "net_turnover",
    "revenue": "net_turnover",
    "net_revenue": "net_turnover",
    "balance_sheet": "balance_sheet_total",
    "total_assets": "balance_sheet_total",
    "sector": "sectors",
    "nace": "sectors",
    "listing": "listed_on",
    "available_metrics": "available_data",
    "metrics": "available_data",
}
#: Fields that hold lists, where one word stands for a list of one.
_LISTS = ("sectors", "listed_on", "operates_in")
_CURRENCY = re.compile(r"(?P<name>[a-z_]+)_(?P<currency>eur|usd|gbp|jpy|aud|chf)")


def fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an organization with its fields under their own names.

    ``turnover_eur: 512000000`` is read as ``net_turnover`` of 512 m EUR.

    Raises
    ------
    DataError
        If a field is given under two names.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        key, read = SYNONYMS.get(name, name), value
        money = _CURRENCY.fullmatch(name) if isinstance(name, str) else None
        if money and isinstance(value, int | float) and not isinstance(value, bool):
            key = SYNONYMS.get(money["name"], money["name"])
            read = {"value": value, "currency": money["currency"].upper()}
        if key in _LISTS and isinstance(read, str):
            read = [read]
        if key in found:
            raise DataError(
                f"{key} is given twice.",
                code="organization_field",
                where=str(name),
                remedy=f"Keep {key!r} and leave the other name out.",
            )
        found[key] = read
    return found
