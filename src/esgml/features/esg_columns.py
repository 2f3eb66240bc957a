"""Which column of a table holds which sustainability quantity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from esgml.core.errors import ColumnError, UsageError

_TAIL = r"(_?(kg|g|t|kt|mt|kwh|mwh|gwh|gj|m2|sqm|usd|eur|gbp|co2|co2e|kgco2e?|tco2e?|mtco2e?))*$"
_PATTERNS = {
    "scope1": r"scope_?1" + _TAIL,
    "scope2_market": r"scope_?2_(market|mb)(_based)?" + _TAIL,
    "scope2": r"scope_?2(_(location|lb)(_based)?)?" + _TAIL,
    "scope3": r"scope_?3" + _TAIL,
    "emissions": r"(total_)?((ghg|co2e?|carbon)_)?emissions?(_total)?"
    + _TAIL
    + r"|(total_)?(co2e?|tco2e?|kgco2e?)(_(kg|t|mt))?$",
    "renewable": r"(renewables?|green)(_(energy|electricity|power))?(_(consumption|use|used))?"
    + _TAIL,
    "energy": r"(total_)?(energy|electricity)(_(consumption|use|used|total))?" + _TAIL,
    "revenue": r"(total_)?(annual_)?(revenue|turnover|sales|net_revenue)" + _TAIL,
    "output": r"(production|output|units_produced|production_(volume|output|units))" + _TAIL,
    "area": r"((gross_)?floor_area|area|building_area)" + _TAIL,
    "employees": r"(employees|employee_count|fte|ftes|headcount)$",
}
#: The quantities that can be found or named.
ROLES = tuple(_PATTERNS)


def find_columns(columns: Iterable[str], named: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the column of each quantity found, by its name.

    Parameters
    ----------
    columns : iterable of str
        Columns of the table.
    named : mapping of role to column, optional
        Roles stated by the caller; they win over what names suggest.

    Raises
    ------
    UsageError
        If `named` has an unknown role.
    ColumnError
        If a named column is missing, or two columns could be the same quantity.
    """
    there = list(columns)
    found: dict[str, str] = {}
    for role, column in (named or {}).items():
        if role not in _PATTERNS:
            raise UsageError(f"unknown quantity {role!r}.", remedy=f"Known: {', '.join(ROLES)}.")
        if column not in there:
            raise ColumnError(
                f"no column {column!r}; the table has {there}.", code="column_missing"
            )
        found[role] = column
    for role, pattern in _PATTERNS.items():
        if role in found:
            continue
        hits = [
            c
            for c in there
            if c not in found.values()
            and re.match(rf"(?:{pattern})", re.sub(r"[ ()\[\]-]+", "_", c.lower()).strip("_"))
        ]
        if len(hits) > 1:
            raise ColumnError(
                f"{hits} could all be {role!r}.",
                code="column_ambiguous",
                remedy=f"Say which: columns={{{role!r}: ...}}.",
            )
        if hits:
            found[role] = hits[0]
    return found
