"""The hypervolume of a front: how much of the space below a reference point it beats.

The one figure that grows when a front gets closer, wider or denser, and only then.

References
----------
Zitzler, E., Thiele, L. (1998). Multiobjective optimization using evolutionary algorithms.
While, L., Hingston, P., Barone, L., Huband, S. (2006). A faster algorithm for calculating
hypervolume (slicing objectives).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import UsageError
from esgml.optimization.genetic.dominance import non_dominated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def hypervolume(objectives: Array, reference: Array) -> float:
    """Return the volume that the points dominate inside the box below `reference`.

    Parameters
    ----------
    objectives : array, shape (n, m)
        To be made small. Points that are not below the reference in every objective add
        nothing.
    reference : array, shape (m,)

    Returns
    -------
    float
        In the product of the objectives' units. Exact; 2 objectives take O(n log n), more take
        up to O(n^(m-1)).

    Raises
    ------
    UsageError
        If the shapes do not fit or a value is not finite.
    """
    points = np.asarray(objectives, dtype=np.float64)
    corner = np.asarray(reference, dtype=np.float64)
    if points.ndim != 2 or corner.shape != (points.shape[1],):
        raise UsageError(f"points of shape {points.shape} and a reference of {corner.shape}.")
    if not (np.isfinite(points).all() and np.isfinite(corner).all()):
        raise UsageError("a hypervolume needs finite points and a finite reference.")
    inside = points[(points < corner).all(axis=1)]
    return _volume(inside, corner) if len(inside) else 0.0


def _volume(points: Array, corner: Array) -> float:
    if len(corner) == 1:
        return float(corner[0] - points.min())
    if len(corner) == 2:
        return _area(points, corner)
    # Slices along the last objective: between two of its values the set of points is the same.
    order = points[:, -1].argsort(kind="stable")
    points = points[order]
    heights = np.concatenate([points[1:, -1], corner[-1:]]) - points[:, -1]
    total = 0.0
    kept = points[:0, :-1]
    for point, height in zip(points, heights, strict=True):
        kept = np.vstack([kept, point[None, :-1]])
        kept = kept[non_dominated(kept)]
        if height > 0:
            total += float(height) * _volume(kept, corner[:-1])
    return total


def _area(points: Array, corner: Array) -> float:
    order = np.lexsort((points[:, 1], points[:, 0]))
    x, y = points[order, 0], points[order, 1]
    # The staircase: each point adds a strip from the lowest y so far down to its own.
    lowest = np.minimum.accumulate(np.concatenate([[corner[1]], y]))
    return float(((corner[0] - x) * (lowest[:-1] - lowest[1:])).sum())
