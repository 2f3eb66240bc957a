"""A genetic algorithm: any problem that can be simulated, whatever its variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pydantic

from esgml.core.errors import DataError, IntegrityError
from esgml.core.interfaces import Hyperparameters, tunable
from esgml.core.progress import track
from esgml.core.storage import explained, sha256, write_atomic
from esgml.optimization.genetic.evolution import Evolution, Operators
from esgml.optimization.genetic.judge import Judge, Seeding, first_plans
from esgml.optimization.solution import Found
from esgml.optimization.solver import Solver

if TYPE_CHECKING:
    from esgml.optimization.genetic.convergence import Convergence
    from esgml.optimization.problem import Problem
    from esgml.optimization.solution import Solution


class GeneticParams(Hyperparameters):
    """Settings of the genetic algorithm."""

    population: int = pydantic.Field(100, ge=2, le=100_000)
    mutation: float = pydantic.Field(
        0.01,
        ge=0,
        le=1,
        description="probability that a column changes",
        json_schema_extra={"search": {"low": 0.001, "high": 0.2, "log": True}},
    )
    crossover: float = pydantic.Field(
        0.7,
        ge=0,
        le=1,
        description="probability that a child has two parents",
        json_schema_extra={"search": {"low": 0.3, "high": 1.0}},
    )
    elitism: float = pydantic.Field(
        0.1, ge=0, lt=1, description="share of the best that survive as they are"
    )
    generations: int = pydantic.Field(1000, ge=0)
    target_fitness: float = pydantic.Field(
        0.95, description="share of the attainable gain at which the search stops"
    )
    survival: Literal["best", "children"] = pydantic.Field(
        "best",
        description="best = parents compete with their children; children = the elite alone stay",
    )
    selection: Literal["tournament", "tournament3", "rank", "truncation"] = tunable(
        "tournament3", choices=["tournament", "tournament3", "rank", "truncation"]
    )
    recombine: Literal["both", "uniform", "one_point", "two_point", "blend", "line", "sbx"] = (
        tunable(
            "both", choices=["both", "uniform", "one_point", "two_point", "blend", "line", "sbx"]
        )
    )
    step: Literal["mixed", "multiscale", "gaussian", "adaptive", "polynomial"] = tunable(
        "mixed", choices=["mixed", "multiscale", "gaussian", "adaptive", "polynomial"]
    )
    scale: float = pydantic.Field(
        0.1, gt=0, le=1, description="Gaussian step, as a share of a column's range"
    )
    restart_after: int = pydantic.Field(
        0, ge=0, description="generations without progress after which all but the elite are new"
    )
    seeding: Seeding = pydantic.Field("rules", description="plans the search begins with")
    checkpoint_every: int = pydantic.Field(50, ge=1, description="generations between checkpoints")


class GeneticAlgorithm(Solver):
    """Evolves a population of plans; needs a simulator and finite bounds, nothing else.

    When to use it: black boxes, permutations, costs with steps. Where a problem is linear, the
    exact solver is faster and proves its answer; a genetic algorithm proves nothing, and how
    far it is from the bound is printed beside its plan.

    The defaults are those customary since De Jong: population 100, mutation .01, crossover .7,
    elitism .1, 1,000 generations; the search stops early when the *fitness* of the best plan
    reaches .95. Fitness is the share of the attainable gain, ``(baseline - value) / (baseline -
    bound)``; where a problem has no baseline or no proved bound, there is none, and all
    generations are run.

    Deviations from the textbook: parents compete with their children, so more than the elite may
    survive; a child with one parent changes in at least one column (no clones); half of the pairs
    are crossed column by column, half along the line through them; steps of real columns are of
    all sizes (two of three polynomial, one log-uniform); the first population is a Latin
    hypercube. Most can be set back: ``survival="children"``, ``recombine="uniform"``,
    ``step="gaussian"``.

    Attributes
    ----------
    convergence_ : Convergence
        Best and mean value by generation, after `solve` or `evolve`; ``to_svg`` draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from esgml.optimization.problem import Objective, Problem
    >>> from esgml.optimization.space import Variable
    >>> bowl = Problem(
    ...     "bowl", [Variable("x", lower=-5, upper=5, size=3)], [Objective("height")],
    ...     simulate=lambda X: (X**2).sum(axis=1),
    ... )
    >>> answer = GeneticAlgorithm().evolve(bowl, generations=200, seed=1)
    >>> answer.value < 1e-6
    True

    References
    ----------
    Holland, J. H. (1975). Adaptation in Natural and Artificial Systems.
    Deb, K. (2000). An efficient constraint handling method for genetic algorithms.
    """

    Params = GeneticParams
    convergence_: Convergence

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._checkpoint: Path | None = None

    def evolve(
        self,
        problem: Problem,
        generations: int = 1000,
        target_fitness: float = 0.95,
        *,
        seed: int = 0,
        checkpoint: str | Path | None = None,
    ) -> Solution:
        """Return the best plan after `generations`, or when its fitness reaches the target.

        Parameters
        ----------
        problem : Problem
        generations : int
        target_fitness : float
            Share of the attainable gain; above 1 = never stop early.
        seed : int
            The same seed gives the same plan, bit for bit.
        checkpoint : path, optional
            File the state of the search is kept in. If it exists, the search goes on from
            there, and ends with the same bytes as if it had never stopped.

        Raises
        ------
        DataError
            If the simulator raises, is not deterministic or not finite, or if no plan that
            keeps all constraints was found (``infeasible``).
        IntegrityError
            If the checkpoint is of another problem, seed or setting.
        """
        settings = self.params.model_dump()
        settings |= {"generations": generations, "target_fitness": target_fitness}
        run = type(self)(**settings)
        run._checkpoint = Path(checkpoint) if checkpoint is not None else None
        answer = run.solve(problem, seed=seed)
        self.convergence_ = run.convergence_
        return answer

    def _operators(self) -> Operators:
        p = self.params
        return Operators(
            p.population,
            p.mutation,
            p.crossover,
            p.elitism,
            p.survival,
            p.selection,
            p.recombine,
            p.step,
            p.scale,
            restart_after=p.restart_after,
        )

    def _solve(self, problem: Problem, seed: int) -> Found:
        judge = Judge(problem)
        start = first_plans(problem, self.params.seeding)
        search = Evolution(problem.space, judge.value, self._operators(), seed, start)
        bound, target = self._target(problem)
        self._resume(problem, search, seed)
        every = self.params.checkpoint_every
        for _ in track(
            range(search.generation, self.params.generations, every), "generations", None
        ):
            search.run(min(every, self.params.generations - search.generation), target)
            self._save(problem, search, seed)
            if search.reached(target):
                break
        self.convergence_ = search.convergence
        if search.violation[0] > 0:
            broken = problem.evaluate(search.best).violations[0]
            worst = problem.constraints[int(np.argmax(broken))].name if len(broken) else "bounds"
            raise DataError(
                f"no plan that keeps all constraints was found in {search.generation} generations;"
                f" nearest came one that breaks {worst!r} by {broken.max(initial=0.0):.4g}.",
                code="infeasible",
                where=problem.name,
                remedy="Allow more generations, seed the search, or use the exact method, which"
                " says which constraints conflict.",
            )
        return Found(
            search.best,
            self._why(search, target),
            bound,
            details={
                "generations": search.generation,
                "evaluations": search.solutions,
                "restarts": search.restarts,
                "seeding": self.params.seeding,
                "reached_target": search.reached(target),
                "convergence": search.convergence.sample(),
            },
        )

    def _target(self, problem: Problem) -> tuple[float | None, float | None]:
        """Return the bound, and the value at which the target fitness is reached."""
        bound, today = problem.bound(), problem.baseline()
        if bound is None or today is None:
            return bound, None
        baseline = float(problem.scalar(problem.evaluate(today).objectives)[0])
        return bound, baseline - self.params.target_fitness * (baseline - bound)

    def _why(self, search: Evolution, target: float | None) -> str:
        begun = {"none": "drawn at random", "rules": "seeded by the simple rules"}
        begun["relaxed"] = "seeded by the rules and the relaxed exact optimum"
        text = (
            f"A genetic algorithm, {begun[self.params.seeding]}, ran {search.generation}"
            f" generations of {self.params.population} plans"
        )
        if search.reached(target):
            text += f" and stopped at the target fitness {self.params.target_fitness:g}"
        elif target is None:
            text += "; with no baseline and proved bound there is no fitness to stop at"
        return text + "."

    # Checkpoints ----------------------------------------------------------------------

    def _fingerprint(self, problem: Problem, seed: int) -> str:
        """Return what a checkpoint must agree with to be gone on with."""
        settings = self.params.model_dump(mode="json")
        for free in ("generations", "target_fitness", "checkpoint_every"):
            settings.pop(free)
        space = problem.space
        parts = [settings, seed, problem.name, space.lower.tolist(), space.upper.tolist()]
        parts += [list(space.kinds), problem.weights.tolist()]
        return sha256(json.dumps(parts, sort_keys=True).encode())

    def _save(self, problem: Problem, search: Evolution, seed: int) -> None:
        if self._checkpoint is not None:
            mark = self._fingerprint(problem, seed).encode()
            write_atomic(self._checkpoint, mark + b"\n" + search.to_bytes())

    def _resume(self, problem: Problem, search: Evolution, seed: int) -> None:
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        with explained(self._checkpoint):
            mark, _, state = self._checkpoint.read_bytes().partition(b"\n")
        if mark.decode("ascii", "replace") != self._fingerprint(problem, seed):
            raise IntegrityError(
                "this checkpoint is of another problem, seed or setting.",
                where=str(self._checkpoint),
                remedy="Remove the file to start anew, or use another one.",
            )
        search.restore(state)
        again, _ = search.evaluate(search.x[:1])
        if not abs(again[0] - search.objective[0]) <= 1e-9 * (1 + abs(again[0])):
            raise IntegrityError(
                "the simulator values the plans of this checkpoint differently than when it was"
                " written.",
                where=str(self._checkpoint),
                remedy="The data or the code changed: remove the file to start anew.",
            )
