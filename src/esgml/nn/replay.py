"""Experience replay: what was seen, kept in a ring and drawn from at random.

Transitions of several environments that run side by side are stored step by step. Returns over
several steps are worked out when a batch is drawn, so that the number of steps is no matter of
the store, and no episode leaks into the next.

References
----------
Lin, L.-J. (1992). Self-improving reactive agents. Mnih, V. et al. (2015). Human-level control
through deep reinforcement learning. Sutton, R. S. (1988), for returns over several steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """Transitions drawn from a replay store.

    Attributes
    ----------
    observation, following : array of float32, shape (b, features)
        Where a transition began, and where it ended.
    action : array of int, shape (b,)
    reward : array of float32, shape (b,)
        Discounted sum of the rewards in between.
    discount : array of float32, shape (b,)
        Weight of the value of where it ended: 0 where the episode was over.
    allowed : array of bool, shape (b, actions)
        Which actions may be taken where it ended.
    every_reward : array of float32, shape (b, actions), or None
    every_following : array of float32, shape (b, actions, features), or None
        What each action would have brought, and where it would have led, where that is known.
    """

    observation: NDArray[np.float32]
    action: NDArray[np.int64]
    reward: NDArray[np.float32]
    discount: NDArray[np.float32]
    following: NDArray[np.float32]
    allowed: NDArray[np.bool_]
    every_reward: NDArray[np.float32] | None = None
    every_following: NDArray[np.float32] | None = None


class ReplayBuffer:
    """A ring of the last transitions of `environments` that run side by side.

    Parameters
    ----------
    capacity : int
        Transitions kept, of all environments together.
    features, actions : int
        Length of an observation, and number of actions.
    environments : int
    every : bool
        Whether to store what the actions that were not taken would have brought.

    Raises
    ------
    UsageError
        If the capacity does not hold one step of every environment.
    """

    def __init__(
        self,
        capacity: int,
        features: int,
        actions: int,
        environments: int = 1,
        *,
        every: bool = False,
    ) -> None:
        self.rows = capacity // environments
        if self.rows < 1:
            raise UsageError(f"a replay of {capacity} holds no step of {environments} environments")
        shape = (self.rows, environments)
        self.observation = np.zeros((*shape, features), np.float32)
        self.following = np.zeros((*shape, features), np.float32)
        self.action = np.zeros(shape, np.int64)
        self.reward = np.zeros(shape, np.float32)
        self.over = np.zeros(shape, np.bool_)
        self.cut = np.zeros(shape, np.bool_)
        self.allowed = np.ones((*shape, actions), np.bool_)
        self.every_reward: NDArray[np.float32] | None = None
        self.every_following: NDArray[np.float32] | None = None
        if every:
            self.every_reward = np.zeros((*shape, actions), np.float32)
            self.every_following = np.zeros((*shape, actions, features), np.float32)
        self.written = 0

    def __len__(self) -> int:
        """Return the number of transitions held."""
        return min(self.written, self.rows) * int(self.action.shape[1])

    def add(
        self,
        observation: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        following: NDArray[Any],
        terminated: NDArray[Any],
        truncated: NDArray[Any],
        allowed: NDArray[np.bool_] | None = None,
        every: tuple[NDArray[Any], NDArray[Any]] | None = None,
    ) -> None:
        """Store one step of every environment; the oldest one is forgotten when full.

        Parameters
        ----------
        observation, following : array, shape (environments, features)
            Before and after the step; the last observation of an episode, not the first one of
            the next.
        action, reward : array, shape (environments,)
        terminated, truncated : array of bool, shape (environments,)
            Whether the episode is over for good, or was only cut short.
        allowed : array of bool, shape (environments, actions), optional
            Actions that may be taken after the step; all where omitted.
        every : pair of arrays, of shapes (environments, actions[, features]), optional
            Reward and reached observation of every action.
        """
        at = self.written % self.rows
        self.observation[at] = observation
        self.following[at] = following
        self.action[at] = action
        self.reward[at] = reward
        self.over[at] = terminated
        self.cut[at] = np.logical_or(terminated, truncated)
        self.allowed[at] = True if allowed is None else allowed
        if every is not None and self.every_reward is not None:
            self.every_reward[at], self.every_following[at] = every  # type: ignore[index]
        self.written += 1

    def sample(
        self, rng: np.random.Generator, size: int, steps: int = 1, gamma: float = 0.99
    ) -> Batch:
        """Draw transitions with replacement, each over up to `steps` steps.

        A transition is shorter where its episode ends or where the store does.

        Raises
        ------
        UsageError
            If nothing is stored yet.
        """
        held = min(self.written, self.rows)
        if held == 0:
            raise UsageError("nothing is stored yet, so nothing can be drawn.")
        environments = self.action.shape[1]
        drawn = rng.integers(0, held * environments, size)
        age, who = drawn // environments, drawn % environments
        oldest = self.written - held
        at = (oldest + age) % self.rows
        if steps == 1:
            discount = np.where(self.over[at, who], 0.0, gamma).astype(np.float32)
            return Batch(
                self.observation[at, who],
                self.action[at, who],
                self.reward[at, who],
                discount,
                self.following[at, who],
                self.allowed[at, who],
                None if self.every_reward is None else self.every_reward[at, who],
                None if self.every_following is None else self.every_following[at, who],
            )
        reward = np.zeros(size)
        factor = np.full(size, 1.0)
        going = np.ones(size, dtype=bool)
        last = at.copy()
        for k in range(steps):
            here = (oldest + np.minimum(age + k, held - 1)) % self.rows
            going &= age + k < held
            reward += np.where(going, factor * self.reward[here, who], 0.0)
            factor = np.where(going, factor * gamma, factor)
            last = np.where(going, here, last)
            going &= ~self.cut[here, who]
        return Batch(
            self.observation[at, who],
            self.action[at, who],
            reward.astype(np.float32),
            np.where(self.over[last, who], 0.0, factor).astype(np.float32),
            self.following[last, who],
            self.allowed[last, who],
        )
