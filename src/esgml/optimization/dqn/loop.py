"""The loop of deep Q-learning: act, remember, learn, in environments side by side.

All randomness comes from the seed: the same seed, settings and environment give the same
weights, bit for bit, on one machine.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.random import derive_seed, generator
from esgml.nn.replay import ReplayBuffer
from esgml.optimization.dqn.learner import Learner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.dqn.settings import DqnParams
    from esgml.optimization.environments.side_by_side import SideBySide

#: Episodes whose mean return says whether a task is solved.
RECENT = 100


@dataclass
class Record:
    """How learning went.

    Attributes
    ----------
    steps : int
        Steps of the environment, all copies together.
    returns : list of (steps, return)
        Every episode that ended, and after how many steps.
    low, high : array, shape (features,)
        The smallest and largest value of every feature that was seen.
    solved : bool
        Whether the mean return that stops learning was reached.
    """

    steps: int = 0
    returns: list[tuple[int, float]] = field(default_factory=list)
    low: NDArray[np.float64] = field(default_factory=lambda: np.array(np.inf))
    high: NDArray[np.float64] = field(default_factory=lambda: np.array(-np.inf))
    solved: bool = False

    def widen(self, replay: ReplayBuffer) -> None:
        """Take in the range of the observations that are remembered now."""
        held = min(replay.written, replay.rows)
        for seen in (replay.observation[:held], replay.following[:held]):
            self.low = np.minimum(self.low, seen.min(axis=(0, 1), initial=np.inf))
            self.high = np.maximum(self.high, seen.max(axis=(0, 1), initial=-np.inf))

    def curve(self, most: int = 100) -> list[list[float]]:
        """Return at most `most` points ``[steps, mean return of the last episodes]``."""
        if not self.returns:
            return []
        gained = np.array([value for _, value in self.returns])
        summed = np.concatenate([[0.0], np.cumsum(gained)])
        at = np.unique(np.linspace(0, len(gained) - 1, most).astype(int))
        first = np.maximum(0, at + 1 - RECENT)
        mean = (summed[at + 1] - summed[first]) / (at + 1 - first)
        return [[self.returns[i][0], float(m)] for i, m in zip(at, mean, strict=True)]


def learn(
    environment: SideBySide, params: DqnParams, seed: int, episodes: int
) -> tuple[Learner, Record]:
    """Learn until `episodes` have ended, the steps are used up, or the task is solved.

    Returns
    -------
    learner : Learner
    record : Record
    """
    rng = generator(seed, "dqn", "loop")
    count, features, actions = environment.count, environment.features, environment.actions
    every = params.every_action and environment.tells_every
    replay = ReplayBuffer(params.buffer, features, actions, count, every=every)
    learner = Learner(features, actions, params, seed)
    record = Record()
    recent: deque[float] = deque(maxlen=RECENT)
    gained = np.zeros(count)
    owed = 0.0
    seen = environment.reset(derive_seed(seed, "dqn", "environment") % (2**31))
    ready = False
    allowed = environment.masks() if environment.masked else None
    while record.steps < params.steps and len(record.returns) < episodes:
        progress = record.steps / params.steps
        warming = record.steps < params.warm_up
        if warming:
            action = _random(rng, count, actions, allowed)
        else:
            if not ready:
                learner.standardize(*_spread(replay, params.gamma))
                ready = True
            values = learner.values(seen)
            if allowed is not None:
                values = np.where(allowed, values, -np.inf)
            action = values.argmax(axis=1)
            epsilon = _epsilon(params, progress)
            curious = np.flatnonzero(rng.random(count) < epsilon)
            if len(curious):
                some = None if allowed is None else allowed[curious]
                action[curious] = _random(rng, len(curious), actions, some)
        following, reward, over, cut, reached = environment.step(action)
        allowed = environment.masks() if environment.masked else None
        others = environment.every if every else None
        replay.add(seen, action, reward, reached, over, cut, _after(allowed, over | cut), others)
        record.steps += count
        gained += reward
        ended = np.flatnonzero(over | cut)
        for i in ended.tolist():
            record.returns.append((record.steps, float(gained[i])))
            recent.append(float(gained[i]))
            gained[i] = 0.0
        seen = following
        if replay.written % replay.rows == 0:  # before the first ones are forgotten
            record.widen(replay)
        if warming:
            continue
        if len(ended) and params.stop_at is not None and len(recent) == RECENT:
            record.solved = float(np.mean(recent)) >= params.stop_at
            if record.solved:
                break
        owed += params.updates_per_step * count
        if owed < params.updates_at_once:
            continue
        learner.slow_down(progress)
        due, steps = int(owed), 1 if every else params.n_step
        owed -= due
        drawn = replay.sample(rng, due * params.batch, steps, params.gamma)
        for batch in drawn.parts(due):
            if every:
                learner.update_every(batch)
            else:
                learner.update(batch)
            if progress >= 1.0 - params.average:
                learner.weigh_in()
    learner.settle()
    record.widen(replay)
    return learner, record


def _epsilon(params: DqnParams, progress: float) -> float:
    """Return the share of random actions: from 1 down to the final one along a line."""
    done = min(1.0, progress / params.exploration)
    return 1.0 + (params.final_epsilon - 1.0) * done


def _random(
    rng: np.random.Generator, count: int, actions: int, allowed: NDArray[np.bool_] | None
) -> NDArray[np.int64]:
    """Draw an allowed action for each environment."""
    if allowed is None:
        return rng.integers(0, actions, count)
    return np.asarray(np.where(allowed, rng.random(allowed.shape), -1.0).argmax(axis=1))


def _after(allowed: NDArray[np.bool_] | None, ended: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return what is allowed where the step led; all where a new episode has begun since."""
    return None if allowed is None else allowed | ended[:, None]


def _spread(
    replay: ReplayBuffer, gamma: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Return mean and deviation of the observations so far, and what counts as 1 of rewards.

    A feature that stood still has the deviation 1. Rewards are measured by how far a sum of them,
    discounted by `gamma`, may reach, so that the values to be learned are of the size of what a
    new network says, and steps of one size fit every task.
    """
    held = min(replay.written, replay.rows)
    seen = replay.observation[:held].astype(np.float64)
    mean, deviation = seen.mean(axis=(0, 1)), seen.std(axis=(0, 1))
    deviation = np.where(deviation > 1e-6 * (1.0 + np.abs(mean)), deviation, 1.0)
    size = float(np.sqrt(np.mean(replay.reward[:held].astype(np.float64) ** 2)))
    reach = size / np.sqrt(max(1.0 - gamma, 1e-4))
    return mean.astype(np.float32), deviation.astype(np.float32), reach if size > 1e-9 else 1.0
