"""The solve route and the problem file: one document, checked the same way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from esgml.core import catalog
from esgml.core.errors import DataError, UsageError
from esgml.core.operations import Operation
from esgml.optimization import library
from esgml.optimization.engine import AUTO, CAPABILITY, OptimizationEngine
from esgml.optimization.problem import Problem
from esgml.optimization.solution import Solution

#: What a request over HTTP may ask for: columns of a plan, and seconds of exact search.
MOST_COLUMNS = 20_000
MOST_SECONDS = 8.0
#: Methods that answer within a request; the others learn for minutes.
QUICK = (AUTO, "exact", "ga", "nsga2", "mpc", "dp")

_ANSWER = (
    "problem", "method", "why", "objective", "units", "value", "baseline", "rule", "rule_name",
    "bound", "share_of_attainable", "gap", "feasible", "violations", "comparison",
    "shadow_prices", "solution", "front", "seed", "details",
)  # fmt: skip


def read_document(text: str, where: str = "") -> dict[str, Any]:
    """Return the document in a JSON text.

    Raises
    ------
    DataError
        If it is no JSON object; NaN and Infinity are no JSON.
    """

    def refuse(constant: str) -> Any:
        raise DataError(
            f"{constant} is no number.",
            code="not_finite",
            where=where,
            remedy="Use null where a value is missing, and say what it should be.",
        )

    try:
        found = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"this is no JSON: {error}.", code="json", where=where, remedy="Check the file."
        ) from error
    if not isinstance(found, dict):
        raise DataError("a problem is a JSON object.", code="json", where=where)
    return found


def decode(document: Mapping[str, Any]) -> tuple[Problem, str, int]:
    """Return problem, method and seed of a document.

    ``method`` and ``seed`` stand beside the fields of the problem.

    Raises
    ------
    DataError, UsageError, NotFoundError
        Naming the field at fault.
    """
    if not isinstance(document, Mapping):
        raise UsageError("a request is an object.")
    fields = dict(document)
    method, seed = fields.pop("method", AUTO), fields.pop("seed", 0)
    if not isinstance(method, str) or not 0 < len(method) <= 40:
        raise UsageError("method is the name of a solver.", where="method")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**53:
        raise UsageError("seed is a whole number of 0 or more.", where="seed")
    return library.load(fields), method, seed


def answer(found: Solution) -> dict[str, Any]:
    """Return a solution as the command and the route give it, without times."""
    values = found.as_dict()
    return {name: values[name] for name in _ANSWER}


def solve(document: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one request.

    Raises
    ------
    UsageError
        If the plan is larger, or the method slower, than a request may be.
    """
    problem, method, seed = decode(document)
    if problem.dimension > MOST_COLUMNS:
        raise UsageError(
            f"the plan has {problem.dimension} columns; a request may have {MOST_COLUMNS}.",
            code="too_large",
            where="problem",
            remedy="Use esgml optimize, or plan fewer hours.",
        )
    if method not in QUICK:
        raise UsageError(
            f"the method {method!r} is not offered here.",
            code="method_slow",
            where="method",
            remedy=f"Use {', '.join(QUICK)}; or esgml optimize; a policy trained before answers at"
            " /v1/optimization/control.",
        )
    return answer(OptimizationEngine(time_limit=MOST_SECONDS).solve(problem, method, seed=seed))


_NUMBER = {"type": "number"}
_MAYBE = {"type": ["number", "null"]}
_BY_NAME = {"type": "object", "additionalProperties": _NUMBER}


_ANSWERED: dict[str, Any] = {
    "type": "object",
    "required": ["method", "why", "objective", "value", "feasible", "solution"],
    "properties": {
        "problem": {"type": "string"},
        "method": {"type": "string"},
        "why": {"type": "string"},
        "objective": _BY_NAME,
        "units": {"type": "object", "additionalProperties": {"type": "string"}},
        "value": _NUMBER,
        "baseline": _MAYBE,
        "rule": _MAYBE,
        "rule_name": {"type": "string"},
        "bound": _MAYBE,
        "share_of_attainable": _MAYBE,
        "gap": _MAYBE,
        "feasible": {"type": "boolean"},
        "violations": _BY_NAME,
        "comparison": {"type": "object"},
        "shadow_prices": {"type": "object"},
        "solution": {"type": "object"},
        "front": {"type": "array", "items": {"type": "object"}},
        "seed": {"type": "integer"},
        "details": {"type": "object"},
    },
}


def solve_operation() -> Operation:
    """Return the route `POST /v1/optimization/solve`."""
    names = [m for m in QUICK if m == AUTO or m in catalog.names(CAPABILITY)]
    return Operation(
        "solve_problem",
        "/v1/optimization/solve",
        "The best plan, with today's, the best rule's and the limit beside it",
        request={
            "type": "object",
            "required": ["problem"],
            "description": "The fields of the problem, as in PROBLEM.json; see the page on"
            " optimization.",
            "properties": {
                "problem": {"type": "string", "enum": list(library.names())},
                "method": {"type": "string", "enum": names},
                "seed": {"type": "integer", "minimum": 0},
                "weights": {
                    **_BY_NAME,
                    "description": "Value of one unit of each objective that is optimized.",
                },
                "units": {
                    "type": "object",
                    "additionalProperties": {"type": "string", "maxLength": 40},
                },
                "currency": {"type": "string", "minLength": 3, "maxLength": 10},
                "forecast": {
                    "type": "object",
                    "description": "For battery_dispatch: the answer of the forecast route, where"
                    " load and sun are not known yet; plan it with the method mpc.",
                },
            },
            "additionalProperties": True,
        },
        answer=_ANSWERED,
        run=solve,
        learned=False,
    )


def control(document: Mapping[str, Any]) -> dict[str, Any]:
    """Run batteries hour by hour, knowing no future, where no controller was trained yet.

    Raises
    ------
    UsageError
        If the document is of another problem, or the plan larger than a request may be.
    """
    fields = dict(document)
    if fields.setdefault("problem", "battery_dispatch") != "battery_dispatch":
        raise UsageError(
            "batteries are controlled here.", where="problem", remedy="Use 'battery_dispatch'."
        )
    if not {"method", "seed"}.isdisjoint(fields):
        raise UsageError("neither method nor seed are chosen here.", where="method")
    return solve({**fields, "method": "mpc"})


def control_operation() -> Operation:
    """Return the route `POST /v1/optimization/control`, answered by the trained controller."""
    return Operation(
        "control_battery",
        "/v1/optimization/control",
        "What batteries should do hour by hour, by the controller that won its trial",
        request={
            "type": "object",
            "required": ["load", "price"],
            "description": "The fields of battery_dispatch; a week of history or more lets a"
            " learned policy decide.",
            "properties": {"problem": {"type": "string", "enum": ["battery_dispatch"]}},
            "additionalProperties": True,
        },
        answer=_ANSWERED,
        run=control,
    )
