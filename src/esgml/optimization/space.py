"""Decision variables: typed, bounded, with units, laid out side by side in one row of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from esgml.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["real", "integer", "binary", "choice", "permutation"]
KINDS: tuple[Kind, ...] = ("real", "integer", "binary", "choice", "permutation")


@dataclass(frozen=True)
class Variable:
    """A block of decision variables of one kind.

    Attributes
    ----------
    name : str
    kind : str
        ``real``, ``integer``, ``binary``, ``choice`` (columns hold the position in
        `choices`), ``permutation`` (the columns together hold 0 .. size - 1 in some order).
    lower, upper : float or sequence of float, length size
        Bounds, inclusive, in `unit`; set by themselves for binary, choice and permutation.
    unit : str
    size : int
        Number of columns, such as the hours of a plan.
    choices : tuple
        What a choice picks from.
    """

    name: str
    kind: Kind = "real"
    lower: float | Sequence[float] = 0.0
    upper: float | Sequence[float] = 1.0
    unit: str = ""
    size: int = 1
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(
                f"no kind of variable {self.kind!r}.",
                where=self.name,
                remedy=f"Use {', '.join(KINDS)}.",
            )
        if self.size < 1:
            raise UsageError("a variable has at least one column.", where=self.name)
        if (self.kind == "choice") != bool(self.choices):
            raise UsageError("choices belong to a variable of kind choice.", where=self.name)
        low, high = self.bounds
        if np.isnan(low).any() or np.isnan(high).any():
            raise DataError("bounds are not numbers.", code="not_finite", where=self.name)
        if (low > high).any():
            where = int(np.argmax(low > high))
            raise DataError(
                f"the lower bound {low[where]:g} is above the upper bound {high[where]:g}.",
                code="bounds",
                where=f"{self.name}[{where}]" if self.size > 1 else self.name,
            )

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper bounds, each of shape (size,)."""
        low, high = {
            "binary": (0.0, 1.0),
            "choice": (0.0, len(self.choices) - 1.0),
            "permutation": (0.0, self.size - 1.0),
        }.get(self.kind, (self.lower, self.upper))
        try:
            return (
                np.broadcast_to(np.asarray(low, dtype=np.float64), self.size),
                np.broadcast_to(np.asarray(high, dtype=np.float64), self.size),
            )
        except ValueError as error:
            raise DataError(
                f"bounds do not fit {self.size} columns.", code="shape", where=self.name
            ) from error


class Space:
    """The columns of a decision: one row of d numbers is one plan.

    Parameters
    ----------
    variables : sequence of Variable
        Their columns follow each other.

    Attributes
    ----------
    columns : dict of name to slice
    lower, upper : array of float, shape (d,)
    integral : array of bool, shape (d,)
        Which columns hold whole numbers.
    """

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.variables = tuple(variables)
        if not self.variables:
            raise UsageError("a problem needs at least one variable.", where="variables")
        names = [v.name for v in self.variables]
        if twice := {n for n in names if names.count(n) > 1}:
            raise UsageError(f"a variable appears twice: {sorted(twice)[0]!r}.", where="variables")
        ends = np.cumsum([v.size for v in self.variables]).tolist()
        self.columns = {
            v.name: slice(end - v.size, end) for v, end in zip(self.variables, ends, strict=True)
        }
        self.dimension: int = ends[-1]
        self.lower = np.concatenate([v.bounds[0] for v in self.variables])
        self.upper = np.concatenate([v.bounds[1] for v in self.variables])
        self.integral = np.concatenate([[v.kind != "real"] * v.size for v in self.variables])

    @cached_property
    def permutations(self) -> tuple[slice, ...]:
        """The columns of each permutation."""
        return tuple(self.columns[v.name] for v in self.variables if v.kind == "permutation")

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind of every column, length d."""
        return tuple(v.kind for v in self.variables for _ in range(v.size))

    def labels(self) -> list[str]:
        """Return the name of every column, such as ``charge[3]``."""
        return [
            f"{v.name}[{i}]" if v.size > 1 else v.name
            for v in self.variables
            for i in range(v.size)
        ]

    def repair(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the nearest rows inside the space: clipped, rounded, permutations by rank.

        Parameters
        ----------
        X : array, shape (n, d)
        """
        found = np.clip(X, self.lower, self.upper)
        if self.integral.any():
            whole = np.clip(np.rint(found), np.ceil(self.lower), np.floor(self.upper))
            found = np.where(self.integral, whole, found)
            for block in self.permutations:
                order = np.argsort(X[:, block], axis=1, kind="stable")
                ranks = np.argsort(order, axis=1, kind="stable")
                found[:, block] = ranks
        return found

    def misfit(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far each row lies outside the space, shape (n,); 0 = inside."""
        return np.asarray(np.abs(X - self.repair(X)).max(axis=1), dtype=np.float64)

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` rows drawn evenly, shape (n, d).

        Raises
        ------
        UsageError
            If a bound is infinite: there is nothing to draw from.
        """
        self.require_finite()
        X = rng.uniform(self.lower, self.upper, (n, self.dimension))
        low, high = np.ceil(self.lower), np.floor(self.upper)
        whole = np.clip(
            low + np.floor(rng.random((n, self.dimension)) * (high - low + 1)), low, high
        )
        X = np.where(self.integral, whole, X)
        for block in self.permutations:
            size = block.stop - block.start
            X[:, block] = np.argsort(rng.random((n, size)), axis=1)
        return X

    def require_finite(self) -> None:
        """Raise `UsageError` where a bound is infinite."""
        open_ended = ~(np.isfinite(self.lower) & np.isfinite(self.upper))
        if open_ended.any():
            name = self.labels()[int(np.argmax(open_ended))]
            raise UsageError(
                "a search needs finite bounds.",
                code="unbounded_variable",
                where=name,
                remedy="Give a lower and an upper bound, or use an exact method.",
            )

    def named(self, x: NDArray[np.float64]) -> dict[str, Any]:
        """Return one row as plain values by variable: numbers, or what a choice picks."""
        found: dict[str, Any] = {}
        for v in self.variables:
            block = x[self.columns[v.name]]
            values: list[Any]
            if v.kind == "choice":
                values = [v.choices[round(float(b))] for b in block]
            elif v.kind == "real":
                values = block.tolist()
            else:
                values = [round(float(b)) for b in block]
            found[v.name] = values if v.size > 1 else values[0]
        return found

    def row(self, named: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return the row that `named` would show; the inverse of `named`."""
        x = np.empty(self.dimension)
        for v in self.variables:
            if v.name not in named:
                raise DataError("no value is given.", code="variable", where=v.name)
            value = named[v.name]
            values = value if v.size > 1 else [value]
            if v.kind == "choice":
                values = [v.choices.index(item) for item in values]
            x[self.columns[v.name]] = values
        return x
