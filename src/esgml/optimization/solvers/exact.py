"""Exact optimum by HiGHS, where the problem is linear, with or without whole numbers."""

from __future__ import annotations

import numpy as np

from esgml.core.errors import UsageError
from esgml.core.interfaces import Hyperparameters, tunable
from esgml.optimization.linear import LinearProgram
from esgml.optimization.problem import Problem
from esgml.optimization.solution import Found
from esgml.optimization.solver import Solver


class ExactParams(Hyperparameters):
    """Settings of the exact solver."""

    time_limit: float = tunable(60.0, 1.0, 3600.0, description="seconds of search")


class Exact(Solver):
    """The proved best plan of a linear problem, with shadow prices."""

    Params = ExactParams
    asks_simulator = False

    def _solve(self, problem: Problem, seed: int) -> Found:
        form = problem.matrix()
        if form is None:
            raise UsageError(f"{problem.name} has no algebra to solve exactly.")
        found = LinearProgram(form).solve(problem.weights, time_limit=self.params.time_limit)
        return Found(form.plan(found.z, problem.dimension), "linear", found.bound)


def proved_bound(problem: Problem) -> float | None:
    """Return the value no plan of a linear problem goes below (as minimized), if it is one."""
    form = problem.matrix()
    if form is None or form.quadratic is not None:
        return None
    return LinearProgram(form).solve(np.asarray(problem.weights)).bound
