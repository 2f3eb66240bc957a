"""The detection route: what is asked and what is answered, as JSON schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esgml.anomaly.request import MOST_SERIES
from esgml.core import documents
from esgml.core.operations import Operation

_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_TIME = {"type": "string", "description": "ISO 8601; UTC where no zone is given."}
_NUMBER = {"type": ["number", "null"]}

_SERIES: dict[str, Any] = {
    "type": "object",
    "required": ["entity", "values"],
    "additionalProperties": False,
    "properties": {
        "entity": {**_NAME, "description": "The meter."},
        "target": {**_NAME, "description": "What it measures; value where omitted."},
        "unit": {"type": "string", "maxLength": 40},
        "start": {**_TIME, "title": "Time of the first value on the regular grid"},
        "timestamps": {"type": "array", "items": _TIME, "description": "Instead of start."},
        "values": {
            "type": "array",
            "minItems": 1,
            "items": {
                "oneOf": [
                    {"type": "number", "minimum": -1e100, "maximum": 1e100},
                    {"type": "null"},
                ]
            },
            "description": "Readings in time order; null where missing.",
        },
    },
}
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["start", "end"],
    "additionalProperties": False,
    "properties": {
        "start": _TIME,
        "end": _TIME,
        "name": {"type": "string", "maxLength": 200},
        "entity": {"type": "string", "maxLength": 200},
    },
}


def detect_afresh(request: Mapping[str, Any]) -> dict[str, Any]:
    """Learn from the first part of the series of a request, and judge the rest.

    Needs no trained model; the answer depends on the request alone.
    """
    from esgml.anomaly import request as asked
    from esgml.anomaly.detect import detect

    documents.check_fields(request, asked.FIELDS)
    frequency = asked.frequency_of(request)
    series = asked.decode_series(request, frequency)
    until = request.get("fit_until")
    found = detect(
        series,
        frequency,
        until=None if until is None else documents.moment(until, "fit_until"),
        settings=asked.settings_of(request),
        dated=asked.events_of(request),
    )
    return asked.encode(found)


DETECT = Operation(
    "detect_anomalies",
    "/v1/anomalies/detect",
    "Find wrong and wasteful readings, explained",
    request={
        "type": "object",
        "required": ["series"],
        "additionalProperties": False,
        "properties": {
            "series": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_SERIES,
                "items": _SERIES,
            },
            "alarm_rate": {
                "type": "number",
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 0.5,
                "description": "Share of ordinary readings that may be alarms, per meter.",
            },
            "fit_until": {**_TIME, "title": "Learn from readings before, judge the others"},
            "frequency": {
                "type": "string",
                "description": "Step of the readings, hourly where omitted.",
                "examples": ["15min", "h", "D"],
            },
            "events": {"type": "array", "maxItems": MOST_SERIES, "items": _EVENT},
        },
    },
    answer={
        "type": "object",
        "required": ["columns", "rows", "alarm_rate", "not_judged", "events"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {"type": "array", "items": {"type": "array"}},
            "fit_until": {"type": "string"},
            "alarm_rate": {"type": "object", "additionalProperties": _NUMBER},
            "not_judged": {"type": "object", "additionalProperties": {"type": "string"}},
            "events": {"type": "array", "items": {"type": "object"}},
        },
    },
    run=detect_afresh,
)
