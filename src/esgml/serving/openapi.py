"""The OpenAPI description of the hot routes, which no framework derives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from esgml.core.operations import Operation

_NUMBER = {"type": "number", "minimum": -1e100, "maximum": 1e100}
_NUMBERS = {"type": "array", "items": {"oneOf": [_NUMBER, {"type": "null"}]}}
_OBJECT: dict[str, Any] = {"type": "object"}
_MADE = {
    "model_version": {"type": "string"},
    "prediction_id": {"type": "string", "description": "For: esgml trace ID."},
}

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


def _named(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _route(
    summary: str,
    name: str,
    asked: dict[str, Any],
    answered: dict[str, Any],
    parameters: tuple[str, ...],
    tag: str,
) -> dict[str, Any]:
    def content(schema: dict[str, Any]) -> dict[str, Any]:
        return {"application/json": {"schema": schema}}

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
    "/v1/predict/{model}": _route(
        "Predict rows with any model",
        "predict",
        _named("PredictRequest"),
        _named("PredictAnswer"),
        ("model",),
        "predict",
    ),
    "/v2/models/{model}/infer": _route(
        "Infer (Open Inference Protocol)",
        "infer",
        _named("InferenceRequest"),
        _named("InferenceAnswer"),
        ("model",),
        "inference protocol",
    ),
    "/v2/models/{model}/versions/{version}/infer": _route(
        "Infer with a version (Open Inference Protocol)",
        "infer_version",
        _named("InferenceRequest"),
        _named("InferenceAnswer"),
        ("model", "version"),
        "inference protocol",
    ),
}


def _of(operation: Operation, tag: str) -> dict[str, Any]:
    """Return the route of an operation; every answer carries who made it, and its id."""
    answer = dict(operation.answer)
    answer["properties"] = {**answer.get("properties", {}), **_MADE}
    answer["required"] = [*answer.get("required", []), *_MADE]
    return _route(operation.summary, operation.name, operation.request, answer, (), tag)


def extend(
    document: dict[str, Any], operations: Iterable[tuple[str, Operation]], secured: bool
) -> dict[str, Any]:
    """Add the hot routes, the errors and the token to a derived description.

    Parameters
    ----------
    document : dict
        As the framework derives it.
    operations : iterable of task name and Operation
    secured : bool
        Whether callers need a token.
    """
    own = {operation.path: _of(operation, task) for task, operation in operations}
    derived = document.get("paths", {})
    for path in derived.values():
        for described in path.values():
            described["responses"].pop("422", None)  # the framework's own form, never answered
    document["paths"] = {**own, **PATHS, **derived}
    components = document.setdefault("components", {})
    schemas = {**components.get("schemas", {}), **SCHEMAS}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["schemas"] = schemas
    if secured:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document
