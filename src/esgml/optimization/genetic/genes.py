"""The columns of a plan as genetic operators see them: spans, kinds, permutations."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.space import Space

    Array = NDArray[np.float64]
    Flags = NDArray[np.bool_]


class Genes:
    """What operators need to know of a `Space`, worked out once.

    Parameters
    ----------
    space : Space
        With finite bounds.

    Attributes
    ----------
    lower, upper, span : array, shape (d,)
        Bounds of whole numbers are whole.
    real, unordered : array of bool, shape (d,)
        Which columns are real; which have values without an order (binary ones, choices).
    free : array of int
        Columns outside every permutation.
    blocks : tuple of slice
        The columns of each permutation.

    Raises
    ------
    UsageError
        If a bound is infinite.
    """

    def __init__(self, space: Space) -> None:
        space.require_finite()
        self.space = space
        whole = space.integral
        self.lower = np.where(whole, np.ceil(space.lower), space.lower)
        self.upper = np.where(whole, np.floor(space.upper), space.upper)
        self.span = self.upper - self.lower
        self.real = ~whole
        kinds = np.array(space.kinds)
        self.unordered = np.isin(kinds, ("binary", "choice"))
        self.free = np.flatnonzero(kinds != "permutation")
        self.blocks = space.permutations

    @property
    def count(self) -> int:
        """Number of columns."""
        return len(self.lower)

    @cached_property
    def all_real(self) -> bool:
        """Whether every column is real."""
        return bool(self.real.all())

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Return `n` plans spread evenly over each column (a Latin hypercube), shape (n, d)."""
        d = self.count
        u = (rng.permuted(np.tile(np.arange(n), (d, 1)), axis=1).T + rng.random((n, d))) / n
        x = self.lower + u * np.where(self.real, self.span, self.span + 1.0)
        if self.all_real:
            return np.asarray(x)
        x = np.where(self.real, x, np.minimum(np.floor(x), self.upper))
        for block in self.blocks:
            x[:, block] = u[:, block].argsort(axis=1)
        return x

    def mend(self, x: Array) -> Array:
        """Return plans clipped and rounded into the space; permutations are left alone.

        Operators keep permutations whole, so only numbers need it.
        """
        x = np.minimum(np.maximum(x, self.lower), self.upper)
        return x if self.all_real else np.where(self.real, x, np.rint(x))
