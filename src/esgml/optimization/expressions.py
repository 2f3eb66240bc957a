"""Algebra: write a problem as sums and products of its variables.

::

    model = Model("mix")
    wind = model.real("wind", 0, 40, unit="MW")
    sun = model.real("sun", 0, 60, unit="MW")
    model.minimize("cost", 30 * wind + 20 * sun, unit="USD")
    model.require("demand", wind + sun >= 50, unit="MW")
    problem = model.problem()

Expressions are linear or quadratic, and vectors where their variable has a size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from esgml.core.errors import DataError, UsageError
from esgml.optimization.matrix import MatrixForm
from esgml.optimization.problem import Constraint, Objective, Problem
from esgml.optimization.space import Kind, Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Most columns of a model whose expressions are kept as dense rows.
MOST_COLUMNS = 5_000


class Expression:
    """k values, each constant + linear in the columns + a sum of products of two such.

    Attributes
    ----------
    linear : array, shape (k, w)
        Coefficients of the first w columns of the model; later ones are 0.
    constant : array, shape (k,)
    products : tuple of (array (k, r), Expression with r values, Expression with r values)
        Each adds ``weights @ (first * second)``.
    """

    __array_priority__ = 100  # so that numpy arrays on the left leave the work to us

    def __init__(
        self, linear: Floats, constant: Floats, products: tuple[tuple[Floats, Any, Any], ...] = ()
    ) -> None:
        self.linear, self.constant, self.products = linear, constant, products

    def __len__(self) -> int:
        return len(self.constant)

    @property
    def affine(self) -> bool:
        """Whether there is no product of variables in it."""
        return not self.products

    def value(self, X: Floats) -> Floats:
        """Return the values for the rows X (n, d), shape (n, k)."""
        found = X[:, : self.linear.shape[1]] @ self.linear.T + self.constant
        for weights, first, second in self.products:
            found = found + (first.value(X) * second.value(X)) @ weights.T
        return np.asarray(found)

    def __add__(self, other: Any) -> Expression:
        other = _expression(other, len(self))
        k, width = max(len(self), len(other)), max(self.linear.shape[1], other.linear.shape[1])
        a, b = _widen(self, k, width), _widen(other, k, width)
        return Expression(a.linear + b.linear, a.constant + b.constant, a.products + b.products)

    __radd__ = __add__

    def __neg__(self) -> Expression:
        return self * -1.0

    def __sub__(self, other: Any) -> Expression:
        return self + _expression(other, len(self)) * -1.0

    def __rsub__(self, other: Any) -> Expression:
        return (self * -1.0).__add__(other)

    def __mul__(self, other: Any) -> Expression:
        if isinstance(other, Expression):
            if not other.linear.any() and other.affine:
                return self * other.constant
            if not self.linear.any() and self.affine:
                return other * self.constant
            if not (self.affine and other.affine):
                raise UsageError(
                    "a product of more than two variables is no algebra this engine solves.",
                    remedy="Give the problem as a function simulate(X).",
                )
            k = max(len(self), len(other))
            width = max(self.linear.shape[1], other.linear.shape[1])
            a, b = _widen(self, k, width), _widen(other, k, width)
            return Expression(np.zeros((k, width)), np.zeros(k), ((np.eye(k), a, b),))
        by = _numbers(other)
        k = max(len(self), by.size)
        a = _widen(self, k, self.linear.shape[1])
        scale = np.broadcast_to(by, k)
        return Expression(
            a.linear * scale[:, None],
            a.constant * scale,
            tuple((w * scale[:, None], f, s) for w, f, s in a.products),
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Expression:
        by = _numbers(other)
        if (by == 0).any():
            raise DataError("a division by zero.", code="not_finite")
        return self * (1.0 / by)

    def __pow__(self, power: int) -> Expression:
        if power != 2:
            raise UsageError("only squares are algebra here.", remedy="Use simulate(X).")
        return self * self

    def __getitem__(self, item: Any) -> Expression:
        rows = np.atleast_1d(np.arange(len(self))[item])
        return Expression(
            self.linear[rows],
            self.constant[rows],
            tuple((w[rows], f, s) for w, f, s in self.products),
        )

    def sum(self) -> Expression:
        """Return the sum of all values."""
        return Expression(
            self.linear.sum(axis=0, keepdims=True),
            self.constant.sum(keepdims=True),
            tuple((w.sum(axis=0, keepdims=True), f, s) for w, f, s in self.products),
        )

    def __le__(self, other: Any) -> Relation:
        return Relation(self - other, "at most")

    def __ge__(self, other: Any) -> Relation:
        return Relation(self - other, "at least")

    def __eq__(self, other: Any) -> Relation:  # type: ignore[override]
        return Relation(self - other, "equal")

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Relation:
    """An expression that must be at most, at least, or equal to 0."""

    left: Expression
    kind: Literal["at most", "at least", "equal"]

    def broken(self, left: Floats) -> Floats:
        """Return by how much values of the left side break it."""
        return {"at most": left, "at least": -left, "equal": np.abs(left)}[self.kind]


def _numbers(value: Any) -> Floats:
    found = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if found.ndim != 1:
        raise UsageError("an expression takes numbers or vectors of them.")
    if not np.isfinite(found).all():
        raise DataError("a coefficient is not a finite number.", code="not_finite")
    return found


def _expression(value: Any, k: int) -> Expression:
    if isinstance(value, Expression):
        return value
    numbers = _numbers(value)
    return Expression(np.zeros((len(numbers), 0)), numbers)


def _widen(e: Expression, k: int, width: int) -> Expression:
    """Return `e` with k values and `width` columns."""
    if len(e) not in (1, k):
        raise UsageError(f"vectors of {len(e)} and {k} values do not fit together.")
    linear = np.zeros((k, width))
    linear[:, : e.linear.shape[1]] = e.linear
    constant = np.broadcast_to(e.constant, k)
    products = e.products
    if len(e) == 1 and k > 1:
        products = tuple((np.repeat(w, k, axis=0), f, s) for w, f, s in products)
    return Expression(linear, constant, products)


class Model:
    """Collects variables, objectives and constraints into a `Problem`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.variables: list[Variable] = []
        self.objectives: list[tuple[Objective, Expression]] = []
        self.constraints: list[tuple[Constraint, Relation]] = []
        self._width = 0

    def variable(
        self,
        name: str,
        kind: Kind = "real",
        lower: Any = 0.0,
        upper: Any = np.inf,
        *,
        unit: str = "",
        size: int = 1,
    ) -> Expression:
        """Add a variable (``real``, ``integer`` or ``binary``) and return it."""
        if kind not in ("real", "integer", "binary"):
            raise UsageError(f"a {kind} has no algebra.", remedy="Use binaries, or simulate(X).")
        self.variables.append(Variable(name, kind, lower, upper, unit, size))
        begin, self._width = self._width, self._width + size
        if self._width > MOST_COLUMNS:
            raise UsageError(f"a model has at most {MOST_COLUMNS} columns.", where=name)
        linear = np.zeros((size, self._width))
        linear[np.arange(size), begin + np.arange(size)] = 1.0
        return Expression(linear, np.zeros(size))

    def real(
        self, name: str, lower: Any = 0.0, upper: Any = np.inf, *, unit: str = "", size: int = 1
    ) -> Expression:
        """Add a real variable and return it."""
        return self.variable(name, "real", lower, upper, unit=unit, size=size)

    def integer(
        self, name: str, lower: Any = 0.0, upper: Any = np.inf, *, unit: str = "", size: int = 1
    ) -> Expression:
        """Add a variable of whole numbers and return it."""
        return self.variable(name, "integer", lower, upper, unit=unit, size=size)

    def binary(self, name: str, *, size: int = 1) -> Expression:
        """Add a variable that is 0 or 1 and return it."""
        return self.variable(name, "binary", size=size)

    def minimize(
        self, name: str, expression: Expression, *, unit: str = "", weight: float | None = None
    ) -> None:
        """Add an objective to make small."""
        self._objective(Objective(name, "min", unit, weight), expression)

    def maximize(
        self, name: str, expression: Expression, *, unit: str = "", weight: float | None = None
    ) -> None:
        """Add an objective to make large."""
        self._objective(Objective(name, "max", unit, weight), expression)

    def _objective(self, objective: Objective, expression: Expression) -> None:
        if len(expression) != 1:
            raise UsageError(
                "an objective is one value.", where=objective.name, remedy="Use .sum()."
            )
        self.objectives.append((objective, expression))

    def require(self, name: str, relation: Relation, *, unit: str = "") -> None:
        """Add a constraint: every value of the relation must hold."""
        if not isinstance(relation, Relation):
            raise UsageError("a constraint compares two expressions.", where=name)
        self.constraints.append((Constraint(name, unit), relation))

    def problem(self) -> AlgebraicProblem:
        """Return the problem."""
        return AlgebraicProblem(self)


