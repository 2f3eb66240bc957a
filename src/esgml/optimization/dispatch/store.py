"""The physics of a store: what a commanded power does to its level and to the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Store:
    """A battery as seen from its terminals.

    Attributes
    ----------
    capacity : float
        kWh.
    power : float
        Most kW at the terminals, charging and discharging.
    charging, discharging : float
        Efficiency each way: charging with 1 kWh stores `charging` kWh, and 1 kWh out takes
        1 / `discharging` kWh from the store.
    start : float
        kWh stored at the beginning.
    hours : float
        Length of a step.
    """

    capacity: float
    power: float
    charging: float = 1.0
    discharging: float = 1.0
    start: float = 0.0
    hours: float = 1.0

    def __post_init__(self) -> None:
        numbers = np.array([*vars(self).values()])
        if not np.isfinite(numbers).all() or (numbers < 0).any():
            raise DataError("a property of the battery is no number of 0 or more.", where="battery")
        if not (0 < self.charging <= 1 and 0 < self.discharging <= 1):
            raise DataError("efficiencies lie above 0, up to 1.", where="battery.efficiency")
        if self.start > self.capacity:
            raise DataError("it starts with more than it holds.", where="battery.start")
        if self.hours == 0:
            raise DataError("a step takes no time.", where="step_hours")

    @property
    def most(self) -> float:
        """Most kWh at the terminals in one step."""
        return self.power * self.hours

    def limit(self, level: NDArray[np.float64], energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what of the commanded energy is carried out, kWh at the terminals.

        Positive charges. Power, room and what is stored are kept to.
        """
        energy = np.clip(energy, -self.most, self.most)
        room = np.maximum(self.capacity - level, 0.0) / self.charging
        return np.clip(energy, -level * self.discharging, room)

    def moved(self, level: NDArray[np.float64], energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the level after an energy that `limit` let through."""
        change = np.where(energy > 0, energy * self.charging, energy / self.discharging)
        return np.clip(level + change, 0.0, self.capacity)

    def run(self, power: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Carry out commanded powers step by step.

        Parameters
        ----------
        power : array, shape (T, ...)
            kW, positive charges; the first axis is time.

        Returns
        -------
        energy : array, shape (T, ...)
            kWh at the terminals that were carried out.
        level : array, shape (T, ...)
            kWh stored after each step.
        """
        wanted = np.clip(power, -self.power, self.power) * self.hours
        # what a command would do to the level; the smaller one is right for both directions
        change = np.minimum(wanted * self.charging, wanted / self.discharging)
        levels = np.empty_like(change)
        level = np.full(power.shape[1:], self.start)
        for t in range(len(power)):
            np.add(level, change[t], out=levels[t])
            np.maximum(levels[t], 0.0, out=levels[t])
            np.minimum(levels[t], self.capacity, out=levels[t])
            level = levels[t]
        done = np.diff(levels, axis=0, prepend=np.full((1, *power.shape[1:]), self.start))
        return np.maximum(done / self.charging, done * self.discharging), levels
