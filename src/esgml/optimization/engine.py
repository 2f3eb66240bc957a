"""Takes a problem, chooses who solves it, and says in one sentence why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from esgml.core import catalog
from esgml.core.errors import DataError, NotFoundError, UsageError
from esgml.optimization import library
from esgml.optimization.classify import Classification, classify
from esgml.optimization.problem import Problem
from esgml.optimization.solution import Solution

if TYPE_CHECKING:
    from esgml.optimization.solver import Solver

AUTO = "auto"
CAPABILITY = "optimization"
_SEARCH = "ga"


class OptimizationEngine:
    """Plans for cost and carbon: exact where possible, searched or learned where needed.

    Every solution carries the plan of today, the best simple rule and the limit no plan
    passes, so that a gain is never shown without what it is a gain over.

    Parameters
    ----------
    time_limit : float
        Most seconds an exact search may take.

    Examples
    --------
    >>> from esgml.optimization.engine import OptimizationEngine
    >>> from esgml.optimization.library import example
    >>> found = OptimizationEngine().solve(example("battery_dispatch"))
    >>> found.method, found.gap < 1e-6
    ('exact', True)
    """

    def __init__(self, *, time_limit: float = 60.0) -> None:
        self.time_limit = time_limit

    def problem(self, given: Problem | Mapping[str, Any]) -> Problem:
        """Return the problem itself, built where a document is given."""
        return given if isinstance(given, Problem) else library.load(given)

    def solve(
        self,
        problem: Problem | Mapping[str, Any],
        method: str = AUTO,
        *,
        seed: int = 0,
        **params: Any,
    ) -> Solution:
        """Return the best plan by a named method, or by the one that fits.

        ``auto`` solves exactly whatever `classify` finds to be linear or convex, and
        searches black boxes with the genetic algorithm; `why` says which and for what
        reason. If the best rule beats what was found, the rule's plan is returned.

        Parameters
        ----------
        problem : Problem or mapping
            A problem, or the document of one of the library.
        method : str
            ``auto`` or the name of a solver.
        seed : int
        **params
            Hyperparameters of the solver.

        Raises
        ------
        NotFoundError
            If there is no such method.
        DataError
            If the problem is infeasible, without limit, or its simulator cannot be trusted.
        """
        own = self.problem(problem)
        if method != AUTO:
            return self._guarded(own, self.solver(method, **params).solve(own, seed=seed))
        kind = classify(own, seed=seed)
        if kind.form is not None:
            try:
                found = self.solver("exact", time_limit=self.time_limit).solve(own, seed=seed)
            except DataError as error:
                # where only probing said "linear", the simulator has the last word
                if error.code != "not_linear" or not kind.probed:
                    raise
                kind = Classification("black box", (error.message.rstrip("."),))
            else:
                return replace(found, why=_because(kind, found.why))
        found = self.solver(_SEARCH, **params).solve(own, seed=seed)
        return self._guarded(own, replace(found, why=_because(kind, found.why)))

    def optimize_with_ga(
        self, problem: Problem | Mapping[str, Any], *, seed: int = 0, **params: Any
    ) -> Solution:
        """Return the best plan the genetic algorithm finds.

        Parameters
        ----------
        **params
            Hyperparameters, such as ``population=100``; see ``solvers/ga.py``.
        """
        return self.solve(problem, _SEARCH, seed=seed, **params)

    def optimize_with_rl(
        self, problem: Problem | Mapping[str, Any], *, seed: int = 0, **params: Any
    ) -> Solution:
        """Return the plan of a policy learned by deep Q-learning in the problem's environment.

        Parameters
        ----------
        **params
            Hyperparameters; see ``solvers/dqn.py``.
        """
        return self.solve(problem, "dqn", seed=seed, **params)

    def solver(self, method: str, **params: Any) -> Solver:
        """Return the solver called `method`, built with hyperparameters.

        Raises
        ------
        NotFoundError
            If there is none.
        UsageError
            If a hyperparameter is unknown.
        """
        from esgml.optimization.solver import Solver

        names = catalog.names(CAPABILITY)
        if method not in names:
            raise NotFoundError(
                f"no method {method[:40]!r}.",
                code="method_unknown",
                where="method",
                remedy=f"Use {AUTO}, {', '.join(names)}.",
            )
        found = catalog.load(CAPABILITY, method)
        if not issubclass(found, Solver):
            raise UsageError(f"{method} solves no problems by itself.", where="method")
        return found(**params)

    def _guarded(self, problem: Problem, found: Solution) -> Solution:
        """Return the plan of the best rule instead, where it beats what was found."""
        rules = problem.rules()
        if found.rule is None or not rules:
            return found
        worse = problem.sign * (found.value - found.rule) > 1e-9 * max(1.0, abs(found.rule))
        if found.feasible and not worse:
            return found
        from esgml.optimization.solution import Found, assemble

        x = rules[found.rule_name]
        why = f"{found.why} The rule {found.rule_name!r} does better, so its plan is returned."
        kept = Found(
            x, why, shadow_prices=found.shadow_prices, details={**found.details, "guard": True}
        )
        return assemble(problem, found.method, kept, seed=found.seed, seconds=found.seconds)


def _because(kind: Classification, why: str) -> str:
    reasons = "; ".join(kind.reasons)
    return f"{why.rstrip('.')}: this is {_article(kind.kind)} ({reasons})."


def _article(kind: str) -> str:
    return {"LP": "an LP", "MILP": "a MILP", "convex": "convex"}.get(kind, f"a {kind}")
