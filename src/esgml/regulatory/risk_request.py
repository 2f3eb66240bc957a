"""Compliance-risk requests and answers as plain JSON values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from esgml.core.documents import check_fields
from esgml.core.errors import DataError, UsageError
from esgml.regulatory.organization import organization_schema
from esgml.regulatory.risk import compliance_risk

_FIELDS = ("organization", "regulations", "as_of")
_MOST = 500


def day(value: Any, where: str) -> dt.date | None:
    """Read a day written as ISO 8601; None where not given.

    Raises
    ------
    DataError
        If it is no day between 1990 and 2100.
    """
    if value is None:
        return None
    try:
        found = dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or not 1990 <= found.year <= 2100:
        raise DataError(
            "this is no day.", code="date", where=where, remedy="Write it as 2026-11-26."
        )
    return found


def risk(request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``{"organization": {…}, "regulations"?: […], "as_of"?: "2026-11-26"}``.

    Without ``as_of`` the law of today is asked for; the answer says which day it was.

    Raises
    ------
    UsageError, DataError, NotFoundError
        Naming the field at fault.
    """
    check_fields(request, _FIELDS)
    if "organization" not in request:
        raise DataError("the organization is missing.", code="organization", where="organization")
    regulations = request.get("regulations")
    if regulations is not None and (
        not isinstance(regulations, list)
        or len(regulations) > _MOST
        or not all(isinstance(name, str) for name in regulations)
    ):
        raise UsageError(f"regulations is a list of at most {_MOST} ids.", where="regulations")
    return compliance_risk(request["organization"], regulations, day(request.get("as_of"), "as_of"))


def request_schema() -> dict[str, Any]:
    """Return the JSON schema of a request."""
    organization = organization_schema()
    definitions = organization.pop("$defs", {})
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["organization"],
        "properties": {
            "organization": organization,
            "regulations": {"type": "array", "items": {"type": "string"}, "maxItems": _MOST},
            "as_of": {"type": ["string", "null"], "format": "date"},
        },
        "$defs": definitions,
    }


def answer_schema() -> dict[str, Any]:
    """Return the JSON schema of an answer."""
    text = {"type": "string"}
    evidence = {"type": "object", "required": ["fact", "citation", "as_of", "verified"]}
    sentence = {
        "type": "object",
        "required": ["text", "evidence"],
        "properties": {"text": text, "evidence": evidence},
    }
    regulation = {
        "type": "object",
        "required": ["id", "applies", "because", "risk", "deadline", "missing_data"],
        "properties": {
            "id": text,
            "applies": {"enum": ["yes", "no", "unknown"]},
            "because": {"type": "array", "items": sentence, "minItems": 1},
            "risk": {"type": "number", "minimum": 0, "maximum": 1},
            "deadline": {"type": ["string", "null"]},
            "missing_data": {"type": "array", "items": {"type": "object"}},
        },
    }
    advice = {
        "type": "object",
        "required": ["text", "evidence", "effort_days", "deadline"],
        "properties": {"text": text, "evidence": {"type": "array", "items": evidence}},
    }
    return {
        "type": "object",
        "required": ["schema", "as_of", "overall_risk", "by_regulation", "recommendations"],
        "properties": {
            "overall_risk": {"type": "number", "minimum": 0, "maximum": 1},
            "by_regulation": {"type": "array", "items": regulation},
            "recommendations": {"type": "array", "items": advice},
        },
    }
