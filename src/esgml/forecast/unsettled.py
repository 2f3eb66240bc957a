"""Annual series whose last value says less of the next than those of the others.

Two kinds of last values stand for themselves: the first report of a series that joined when most
others were there already, which often covers a part of a year, and one that is followed by years
without a report. The next report after them is two to six times further off than usual, on
Canadian facilities until 2011 as in the EU ETS. Where many join at once, a rule of reporting
changed (Canada in 2009), and they are as steady as the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Panel

#: Share of all series begun so far below which those that begin in one year are newcomers.
FEW = 0.2


def unsettled(history: Panel, seen: Panel) -> NDArray[np.bool_]:
    """Return whether the last value of each series stands for itself.

    Parameters
    ----------
    history : Panel
        The series in question, up to their origin.
    seen : Panel
        All series known then, those of `history` among them.

    Returns
    -------
    array of bool, shape (n,)
    """
    begun, count = np.unique(seen.time[seen.indptr[:-1]], return_counts=True)
    share = count / np.cumsum(count)
    found = np.zeros(len(history), dtype=bool)
    for i in range(len(history)):
        observed = np.isfinite(history.series(i))
        if not observed.any():
            continue
        start = history.time[history.indptr[i]]
        few = share[np.searchsorted(begun, start)] < FEW
        found[i] = not observed[-1] or (observed.sum() == 1 and few)
    return found
