"""Batteries beside load and solar, hour by hour: many houses and weeks at once, in NumPy.

What a controller may know is what it would know: load and sun of this hour and of past days,
the tariff ahead, the level of the store. Actions are those an installer would name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np

from esgml.core.errors import DataError, UsageError
from esgml.optimization.environments.battery_features import DAY, features, last_chance, needs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Index = NDArray[np.int64]


@dataclass(frozen=True)
class Battery:
    """A battery as seen from its terminals.

    Attributes
    ----------
    capacity : float
        kWh.
    power : float
        Most kWh in an hour, charging and discharging.
    efficiency : float
        Of a round trip; each way loses its square root.
    """

    capacity: float = 6.4
    power: float = 5.0
    efficiency: float = 0.9

    @property
    def way(self) -> float:
        """Efficiency each way."""
        return float(np.sqrt(self.efficiency))


@dataclass(frozen=True, eq=False)
class Houses:
    """Hourly series of several houses under one tariff.

    Attributes
    ----------
    load, solar : array, shape (houses, hours)
        kWh in each hour.
    price : array, shape (hours,)
        Value of a kWh drawn, known ahead; money a kWh.
    first_hour : int
        Hour of the day of the first column.

    Raises
    ------
    DataError
        If shapes do not fit, or a value is not finite or negative.
    """

    load: Floats
    solar: Floats
    price: Floats
    first_hour: int = 0

    def __post_init__(self) -> None:
        if self.load.ndim != 2 or self.solar.shape != self.load.shape:
            raise DataError("load and solar are (houses, hours) alike.", code="shape", where="load")
        if self.price.shape != self.load.shape[1:]:
            raise DataError("the tariff has a price for every hour.", code="shape", where="price")
        for name in ("load", "solar", "price"):
            values = getattr(self, name)
            if not np.isfinite(values).all() or (values < 0).any():
                raise DataError(
                    f"{name} has hours that are missing or below 0.",
                    code="not_finite",
                    where=name,
                    remedy="Fill or leave out the weeks that have gaps.",
                )


class BatteryFleet:
    """A vectorized environment: each copy is one house over one stretch of hours.

    Gymnasium's interface for vectors, resetting in the step that ends an episode. Episodes
    begin at a random one of `starts`, or take them in turn.

    Actions: ``idle``; ``store`` (charge from surplus, discharge nothing); ``follow`` (charge
    from surplus, cover the load); ``fill ...`` (follow, but be charged up to a level when dear
    hours begin: from the grid, in the last hours that suffice and cost no more than later ones;
    `last_chance` says which these are). So all that is left to learn is how much, and when to
    hold back.

    The reward is what the hour cost less than it would have with an idle battery, plus the
    change in what the stored energy is worth (`shaping` times `stored_value`; a potential, which
    changes no policy's order: Ng, Harada, Russell 1999). ``info["saved"]`` is
    the money alone.

    Parameters
    ----------
    houses : Houses
    battery : Battery
    starts : array, shape (k, 2)
        House and first hour of every episode that may be drawn; each needs a week before it.
    hours : int
        Length of an episode.
    copies : int
        Houses that run side by side.
    shaping : float
        0 = money alone.
    gamma : float
        Discount of the learner that the potential is taken with.
    in_turn : bool
        Take the episodes in order, copy i the i-th, rather than at random.

    Raises
    ------
    UsageError
        If an episode has no week before it or does not end within the data.
    """

    ACTIONS: ClassVar[tuple[str, ...]] = (
        "idle",
        "store",
        "follow",
        "fill for a middling day",
        "fill for a needy day",
        "fill for the neediest day",
        "fill up",
    )
    #: Which of the past seven days the filling actions fill for, the least needy one first.
    FILLS: ClassVar[tuple[int, ...]] = (3, 5, 6)
    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": "SameStep"}
    #: Whether a step tells what every action would have brought.
    tells_every: ClassVar[bool] = True

    def __init__(
        self,
        houses: Houses,
        battery: Battery,
        starts: Index,
        *,
        hours: int = 168,
        copies: int = 8,
        shaping: float = 1.0,
        gamma: float = 0.99,
        in_turn: bool = False,
    ) -> None:
        first, last = starts[:, 1].min(), starts[:, 1].max() + hours
        if first < 7 * DAY or last > houses.load.shape[1]:
            raise UsageError(
                f"episodes run from hour {first} to {last} of {houses.load.shape[1]}.",
                code="episodes",
                remedy="Begin after a week of history, and end within the data.",
            )
        self.houses, self.battery, self.starts = houses, battery, starts
        self.hours, self.num_envs = hours, copies
        self.shaping, self.gamma, self.in_turn = shaping, gamma, in_turn
        self._net = houses.load - houses.solar
        self.single_action_space = gymnasium.spaces.Discrete(len(self.ACTIONS))
        past, self._dear, self._cheap = needs(houses, battery)
        self._features = features(houses, battery, past)
        self.single_observation_space = gymnasium.spaces.Box(
            -np.inf, np.inf, (self._features.shape[2] + 2,), np.float32
        )
        self._needed = past.mean(axis=0)
        self._late = last_chance(houses, battery)
        self._goals = np.zeros((*self._needed.shape, len(self.ACTIONS)))
        self._goals[..., -1] = battery.capacity
        for k, day in enumerate(self.FILLS):
            self._goals[..., 3 + k] = np.minimum(past[day] / battery.way, battery.capacity)
        self._rng = np.random.default_rng(0)
        self._next = 0
        self.house = np.zeros(copies, np.int64)
        self.hour = np.zeros(copies, np.int64)
        self.left = np.zeros(copies, np.int64)
        self.level = np.zeros(copies)

    def _begin(self, who: NDArray[np.intp]) -> None:
        if self.in_turn:
            drawn = (self._next + np.arange(len(who))) % len(self.starts)
            self._next += len(who)
        else:
            drawn = self._rng.integers(0, len(self.starts), len(who))
        self.house[who], self.hour[who] = self.starts[drawn].T
        self.left[who] = self.hours
        self.level[who] = 0.0

    def _observe(self, level: Floats) -> NDArray[np.float32]:
        """Return what is seen with the levels given, shape (..., copies, features)."""
        seen = self._features[self.house, self.hour]
        wanted = self._needed[self.house, self.hour] - level * self.battery.way
        own = np.stack([level, wanted], axis=-1) / self.battery.capacity
        wide = np.broadcast_to(seen, (*level.shape, seen.shape[1]))
        return np.concatenate([own, wide], axis=-1).astype(np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in every copy, with an empty battery or the ``level`` in `options`."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
            self._next = 0
        self._begin(np.arange(self.num_envs))
        if options is not None and "level" in options:
            self.level[:] = np.clip(options["level"], 0.0, self.battery.capacity)
        return self._observe(self.level), {}

    def energy(self, action: Index) -> Floats:
        """Return kWh at the terminals that actions bring about; positive charges.

        Parameters
        ----------
        action : array of int, shape (..., copies)
        """
        battery, net = self.battery, self._net[self.house, self.hour]
        goals = self._goals[self.house, self.hour].T  # (actions, copies)
        goal = np.take_along_axis(goals, np.atleast_2d(action), axis=0).reshape(action.shape)
        fill = np.maximum((goal - self.level) / battery.way, np.maximum(-net, 0.0))
        follows = (action == 2) | ((action > 2) & ~self._late[self.hour])
        wanted = np.where(follows, -net, np.where(action == 0, 0.0, fill))
        room = (battery.capacity - self.level) / battery.way
        wanted = np.minimum(np.clip(wanted, -battery.power, battery.power), room)
        return np.asarray(np.maximum(wanted, -self.level * battery.way))

    def stored_value(self, level: Floats) -> Floats:
        """Return what stored energy is worth: the dear part of what it can cover first."""
        out = level * self.battery.way
        dear = np.minimum(out, self._needed[self.house, self.hour])
        return np.asarray(self._dear[self.hour] * dear + self._cheap[self.hour] * (out - dear))

    def step(
        self, actions: Index
    ) -> tuple[NDArray[np.float32], Floats, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Let one hour pass everywhere.

        ``info["every"]`` holds the reward and the reached observation of every action, of
        shapes (copies, actions) and (copies, actions, features): load and sun do not depend on
        what the battery does, so what the others would have brought is known as well.
        """
        battery, copies = self.battery, np.arange(self.num_envs)
        every = np.arange(len(self.ACTIONS))[:, None]
        energy = self.energy(np.broadcast_to(every, (len(every), self.num_envs)))
        net, price = self._net[self.house, self.hour], self.houses.price[self.hour]
        before = self.stored_value(self.level)
        change = np.where(energy > 0, energy * battery.way, energy / battery.way)
        level = np.clip(self.level + change, 0.0, battery.capacity)
        saved = price * (np.maximum(net, 0.0) - np.maximum(net + energy, 0.0))
        self.hour = np.minimum(self.hour + 1, self.houses.load.shape[1] - 1)
        reward = saved + self.shaping * (self.gamma * self.stored_value(level) - before)
        reached = self._observe(level)
        taken = (np.asarray(actions), copies)
        self.level = level[taken]
        self.left = self.left - 1
        cut = self.left == 0
        seen = reached[taken]
        info: dict[str, Any] = {
            "saved": saved[taken],
            "energy": energy[taken],
            "level": self.level.copy(),
            "every": (reward.T, reached.swapaxes(0, 1)),
        }
        if cut.any():
            info["final_obs"] = seen
            self._begin(np.flatnonzero(cut))
            seen = self._observe(self.level)
        return seen, reward[taken], np.zeros(self.num_envs, bool), cut, info


def fill_late(observation: NDArray[Any]) -> Index:
    """Return the actions of a simple rule for observations of the fleet, (n, features).

    It charges from surplus, covers the load, and in the last hours before dear ones fills for the
    neediest of the past seven days. Late, because the sun may still bring some of it; for the
    neediest day, because what is left over is used later at little loss.
    """
    return np.full(len(observation), 5)
