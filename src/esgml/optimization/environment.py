"""Any problem as a Gymnasium environment: one column of the plan is decided per step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np

from esgml.optimization.problem import TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.problem import Problem


class PlanEnv(gymnasium.Env):  # type: ignore[misc]
    """Decides a plan column by column; the reward comes with the last one.

    For problems without a clock (a portfolio, set points). Actions are the levels of the
    column: its whole values, or `LEVELS` even steps between the bounds.

    The sum of the rewards is minus the value of the plan, minus `PENALTY` times the broken
    amounts in multiples of the baseline's value.
    """

    LEVELS = 21
    PENALTY = 10.0
    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, problem: Problem) -> None:
        problem.space.require_finite()
        self.problem = problem
        space = problem.space
        widths = np.where(space.integral, space.upper - space.lower + 1, self.LEVELS)
        self.counts = np.maximum(widths, 1).astype(np.int64)
        self.action_space = gymnasium.spaces.Discrete(int(self.counts.max()))
        d = problem.dimension
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (2 * d,), np.float32)
        start = problem.evaluate(problem.start())
        self.scale = max(1.0, float(abs(problem.scalar(start.objectives)[0])))
        self.plan = np.zeros(d)
        self.place = 0

    def level(self, column: int, action: int) -> float:
        """Return the value that an action gives a column."""
        space = self.problem.space
        count = int(self.counts[column])
        action = min(int(action), count - 1)
        if space.integral[column]:
            return float(space.lower[column] + action)
        width = space.upper[column] - space.lower[column]
        return float(space.lower[column] + width * action / max(count - 1, 1))

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions mean something for the next column."""
        column = min(self.place, self.problem.dimension - 1)
        return np.asarray(np.arange(self.counts.max()) < self.counts[column])

    def _observe(self) -> NDArray[np.float32]:
        space, d = self.problem.space, self.problem.dimension
        width = np.where(space.upper > space.lower, space.upper - space.lower, 1.0)
        decided = np.where(np.arange(d) < self.place, (self.plan - space.lower) / width, 0.0)
        here = (np.arange(d) == self.place).astype(np.float64)
        return np.concatenate([decided, here]).astype(np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start a new plan."""
        super().reset(seed=seed)
        self.plan, self.place = self.problem.space.lower.copy(), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Decide the next column."""
        self.plan[self.place] = self.level(self.place, int(action))
        self.place += 1
        done = self.place == self.problem.dimension
        reward, info = 0.0, {}
        if done:
            x = self.problem.space.repair(self.plan[None])
            judged = self.problem.evaluate(x)
            broken = np.where(judged.violations > TOLERANCE, judged.violations, 0.0).sum()
            value = float(self.problem.scalar(judged.objectives)[0])
            reward = -value - self.PENALTY * self.scale * float(broken)
            info = {"plan": x[0], "feasible": bool(judged.feasible[0]), "value": value}
        return self._observe(), reward, done, False, info
