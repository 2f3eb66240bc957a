"""One site and its battery as a Gymnasium environment, one step of the plan at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np

from esgml.core.errors import UsageError
from esgml.optimization.environment import PlanEnv
from esgml.optimization.problem import TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.problems.battery_dispatch import BatteryDispatch

    Floats = NDArray[np.float64]


class DispatchEnv(gymnasium.Env):  # type: ignore[misc]
    """Decides what the battery does now, knowing load and sun of this step but not the next.

    Actions mean something physical: ``idle``; ``follow`` (charge from surplus, cover the
    load); ``keep`` (charge from surplus, discharge nothing); fill from the grid to a quarter,
    half, three quarters, all (never less than the surplus brings).

    Observed, each about between -1 and 1: level; hour of day and of week as sine and cosine;
    load and solar now and a day ago over the coming day; value of a kWh now and over the
    coming 24 steps relative to the mean of the plan. Load and solar are in multiples of the
    mean load seen before. Prices ahead are known, as a tariff is; carbon ahead is that of a
    day before.

    The sum of the rewards is minus the value of the plan (minus a penalty where a limit is
    broken); ``info["plan"]`` of the last step is that plan.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    ACTIONS: ClassVar[tuple[str, ...]] = ("idle", "follow", "keep", "25 %", "50 %", "75 %", "100 %")
    AHEAD = 24

    def __init__(self, problem: BatteryDispatch) -> None:
        if problem.grid.shape[0] != 1:
            raise UsageError(
                "an environment is one site.", where="load", remedy="Build one problem a site."
            )
        self.problem = problem
        self.store = problem.store
        steps = problem.grid.shape[1]
        past_load = problem.history.get("load", np.zeros((1, 0)))[0]
        past_solar = problem.history.get("solar", np.zeros((1, len(past_load))))[0]
        first = np.full(self.AHEAD, np.nan)
        # one row of what happened before and happens; a day before it unknown
        self._load = np.concatenate([first, past_load, problem.load[0]])
        self._solar = np.concatenate([first, past_solar, problem.solar[0]])
        self._begin = self.AHEAD + len(past_load)
        seen = past_load if len(past_load) else problem.load[0, :1]
        self.scale = max(float(seen.mean()), 1e-3)
        self._net = problem.grid.net[0]
        weights = problem.weights
        self._value = weights[0] * problem.grid.price + weights[1] * problem.grid.carbon
        self._earned = weights[0] * problem.grid.export
        self._mean = max(float(np.abs(self._value).mean()), 1e-12)
        expected = weights[0] * problem.grid.price + weights[1] * _yesterday(problem, self.AHEAD)
        padded = np.concatenate([expected, np.zeros(self.AHEAD)]) / self._mean
        self._ahead = np.lib.stride_tricks.sliding_window_view(padded, self.AHEAD + 1)[:steps]
        self.action_space = gymnasium.spaces.Discrete(len(self.ACTIONS))
        self.observation_space = gymnasium.spaces.Box(
            -np.inf, np.inf, (len(self._observe_at(0, 0.0)),), np.float32
        )
        self.level, self.place = self.store.start, 0
        self.powers = np.zeros(steps)

    def energy(self, action: int) -> float:
        """Return kWh at the terminals that an action asks for in this step."""
        net, store = float(self._net[self.place]), self.store
        if action == 0:
            return 0.0
        if action == 1:
            return -net
        surplus = max(-net, 0.0)
        if action == 2:
            return surplus
        goal = (action - 2) / 4 * store.capacity
        return max(surplus, (goal - self.level) / store.charging)

    def _observe_at(self, place: int, level: float) -> NDArray[np.float32]:
        hour = 2 * np.pi * ((self.problem.first_hour + place * self.store.hours) % 168)
        at = self._begin + place
        day = slice(at + 1 - self.AHEAD, at + 1)  # what the coming day was like a day ago
        load, solar = self._load[day], self._solar[day]
        now = np.array([self._load[at], self._solar[at]]) / self.scale
        clock = [np.sin(hour / 24), np.cos(hour / 24), np.sin(hour / 168), np.cos(hour / 168)]
        left = len(self._net) - place
        found = np.concatenate(
            [
                [level / max(self.store.capacity, 1e-9), min(left, self.AHEAD) / self.AHEAD],
                clock,
                now,
                np.nan_to_num(load) / self.scale,
                np.nan_to_num(solar) / self.scale,
                [self._value[place] / self._mean],
                self._ahead[place, 1:],
            ]
        )
        return found.astype(np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Go back to the first step."""
        super().reset(seed=seed)
        self.level, self.place = self.store.start, 0
        self.powers = np.zeros(len(self._net))
        return self._observe_at(0, self.level), {}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Let one step pass."""
        level = np.array([self.level])
        energy = self.store.limit(level, np.array([self.energy(int(action))]))
        self.level = float(self.store.moved(level, energy)[0])
        t = self.place
        self.powers[t] = energy[0] / self.store.hours
        meter = float(self._net[t] + energy[0])
        reward = -self._value[t] * max(meter, 0.0) + self._earned[t] * max(-meter, 0.0)
        self.place += 1
        done = self.place == len(self._net)
        info: dict[str, Any] = {"energy": float(energy[0]), "level": self.level}
        if done:
            judged = self.problem.evaluate(self.powers)
            broken = judged.violations[0]
            amount = float(broken[broken > TOLERANCE].sum())
            reward -= PlanEnv.PENALTY * self._mean * amount
            value = float(self.problem.scalar(judged.objectives)[0])
            info |= {"plan": self.powers, "feasible": amount == 0, "value": value}
            return self._observe_at(t, self.level), float(reward), True, False, info
        return self._observe_at(self.place, self.level), float(reward), False, False, info


def _yesterday(problem: BatteryDispatch, day: int) -> Floats:
    """Return the carbon intensity of a day before each step, as far as it was seen."""
    now = problem.grid.carbon
    past = problem.history.get("carbon", np.zeros(0))[-day:]
    seen = np.concatenate([np.full(day - len(past), past[0] if len(past) else now[0]), past, now])
    return seen[: len(now)]
