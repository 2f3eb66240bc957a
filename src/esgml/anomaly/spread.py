"""Columns measured in their usual spread, so that distances do not depend on units.

The spread is that of the middle half of the rows (the interquartile range of a normal
distribution counts as 1.349 deviations): the strange rows that are looked for would blow up a
standard deviation and hide in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: How many spreads a value counts as that differs in a column which never varied.
NEVER_SEEN = 10.0
_FAR = 1e100  # distances stay finite when squared and summed


@dataclass(frozen=True)
class Spread:
    """Middle and spread of every column.

    Attributes
    ----------
    middle : array, shape (d,)
        Median of the observed values; 0 where none was observed.
    width : array, shape (d,)
        Spread of the middle half; the standard deviation where half of the rows or more are
        equal; 0 where all are.
    """

    middle: Floats
    width: Floats

    @classmethod
    def of(cls, X: Floats) -> Spread:
        """Measure the columns of a table; NaN = missing."""
        seen = np.isfinite(X)
        middle, width = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        for j in range(X.shape[1]):
            column = X[seen[:, j], j]
            if len(column) == 0 or column.min() == column.max():
                middle[j] = column[0] if len(column) else 0.0
                continue
            low, middle[j], high = np.percentile(column, (25, 50, 75))
            size = np.abs(column).max()  # keeps squares of huge values finite
            deviation = (column / size).std() * size
            width[j] = (high - low) / 1.349
            if not width[j] > 1e-9 * deviation:
                width[j] = deviation
        return cls(middle, width)

    def apply(self, X: Floats) -> Floats:
        """Return how many spreads each value lies from the middle; NaN stays NaN."""
        varied = self.width > 0
        away = X - self.middle
        with np.errstate(over="ignore"):
            scaled = np.where(
                varied, away / np.where(varied, self.width, 1.0), NEVER_SEEN * np.sign(away)
            )
        return np.clip(scaled, -_FAR, _FAR)

    def filled(self, X: Floats) -> Floats:
        """Return the same with the middle for missing values: they are not held strange."""
        scaled = self.apply(X)
        return np.where(np.isnan(scaled), 0.0, scaled)

    def squeezed(self, X: Floats) -> Floats:
        """Return the same on a scale that is logarithmic beyond one spread."""
        scaled = self.filled(X)
        return np.asarray(np.sign(scaled) * np.log1p(np.abs(scaled)))

    def arrays(self) -> dict[str, Floats]:
        """Return what was measured, for saving."""
        return {"middle": self.middle, "width": self.width}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], columns: int) -> Spread:
        """Take back what `arrays` returned.

        Raises
        ------
        IntegrityError
            If there is not one usable number for each column.
        """
        parts = []
        for name in ("middle", "width"):
            part = arrays.get(name)
            if (
                not isinstance(part, np.ndarray)
                or part.shape != (columns,)
                or part.dtype != np.float64
                or not np.isfinite(part).all()
            ):
                raise IntegrityError(f"the saved {name} of the columns is unusable.")
            parts.append(part)
        if (parts[1] < 0).any():
            raise IntegrityError("a saved spread is negative.")
        return cls(*parts)
