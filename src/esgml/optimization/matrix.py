"""A linear or convex quadratic problem as sparse matrices: what exact solvers take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class MatrixForm:
    """min weights @ (costs z + constants) [+ z'Qz / 2]  so that  rows keep their limits.

    It may have more columns than a plan (stores, imports, piecewise parts); `decode` turns
    its solution into a plan.

    Attributes
    ----------
    costs : array, shape (m, e)
        One row per objective, in the unit and sense of that objective.
    constants : array, shape (m,)
    rows : scipy sparse matrix, shape (r, e)
    row_lower, row_upper : array, shape (r,)
    lower, upper : array, shape (e,)
    integral : array of bool, shape (e,)
    groups : tuple of (name, slice)
        The constraint that each run of rows belongs to, for shadow prices and conflicts.
    decode : callable or None
        Turns (e,) into a plan (d,); None = the first d columns are the plan.
    quadratic : scipy sparse matrix or None
        Q, shape (e, e), symmetric, in the value that is minimized.
    stage : array of int or None
        Step of time that each column belongs to, shape (e,), where rows join neighbouring
        steps only.
    reach : int
        Steps after which what is decided now hardly matters any more; 0 = unknown.
    """

    costs: NDArray[np.float64]
    constants: NDArray[np.float64]
    rows: Any
    row_lower: NDArray[np.float64]
    row_upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    integral: NDArray[np.bool_]
    groups: tuple[tuple[str, slice], ...] = ()
    decode: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
    quadratic: Any = None
    stage: NDArray[np.int64] | None = None
    reach: int = 0

    def plan(self, z: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
        """Return the plan (dimension,) that a solution (e,) stands for."""
        return self.decode(z) if self.decode is not None else z[:dimension]
