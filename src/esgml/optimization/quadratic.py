"""Convex quadratic programs by a primal-dual interior point method, with a proved bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.matrix import MatrixForm

    Floats = NDArray[np.float64]

_ROUNDS = 200
_PRECISE = 1e-9


@dataclass(frozen=True)
class QuadraticSolution:
    """The optimum of a convex quadratic program.

    Attributes
    ----------
    z : array, shape (e,)
    value, bound : float
        As minimized; the bound is the value of the dual, which no plan passes.
    row_prices : array, shape (r,)
        Change of the value per unit by which the limit of a row is raised.
    """

    z: Floats
    value: float
    bound: float
    row_prices: Floats


def solve_quadratic(form: MatrixForm, weights: Floats) -> QuadraticSolution:
    """Return the minimum of z'Qz/2 + c'z over the rows and bounds of `form`.

    Every row gets a slack that carries its limits: A z - s = 0. Steps follow Mehrotra's
    predictor and corrector (Nocedal and Wright, Numerical Optimization, 2006, ch. 16).

    Raises
    ------
    DataError
        ``numerical`` if it does not settle, as where the value has no limit.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    e, r = len(form.lower), len(form.row_lower)
    lower = np.concatenate([form.lower, form.row_lower])
    upper = np.concatenate([form.upper, form.row_upper])
    fixed = lower == upper
    H = sparse.block_diag([form.quadratic, sparse.csr_matrix((r, r))], format="csr")
    cost = np.concatenate([weights @ form.costs, np.zeros(r)])
    B = sparse.hstack([sparse.csr_matrix(form.rows), -sparse.identity(r)], format="csr")
    free = np.flatnonzero(~fixed)
    held = np.where(fixed, lower, 0.0)
    c = cost[free] + (H @ held)[free]
    b = -(B @ held)
    Hf, Bf = H[free][:, free], B[:, free]
    shift = float(cost @ held + held @ (H @ held) / 2 + weights @ form.constants)
    low, high = lower[free], upper[free]
    has_low, has_high = np.isfinite(low), np.isfinite(high)
    low0, high0 = np.where(has_low, low, 0.0), np.where(has_high, high, 0.0)
    both = has_low & has_high
    w = np.where(both, (low0 + high0) / 2, np.where(has_low, low0 + 1, high0 - has_high))
    y = np.zeros(r)
    zl, zu = has_low.astype(np.float64), has_high.astype(np.float64)
    count = max(int(has_low.sum() + has_high.sum()), 1)
    size = 1 + float(np.abs(c).max(initial=0.0))
    tiny = 1e-11
    value = bound = np.inf
    for _ in range(_ROUNDS):
        sl, su = np.where(has_low, w - low0, 1.0), np.where(has_high, high0 - w, 1.0)
        hw = Hf @ w
        dual = hw + c - Bf.T @ y - zl + zu
        primal = Bf @ w - b
        mu = float(sl @ zl + su @ zu) / count
        value = float(w @ hw / 2 + c @ w)
        bound = float(-w @ hw / 2 + b @ y + low0 @ zl - high0 @ zu)
        if (
            np.abs(dual).max(initial=0.0) <= _PRECISE * size
            and np.abs(primal).max(initial=0.0) <= _PRECISE * (1 + np.abs(w).max(initial=0.0))
            and abs(value - bound) <= _PRECISE * (1 + abs(value))
        ):
            break
        diagonal = zl / sl + zu / su + tiny
        K = sparse.bmat(
            [[Hf + sparse.diags(diagonal), -Bf.T], [-Bf, -tiny * sparse.identity(r)]],
            format="csc",
        )
        solver: Any = splu(K)

        def direction(target_l: Floats, target_u: Floats) -> tuple[Floats, ...]:
            right = -dual + target_l / sl - target_u / su  # noqa: B023 - used in this round only
            step = solver.solve(np.concatenate([right, primal]))  # noqa: B023
            dw, dy = step[: len(free)], step[len(free) :]
            dl = np.where(has_low, (target_l - zl * dw) / sl, 0.0)  # noqa: B023
            du = np.where(has_high, (target_u + zu * dw) / su, 0.0)  # noqa: B023
            return dw, dy, dl, du

        dw, dy, dl, du = direction(-sl * zl, -su * zu)
        a = min(_longest(sl, dw, has_low), _longest(su, -dw, has_high))
        d = min(_longest(zl, dl, has_low), _longest(zu, du, has_high))
        after = float((sl + a * dw)[has_low] @ (zl + d * dl)[has_low])
        after += float((su - a * dw)[has_high] @ (zu + d * du)[has_high])
        sigma = min(1.0, max(after / count / max(mu, 1e-300), 0.0)) ** 3
        dw, dy, dl, du = direction(
            np.where(has_low, sigma * mu - sl * zl - dw * dl, 0.0),
            np.where(has_high, sigma * mu - su * zu + dw * du, 0.0),
        )
        a = 0.995 * min(_longest(sl, dw, has_low), _longest(su, -dw, has_high))
        d = 0.995 * min(_longest(zl, dl, has_low), _longest(zu, du, has_high))
        w, y, zl, zu = (
            w + min(a, 1) * dw,
            y + min(d, 1) * dy,
            zl + min(d, 1) * dl,
            zu + min(d, 1) * du,
        )
        if not np.isfinite(w).all() or np.abs(w).max(initial=0.0) > 1e15:
            break
    if not abs(value - bound) <= 1e-6 * (1 + abs(value)):
        raise DataError(
            "the quadratic program does not settle: its value may have no limit.",
            code="unbounded",
            remedy="Give every variable that can earn without end a bound.",
        )
    full = held.copy()
    full[free] = w
    return QuadraticSolution(
        np.clip(full[:e], form.lower, form.upper), value + shift, min(bound, value) + shift, -y
    )


def _longest(at: Floats, step: Floats, which: NDArray[np.bool_]) -> float:
    """Return the longest step that keeps `at` positive, at most 1 / 0.995."""
    falling = which & (step < 0)
    if not falling.any():
        return 1 / 0.995
    return float(min(1 / 0.995, (-at[falling] / step[falling]).min()))
