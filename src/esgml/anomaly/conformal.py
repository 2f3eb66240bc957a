"""Split conformal: how often ordinary rows held back from training score as high.

The p-value of a score is ``(1 + number of held-back scores as high) / (held back + 1)``. For an
ordinary row exchangeable with those held back it is at most a with probability at most a,
whatever the model and however few rows: the one added is the correction for a finite sample.
Held-back rows that are anomalies themselves make it cautious. In time-ordered readings rows are
not exchangeable, and the rate that comes true is another one; the alarm layer is made for those.

Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World, 2005.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def p_values(held_back: Floats, score: Floats) -> Floats:
    """Return the p-value of each score, between ``1 / (m + 1)`` and 1.

    Parameters
    ----------
    held_back : array, shape (m,)
        Scores of rows the model did not learn from, ascending.
    score : array, shape (n,)
    """
    as_high = len(held_back) - np.searchsorted(held_back, score, side="left")
    return np.asarray((1.0 + as_high) / (len(held_back) + 1.0))


def threshold(held_back: Floats, rate: float) -> float:
    """Return the score above which, and only above which, p-values are at most `rate`.

    Infinite where too few rows were held back for any p-value to be that small.
    """
    least = int(np.floor(rate * (len(held_back) + 1) * (1 + 1e-12)))
    if least < 1:
        return float("inf")
    if least > len(held_back):
        return float("-inf")
    return float(held_back[len(held_back) - least])
