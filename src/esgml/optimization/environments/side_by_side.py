"""Single environments run side by side, so that whoever learns sees one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from esgml.core.errors import DataError, EsgmlError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Step = tuple[
    "NDArray[np.float32]",
    "NDArray[np.float64]",
    "NDArray[np.bool_]",
    "NDArray[np.bool_]",
    "NDArray[np.float32]",
]


class Environment(Protocol):
    """A Gymnasium environment with an observation vector and numbered actions."""

    observation_space: Any
    action_space: Any

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take an action: observation, reward, terminated, truncated, info."""


class SideBySide:
    """One interface over a single environment, a list of them, or a vectorized one.

    Parameters
    ----------
    environment : Environment or sequence of Environment
        Vectorized ones begin a new episode in the same step in which one ends.
    max_steps : int
        Steps after which an episode is cut short.

    Attributes
    ----------
    count, features, actions : int

    Raises
    ------
    UsageError
        If observations are no vectors, actions are not numbered, or a vectorized environment
        resets in the next step.
    """

    def __init__(
        self, environment: Environment | Sequence[Environment], max_steps: int = 200
    ) -> None:
        several = isinstance(environment, Sequence)
        first: Any = environment[0] if isinstance(environment, Sequence) else environment
        self._vector = None if several or not hasattr(first, "num_envs") else first
        self._single: list[Any] = []
        if self._vector is None:
            self._single = list(environment) if isinstance(environment, Sequence) else [first]
            observation, action = first.observation_space, first.action_space
        else:
            mode = str(getattr(first, "metadata", {}).get("autoreset_mode", "SameStep"))
            if "same" not in mode.lower():
                raise UsageError(
                    f"this vectorized environment resets in mode {mode}.",
                    code="autoreset",
                    remedy="Make it with autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP.",
                )
            observation, action = first.single_observation_space, first.single_action_space
        if len(observation.shape) != 1 or not hasattr(action, "n"):
            raise UsageError(
                "a DQN needs a vector of observations and numbered actions.",
                code="spaces",
                remedy="Flatten the observations; offer a set of meaningful actions.",
            )
        self.count = int(first.num_envs) if self._vector is not None else len(self._single)
        self.features = int(observation.shape[0])
        self.actions = int(action.n)
        self.max_steps = max_steps
        self.masked = hasattr(self._vector or first, "action_masks")
        self.tells_every = bool(getattr(self._vector, "tells_every", False))
        #: What every action would have brought in the last step, where the environment tells.
        self.every: tuple[NDArray[Any], NDArray[Any]] | None = None
        self._age = np.zeros(self.count, np.int64)

    def reset(self, seed: int) -> NDArray[np.float32]:
        """Begin an episode in every environment and return the observations."""
        self._age[:] = 0
        if self._vector is not None:
            found, _ = self._vector.reset(seed=seed)
        else:
            found = [env.reset(seed=seed + i)[0] for i, env in enumerate(self._single)]
        return self._checked(found)

    def masks(self) -> NDArray[np.bool_]:
        """Return which actions may be taken now, shape (count, actions)."""
        if self._vector is not None:
            return np.asarray(self._vector.action_masks(), dtype=bool)
        return np.array([env.action_masks() for env in self._single], dtype=bool)

    def step(self, action: NDArray[np.int64]) -> Step:
        """Take one action in every environment.

        Returns
        -------
        next observation, reward, terminated, truncated, reached observation
            Where an episode ended, *next* is the first observation of a new one and *reached*
            is the last of the old one; elsewhere they are the same.
        """
        self._age += 1
        try:
            if self._vector is not None:
                return self._step_vector(action)
            return self._step_single(action)
        except EsgmlError:
            raise
        except Exception as error:  # an environment is foreign code: it may raise anything
            raise DataError(
                f"the environment raised {type(error).__name__}: {error}",
                code="simulator_raised",
                remedy="Mend it for every numbered action.",
            ) from error

    def _step_vector(self, action: NDArray[np.int64]) -> Step:
        vector: Any = self._vector
        found, reward, over, cut, info = vector.step(action)
        self.every = info.get("every")
        following = self._checked(found)
        reached = following
        ended = np.asarray(over) | np.asarray(cut)
        if ended.any():
            reached = following.copy()
            for i in np.flatnonzero(ended):
                reached[i] = info["final_obs"][i]
            self._age[ended] = 0
        return following, self._finite(reward), np.asarray(over), np.asarray(cut), reached

    def _step_single(self, action: NDArray[np.int64]) -> Step:
        following, reached = [], []
        reward, over = np.zeros(self.count), np.zeros(self.count, bool)
        cut = self._age >= self.max_steps
        for i, env in enumerate(self._single):
            seen, reward[i], over[i], short, _ = env.step(int(action[i]))
            cut[i] |= bool(short)
            reached.append(seen)
            if over[i] or cut[i]:
                self._age[i] = 0
                seen = env.reset()[0]
            following.append(seen)
        return (
            self._checked(following),
            self._finite(reward),
            over,
            cut,
            np.asarray(reached, dtype=np.float32),
        )

    def _checked(self, observation: Any) -> NDArray[np.float32]:
        found = np.asarray(observation, dtype=np.float32)
        if found.shape != (self.count, self.features) or not np.isfinite(found).all():
            raise DataError(
                f"observations of shape {found.shape}, or not finite; expected finite ones of"
                f" {(self.count, self.features)}.",
                code="not_finite",
            )
        return found

    def _finite(self, reward: Any) -> NDArray[np.float64]:
        found = np.asarray(reward, dtype=np.float64)
        if not np.isfinite(found).all():
            raise DataError("a reward is no finite number.", code="not_finite")
        return found


#: What runs a policy through an environment: observations (n, features) -> actions (n,).
Act = Callable[["NDArray[np.float32]"], "NDArray[np.int64]"]
