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

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
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

    def parts(self, count: int) -> Iterator[Batch]:
        """Cut the batch into `count` of one size: drawing once is cheaper than often."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        held = {name: values for name, values in columns.items() if values is not None}
        size = len(self.action) // count
        for start in range(0, size * count, size):
            rows = slice(start, start + size)
            yield replace(self, **{name: values[rows] for name, values in held.items()})


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
        age = drawn // environments
        oldest = self.written - held
        # Where a transition begins, counted over rows and environments in one.
        first = (drawn + oldest * environments) % (self.rows * environments)
        if steps == 1:
            last, reward = first, self.reward.take(first)
            factor = np.full(size, gamma, np.float32)
        else:
            later = np.minimum(age[:, None] + np.arange(steps), held - 1)
            here = (oldest + later) % self.rows * environments + (drawn % environments)[:, None]
            ends = self.cut.take(here) | (later == held - 1)
            ends[:, -1] = True
            length = ends.argmax(axis=1)
            weights = np.where(np.arange(steps) <= length[:, None], gamma ** np.arange(steps), 0.0)
            reward = (weights * self.reward.take(here)).sum(axis=1).astype(np.float32)
            last = here[np.arange(size), length]
            factor = (gamma ** np.arange(1, steps + 1)).astype(np.float32)[length]
        return Batch(
            _rows(self.observation, first),
            self.action.take(first),
            reward,
            np.where(self.over.take(last), np.float32(0.0), factor),
            _rows(self.following, last),
            _rows(self.allowed, last),
            None if self.every_reward is None else _rows(self.every_reward, first),
            None if self.every_following is None else _rows(self.every_following, first),
        )


def _rows(stored: NDArray[Any], at: NDArray[np.int64]) -> NDArray[Any]:
    """Return the transitions at places counted over rows and environments in one."""
    return stored.reshape(-1, *stored.shape[2:]).take(at, axis=0)
