"""Exact optimum by HiGHS where the problem is linear, by an interior point where convex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError, UsageError
from esgml.core.interfaces import Hyperparameters, tunable
from esgml.optimization.classify import Classification, classify
from esgml.optimization.conflicts import explain, feasible
from esgml.optimization.linear import LinearProgram
from esgml.optimization.problem import TOLERANCE, Problem
from esgml.optimization.quadratic import solve_quadratic
from esgml.optimization.solution import Found
from esgml.optimization.solver import Solver
from esgml.optimization.tradeoff import next_switch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.matrix import MatrixForm

#: How far the simulator may be from the algebra, relative to the value.
AGREEMENT = 1e-6


class ExactParams(Hyperparameters):
    """Settings of the exact solver."""

    time_limit: float = tunable(60.0, 1.0, 3600.0, description="seconds of search")


class Exact(Solver):
    """The proved best plan of a linear or convex problem, with shadow prices.

    Use it wherever `classify` allows: it is the fastest and needs no seed. The plan is
    simulated before it is believed, so a black box that only looked linear where it was
    asked is refused (``not_linear``).

    Weakness: whole numbers can take long; the time limit then leaves a gap, which is shown.
    Reference: Huangfu and Hall, Parallelizing the dual revised simplex method, 2018 (HiGHS).
    """

    Params = ExactParams
    asks_simulator = False

    def _solve(self, problem: Problem, seed: int) -> Found:
        kind = classify(problem, seed=seed)
        if kind.form is None:
            raise UsageError(
                f"there is no exact method for this problem: {'; '.join(kind.reasons)}.",
                code="not_exact",
                where=problem.name,
                remedy="Use --method ga, or auto.",
            )
        return solve_exactly(problem, kind, self.params.time_limit)


def solve_exactly(problem: Problem, kind: Classification, time_limit: float) -> Found:
    """Return the optimum of a classified problem, verified in its simulator.

    Raises
    ------
    DataError
        ``infeasible`` naming the constraints in conflict, ``unbounded``, ``not_finite``,
        or ``not_linear`` where the simulator disagrees.
    """
    form = kind.form
    assert form is not None
    try:
        if kind.kind == "convex":
            if not feasible(form):
                raise explain(form)
            curved = solve_quadratic(form, problem.weights)
            z, value, bound, prices = curved.z, curved.value, curved.bound, curved.row_prices
        else:
            flat = LinearProgram(form).solve(problem.weights, time_limit=time_limit)
            z, value, bound, prices = flat.z, flat.value, flat.bound, flat.row_prices
    except DataError as error:
        if error.code == "infeasible" and not error.where:
            raise explain(form) from error
        raise
    x = form.plan(z, problem.dimension)
    x = problem.space.repair(x[None])[0]
    _verify(problem, kind, x, value)
    why = {
        "LP": "The problem is linear, so HiGHS finds the proved optimum",
        "MILP": "The problem is linear with whole numbers, so HiGHS finds the proved optimum",
        "convex": "The problem is convex and quadratic, so an interior point finds the optimum",
    }[kind.kind]
    checked = " (probed, then simulated)" if kind.probed else ""
    return Found(
        x,
        f"{why}{checked}.",
        bound,
        shadow_prices=_prices(problem, form, prices) | _carbon_price(problem, kind, x),
        details={"class": kind.kind, "reasons": list(kind.reasons)},
    )


def _verify(problem: Problem, kind: Classification, x: NDArray[np.float64], value: float) -> None:
    """Raise `DataError` where the simulator does not confirm the algebra at the optimum."""
    others = [y for y in (problem.baseline(), *problem.rules().values()) if y is not None]
    judged = problem.evaluate(np.array([x, *others]))
    values = problem.scalar(judged.objectives)
    scale = max(1e-12, abs(value), float(np.abs(values).max()))
    better = judged.feasible[1:] & (values[1:] < values[0] - AGREEMENT * scale)
    off = abs(values[0] - value)
    broken = float(judged.violations[0].max(initial=0.0))
    allowed = TOLERANCE * (1 + np.abs(x).max())
    if off <= AGREEMENT * scale and broken <= allowed and not better.any():
        return
    if broken > allowed:
        reason = f"the optimum breaks a constraint by {broken:.3g}"
    elif better.any():
        reason = "a simple rule beats the optimum"
    else:
        reason = f"the optimum costs {values[0]:.6g} there, {value:.6g} in the algebra"
    raise DataError(
        f"the simulator does not confirm that the problem is linear: {reason}.",
        code="not_linear",
        where=problem.name,
        remedy="Use a search such as ga." if kind.probed else "Mend its matrix().",
    )


def _prices(
    problem: Problem, form: MatrixForm, prices: NDArray[np.float64]
) -> dict[str, float | list[float]]:
    """Return what one more unit of each limit of the problem would change the value by.

    One number for a constraint, or one for each of its rows (such as hours).
    """
    known = {c.name for c in problem.constraints}
    found: dict[str, float | list[float]] = {}
    for name, part in form.groups:
        values = prices[part] * problem.sign + 0.0
        if name in known and np.abs(values).max(initial=0.0) > 1e-12:
            found[name] = float(values[0]) if len(values) == 1 else values.tolist()
    return found


def _carbon_price(
    problem: Problem, kind: Classification, x: NDArray[np.float64]
) -> dict[str, float | None]:
    """Return the carbon price from which on another plan is best, None where none is.

    Only where a linear problem weighs money and can report carbon.
    """
    units = [o.unit for o in problem.objectives]
    carbon = next((i for i, unit in enumerate(units) if unit.endswith("CO2e")), None)
    senses = {o.sense for o in problem.objectives}
    if kind.kind != "LP" or carbon in (None, 0) or not problem.weights[0] or senses != {"min"}:
        return {}
    assert carbon is not None and kind.form is not None
    program = LinearProgram(kind.form)
    price = next_switch(program, problem.weights, carbon)
    return {f"{problem.objectives[0].unit} per {units[carbon]} at which the plan changes": price}


def proved_bound(problem: Problem) -> float | None:
    """Return the value no plan goes below (as minimized), where algebra proves one."""
    form = problem.matrix()
    if form is None:
        return None
    kind = classify(problem)
    if kind.form is None:
        return None
    try:
        if kind.kind == "convex":
            return solve_quadratic(form, problem.weights).bound
        return LinearProgram(form).solve(problem.weights, time_limit=20.0).bound
    except DataError:
        return None  # infeasible or without limit: there is no bound to show
