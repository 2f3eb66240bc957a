"""How a meter answers to the temperature outside, learned as its readings come.

What the weather adds to a reading, beyond the weather usual at that hour of the last weeks,
is subtracted before the baselines look at it, and added to what they expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.anomaly.clock import Clock
from esgml.anomaly.state import dump_state, restore_state, stored_arrays
from esgml.core.errors import DataError, IntegrityError, UsageError
from esgml.core.frequency import Frequency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.interfaces import Files

    Floats = NDArray[np.float64]

_ARRAYS = ("past_values", "past_degrees", "theta", "spread", "usual", "counts", "whole")
#: Temperatures above this are in kelvin.
_KELVIN = 150.0


class WeatherResponse:
    """Heating and cooling slopes of one meter; constant time and bounded memory per reading.

    Attributes
    ----------
    theta : array, shape (3,)
        Change of the reading per heating degree and per cooling degree, and the usual error.
    """

    def __init__(self, frequency: Frequency) -> None:
        self.clock = Clock(frequency)
        self.past_values = np.full(self.clock.span, np.nan)
        self.past_degrees = np.full((self.clock.span, 2), np.nan)
        self.theta, self.spread = np.zeros(3), np.eye(2)
        self.usual = np.zeros((self.clock.day, 2))
        self.counts = np.zeros(self.clock.day)
        self.whole = np.zeros(2, dtype=np.int64)

    def update(self, time: NDArray[np.datetime64], values: Floats, temperature: Floats) -> Floats:
        """Return what the weather adds to each reading, shape (n,); 0 where it is not known.

        Parameters
        ----------
        temperature : array, shape (n,)
            Outside, in degrees Celsius (or kelvin, told by its size); NaN where missing.
        """
        from esgml.anomaly.weather_kernel import respond

        degrees = np.array(temperature, dtype=np.float64)
        if degrees.shape != np.shape(values):
            raise DataError("temperatures and readings differ in number.", code="shape")
        degrees[~np.isfinite(degrees)] = np.nan
        degrees = np.where(degrees > _KELVIN, degrees - 273.15, degrees)
        added = np.empty(len(degrees))
        respond(
            np.asarray(values, dtype=np.float64),
            degrees,
            self.clock.slots(time) % self.clock.day,
            *(getattr(self, name) for name in _ARRAYS),
            added,
        )
        return added

    def to_files(self) -> Files:
        """Return the state as JSON and safetensors, every bit kept."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return dump_state(frequency=self.clock.frequency.code, **arrays)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Take a state back from what `to_files` returned."""
        stored: dict[str, Any] = restore_state(files)
        try:
            state = cls(Frequency(stored["frequency"]))
        except (KeyError, TypeError, UsageError) as error:
            raise IntegrityError("the saved weather response is unreadable.") from error
        found = stored_arrays(stored, {name: getattr(state, name).shape for name in _ARRAYS})
        for name, array in found.items():
            setattr(state, name, array)
        return state
