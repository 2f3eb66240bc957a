"""What is to be decided: variables, objectives with sense and unit, constraints, a simulator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from esgml.core.errors import DataError, EsgmlError, UnitError, UsageError
from esgml.optimization.space import Space, Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.matrix import MatrixForm

#: Violations up to this, in the unit of the constraint, count as kept.
TOLERANCE = 1e-6

Simulate = Callable[
    ["NDArray[np.float64]"],
    "tuple[NDArray[np.float64], NDArray[np.float64]] | NDArray[np.float64]",
]


@dataclass(frozen=True)
class Objective:
    """One thing to make small or large.

    Attributes
    ----------
    name : str
    sense : str
        ``min`` or ``max``.
    unit : str
    weight : float or None
        Value of one unit, in the unit of the first objective (such as USD per kgCO2e); 0 =
        reported only. None = 1 for the first objective, 0 for the others.
    """

    name: str
    sense: Literal["min", "max"] = "min"
    unit: str = ""
    weight: float | None = None

    def __post_init__(self) -> None:
        if self.sense not in ("min", "max"):
            raise UsageError(f"sense {self.sense!r} is neither min nor max.", where=self.name)
        if self.weight is not None and not (np.isfinite(self.weight) and self.weight >= 0):
            raise DataError(
                "the weight of an objective is a finite number, 0 or more.",
                code="not_finite",
                where=self.name,
            )


@dataclass(frozen=True)
class Constraint:
    """One thing that must hold; a simulator says by how much it does not.

    Attributes
    ----------
    name : str
    unit : str
        Unit of the violation.
    """

    name: str
    unit: str = ""


@dataclass(frozen=True)
class Evaluation:
    """What a simulator says of n plans.

    Attributes
    ----------
    objectives : array, shape (n, m)
        In the unit and sense of each objective.
    violations : array, shape (n, k)
        How much each constraint is broken, 0 where it is kept.
    """

    objectives: NDArray[np.float64]
    violations: NDArray[np.float64]

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Which plans keep every constraint, shape (n,)."""
        return np.asarray((self.violations <= TOLERANCE).all(axis=1))


