"""Requests to analyse a regulation, and their answers, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esgml.core.documents import check_fields
from esgml.core.errors import DataError
from esgml.regulatory.document import MOST_BYTES
from esgml.regulatory.predictor import RegulatoryPredictor
from esgml.regulatory.risk_request import day

_FIELDS = ("text", "as_of")


def analyze(
    request: Mapping[str, Any], predictor: RegulatoryPredictor | None = None
) -> dict[str, Any]:
    """Answer ``{"text": "...", "as_of"?: "2026-11-26"}``.

    Without ``as_of`` urgency counts from today; the answer says which day it was.

    Raises
    ------
    UsageError, DataError
        Naming the field at fault.
    """
    check_fields(request, _FIELDS)
    if "text" not in request:
        raise DataError("the text is missing.", code="text", where="text")
    as_of = day(request.get("as_of"), "as_of")
    return (predictor or RegulatoryPredictor()).analyze_regulation(request["text"], as_of=as_of)


def request_schema() -> dict[str, Any]:
    """Return the JSON schema of a request."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": MOST_BYTES},
            "as_of": {"type": ["string", "null"], "format": "date"},
        },
    }


def answer_schema() -> dict[str, Any]:
    """Return the JSON schema of an answer."""
    evidence = {
        "type": "object",
        "required": ["text", "start", "end"],
        "properties": {
            "text": {"type": "string"},
            "start": {"type": "integer", "minimum": 0},
            "end": {"type": "integer", "minimum": 0},
        },
    }
    share = {"type": ["number", "null"], "minimum": 0, "maximum": 1}

    def items(**properties: Any) -> dict[str, Any]:
        one = {"evidence": evidence, **properties}
        return {
            "type": "array",
            "items": {"type": "object", "required": list(one), "properties": one},
        }

    text, number = {"type": "string"}, {"type": "number"}
    maybe_text = {"type": ["string", "null"]}
    maybe_evidence = {"anyOf": [evidence, {"type": "null"}]}
    properties = {
        "impact_score": share,
        "formula": text,
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["part", "value", "weight", "contribution", "why", "evidence"],
                "properties": {
                    "part": text,
                    "value": share,
                    "weight": share,
                    "contribution": share,
                    "why": text,
                    "evidence": {"type": "array", "items": evidence},
                },
            },
        },
        "affected_areas": items(area=text, probability=share),
        "entities": items(what=text, name=text, mentions={"type": "integer"}),
        "timeline": items(date=maybe_text, what=text, kind=text, value=text),
        "thresholds": items(what=text, value=number, unit=text, comparator=text),
        "obligations": items(
            what=text,
            bindingness=text,
            who=maybe_evidence,
            action=maybe_evidence,
            condition=maybe_evidence,
        ),
        "sanctions": items(what=text, gravity=share),
        "bindingness": {"type": ["object", "null"]},
        "significance": {"type": ["object", "null"]},
        "language": {"type": "object", "required": ["code", "supported"]},
        "warnings": {
            "type": "array",
            "items": {"type": "object", "required": ["code", "message"]},
        },
        "as_of": {"type": "string", "format": "date"},
        "notice": text,
    }
    return {"type": "object", "required": list(properties), "properties": properties}
