"""Comparing plans by several objectives: fronts and crowding, for whole populations at once.

References
----------
Deb, K., Pratap, A., Agarwal, S., Meyarivan, T. (2002). A fast and elitist multiobjective genetic
algorithm: NSGA-II.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Index = NDArray[np.intp]


def dominates(objectives: Array, violation: Array) -> Flags:
    """Return the matrix of who beats whom, shape (n, n): ``[i, j]`` where i dominates j.

    One plan dominates another if it breaks its constraints less, or as much and is no worse in
    every objective and better in one.

    Parameters
    ----------
    objectives : array, shape (n, m)
        To be made small.
    violation : array, shape (n,)
    """
    n = len(objectives)
    no_worse = np.ones((n, n), dtype=bool)
    better = np.zeros((n, n), dtype=bool)
    for column in objectives.T:
        no_worse &= column[:, None] <= column
        better |= column[:, None] < column
    no_worse &= better
    if violation.any():
        less = violation[:, None] < violation
        no_worse &= violation[:, None] == violation
        no_worse |= less
    return no_worse


def fronts(objectives: Array, violation: Array) -> Index:
    """Return the front of every plan, shape (n,): 0 = beaten by none, 1 = only by those, ...

    Takes O(n^2) memory for n plans.
    """
    beats = dominates(objectives, violation)
    beaten_by = beats.sum(axis=0)
    front = np.full(len(objectives), -1)
    level = 0
    free = np.flatnonzero(beaten_by == 0)
    while len(free):
        front[free] = level
        beaten_by = beaten_by - beats[free].sum(axis=0)
        beaten_by[front >= 0] = -1
        free = np.flatnonzero(beaten_by == 0)
        level += 1
    return front


def crowding(objectives: Array, front: Index) -> Array:
    """Return how lonely every plan is among those of its front, shape (n,).

    The sum over objectives of the distance between its two neighbours, as a share of the
    front's range; infinite at the ends of a front.
    """
    n, m = objectives.shape
    lonely = np.zeros(n)
    if n == 0:
        return lonely
    for j in range(m):
        order = np.lexsort((objectives[:, j], front))
        value, group = objectives[order, j], front[order]
        first = np.concatenate([[True], group[1:] != group[:-1]])
        last = np.concatenate([first[1:], [True]])
        starts = np.flatnonzero(first)
        size = np.diff(np.concatenate([starts, [n]]))
        width = np.repeat(value[last] - value[first], size)
        gap = np.zeros(n)
        gap[1:-1] = value[2:] - value[:-2]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(width > 0, gap / width, 0.0)
        share[first | last] = np.inf
        lonely[order] += share
    return lonely


def repeated(objectives: Array, violation: Array) -> Flags:
    """Return which plans have the very objectives and violation of an earlier one, shape (n,)."""
    both = np.column_stack([objectives, violation])
    order = np.lexsort(both.T[::-1])
    same = (both[order[1:]] == both[order[:-1]]).all(axis=1)
    found = np.zeros(len(both), dtype=bool)
    found[order[1:]] = same  # lexsort is stable: of equals, the earlier one comes first
    return found


def non_dominated(objectives: Array, violation: Array | None = None) -> Index:
    """Return the numbers of the plans that none beats, without repetitions, in order."""
    broken = np.zeros(len(objectives)) if violation is None else violation
    best = ~dominates(objectives, broken).any(axis=0) & ~repeated(objectives, broken)
    return np.flatnonzero(best)