class Problem:
    """A decision with objectives and constraints, judged by a vectorized simulator.

    Problems of the library subclass it and override `simulate`, `baseline`, `rules`,
    `matrix` and `env`. One's own simulator is passed in.

    Parameters
    ----------
    name : str
    variables : sequence of Variable
    objectives : sequence of Objective
        The first gives the unit of the value that solvers make small.
    constraints : sequence of Constraint
    simulate : callable, optional
        ``simulate(X)`` with X of shape (n, d) returns objectives (n, m) and violations
        (n, k), or the objectives alone where there is no constraint.

    Raises
    ------
    UnitError
        If objectives of different units are summed without weights that convert them.
    """

    def __init__(
        self,
        name: str,
        variables: Sequence[Variable],
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint] = (),
        simulate: Simulate | None = None,
    ) -> None:
        self.name = name
        self.space = Space(variables)
        self.objectives = tuple(objectives)
        self.constraints = tuple(constraints)
        self._simulate = simulate
        if not self.objectives:
            raise UsageError("a problem needs at least one objective.", where="objectives")
        for label, parts in (("objectives", self.objectives), ("constraints", self.constraints)):
            names = [part.name for part in parts]
            if len(set(names)) < len(names):
                raise UsageError("a name appears twice.", where=label)
        self.weights = self._signed_weights()

    def _signed_weights(self) -> NDArray[np.float64]:
        """Return the weight of each objective in the value to be made small, shape (m,)."""
        given = [o.weight for o in self.objectives]
        weights = [(1.0 if i == 0 else 0.0) if w is None else float(w) for i, w in enumerate(given)]
        if not any(weights):
            raise UsageError("every objective has the weight 0.", where="objectives")
        summed = [o for o, w in zip(self.objectives, weights, strict=True) if w]
        units_differ = any(o.unit != summed[0].unit for o in summed)
        if units_differ and all(w in (None, 1.0) for w in given):
            raise UnitError(
                f"objectives in {', '.join(o.unit or '1' for o in summed)} cannot be added.",
                code="unit_mixed",
                where="objectives",
                remedy=f"Give the others a weight in {summed[0].unit or 'units'} per unit.",
            )
        signs = [1.0 if o.sense == "min" else -1.0 for o in self.objectives]
        return np.asarray(weights, dtype=np.float64) * np.asarray(signs, dtype=np.float64)

    def reweighted(self, weights: Mapping[str, float]) -> Self:
        """Return the same problem with other weights of its objectives.

        Parameters
        ----------
        weights : mapping of objective name to value per unit
            Those not named get 0: they are reported only.

        Raises
        ------
        UsageError
            If a name is no objective.
        """
        known = [o.name for o in self.objectives]
        if unknown := sorted(set(weights) - set(known)):
            raise UsageError(
                f"no objective {unknown[0]!r}.",
                where="objectives",
                remedy=f"Known: {', '.join(known)}.",
            )
        changed = copy.copy(self)
        changed.objectives = tuple(
            replace(o, weight=float(weights.get(o.name, 0.0))) for o in self.objectives
        )
        changed.weights = changed._signed_weights()
        vars(changed).pop("sign", None)
        return changed

    @property
    def dimension(self) -> int:
        """Number of columns of a plan, d."""
        return self.space.dimension

    @cached_property
    def sign(self) -> float:
        """1 where the value is reported as it is minimized, -1 where it is maximized."""
        leading = int(np.argmax(self.weights != 0))
        return 1.0 if self.objectives[leading].sense == "min" else -1.0

    @property
    def unit(self) -> str:
        """Unit of the value that solvers make small."""
        return self.objectives[int(np.argmax(self.weights != 0))].unit

    # What a problem says of plans ------------------------------------------------------

    def simulate(
        self, X: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | NDArray[np.float64]:
        """Return objectives (n, m) and violations (n, k) of the plans X, shape (n, d)."""
        if self._simulate is None:
            raise UsageError(f"the problem {self.name!r} has no simulator.", where=self.name)
        return self._simulate(X)

    def evaluate(self, X: NDArray[np.float64]) -> Evaluation:
        """Simulate plans and check what comes out.

        Parameters
        ----------
        X : array, shape (n, d) or (d,)

        Raises
        ------
        UsageError
            If X has another number of columns.
        DataError
            If the simulator raises (``simulator_raised``), returns other shapes
            (``simulator_shape``) or values that are not finite (``not_finite``).
        """
        X = np.atleast_2d(np.asarray(X, dtype=np.float64))
        if X.ndim != 2 or X.shape[1] != self.dimension:
            raise UsageError(
                f"a plan has {self.dimension} columns, got {X.shape}.", where=self.name
            )
        try:
            out = self.simulate(X)
        except EsgmlError:
            raise
        except Exception as error:  # a simulator is foreign code: it may raise anything
            raise DataError(
                f"the simulator raised {type(error).__name__}: {error}",
                code="simulator_raised",
                where=self.name,
                remedy="Mend it for the plans inside the bounds.",
            ) from error
        values, broken = out if isinstance(out, tuple) else (out, np.zeros((len(X), 0)))
        values = self._shaped(values, len(X), len(self.objectives), "objectives")
        broken = self._shaped(broken, len(X), len(self.constraints), "violations")
        return Evaluation(values, np.maximum(broken, 0.0))

    def _shaped(self, values: Any, n: int, m: int, what: str) -> NDArray[np.float64]:
        found = np.asarray(values, dtype=np.float64)
        if found.shape == (n,) and m == 1:
            found = found[:, None]
        if found.shape != (n, m):
            raise DataError(
                f"the simulator returned {what} of shape {found.shape}, expected {(n, m)}.",
                code="simulator_shape",
                where=self.name,
            )
        if not np.isfinite(found).all():
            i, j = np.argwhere(~np.isfinite(found))[0]
            parts = self.objectives if what == "objectives" else self.constraints
            raise DataError(
                f"plan {i}: {parts[j].name} is {found[i, j]}.",
                code="not_finite",
                where=self.name,
                remedy="Costs and limits must be finite numbers inside the bounds.",
            )
        return found

    def scalar(self, objectives: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value that solvers make small, shape (n,), from objectives (n, m)."""
        return np.asarray(objectives @ self.weights, dtype=np.float64)

    def require_deterministic(self) -> None:
        """Raise `DataError` if the simulator answers differently when asked again.

        Asked together, alone, and together again, as solvers do.
        """
        rng = np.random.default_rng(0)
        finite = np.isfinite(self.space.lower) & np.isfinite(self.space.upper)
        middle = self.start()
        X = np.repeat(middle[None], 3, axis=0)
        if finite.all():
            X = np.vstack([X, self.space.sample(rng, 3)])
        first, second = self.evaluate(X), self.evaluate(X.copy())
        alone = self.evaluate(X[-1:])
        same = np.array_equal(first.objectives, second.objectives) and np.array_equal(
            first.violations, second.violations
        )
        scale = 1 + np.abs(first.objectives).max()
        apart = np.abs(first.objectives[-1:] - alone.objectives).max() > 1e-9 * scale
        if not same or apart or np.ptp(first.objectives[:3], axis=0).max() > 1e-9 * scale:
            raise DataError(
                "the simulator gives other values for the same plan.",
                code="simulator_not_deterministic",
                where=self.name,
                remedy="Fix its random seed, or return the mean over fixed scenarios.",
            )

    # What a plan is measured against ---------------------------------------------------

    def start(self) -> NDArray[np.float64]:
        """Return a plan inside the bounds: the baseline, or the middle, shape (d,)."""
        if (found := self.baseline()) is not None:
            return found
        low = np.where(np.isfinite(self.space.lower), self.space.lower, -1e3)
        high = np.where(np.isfinite(self.space.upper), self.space.upper, 1e3)
        middle = np.clip((low + high) / 2, self.space.lower, self.space.upper)
        return np.asarray(self.space.repair(middle[None])[0])

    def baseline(self) -> NDArray[np.float64] | None:
        """Return the plan of today, shape (d,); None where there is none to compare with."""
        return None

    def rules(self) -> dict[str, NDArray[np.float64]]:
        """Return plans of simple rules by name, each of shape (d,)."""
        return {}

    def bound(self) -> float | None:
        """Return a value no plan can go below (as minimized); None where none is proved."""
        from esgml.optimization.solvers.exact import proved_bound

        return proved_bound(self)

    def matrix(self) -> MatrixForm | None:
        """Return the problem as sparse matrices, where it is linear or quadratic."""
        return None

    def env(self) -> Any:
        """Return a `gymnasium.Env` whose episodes make up one plan, column by column.

        The sum of its rewards is minus the value of the plan, minus a penalty per broken
        constraint.
        """
        from esgml.optimization.environment import PlanEnv

        return PlanEnv(self)
