"""How low the smallest coverage of many series would be if none were worse than another.

Errors of a window are much alike: one step of the levels, one cold week. A band that is right
on average then holds all through some windows and all through none of others, and of many
series scored on few windows some meet several bad ones. Handing the hits of every window to
its series at random leaves each window as it was and makes the series alike, so the smallest
coverage that comes out is that of bad luck alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.forecast.evaluate import Evaluation

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 4000
#: Points that the smallest series may lie below the level.
BELOW = 0.07


def smallest_if_alike(
    inside: NDArray[np.bool_], seen: NDArray[np.bool_], draws: int = DRAWS, seed: int = 0
) -> NDArray[np.float64]:
    """Return the smallest coverage of a series in each of many random hand-outs.

    Parameters
    ----------
    inside, seen : array of bool, shape (windows, n, horizon)
        Whether the interval held, and whether the value is known.
    """
    rng = np.random.default_rng(seed)
    hit, count = (inside & seen).sum(axis=2), seen.sum(axis=2)
    windows, n = hit.shape
    smallest = np.empty(draws)
    for k in range(draws):
        # a series without values in a window keeps its place, and so does its absence
        hits, counts = np.zeros(n), np.zeros(n)
        for w in range(windows):
            known = np.flatnonzero(count[w])
            given = rng.permutation(known)
            hits[known] += hit[w, given]
            counts[known] += count[w, given]
        smallest[k] = (hits[counts > 0] / counts[counts > 0]).min()
    return smallest


def by_chance(found: Evaluation, level: int) -> dict[str, Any]:
    """Return the coverage of each scored window, and the smallest one of series all alike."""
    first, series = found.backtest.plan.calibrating, found.scores["series"]
    actual = found.backtest.actual[first:, :series]
    low, high = (bound[level][first:, :series] for bound in (found.walk.lower, found.walk.upper))
    inside, seen = (actual >= low) & (actual <= high), np.isfinite(actual)
    smallest = smallest_if_alike(inside, seen)
    return {
        "windows": [float(i[s].mean()) for i, s in zip(inside, seen, strict=True) if s.any()],
        "smallest": [float(q) for q in np.quantile(smallest, (0.05, 0.5, 0.95))],
        "met": float((smallest >= level / 100 - BELOW).mean()),
    }
