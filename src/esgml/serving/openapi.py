"""The OpenAPI description of the hot routes, which no framework derives."""

from __future__ import annotations

from typing import Any

_NUMBER = {"type": "number", "minimum": -1e100, "maximum": 1e100}
_NUMBERS = {"type": "array", "items": {"oneOf": [_NUMBER, {"type": "null"}]}}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_OBJECT: dict[str, Any] = {"type": "object"}
_COVARIATES = {
    "type": "object",
    "additionalProperties": _NUMBERS,
    "description": "Numbers by covariate name; null where unknown.",
}
_BY_LEVEL = {"type": "object", "additionalProperties": {"type": "array", "items": _NUMBER}}

SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "request_id"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "request_id": {"type": "string"},
                },
            }
        },
    },
    "Series": {
        "type": "object",
        "required": ["entity", "target", "start", "values"],
        "additionalProperties": False,
        "properties": {
            "entity": {**_NAME, "description": "Whose series it is."},
            "target": {**_NAME, "description": "What is forecast, as in the training table."},
            "unit": {**_NAME, "description": "Unit of the values, sent back."},
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
    },
    "ForecastRequest": {
        "type": "object",
        "required": ["series"],
        "additionalProperties": False,
        "properties": {
            "series": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/components/schemas/Series"},
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
    "ForecastAnswer": {
        "type": "object",
        "required": ["forecasts", "model", "horizon", "model_version", "prediction_id"],
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
            "model_version": {"type": "string"},
            "prediction_id": {"type": "string", "description": "For: esgml trace ID."},
        },
    },
    "PredictRequest": {
        "type": "object",
        "required": ["inputs"],
        "additionalProperties": False,
        "properties": {
            "inputs": {
                "type": "array",
                "minItems": 1,
                "items": _NUMBERS,
                "description": "One row a series: its latest values, oldest first.",
            },
            "parameters": {
                "type": "object",
                "properties": {
                    "start": {"type": "string", "description": "Timestamp of the first value."},
                    "target": {"type": "string"},
                },
            },
        },
    },
    "PredictAnswer": {
        "type": "object",
        "required": ["outputs", "model_version", "prediction_ids"],
        "properties": {
            "outputs": {"type": "array", "items": {"type": "array", "items": _NUMBER}},
            "model_version": {"type": "string"},
            "prediction_ids": {"type": "array", "items": {"type": "string"}},
        },
    },
    "InferenceRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "maxLength": 200},
            "parameters": _OBJECT,
            "inputs": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype", "data"],
                    "properties": {
                        "name": {"type": "string"},
                        "shape": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 2,
                            "items": {"type": "integer", "minimum": 1},
                        },
                        "datatype": {"type": "string", "examples": ["FP64"]},
                        "parameters": _OBJECT,
                        "data": {"type": "array"},
                    },
                },
            },
            "outputs": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "parameters": _OBJECT},
                },
            },
        },
    },
    "InferenceAnswer": {
        "type": "object",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "parameters": _OBJECT,
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype"],
                    "properties": {
                        "name": {"type": "string"},
                        "shape": {"type": "array", "items": {"type": "integer"}},
                        "datatype": {"type": "string"},
                        "data": {"type": "array", "items": _NUMBER},
                    },
                },
            },
        },
    },
}

_ERRORS = {
    "400": "The request is not formed as it must be.",
    "401": "The token is missing or wrong.",
    "403": "Not allowed from there.",
    "404": "No such model or version.",
    "405": "Another method is needed.",
    "408": "The body did not arrive in time.",
    "413": "The body or its rows are too many.",
    "415": "The body is of another type.",
    "422": "The data does not fit the model.",
    "500": "The service failed.",
    "503": "Overloaded or not ready; try again.",
    "504": "The answer took too long.",
}


def error_responses(*statuses: str) -> dict[Any, Any]:
    """Return the descriptions of error answers, of all statuses where none is named."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        status: {"description": _ERRORS[status], "content": content}
        for status in (statuses or _ERRORS)
    }


def _operation(
    summary: str, name: str, asked: str, answered: str, parameters: tuple[str, ...], tag: str
) -> dict[str, Any]:
    def content(schema: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}

    return {
        "post": {
            "summary": summary,
            "operationId": name,
            "tags": [tag],
            "parameters": [
                {"name": p, "in": "path", "required": True, "schema": {"type": "string"}}
                for p in parameters
            ],
            "requestBody": {"required": True, "content": content(asked)},
            "responses": {
                "200": {"description": "The answer.", "content": content(answered)},
                **error_responses(),
            },
        }
    }


PATHS: dict[str, Any] = {
    "/v1/emissions/forecast": _operation(
        "Forecast emissions with intervals",
        "forecast_emissions",
        "ForecastRequest",
        "ForecastAnswer",
        (),
        "forecast",
    ),
    "/v1/predict/{model}": _operation(
        "Predict rows with any model",
        "predict",
        "PredictRequest",
        "PredictAnswer",
        ("model",),
        "predict",
    ),
    "/v2/models/{model}/infer": _operation(
        "Infer (Open Inference Protocol)",
        "infer",
        "InferenceRequest",
        "InferenceAnswer",
        ("model",),
        "inference protocol",
    ),
    "/v2/models/{model}/versions/{version}/infer": _operation(
        "Infer with a version (Open Inference Protocol)",
        "infer_version",
        "InferenceRequest",
        "InferenceAnswer",
        ("model", "version"),
        "inference protocol",
    ),
}


def extend(document: dict[str, Any], secured: bool) -> dict[str, Any]:
    """Add the hot routes, the errors and the token to a derived description."""
    document["paths"] = {**PATHS, **document.get("paths", {})}
    components = document.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **SCHEMAS}
    if secured:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document
