"""What kind of problem it is, and why: that decides who may solve it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from esgml.optimization.expressions import AlgebraicProblem
from esgml.optimization.probing import probe
from esgml.optimization.problem import Problem

if TYPE_CHECKING:
    from esgml.optimization.matrix import MatrixForm

Class = Literal["LP", "MILP", "convex", "black box"]
#: Most columns whose curvature is looked at by eigenvalues.
_MOST_EIGENVALUES = 2_000


@dataclass(frozen=True)
class Classification:
    """The kind of a problem.

    Attributes
    ----------
    kind : str
        ``LP``, ``MILP``, ``convex`` (quadratic, with linear constraints) or ``black box``.
    reasons : tuple of str
    form : MatrixForm or None
        What an exact solver takes; None for a black box.
    probed : bool
        Whether the form was found by asking the simulator, so that a solution made from it
        must be simulated before it is believed.
    """

    kind: Class
    reasons: tuple[str, ...]
    form: MatrixForm | None = field(default=None, repr=False)
    probed: bool = False


def classify(problem: Problem, *, seed: int = 0) -> Classification:
    """Return what kind of problem it is, with reasons.

    Read off its algebra where it has some, else found by asking the simulator. A probed
    "LP" means that every answer lies on one linear function: `solve` still simulates the
    optimum before it believes it.
    """
    form = problem.matrix()
    if form is None:
        if isinstance(problem, AlgebraicProblem):
            curved = next(
                c.name
                for c, r in zip(problem.constraints, problem.relations, strict=True)
                if not r.left.affine
            )
            return Classification("black box", (f"the constraint {curved} is quadratic",))
        found = probe(problem, seed)
        if found.form is None:
            return Classification("black box", ("there is no algebra", found.reason))
        kind, reason = _by_integrality(found.form)
        return Classification(kind, (found.reason, reason), found.form, probed=True)
    if form.quadratic is None:
        kind, reason = _by_integrality(form)
        return Classification(
            kind, ("objectives and constraints are linear in the algebra", reason), form
        )
    if form.integral.any():
        return Classification(
            "black box", ("the value is quadratic", "some variables are whole numbers")
        )
    if form.quadratic.shape[0] > _MOST_EIGENVALUES:
        return Classification(
            "black box", (f"curvature of over {_MOST_EIGENVALUES} columns is not looked at",)
        )
    curvatures = np.linalg.eigvalsh(form.quadratic.toarray())
    if curvatures[0] < -1e-10 * max(1.0, abs(curvatures[-1])):
        return Classification(
            "black box",
            (f"the value is quadratic and bends down (eigenvalue {curvatures[0]:.3g})",),
        )
    return Classification(
        "convex",
        ("the value is quadratic and never bends down", "constraints are linear"),
        form,
    )


def _by_integrality(form: MatrixForm) -> tuple[Literal["LP", "MILP"], str]:
    whole = int(form.integral.sum())
    if whole:
        return "MILP", f"{whole} of {len(form.integral)} columns are whole numbers"
    return "LP", "all variables are real"
