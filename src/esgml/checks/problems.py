"""The contract every problem of the library keeps, as checks that anyone can run over one.

::

    from esgml.checks.problems import problem_checks
    from esgml.optimization.library import problem_class
    problem_checks(problem_class("battery_dispatch"))
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.checks.battery import BrokenError, Checks, require, run
from esgml.core.errors import DataError, EsgmlError
from esgml.optimization.classify import classify
from esgml.optimization.problem import TOLERANCE
from esgml.optimization.solvers.exact import Exact

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.library import LibraryProblem

    Floats = NDArray[np.float64]

_SEEDS = (0, 1, 2)


def _close(a: Any, b: Any, what: str, relative: float = 1e-9) -> None:
    gap = float(np.max(np.abs(np.asarray(a) - np.asarray(b)), initial=0.0))
    scale = max(1.0, float(np.max(np.abs(np.asarray(b)), initial=0.0)))
    require(gap <= relative * scale, f"{what}: differs by {gap:.2e}")


class ProblemBattery(Checks):
    """The checks on one problem class; every method ``check_*`` is one.

    Parameters
    ----------
    problem_class : type
        A subclass of `LibraryProblem`; its examples for a few seeds are checked.
    """

    def __init__(self, problem_class: type[LibraryProblem]) -> None:
        self.problem_class = problem_class
        self.problems = [
            problem_class.from_document(problem_class.example(seed)) for seed in _SEEDS
        ]

    def _each(self, check: Callable[[LibraryProblem], None]) -> None:
        for seed, problem in zip(_SEEDS, self.problems, strict=True):
            try:
                check(problem)
            except (BrokenError, EsgmlError) as error:
                raise BrokenError(f"example {seed}: {error}") from error

    def _plans(self, problem: LibraryProblem, n: int = 20) -> Floats:
        rng = np.random.default_rng(7)
        rows = [*problem.rules().values()]
        if (today := problem.baseline()) is not None:
            rows.append(today)
        space = problem.space
        if np.isfinite(space.lower).all() and np.isfinite(space.upper).all():
            rows.extend(space.sample(rng, n))
        return np.array(rows)

    def check_document_is_json(self) -> None:
        """Build the same problem from the JSON text of its document."""
        for seed in _SEEDS:
            document = self.problem_class.example(seed)
            again = self.problem_class.from_document(json.loads(json.dumps(document)))
            X = self._plans(again)
            first = self.problems[_SEEDS.index(seed)].evaluate(X)
            _close(again.evaluate(X).objectives, first.objectives, "read from JSON")

    def check_same_seed_same_example(self) -> None:
        """Generate the same example for the same seed, another for another."""
        text = [json.dumps(self.problem_class.example(seed)) for seed in (0, 0, 1)]
        require(text[0] == text[1], "the same seed gives another example")
        require(text[0] != text[2], "another seed gives the same example")

    def check_unknown_field(self) -> None:
        """Refuse a document with a field it does not know."""
        document = {**self.problem_class.example(0), "no_such_field": 1}
        try:
            self.problem_class.from_document(document)
        except DataError as error:
            require(error.where == "no_such_field", f"the error points to {error.where!r}")
            return
        raise BrokenError("an unknown field was accepted")

    def check_baseline_feasible(self) -> None:
        """Have a plan of today that keeps every constraint and bound, where it has one."""

        def check(problem: LibraryProblem) -> None:
            today = problem.baseline()
            if today is None:
                return
            broken = problem.evaluate(today).violations.max(initial=0.0)
            require(broken <= TOLERANCE, f"the baseline breaks a constraint by {broken:.2e}")
            outside = float(problem.space.misfit(today[None])[0])
            require(outside <= TOLERANCE, f"the baseline lies {outside:.2e} outside the bounds")

        self._each(check)

    def check_rules_feasible(self) -> None:
        """Have rules that keep every constraint and bound."""

        def check(problem: LibraryProblem) -> None:
            for name, x in problem.rules().items():
                broken = problem.evaluate(x).violations.max(initial=0.0)
                require(broken <= TOLERANCE, f"{name!r} breaks a constraint by {broken:.2e}")
                outside = float(problem.space.misfit(x[None])[0])
                require(outside <= TOLERANCE, f"{name!r} lies {outside:.2e} outside the bounds")

        self._each(check)

    def check_bound_below_everything(self) -> None:
        """Have a bound that no baseline, rule, sample or solution goes below."""

        def check(problem: LibraryProblem) -> None:
            bound = problem.bound()
            if bound is None:
                return
            judged = problem.evaluate(self._plans(problem, 300)) if self._any(problem) else None
            if judged is not None and judged.feasible.any():
                best = float(problem.scalar(judged.objectives[judged.feasible]).min())
                require(
                    best >= bound - 1e-7 * max(1.0, abs(bound)),
                    f"a plan has {best:.6g}, below the bound {bound:.6g}",
                )

        self._each(check)

    def _any(self, problem: LibraryProblem) -> bool:
        return len(self._plans(problem, 1)) > 0

    def check_vectorized_equals_single(self) -> None:
        """Simulate plans together as alone."""

        def check(problem: LibraryProblem) -> None:
            X = self._plans(problem)
            together = problem.evaluate(X)
            for i, x in enumerate(X):
                alone = problem.evaluate(x)
                _close(alone.objectives[0], together.objectives[i], "alone", 1e-12)
                _close(alone.violations[0], together.violations[i], "alone", 1e-12)

        self._each(check)

    def check_deterministic(self) -> None:
        """Simulate the same plans the same way again, and leave them as they were."""

        def check(problem: LibraryProblem) -> None:
            problem.require_deterministic()
            X = self._plans(problem)
            X.flags.writeable = False
            first, second = problem.evaluate(X), problem.evaluate(X)
            require(np.array_equal(first.objectives, second.objectives), "other objectives")

        self._each(check)

    def check_env_reproduces_simulate(self) -> None:
        """Sum the rewards of random episodes to minus the simulated value of their plans."""

        def check(problem: LibraryProblem) -> None:
            space = problem.space
            if not (np.isfinite(space.lower).all() and np.isfinite(space.upper).all()):
                return
            env, rng = problem.env(), np.random.default_rng(3)
            for _ in range(3):
                seen, _ = env.reset(seed=1)
                require(env.observation_space.contains(seen), "the first observation is outside")
                total, done, info = 0.0, False, {}
                while not done:
                    action = int(rng.integers(env.action_space.n))
                    seen, reward, done, _, info = env.step(action)
                    require(env.observation_space.contains(seen), "an observation is outside")
                    total += reward
                judged = problem.evaluate(info["plan"])
                value = float(problem.scalar(judged.objectives)[0])
                if judged.feasible[0]:
                    _close(-total, value, "the rewards of an episode")
                else:
                    require(-total > value, "breaking a constraint costs nothing")

        self._each(check)

    def check_exact_plan_replayed(self) -> None:
        """Simulate the exact plan to the cost the algebra says, with no gap, where there is one."""

        def check(problem: LibraryProblem) -> None:
            if classify(problem).form is None:
                return
            found = Exact().solve(problem)
            require(found.feasible, f"the exact plan breaks {found.violations}")
            require(found.gap is not None and found.gap <= 1e-6, f"the gap is {found.gap}")
            again = problem.evaluate(found.x)
            value = problem.sign * float(problem.scalar(again.objectives)[0])
            _close(value, found.value, "replayed", 1e-6)
            _close(
                problem.space.row(found.solution),
                problem.space.repair(found.x[None])[0],
                "the named solution",
            )

        self._each(check)

    def check_not_worse_than_rules(self) -> None:
        """Reach at least the best rule where it is solved exactly."""

        def check(problem: LibraryProblem) -> None:
            if classify(problem).form is None:
                return
            found = Exact().solve(problem)
            if found.rule is not None:
                require(
                    problem.sign * (found.value - found.rule) <= 1e-6 * max(1.0, abs(found.rule)),
                    f"the rule has {found.rule:.6g}, the exact plan {found.value:.6g}",
                )

        self._each(check)

    def check_own_file_names_it(self) -> None:
        """Be found by the name of its file."""
        name = self.problem_class.problem_name()
        require(self.problem_class.example(0)["problem"] == name, "the example names another")
        require(self.problems[0].name != "", "it has no name")


def problem_checks(problem_class: type[LibraryProblem]) -> list[str]:
    """Run every check over a problem class and return the names of those that ran.

    Raises
    ------
    GateError
        Naming every check that failed.
    """
    return run(ProblemBattery(problem_class), problem_class)
