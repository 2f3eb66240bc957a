"""What comes out: a plan with its value, and baseline, best rule and limit beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.optimization.problem import TOLERANCE, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Found:
    """What a solver found, before it is judged by the simulator.

    Attributes
    ----------
    x : array, shape (d,)
    why : str
        One sentence: what was done and why.
    bound : float or None
        A value (as minimized) that the solver proved no plan goes below.
    shadow_prices : dict
        Marginal value per unit by constraint; what each means is in its name and unit.
    front : array, shape (p, d), or None
        Plans none of which beats another in every objective.
    details : dict
        More for people: generations, history, status.
    """

    x: NDArray[np.float64]
    why: str
    bound: float | None = None
    shadow_prices: dict[str, Any] = field(default_factory=dict)
    front: NDArray[np.float64] | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Solution:
    """A judged plan. Every value was computed by the problem's own simulator.

    Attributes
    ----------
    problem, method, why : str
    objective : dict of objective name to value, in its unit
    value, baseline, rule, bound : float or None
        The optimized value of the plan, of the plan of today, of the best feasible rule, and
        the limit no plan passes; all in `unit`, in the sense of the leading objective.
    rule_name : str
    share_of_attainable : float or None
        (baseline - value) / (baseline - bound): 1 = everything physics allows.
    gap : float or None
        (value - bound) / larger of the two sizes; 0 = proved best.
    feasible : bool
    violations : dict of constraint name to amount, for the broken ones
    comparison : dict
        All objectives of the baseline and of every rule.
    shadow_prices : dict
    solution : dict of variable name to value(s)
    x : array, shape (d,)
    front : list of dict
        Objectives and plan of every point, where a solver returns a Pareto front.
    seed : int
    seconds : float
    """

    problem: str
    method: str
    why: str
    objective: dict[str, float]
    units: dict[str, str]
    value: float
    baseline: float | None
    rule: float | None
    rule_name: str
    bound: float | None
    share_of_attainable: float | None
    gap: float | None
    feasible: bool
    violations: dict[str, float]
    comparison: dict[str, Any]
    shadow_prices: dict[str, Any]
    solution: dict[str, Any]
    x: NDArray[np.float64]
    front: list[dict[str, Any]]
    seed: int
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the solution as plain JSON values."""
        return {
            name: value for name, value in vars(self).items() if name not in ("x", "details")
        } | {"details": dict(self.details)}


def assemble(problem: Problem, method: str, found: Found, *, seed: int, seconds: float) -> Solution:
    """Judge what a solver found by the simulator, beside baseline, rules and bound."""
    rows = {"": found.x}
    baseline = problem.baseline()
    if baseline is not None:
        rows["baseline"] = baseline
    rules = problem.rules()
    rows |= {f"rule {name}": x for name, x in rules.items()}
    judged = problem.evaluate(np.array(list(rows.values())))
    values = problem.scalar(judged.objectives)
    names = [o.name for o in problem.objectives]
    feasible = judged.feasible & (problem.space.misfit(np.array(list(rows.values()))) <= TOLERANCE)
    place = {key: i for i, key in enumerate(rows)}
    best, best_name = None, ""
    for name in rules:
        i = place[f"rule {name}"]
        if feasible[i] and (best is None or values[i] < best):
            best, best_name = float(values[i]), name
    value = float(values[0])
    today = float(values[place["baseline"]]) if baseline is not None else None
    bound = found.bound if found.bound is not None else problem.bound()
    return Solution(
        problem=problem.name,
        method=method,
        why=found.why,
        objective=dict(zip(names, judged.objectives[0].tolist(), strict=True)),
        units={o.name: o.unit for o in problem.objectives},
        value=problem.sign * value + 0.0,
        baseline=None if today is None else problem.sign * today + 0.0,
        rule=None if best is None else problem.sign * best,
        rule_name=best_name,
        bound=None if bound is None else problem.sign * bound,
        share_of_attainable=share(value, today, bound),
        gap=gap(value, bound),
        feasible=bool(feasible[0]),
        violations={
            c.name: float(v)
            for c, v in zip(problem.constraints, judged.violations[0], strict=True)
            if v > TOLERANCE
        },
        comparison={
            key: {
                **dict(zip(names, judged.objectives[i].tolist(), strict=True)),
                "feasible": bool(feasible[i]),
            }
            for key, i in place.items()
            if key
        },
        shadow_prices=found.shadow_prices,
        solution=problem.space.named(problem.space.repair(found.x[None])[0]),
        x=found.x,
        front=_front(problem, found.front),
        seed=seed,
        seconds=seconds,
        details=found.details,
    )


def share(value: float, baseline: float | None, bound: float | None) -> float | None:
    """Return the part of the attainable gain that was reached; None where nothing is known."""
    if baseline is None or bound is None:
        return None
    attainable = baseline - bound
    if attainable <= 1e-9 * max(1.0, abs(baseline)):
        return None  # nothing can be gained, so no share of it
    return (baseline - value) / attainable


def gap(value: float, bound: float | None) -> float | None:
    """Return how far a value is from its bound, relative to the larger of the two."""
    if bound is None or not math.isfinite(bound):
        return None
    size = max(abs(value), abs(bound))
    return 0.0 if size < 1e-12 else max(0.0, (value - bound) / size)


def _front(problem: Problem, front: NDArray[np.float64] | None) -> list[dict[str, Any]]:
    if front is None:
        return []
    judged = problem.evaluate(front)
    names = [o.name for o in problem.objectives]
    return [
        {
            "objective": dict(zip(names, judged.objectives[i].tolist(), strict=True)),
            "feasible": bool(judged.feasible[i]),
            "solution": problem.space.named(front[i]),
        }
        for i in range(len(front))
    ]
