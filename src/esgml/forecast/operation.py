"""The forecast route: what is asked and what is answered, as JSON schemas."""

from __future__ import annotations

from typing import Any

from esgml.core.operations import Operation

_NUMBER = {"type": "number", "minimum": -1e100, "maximum": 1e100}
_NUMBERS = {"type": "array", "items": {"oneOf": [_NUMBER, {"type": "null"}]}}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_COVARIATES = {
    "type": "object",
    "additionalProperties": _NUMBERS,
    "description": "Numbers by covariate name; null where unknown.",
}
_BY_LEVEL = {"type": "object", "additionalProperties": {"type": "array", "items": _NUMBER}}

_SERIES: dict[str, Any] = {
    "type": "object",
    "required": ["entity", "target", "start", "values"],
    "additionalProperties": False,
    "properties": {
        "entity": {**_NAME, "description": "Whose series it is."},
        "target": {**_NAME, "description": "What is forecast, as in the training table."},
        "unit": {
            **_NAME,
            "description": "Unit of the values; answers are in that of the training table.",
        },
        "start": {
            "type": "string",
            "description": "ISO timestamp of the first value; UTC where no zone is given.",
            "examples": ["2026-01-31", "2026-01-31T10:00:00Z"],
        },
        "values": {
            **_NUMBERS,
            "minItems": 1,
            "description": "History on the model's regular grid, oldest first.",
        },
        "known": {**_COVARIATES, "title": "Covariates over history and horizon"},
        "past": {**_COVARIATES, "title": "Covariates over the history"},
    },
}

FORECAST = Operation(
    "forecast_emissions",
    "/v1/emissions/forecast",
    "Forecast emissions with intervals",
    request={
        "type": "object",
        "required": ["series"],
        "additionalProperties": False,
        "properties": {
            "series": {
                "type": "array",
                "minItems": 1,
                "items": _SERIES,
            },
            "horizon": {
                "type": "integer",
                "minimum": 1,
                "description": "Periods ahead; the trained horizon where omitted.",
            },
            "levels": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 99},
                "description": "Interval levels in percent, among the calibrated ones.",
            },
        },
    },
    answer={
        "type": "object",
        "required": ["forecasts", "model", "horizon"],
        "properties": {
            "forecasts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["entity", "target", "timestamps", "mean", "lower", "upper"],
                    "properties": {
                        "entity": {"type": "string"},
                        "target": {"type": "string"},
                        "unit": {"type": ["string", "null"]},
                        "timestamps": {"type": "array", "items": {"type": "string"}},
                        "mean": {"type": "array", "items": _NUMBER},
                        "lower": _BY_LEVEL,
                        "upper": _BY_LEVEL,
                    },
                },
            },
            "model": {"type": "string"},
            "horizon": {"type": "integer"},
        },
    },
)
