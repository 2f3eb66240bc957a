"""Deep Q-learning: a policy for decisions step by step, learned from experience."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError
from esgml.core.interfaces import Files
from esgml.optimization.dqn.loop import Record, learn
from esgml.optimization.dqn.settings import DqnParams
from esgml.optimization.environments.side_by_side import SideBySide
from esgml.optimization.policy import Policy
from esgml.optimization.solution import Found
from esgml.optimization.solver import Solver

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.dqn.learner import Learner
    from esgml.optimization.environments.side_by_side import Environment
    from esgml.optimization.problem import Problem


class DQNAgent(Solver):
    """Learns a policy by deep Q-learning: experience replay and a target network.

    When to use it: the same decision again and again under changing conditions, where a plan
    would be out of date by the time it is carried out and a simulator to learn in is at hand.
    The policy acts in microseconds and needs no forecast. Where a forecast and a linear model
    exist, predictive control (``mpc``) is as good without any learning. Known weakness: what it
    learns varies with the seed; compare several, and put a guard beside it (`GuardedPolicy`).

    Options: double and dueling networks, returns over several steps, masked actions (where an
    environment has ``action_masks()``), environments side by side. Where an environment tells
    what the other actions would have brought (a battery does not change the weather), these are
    learned from as well; ``every_action=False`` turns that off.

    Deviations from the paper: Adam instead of RMSprop, a target network that follows slowly
    (``tau``) instead of copies, observations standardized by the random first steps, the learning
    rate lowered along a line, and learning in NumPy, not torch.

    Attributes
    ----------
    policy_ : Policy
        After `train` or `solve`; what is saved.
    record_ : Record
        Returns of all episodes, after `train` or `solve`.

    Examples
    --------
    >>> import gymnasium
    >>> agent = DQNAgent(steps=600, warm_up=100, hidden=(16,))
    >>> policy = agent.train(gymnasium.make("CartPole-v1"), episodes=20, seed=0)
    >>> policy.act([0.0, 0.1, 0.0, -0.1]) in (0, 1)
    True

    References
    ----------
    Mnih, V. et al. (2015). Human-level control through deep reinforcement learning. Nature 518.
    """

    Params = DqnParams
    policy_: Policy
    record_: Record

    def train(  # type: ignore[override]
        self,
        environment: Environment | Sequence[Environment],
        episodes: int = 1000,
        max_steps: int = 200,
        *,
        seed: int = 0,
    ) -> Policy:
        """Learn in an environment and return the policy.

        Parameters
        ----------
        environment : Environment or sequence of Environment
            After Gymnasium's interface, with a vector of observations and numbered actions;
            vectorized, or several that run side by side, is faster.
        episodes : int
            After how many to stop; ``Params.steps`` and ``Params.stop_at`` may stop before.
        max_steps : int
            Steps after which an episode is cut short (a vectorized environment ends its own).
        seed : int
            The same seed gives the same policy, bit for bit, on one machine.

        Raises
        ------
        UsageError
            If observations are no vectors or actions are not numbered.
        DataError
            If the environment raises, or an observation or reward is not finite.
        """
        beside = SideBySide(environment, max_steps)
        with single_threaded():
            learner, self.record_ = learn(beside, self.params, seed, episodes)
        self.policy_ = self._policy(learner, self.record_, beside, environment, seed)
        self.trained_ = True
        return self.policy_

    def _policy(
        self, learner: Learner, record: Record, beside: SideBySide, environment: Any, seed: int
    ) -> Policy:
        first = environment[0] if isinstance(environment, Sequence) else environment
        names = getattr(first, "ACTIONS", None) or getattr(first.unwrapped, "ACTIONS", None)
        if names is None or len(names) != beside.actions:
            names = [str(i) for i in range(beside.actions)]
        arrays: dict[str, NDArray[Any]] = {
            name: value.copy() for name, value in learner.online.weights.items()
        }
        arrays |= {"mean": learner.mean, "deviation": 1.0 / learner.scale}
        arrays |= {"low": record.low, "high": record.high}
        details = {
            "steps": record.steps,
            "episodes": len(record.returns),
            "updates": learner.updates,
            "seed": seed,
            "solved": record.solved,
            "params": self.params.model_dump(mode="json"),
        }
        return Policy(arrays, names, dueling=self.params.dueling, details=details)

    def _dump(self) -> Files:
        return self.policy_.to_files()

    def _restore(self, files: Mapping[str, bytes]) -> None:
        self.policy_ = Policy.from_files(files)

    def _solve(self, problem: Problem, seed: int) -> Found:
        policy = self.train(problem.env(), episodes=10**9, max_steps=10**9, seed=seed)
        plan = self._play(problem.env(), policy)
        return Found(
            plan,
            f"Deep Q-learning took {self.record_.steps} steps in the environment of this very"
            f" problem, then its policy decided the plan step by step.",
            details={
                "episodes": len(self.record_.returns),
                "curve": self.record_.curve(),
                "seed": seed,
            },
        )

    @staticmethod
    def _play(environment: Any, policy: Policy) -> NDArray[np.float64]:
        """Return the plan that one episode of a problem's environment makes up."""
        seen, _ = environment.reset(seed=0)
        masked = hasattr(environment, "action_masks")
        while True:
            allowed = environment.action_masks() if masked else None
            seen, _, over, cut, info = environment.step(policy.act(seen, allowed))
            if over or cut:
                break
        if "plan" not in info:
            raise DataError(
                "the environment ended without a plan.",
                code="no_plan",
                remedy="The info of the last step must hold the plan under 'plan'.",
            )
        return np.asarray(info["plan"], dtype=np.float64)


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """Keep linear algebra on one thread: layers this small are many times slower on several."""
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:  # then whoever sets OMP_NUM_THREADS decides
        yield
        return
    with threadpool_limits(1):
        yield
