"""What every solver can do: take a problem, return a judged solution."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping

from esgml.core.errors import IntegrityError
from esgml.core.interfaces import BaseModel, Files
from esgml.optimization.problem import Problem
from esgml.optimization.solution import Found, Solution, assemble


class Solver(BaseModel):
    """Base of every solver: `solve` checks the problem, calls `_solve`, and judges the plan.

    A solver is one file under ``optimization/solvers/`` with one public subclass. It
    defines `_solve`; one that learns also narrows `train` and overrides `_dump` and
    `_restore`.
    """

    def solve(self, problem: Problem, *, seed: int = 0) -> Solution:
        """Return the best plan this solver finds, with baseline, rules and bound beside it.

        Parameters
        ----------
        problem : Problem
        seed : int
            Seed of every random choice; the same seed gives the same plan.

        Raises
        ------
        DataError
            If the simulator raises, is not deterministic or not finite, or if no plan keeps
            the constraints (``infeasible``) or the value has no limit (``unbounded``).
        UsageError
            If this solver does not apply to the problem.
        """
        import scipy.optimize  # noqa: F401 - so that loading it is not counted as solving

        started = time.perf_counter()
        if self.asks_simulator:
            problem.require_deterministic()
        found = self._solve(problem, seed)
        seconds = time.perf_counter() - started
        return assemble(problem, self.model_name(), found, seed=seed, seconds=seconds)

    #: Whether the solver relies on the simulator's answers, so that they are checked first.
    asks_simulator = True

    @abstractmethod
    def _solve(self, problem: Problem, seed: int) -> Found:
        """Return the best plan found."""

    def _dump(self) -> Files:
        return {}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        if files:
            raise IntegrityError(f"{type(self).__name__} keeps no files, found {sorted(files)}.")
