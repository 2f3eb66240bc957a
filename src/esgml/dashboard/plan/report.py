"""What the plan page shows: a solution as ``esgml optimize`` answers it."""

from __future__ import annotations

from typing import Any

import pydantic

from esgml.dashboard.stored import Number, Stored

Values = Number | list[Number] | str | bool | list[str] | list[bool] | None


class FrontPoint(pydantic.BaseModel):
    """One plan that no other beats in every objective."""

    objective: dict[str, Number]
    feasible: bool = True


class PlanReport(pydantic.BaseModel):
    """The latest plan of a workspace."""

    problem: str
    method: str
    why: str = ""
    objective: dict[str, Number]
    units: dict[str, str] = {}
    value: Number
    baseline: Number | None = None
    rule: Number | None = None
    rule_name: str = ""
    bound: Number | None = None
    share_of_attainable: Number | None = None
    gap: Number | None = None
    feasible: bool
    violations: dict[str, Number] = {}
    comparison: dict[str, dict[str, Any]] = {}
    solution: dict[str, Values] = {}
    front: list[FrontPoint] = []


#: Where a workspace stores it.
STORED = Stored("plan", PlanReport, "plan", "esgml optimize PROBLEM.json")
