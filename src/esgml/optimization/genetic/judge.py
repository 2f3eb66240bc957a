"""A problem as the functions a genetic algorithm asks: values to make small, and violations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from esgml.core.errors import UsageError
from esgml.optimization.problem import TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.problem import Evaluation, Problem

    Array = NDArray[np.float64]

Seeding = Literal["none", "rules", "relaxed"]

#: How many weighings of the objectives a front begins with, where it is seeded by optima.
WEIGHINGS = 5


class Judge:
    """Asks the simulator of a problem and sums up what it says.

    Violations of different units are added as multiples of their mean in the first
    population, so that no constraint drowns another because of its unit.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.signs = np.array([1.0 if o.sense == "min" else -1.0 for o in problem.objectives])
        self._scale: Array | None = None

    def value(self, x: Array) -> tuple[Array, Array]:
        """Return the weighed value and the violation of n plans, both of shape (n,)."""
        judged = self.problem.evaluate(x)
        return self.problem.scalar(judged.objectives), self.violation(judged)

    def objectives(self, x: Array) -> tuple[Array, Array]:
        """Return every objective, made small, (n, m), and the violation (n,)."""
        judged = self.problem.evaluate(x)
        return judged.objectives * self.signs, self.violation(judged)

    def violation(self, judged: Evaluation) -> Array:
        """Return one figure a plan, 0 where all constraints are kept, shape (n,)."""
        broken = judged.violations
        if not broken.shape[1]:
            return np.zeros(len(broken))
        if self._scale is None:
            mean = broken.mean(axis=0)
            self._scale = np.where(mean > 0, mean, 1.0)
        return np.asarray((np.where(broken > TOLERANCE, broken, 0.0) / self._scale).sum(axis=1))


def first_plans(problem: Problem, seeding: Seeding, *, front: bool = False) -> Array:
    """Return plans to begin a search with, shape (k, d).

    Parameters
    ----------
    problem : Problem
    seeding : str
        ``none``: no plan; ``rules``: the baseline and the plans of all simple rules;
        ``relaxed``: these, and the exact optimum of the problem with whole numbers relaxed.
    front : bool
        Whether to add optima of several weighings of the objectives, not one.

    Raises
    ------
    UsageError
        If the relaxed optimum is asked for and the problem has no algebra.
    """
    if seeding == "none":
        return np.empty((0, problem.dimension))
    plans = [*problem.rules().values()]
    if (today := problem.baseline()) is not None:
        plans.append(today)
    if seeding == "relaxed":
        plans = [*_relaxed(problem, front), *plans]
    return np.array(plans).reshape(len(plans), problem.dimension)


def _relaxed(problem: Problem, front: bool) -> list[Array]:
    from esgml.optimization.linear import LinearProgram

    form = problem.matrix()
    if form is None or form.quadratic is not None:
        raise UsageError(
            f"{problem.name} has no linear algebra to seed a search from.",
            code="no_algebra",
            remedy="Use seeding='rules' or 'none'.",
        )
    program = LinearProgram(form)
    weighings = [problem.weights]
    if front and len(problem.objectives) > 1:
        signs = np.array([1.0 if o.sense == "min" else -1.0 for o in problem.objectives])
        ends = [program.solve(w * signs, relaxed=True) for w in np.eye(len(signs))]
        corners = [form.plan(end.z, problem.dimension) for end in ends]
        spread = np.ptp(problem.evaluate(np.array(corners)).objectives, axis=0)
        unit = signs / np.where(spread > 0, spread, 1.0)
        weighings = [unit * w for w in _simplex(len(signs))]
    return [form.plan(program.solve(w, relaxed=True).z, problem.dimension) for w in weighings]


def _simplex(m: int) -> Array:
    """Return weighings of m objectives: the ends (never quite 0), the middle, points between."""
    ends = np.eye(m) * 0.998 + 0.002 / m
    middle = np.full((1, m), 1.0 / m)
    steps = np.linspace(0.0, 1.0, (WEIGHINGS + 1) // 2 + 1)[1:-1]
    between = [(1 - s) * end + s * middle[0] for end in ends for s in steps]
    return np.vstack([ends, middle, *between])
