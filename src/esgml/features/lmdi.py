"""Why emissions changed: an exact split of a change among the factors of a product.

Emissions are a product of factors, such as activity x energy per activity x emissions per
energy, summed over sources. The additive log-mean Divisia index (LMDI-I; Ang 2005, "The
LMDI approach to decomposition analysis") shares the change between two periods among the
factors so that the parts add up to it with no residue, in any order of the factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Decomposition:
    """A change split among factors.

    Attributes
    ----------
    before, after : float
        Totals of the two periods.
    effects : dict of factor to float
        Contribution of each factor, in the unit of the totals; they sum to `change`.
    by_source : dict of factor to array, shape (sources,)
        The same, source by source.
    """

    before: float
    after: float
    effects: dict[str, float]
    by_source: dict[str, Floats]

    @property
    def change(self) -> float:
        """After minus before."""
        return self.after - self.before

    def as_dict(self) -> dict[str, Any]:
        """Return the split as plain values."""
        return {
            "before": self.before,
            "after": self.after,
            "change": self.change,
            "effects": dict(self.effects),
        }


def log_mean(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return the logarithmic mean ``(a - b) / log(a / b)`` of positive numbers.

    It lies between the geometric and the arithmetic mean, equals a where a = b, and is 0
    where either is 0. Computed as ``b expm1(d) / d`` so that nearly equal numbers do not
    cancel.
    """
    x, y = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    result = np.zeros(x.shape)
    both = (x > 0.0) & (y > 0.0)
    high, low = np.maximum(x[both], y[both]), np.minimum(x[both], y[both])
    d = np.log(high) - np.log(low)  # high / low may overflow
    near = d < 1.0
    part = np.empty(d.shape)
    small = np.where(d[near] > 0.0, d[near], 1.0)
    part[near] = np.where(d[near] > 0.0, low[near] * np.expm1(d[near]) / small, low[near])
    part[~near] = (high[~near] - low[~near]) / d[~near]
    result[both] = part
    return result


def decompose(before: Mapping[str, ArrayLike], after: Mapping[str, ArrayLike]) -> Decomposition:
    """Split the change of a product of factors, summed over sources.

    Parameters
    ----------
    before, after : mapping of factor name to array, shape (sources,)
        Factors of the earlier and the later period, in the same sources; not negative. The
        total is the sum over sources of their product.

    Returns
    -------
    Decomposition
        Its effects add up to the change to rounding. A source that appears or disappears
        (a factor is zero in one period only) is the analytical limit of ever smaller
        values: the whole change goes to the factors that were zero, in equal parts.

    Raises
    ------
    DataError
        If the factors differ between the periods, or a value is negative or not finite.

    Examples
    --------
    >>> split = decompose({"output": [100.0], "intensity": [2.0]},
    ...                   {"output": [120.0], "intensity": [1.5]})
    >>> {k: round(v, 2) for k, v in split.effects.items()}
    {'output': 34.61, 'intensity': -54.61}
    """
    if not before or list(before) != list(after):
        raise DataError(
            f"the factors differ: {list(before)} before, {list(after)} after.",
            code="lmdi_factors",
            remedy="Give the same factors, in the same order, for both periods.",
        )
    names = list(before)
    try:
        first = np.array([np.atleast_1d(before[n]) for n in names], dtype=np.float64)
        second = np.array([np.atleast_1d(after[n]) for n in names], dtype=np.float64)
    except ValueError as error:
        raise DataError(
            "the factors differ in their number of sources.", code="lmdi_shape"
        ) from error
    if first.shape != second.shape or first.ndim != 2:
        raise DataError("the factors differ in their number of sources.", code="lmdi_shape")
    for name, row in zip([*names, *names], [*first, *second], strict=True):
        if not np.isfinite(row).all() or (row < 0.0).any():
            raise DataError(
                f"factor {name!r} holds a negative, missing or infinite value.",
                code="lmdi_value",
                remedy="Leave the source out, or book removals as a source of their own.",
            )
    total0, total1 = np.prod(first, axis=0), np.prod(second, axis=0)
    effects = _split(first, second, total0, total1)
    by_source = dict(zip(names, effects, strict=True))
    return Decomposition(
        float(total0.sum()),
        float(total1.sum()),
        {name: float(row.sum()) for name, row in by_source.items()},
        by_source,
    )


def _split(first: Floats, second: Floats, total0: Floats, total1: Floats) -> Floats:
    """Return the effect of every factor in every source, shape (factors, sources)."""
    effects = np.zeros(first.shape)
    change = total1 - total0
    living = (total0 > 0.0) & (total1 > 0.0)
    a, b = first[:, living], second[:, living]
    logs = np.log(b) - np.log(a)
    parts = log_mean(total1[living], total0[living]) * logs
    # What rounding left over goes to the factors in proportion to their movement.
    residue = change[living] - parts.sum(axis=0)
    moved = np.abs(logs)
    moved[:, moved.sum(axis=0) == 0.0] = 1.0
    effects[:, living] = parts + residue * moved / moved.sum(axis=0)
    born = ~living & (change != 0.0)
    vanished = ((first[:, born] == 0.0) | (second[:, born] == 0.0)) & (
        first[:, born] != second[:, born]
    )
    underflow = vanished.sum(axis=0) == 0  # the product is zero though no factor is
    vanished[:, underflow] = True
    effects[:, born] = change[born] * vanished / vanished.sum(axis=0)
    return effects
