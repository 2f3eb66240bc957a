"""NSGA-II: the trade-offs between several objectives, as a front of plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pydantic

from esgml.core.errors import DataError, UsageError
from esgml.core.interfaces import Hyperparameters, tunable
from esgml.core.progress import track
from esgml.optimization.genetic.evolution import Operators
from esgml.optimization.genetic.front import FrontEvolution
from esgml.optimization.genetic.hypervolume import hypervolume
from esgml.optimization.genetic.judge import Judge, Seeding, first_plans
from esgml.optimization.solution import Found
from esgml.optimization.solver import Solver

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.problem import Problem


class FrontParams(Hyperparameters):
    """Settings of NSGA-II."""

    population: int = pydantic.Field(100, ge=4, le=10_000)
    generations: int = pydantic.Field(400, ge=0)
    mutation: float | None = pydantic.Field(
        None, ge=0, le=1, description="probability that a column changes; 1 / columns if omitted"
    )
    crossover: float = pydantic.Field(0.9, ge=0, le=1)
    recombine: Literal["both", "uniform", "one_point", "two_point", "blend", "line", "sbx"] = (
        tunable(
            "sbx", choices=["both", "uniform", "one_point", "two_point", "blend", "line", "sbx"]
        )
    )
    step: Literal["mixed", "multiscale", "gaussian", "polynomial"] = tunable(
        "mixed", choices=["mixed", "multiscale", "gaussian", "polynomial"]
    )
    scale: float = pydantic.Field(0.1, gt=0, le=1)
    seeding: Seeding = pydantic.Field("rules", description="plans the search begins with")


class Nsga2(Solver):
    """A front of plans none of which is beaten in every objective, and the best weighed one.

    When to use it: two or three objectives whose exchange rate is not settled, such as cost and
    carbon. Where the problem is linear, sweeping the weights of the exact solver gives the true
    front. The plan returned first is the one of the front with the best weighed value; the
    others are in ``front``.

    Weakness: above three objectives nearly every plan is on the front, and it stops selecting.

    Deviations from the paper: plans with equal objectives are kept once, steps of real columns
    are of all sizes, the first population is a Latin hypercube seeded by the simple rules.

    References
    ----------
    Deb, K., Pratap, A., Agarwal, S., Meyarivan, T. (2002). A fast and elitist multiobjective
    genetic algorithm: NSGA-II.
    """

    Params = FrontParams

    def _solve(self, problem: Problem, seed: int) -> Found:
        if len(problem.objectives) < 2:
            raise UsageError(
                f"{problem.name} has one objective, and a front needs at least two.",
                where=problem.name,
                remedy="Use the method ga.",
            )
        p = self.params
        operators = Operators(
            population=p.population,
            mutation=1.0 / problem.dimension if p.mutation is None else p.mutation,
            crossover=p.crossover,
            recombine=p.recombine,
            step=p.step,
            scale=p.scale,
        )
        judge = Judge(problem)
        start = first_plans(problem, p.seeding, front=True)
        search = FrontEvolution(problem.space, judge.objectives, operators, seed, start)
        for _ in track(range(p.generations), "generations"):
            search.step()
        if search.violation.min() > 0:
            raise DataError(
                f"no plan that keeps all constraints was found in {p.generations} generations.",
                code="infeasible",
                where=problem.name,
                remedy="Allow more generations, or use the exact method, which says which"
                " constraints conflict.",
            )
        best = search.best()
        values = problem.scalar(search.objectives[best] * judge.signs)
        return Found(
            search.x[best[int(np.argmin(values))]],
            f"NSGA-II ran {p.generations} generations of {p.population} plans over"
            f" {', '.join(o.name for o in problem.objectives)}; of the {len(best)} that none"
            " beats, this one has the best weighed value.",
            front=search.x[best],
            details=self._details_of(search, best),
        )

    def _details_of(self, search: FrontEvolution, best: NDArray[np.intp]) -> dict[str, Any]:
        """Return figures of the front; its hypervolume is below its own worst corner."""
        points = search.objectives[best]
        corner = points.max(axis=0)
        return {
            "generations": search.generation,
            "evaluations": search.solutions,
            "seeding": self.params.seeding,
            "hypervolume": hypervolume(points, corner) if len(points) > 1 else 0.0,
            "reference": corner.tolist(),
        }
