"""Annual values whose unit slipped: about 1000 times off the others, which agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The factor of a slip, how near to it a ratio must be, and the factor within which values agree.
UNIT, NEAR, AGREE = 1000.0, 2.0, 3.0
#: Values that must agree, besides being most of all.
LEAST = 3


def unit_factors(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each annual value of a series is too large by: 1000, 1/1000, mostly 1.

    Where the values do not agree on what is usual, none is called a slip.
    """
    factors = np.ones(len(values))
    usual = float(np.median(values))
    if usual <= 0:
        return factors
    alike = (values >= usual / AGREE) & (values <= usual * AGREE)
    if alike.sum() < LEAST or alike.mean() <= 0.5:
        return factors
    # as logarithms: the ratio itself may leave the range of floats
    off = np.log(np.maximum(values, 1e-300)) - np.log(np.median(values[alike]))
    for sign in (1.0, -1.0):
        factors[(values > 0) & is_slip(sign * off)] = UNIT**sign
    return factors


def is_slip(change: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which changes of the logarithm are by about a factor of 1000, upwards."""
    return np.asarray(np.abs(change - np.log(UNIT)) < np.log(NEAR))
