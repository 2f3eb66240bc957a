"""Mending suspicious readings, only ever where it was asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from esgml.data.rules import physics, values
from esgml.data.rules.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Returns the new readings of a column, in the order of the view; unchanged ones equal.
Repair = Callable[[View, str, "Floats"], "Floats"]


def scale_back(view: View, column: str, numbers: Floats) -> Floats:
    """Divide or multiply by 1000 what fits its series only then."""
    up, down = values.thousandfold(view, numbers)
    return np.where(up, numbers / 1000, np.where(down, numbers * 1000, numbers))


def drop_negative(view: View, column: str, numbers: Floats) -> Floats:
    """Make negative readings missing."""
    return np.where(values.negative(view, numbers), np.nan, numbers)


def drop_placeholders(view: View, column: str, numbers: Floats) -> Floats:
    """Make codes for "no value" missing."""
    return np.where(values.placeholder(view, numbers), np.nan, numbers)


def drop_stuck(view: View, column: str, numbers: Floats) -> Floats:
    """Make stuck runs missing, but for the reading they began with."""
    stuck, _ = values.long_runs(view, numbers)
    began = stuck & ~np.concatenate([[False], stuck[:-1] & (numbers[1:] == numbers[:-1])])
    return np.where(stuck & ~began, np.nan, numbers)


def drop_zeros(view: View, column: str, numbers: Floats) -> Floats:
    """Make long runs of zeros missing."""
    return np.where(values.long_runs(view, numbers)[1], np.nan, numbers)


def drop_beyond_capacity(view: View, column: str, numbers: Floats) -> Floats:
    """Make readings beyond the capacity of their site missing."""
    return np.where(physics.beyond_capacity(view, column, numbers), np.nan, numbers)


REPAIRS: Mapping[str, Repair] = {
    "unit_x1000": scale_back,
    "negative_value": drop_negative,
    "placeholder_value": drop_placeholders,
    "beyond_capacity": drop_beyond_capacity,
    "stuck_run": drop_stuck,
    "zero_run": drop_zeros,
}
