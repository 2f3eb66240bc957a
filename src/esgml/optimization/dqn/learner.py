"""The Q-network and its update: what a batch of transitions teaches.

References
----------
Mnih, V. et al. (2015). Human-level control through deep reinforcement learning.
van Hasselt, H., Guez, A., Silver, D. (2016). Deep reinforcement learning with double Q-learning.
Wang, Z. et al. (2016). Dueling network architectures for deep reinforcement learning.
Bellemare, M. G. et al. (2016). Increasing the action gap: new operators for reinforcement learning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import UsageError
from esgml.core.random import generator
from esgml.nn.perceptron import Perceptron, dueling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.nn.replay import Batch
    from esgml.optimization.dqn.settings import DqnParams


class Learner:
    """An online and a target network, and the update that moves the first one.

    Parameters
    ----------
    features, actions : int
    params : DqnParams
    seed : int
        Of the first weights; everything else is random in the replay, not here.

    Attributes
    ----------
    updates : int
    average : array, shape (p,)
        Mean of the online weights over the last updates; see `weigh_in`.
    """

    def __init__(self, features: int, actions: int, params: DqnParams, seed: int) -> None:
        sizes = (features, *params.hidden, actions + int(params.dueling))
        self.online = Perceptron(sizes, generator(seed, "dqn", "weights"))
        self.target = Perceptron(sizes, generator(seed, "dqn", "weights"))
        self.params = params
        self.updates = 0
        self.mean = np.zeros(features, np.float32)
        self.scale = np.ones(features, np.float32)
        self.worth = 1.0
        self.rate = params.learning_rate
        self._averaged = 0
        self.average = np.zeros(len(self.online.flat))

    def standardize(self, mean: NDArray[Any], deviation: NDArray[Any], reward: float = 1.0) -> None:
        """Set by what observations and rewards are divided before the network sees them.

        Parameters
        ----------
        mean, deviation : array, shape (features,)
        reward : float
            What counts as 1 while learning; `settle` brings values back to the unit of rewards.
        """
        self.mean = mean.astype(np.float32)
        self.scale = (1.0 / deviation).astype(np.float32)
        self.worth = 1.0 / reward

    def slow_down(self, progress: float) -> None:
        """Lower the learning rate along a line; `progress` runs from 0 to 1."""
        p = self.params
        self.rate = p.learning_rate * (1.0 - (1.0 - p.final_rate) * min(1.0, progress))

    def values(self, observation: NDArray[np.float32]) -> NDArray[Any]:
        """Return the online network's values of all actions, shape (n, actions)."""
        out = self.online.forward((observation - self.mean) * self.scale)
        return dueling(out) if self.params.dueling else out

    def update(self, batch: Batch) -> None:
        """Take one step down the Huber loss of the temporal difference."""
        p, n = self.params, len(batch.action)
        rows = np.arange(n)
        x = np.concatenate([batch.observation, batch.following])
        x -= self.mean
        x *= self.scale
        # One pass for where transitions began and, for double Q-learning, where they ended.
        out = self.online.forward(x if p.double else x[:n], keep=n)
        judged = there = self.target.forward(x[n:])
        if p.double:
            judged = out[n:]
        if p.dueling:
            judged, there, here = dueling(judged), dueling(there), dueling(out[:n])
        else:
            here = out[:n]
        if not batch.allowed.all():
            judged = np.where(batch.allowed, judged, -np.inf)
        goal = batch.reward * self.worth + batch.discount * there[rows, judged.argmax(axis=1)]
        if p.gap:
            seen = self._target_values(x[:n])
            goal = goal - p.gap * (seen.max(axis=1) - seen[rows, batch.action])
        error = here[rows, batch.action] - goal
        slope = np.zeros_like(out[:n])
        push = (np.clip(error, -1.0, 1.0) / n).astype(np.float32)
        if p.dueling:
            actions = here.shape[1]
            slope[:, 0] = push
            slope[:, 1:] = -push[:, None] / actions
            slope[rows, 1 + batch.action] += push
        else:
            slope[rows, batch.action] = push
        self._descend(slope)

    def update_every(self, batch: Batch) -> None:
        """Take one step down the Huber loss of all actions, taken or not.

        Transitions that differ in the action alone share the weather, so what one action is
        better than another is learned without its noise.
        """
        p = self.params
        reward, following = batch.every_reward, batch.every_following
        if reward is None or following is None:
            raise UsageError("the replay does not hold what every action would have brought.")
        n, actions = reward.shape
        here = (batch.observation - self.mean) * self.scale
        there = ((following - self.mean) * self.scale).reshape(n * actions, -1)
        out = self.online.forward(np.concatenate([here, there]) if p.double else here, keep=n)
        value = self.target.forward(there)
        judged = out[n:] if p.double else value
        if p.dueling:
            judged, value, guess = dueling(judged), dueling(value), dueling(out[:n])
        else:
            guess = out[:n]
        best = value[np.arange(n * actions), judged.argmax(axis=1)].reshape(n, actions)
        goal = reward * self.worth + batch.discount[:, None] * best
        if p.gap:
            seen = self._target_values(here)
            goal = goal - p.gap * (seen.max(axis=1, keepdims=True) - seen)
        error = guess - goal
        push = (np.clip(error, -1.0, 1.0) / n).astype(np.float32)
        slope = push
        if p.dueling:
            both = push.sum(axis=1, keepdims=True)
            slope = np.concatenate([both, push - both / actions], axis=1)
        self._descend(slope)

    def _target_values(self, x: NDArray[np.float32]) -> NDArray[Any]:
        out = self.target.forward(x)
        return dueling(out) if self.params.dueling else out

    def _descend(self, slope: NDArray[np.float32]) -> None:
        p = self.params
        self.online.backward(slope)
        self.online.adam(self.rate, p.clip)
        self.updates += 1
        if self.updates % p.target_every == 0:
            self.target.move_to(self.online, p.tau)

    def weigh_in(self) -> None:
        """Count the present weights into the mean that `settle` puts in place."""
        self._averaged += 1
        self.average += (self.online.flat - self.average) / self._averaged

    def settle(self) -> None:
        """End learning: take the mean of the weights weighed in, values in units of rewards."""
        if self._averaged:
            self.online.flat[:] = self.average
        for name in ("head.weight", "head.bias"):
            self.online.weights[name][:] /= self.worth
        self.worth = 1.0
