"""Selection: who become parents, drawn from a population sorted best first.

Feasibility rules decide what is better (Deb 2000): a feasible solution beats an infeasible one,
of two infeasible ones the less violating wins, of two feasible ones the better objective. The
order is made once a generation; selection then works on ranks alone, so objectives of any size
and sign select alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Index = NDArray[np.intp]
    Selection = Callable[[np.random.Generator, int, int], Index]

#: How much more often than the mean the best is drawn by `rank`.
PRESSURE = 1.8


def best_first(objective: Array, violation: Array) -> Index:
    """Return the order of a population under the feasibility rules; ties keep their order."""
    if violation.any():
        # Feasible ones are compared by objective alone, infeasible ones by violation first.
        return np.lexsort((objective, violation))
    return objective.argsort(kind="stable")


def distinct_first(x: Array, objective: Array, violation: Array) -> Index:
    """Return the order of `best_first`, plans that repeat an earlier one moved to the end."""
    order = best_first(objective, violation)
    if not _repeats(objective[order]).any():
        return order
    # Plans of one value are brought together by a sum of their columns that tells them apart.
    mark = x @ np.sqrt(np.arange(2.0, x.shape[1] + 2.0))
    order = np.lexsort((mark, objective, violation))
    equal = _repeats(objective[order]) & _repeats(violation[order]) & _repeats(mark[order])
    return np.concatenate([order[~equal], order[equal]])


def _repeats(values: Array) -> NDArray[np.bool_]:
    """Return which values equal the one before."""
    found = np.zeros(len(values), dtype=bool)
    np.equal(values[1:], values[:-1], out=found[1:])
    return found


def tournament(rng: np.random.Generator, population: int, count: int) -> Index:
    """Draw the better of two, `count` times."""
    return np.asarray(rng.integers(0, population, (2, count)).min(axis=0))


def tournament3(rng: np.random.Generator, population: int, count: int) -> Index:
    """Draw the best of three, `count` times."""
    return np.asarray(rng.integers(0, population, (3, count)).min(axis=0))


def rank(rng: np.random.Generator, population: int, count: int) -> Index:
    """Draw with probabilities that fall evenly from the best to the worst (Baker's ranking)."""
    a, u = PRESSURE, rng.random(count)
    # The inverse of the distribution with density a - 2 (a - 1) u, exact and without a table.
    place = (a - np.sqrt(a * a - 4.0 * (a - 1.0) * u)) / (2.0 * (a - 1.0))
    return np.minimum((place * population).astype(np.intp), population - 1)


def truncation(rng: np.random.Generator, population: int, count: int) -> Index:
    """Draw evenly from the better half."""
    return np.asarray(rng.integers(0, max(1, population // 2), count))


SELECTIONS: dict[str, Selection] = {
    "tournament": tournament,
    "tournament3": tournament3,
    "rank": rank,
    "truncation": truncation,
}