class AlgebraicProblem(Problem):
    """A problem written as algebra: it simulates its own expressions."""

    def __init__(self, model: Model) -> None:
        super().__init__(
            model.name,
            list(model.variables),
            [o for o, _ in model.objectives],
            [c for c, _ in model.constraints],
        )
        self.formulas = [e for _, e in model.objectives]
        self.relations = [r for _, r in model.constraints]

    def simulate(self, X: Floats) -> tuple[Floats, Floats]:
        """Return the values of the objectives, and of the constraints what is above 0."""
        values = [e.value(X)[:, 0] for e in self.formulas]
        broken = [r.broken(r.left.value(X)).max(axis=1) for r in self.relations]
        violations = np.stack(broken, axis=1) if broken else np.zeros((len(X), 0))
        return np.stack(values, axis=1), np.maximum(violations, 0.0)

    def curvature(self) -> Floats | None:
        """Return Q of the value that is minimized (x'Qx/2), shape (d, d); None where linear."""
        d = self.dimension
        found, any_product = np.zeros((d, d)), False
        for weight, formula in zip(self.weights, self.formulas, strict=True):
            if weight == 0:
                continue
            for weights, first, second in formula.products:
                a, b = _widen(first, len(first), d).linear, _widen(second, len(second), d).linear
                half = a.T @ (weights[0][:, None] * b) * weight
                found += half + half.T
                any_product = True
        return found if any_product else None

    def matrix(self) -> MatrixForm | None:
        """Return the matrices; None where a constraint is quadratic, or an objective is unseen.

        The quadratic part belongs to the weighted value; the linear rows are per objective.
        """
        from scipy import sparse

        if not all(r.left.affine for r in self.relations):
            return None
        d = self.dimension
        costs, constants = self._linear_parts()
        rows = [_widen(r.left, len(r.left), d) for r in self.relations]
        kinds = [(r.kind, -e.constant) for r, e in zip(self.relations, rows, strict=True)]
        lower = [np.full(len(at), -np.inf) if kind == "at most" else at for kind, at in kinds]
        upper = [np.full(len(at), np.inf) if kind == "at least" else at for kind, at in kinds]
        ends = np.cumsum([0, *(len(at) for _, at in kinds)]).tolist()
        curvature = self.curvature()
        return MatrixForm(
            costs,
            constants,
            sparse.csr_matrix(np.vstack([e.linear for e in rows]) if rows else np.zeros((0, d))),
            np.concatenate(lower) if lower else np.zeros(0),
            np.concatenate(upper) if upper else np.zeros(0),
            self.space.lower,
            self.space.upper,
            self.space.integral,
            tuple((c.name, slice(ends[i], ends[i + 1])) for i, c in enumerate(self.constraints)),
            None,
            None if curvature is None else sparse.csr_matrix(curvature),
        )

    def _linear_parts(self) -> tuple[Floats, Floats]:
        """Return gradient and value of each objective at 0, shapes (m, d) and (m,)."""
        d = self.dimension
        costs, constants = np.zeros((len(self.formulas), d)), np.zeros(len(self.formulas))
        for i, formula in enumerate(self.formulas):
            wide = _widen(formula, 1, d)
            costs[i], constants[i] = wide.linear[0], wide.constant[0]
            for weights, first, second in formula.products:
                a, b = _widen(first, len(first), d), _widen(second, len(second), d)
                costs[i] += weights[0] @ (a.constant[:, None] * b.linear)
                costs[i] += weights[0] @ (b.constant[:, None] * a.linear)
                constants[i] += float(weights[0] @ (a.constant * b.constant))
        return costs, constants
