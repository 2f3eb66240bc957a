"""Two objectives of a linear problem: the prices at which the best plan changes, and the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.optimization.linear import LinearProgram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SAME = 1e-7
#: Weight that chooses among plans of equal value, relative to those that count.
_LITTLE = 1e-4
_ROUNDS = 60


def _values(program: LinearProgram, weights: Floats) -> tuple[Floats, Floats]:
    """Return solution and objectives, shape (m,), of one weighing."""
    z = program.solve(weights).z
    return z, np.asarray(program.form.costs @ z + program.form.constants)


def next_switch(program: LinearProgram, weights: Floats, other: int) -> float | None:
    """Return the weight of objective `other` above which another plan is best.

    The value of the best plan is concave in that weight, and straight as long as one plan
    stays best; so the line through the plan of today and one beyond the switch is lowered
    until no plan lies under it.

    Parameters
    ----------
    weights : array, shape (m,)
        As minimized; those of today.
    other : int

    Returns
    -------
    float or None
        None where no weight changes the plan.
    """
    far = np.zeros_like(weights)
    far[other] = 1.0
    lead = float(np.abs(weights).max())
    # of several best plans today, the one that is best in the other objective too
    _, today = _values(program, weights + _LITTLE * lead * far)
    # the other objective alone leaves ties; a little of today's weights chooses among them
    _, beyond = _values(program, far + _LITTLE * weights / max(lead, 1e-300))
    base = weights.copy()
    base[other] = 0.0
    found = None
    for _ in range(_ROUNDS):
        gained = today[other] - beyond[other]
        if gained <= _SAME * max(1.0, abs(today[other])):
            return found
        price = float((base @ beyond - base @ today) / gained)
        tried = base.copy()
        tried[other] = max(price, float(weights[other]) + _LITTLE * lead)
        _, between = _values(program, tried)
        line = float(tried @ today)
        if tried @ between >= line - 1e-9 * max(1.0, abs(line)):
            return max(price, float(weights[other]))
        beyond, found = between, price
    return found


def linear_front(
    program: LinearProgram, first: int = 0, second: int = 1, *, most: int = 200
) -> tuple[Floats, Floats]:
    """Return the corners of the front between two objectives to be made small.

    Every plan on the lines between neighbouring corners is best for some weighing, and no
    plan lies under them.

    Returns
    -------
    z : array, shape (p, e)
        Solutions of the program, from the least `first` to the least `second`.
    values : array, shape (p, 2)
    """
    m = len(program.form.constants)

    def solve(a: float, b: float) -> tuple[Floats, Floats]:
        weights = np.zeros(m)
        weights[first], weights[second] = a, b
        z, values = _values(program, weights)
        return z, values[[first, second]]

    ends = [solve(1.0, 1e-6), solve(1e-6, 1.0)]
    points = [ends[0]]

    def between(left: tuple[Floats, Floats], right: tuple[Floats, Floats]) -> None:
        a, b = left[1][1] - right[1][1], right[1][0] - left[1][0]
        scale = np.abs(np.array([left[1], right[1]])).max(initial=1e-300)
        if min(a, b) <= 1e-9 * scale or len(points) >= most:
            return
        middle = solve(float(a), float(b))
        line = a * left[1][0] + b * left[1][1]
        if a * middle[1][0] + b * middle[1][1] < line - 1e-9 * (a + b) * scale:
            between(left, middle)
            points.append(middle)
            between(middle, right)

    between(ends[0], ends[1])
    points.append(ends[1])
    return np.array([p[0] for p in points]), np.array([p[1] for p in points])
