"""How large annual errors usually are at a level: small emitters change by more than large ones.

::

    size(level) = weighted mean of the errors seen near that level and of what is assumed there
    assumed     = common size x exp(-FALL x (log level - median log level))

A flight more matters to an office and not to a steelworks. Where a rule of reporting leaves out
the small (Canadian facilities), errors hardly depend on the level; where it does not (EU ETS,
companies), those of the smallest fifth are several times those of the largest.

References
----------
Nadaraya (1964), on estimating regression. Deviation: a few errors assumed everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Width of the neighbourhood, in logarithms, and errors that the assumed size is worth.
WIDTH, WORTH = 1.0, 50.0
#: Fall of the assumed size per unit of log level, and the distance beyond which it falls no more.
FALL, FARTHEST_LEVEL = 0.15, 6.0
#: Levels at which the size is worked out, and bins that errors are gathered in before.
POINTS, BINS = 41, 400
#: A smaller range of log levels than this is one level.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class SizeByLevel:
    """Usual sizes of errors at ascending log levels; straight between, constant beyond.

    Attributes
    ----------
    level, size : array, shape (points,)
    common : float
        Where no level is known, as for a series at zero.
    """

    level: NDArray[np.float64]
    size: NDArray[np.float64]
    common: float

    def at(self, level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the usual size at log levels of any shape; NaN has the common one."""
        found = np.interp(np.nan_to_num(level), self.level, self.size)
        result: NDArray[np.float64] = np.where(np.isfinite(level), found, self.common)
        return result


def size_by_level(
    level: NDArray[np.float64],
    error: NDArray[np.float64],
    coming: NDArray[np.float64],
    common: float,
) -> SizeByLevel:
    """Learn how large errors are at a level.

    Parameters
    ----------
    level, error : array, shape (cases,)
        Log level of the forecast, finite, and the size of its error.
    coming : array, shape (n,)
        Log levels of the forecasts to come; NaN where none is known.
    common : float
        Usual size over all levels.
    """
    known = np.concatenate([level, coming[np.isfinite(coming)]])
    if len(known) == 0:
        return SizeByLevel(np.zeros(1), np.full(1, common), common)
    lowest, highest = float(known.min()), float(known.max())
    if highest - lowest < NEGLIGIBLE:
        size = (error.sum() + WORTH * common) / (len(error) + WORTH)
        return SizeByLevel(np.full(1, lowest), np.full(1, size), common)
    grid = np.linspace(lowest, highest, POINTS)
    # gathered in bins first, so that the work does not grow with cases x points
    span = (highest - lowest) / BINS
    place = np.minimum(((level - lowest) / span).astype(np.int64), BINS - 1)
    middle = lowest + span * (np.arange(BINS) + 0.5)
    near = np.exp(-0.5 * ((grid[:, None] - middle) / WIDTH) ** 2)
    away = np.clip(grid - np.median(known), -FARTHEST_LEVEL, FARTHEST_LEVEL)
    total = near @ np.bincount(place, error, minlength=BINS)
    weight = near @ np.bincount(place, minlength=BINS)
    size = (total + WORTH * common * np.exp(-FALL * away)) / (weight + WORTH)
    return SizeByLevel(grid, size, common)
