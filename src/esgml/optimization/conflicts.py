"""Which constraints cannot hold together, and the least that would have to give."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError
from esgml.optimization.linear import LinearProgram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.matrix import MatrixForm

_ENOUGH = 1e-6


@dataclass(frozen=True)
class Conflict:
    """A smallest set of constraints that cannot hold together.

    Attributes
    ----------
    constraints : tuple of str
        Without any one of them, the others can be kept.
    relief : dict of constraint name to amount
        The smallest total amount by which limits would have to give, in their own units.
    """

    constraints: tuple[str, ...]
    relief: dict[str, float]


def find_conflict(form: MatrixForm, *, most_solves: int = 200) -> Conflict:
    """Return one irreducible conflict of an infeasible problem.

    A deletion filter over constraints: each is left out in turn, and stays out where the
    rest is still infeasible (Chinneck, Feasibility and Infeasibility in Optimization, 2008).
    Bounds of variables always count. The relief is that of the elastic program, where every
    row may be broken at a cost.
    """
    groups = list(form.groups) or [("constraints", slice(0, len(form.row_lower)))]
    kept = list(range(len(groups)))
    for g in list(kept)[:most_solves]:
        rest = [k for k in kept if k != g]
        if not feasible(_only(form, [groups[k][1] for k in rest])):
            kept = rest
    relief = _relief(_only(form, [groups[k][1] for k in kept]), [groups[k] for k in kept])
    return Conflict(tuple(groups[k][0] for k in kept), relief)


def explain(form: MatrixForm) -> DataError:
    """Return the error that says why nothing is feasible."""
    found = find_conflict(form)
    if not found.constraints:
        return DataError(
            "no plan lies inside the bounds of the variables.", code="infeasible", where="variables"
        )
    listed = ", ".join(repr(name) for name in found.constraints)
    eased = ", ".join(f"{name!r} by {amount:.4g}" for name, amount in found.relief.items())
    word = "this constraint cannot" if len(found.constraints) == 1 else "these constraints cannot"
    return DataError(
        f"no plan keeps all constraints: {word} hold"
        f"{' together' if len(found.constraints) > 1 else ' inside the bounds'}: {listed}.",
        code="infeasible",
        where=found.constraints[0],
        remedy=f"The least that would help: ease {eased}." if eased else "Ease one of them.",
    )


def feasible(form: MatrixForm) -> bool:
    """Whether any plan keeps the rows and bounds of a matrix form."""
    nothing = replace(
        form, costs=np.zeros((1, len(form.lower))), constants=np.zeros(1), quadratic=None
    )
    try:
        LinearProgram(nothing).solve(np.ones(1), time_limit=10.0)
    except DataError as error:
        if error.code == "infeasible":
            return False
        raise
    return True


def _only(form: MatrixForm, parts: list[slice]) -> MatrixForm:
    """Return the form with the rows of these groups alone."""
    which: NDArray[np.intp] = np.concatenate(
        [np.arange(len(form.row_lower))[part] for part in parts] or [np.zeros(0, dtype=np.intp)]
    )
    return replace(
        form,
        rows=form.rows.tocsr()[which],
        row_lower=form.row_lower[which],
        row_upper=form.row_upper[which],
        groups=(),
    )


def _relief(form: MatrixForm, groups: list[tuple[str, slice]]) -> dict[str, float]:
    """Return how much each group gives where the sum of all breaks is smallest."""
    from scipy import sparse

    r, e = len(form.row_lower), len(form.lower)
    if r == 0:
        return {}
    one: Any = sparse.identity(r)
    elastic = replace(
        form,
        costs=np.concatenate([np.zeros(e), np.ones(2 * r)])[None],
        constants=np.zeros(1),
        rows=sparse.hstack([form.rows, one, -one], format="csr"),
        lower=np.concatenate([form.lower, np.zeros(2 * r)]),
        upper=np.concatenate([form.upper, np.full(2 * r, np.inf)]),
        integral=np.concatenate([form.integral, np.zeros(2 * r, dtype=bool)]),
        quadratic=None,
    )
    z = LinearProgram(elastic).solve(np.ones(1), time_limit=10.0).z
    broken = z[e : e + r] + z[e + r :]
    found, begin = {}, 0
    for name, part in groups:
        size = part.stop - part.start
        amount = float(broken[begin : begin + size].sum())
        begin += size
        if amount > _ENOUGH:
            found[name] = amount
    return found
