"""Linear programs, with and without whole numbers, by HiGHS (through scipy)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.matrix import MatrixForm


@dataclass(frozen=True)
class LinearSolution:
    """The optimum of a linear program.

    Attributes
    ----------
    z : array, shape (e,)
    value : float
        As minimized, constants included.
    bound : float
        Proved limit; below `value` only where a search over whole numbers stopped early.
    row_prices : array, shape (r,)
        Change of the value per unit by which the limit of a row is raised (0 with whole
        numbers, where there is no such price).
    bound_prices : array, shape (e,)
        The same for the bounds of the columns.
    """

    z: NDArray[np.float64]
    value: float
    bound: float
    row_prices: NDArray[np.float64]
    bound_prices: NDArray[np.float64]


#: From this many columns on, programs are taken apart where that loses nothing; one that
#: stays whole is then solved by the interior point method, which grows more slowly.
_LARGE = 20_000
_VERY_LARGE = 100_000


@dataclass
class LinearProgram:
    """A matrix form prepared for HiGHS once, solved for many weights.

    Parameters
    ----------
    form : MatrixForm
    """

    form: MatrixForm
    _parts: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from scipy import sparse

        form = self.form
        rows = sparse.csr_matrix(form.rows)
        equal = form.row_lower == form.row_upper
        above = ~equal & np.isfinite(form.row_upper)
        below = ~equal & np.isfinite(form.row_lower)
        self._equal, self._above, self._below = (np.flatnonzero(m) for m in (equal, above, below))
        self._parts = {"bounds": np.column_stack([form.lower, form.upper])}
        if len(self._equal):
            self._parts |= {"A_eq": rows[self._equal], "b_eq": form.row_lower[self._equal]}
        if len(self._above) + len(self._below):
            self._parts |= {
                "A_ub": sparse.vstack([rows[self._above], -rows[self._below]], format="csr"),
                "b_ub": np.concatenate([form.row_upper[self._above], -form.row_lower[self._below]]),
            }
        if form.integral.any():
            self._parts["integrality"] = form.integral.astype(np.int64)

    def solve(
        self, weights: NDArray[np.float64], *, time_limit: float = 60.0, relaxed: bool = False
    ) -> LinearSolution:
        """Return the optimum for one weighing of the objectives, shape (m,).

        Raises
        ------
        DataError
            ``infeasible``, ``unbounded``, ``not_finite`` or ``time_limit``.
        """
        from scipy.optimize import linprog

        form = self.form
        cost = weights @ form.costs
        constant = float(weights @ form.constants)
        _require_finite(form, cost)
        if len(cost) > _LARGE and not relaxed:
            from esgml.optimization.decompose import decomposed

            found = decomposed(form, weights, time_limit)
            if found is not None:
                return found
        parts = dict(self._parts)
        whole = "integrality" in parts and not relaxed
        if not whole:
            parts.pop("integrality", None)
        options = {"time_limit": time_limit, **({"mip_rel_gap": 1e-7} if whole else {})}
        # HiGHS counts anything below 1e-7 as 0, so costs come to it near 1
        scale = float(np.abs(cost).max(initial=0.0)) or 1.0
        large = len(cost) > _VERY_LARGE and not whole
        method = "highs-ipm" if large else "highs"
        found = linprog(cost / scale, method=method, options=options, **parts)
        if found.x is None:
            _refuse(found.status)
        row_prices, bound_prices = np.zeros(len(form.row_lower)), np.zeros(len(cost))
        if not whole:
            if len(self._equal):
                row_prices[self._equal] = scale * found.eqlin.marginals
            if "A_ub" in parts:
                marginals, above = scale * found.ineqlin.marginals, len(self._above)
                row_prices[self._above] = marginals[:above]
                np.add.at(row_prices, self._below, -marginals[above:])
            bound_prices = scale * (found.lower.marginals + found.upper.marginals)
        value = scale * float(found.fun)
        bound = value if not whole else float(min(value, scale * found.mip_dual_bound))
        return LinearSolution(
            np.asarray(found.x), value + constant, bound + constant, row_prices, bound_prices
        )


def _require_finite(form: MatrixForm, cost: NDArray[np.float64]) -> None:
    data = form.rows.data
    limits = np.concatenate([form.row_lower, form.row_upper, form.lower, form.upper])
    if not np.isfinite(cost).all() or not np.isfinite(data).all() or np.isnan(limits).any():
        raise DataError(
            "a cost, coefficient or limit is not a finite number.",
            code="not_finite",
            remedy="Look for missing hours and divisions by zero in the data.",
        )


def _refuse(status: int) -> None:
    """Raise what a failed status of scipy means."""
    if status == 3:
        raise DataError(
            "the value can be improved without end.",
            code="unbounded",
            remedy="A variable that earns money needs an upper bound or a limiting constraint.",
        )
    if status == 2:
        raise DataError("no plan keeps all constraints.", code="infeasible")
    if status == 1:
        raise DataError(
            "no plan was found within the time limit.",
            code="time_limit",
            remedy="Allow more time, or use a search such as ga.",
        )
    raise DataError("the solver met numerical trouble.", code="numerical")
