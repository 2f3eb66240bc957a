"""Deep Q-learning: solves what can be solved by hand, repeats by seed, acts without torch."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from esgml.core.errors import DataError, IntegrityError, UsageError
from esgml.optimization.environments.side_by_side import SideBySide
from esgml.optimization.policy import GuardedPolicy, Policy
from esgml.optimization.problem import Objective, Problem
from esgml.optimization.solvers.dqn import DQNAgent
from esgml.optimization.space import Variable


class Corridor(gymnasium.Env):
    """Six places in a row; the right end pays 1, the left end .2; both end the episode."""

    ACTIONS = ("left", "right", "jump into the wall")

    def __init__(self, masked=False, fault=""):
        self.observation_space = gymnasium.spaces.Box(0, 1, (6,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)
        self.fault = fault
        self.at = 2
        if masked:
            self.action_masks = lambda: np.array([True, True, False])
        self.masked = masked

    def _see(self):
        return np.eye(6, dtype=np.float32)[self.at]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = int(self.np_random.integers(1, 5))
        return self._see(), {}

    def step(self, action):
        if self.fault == "raises":
            raise RuntimeError("broken door")
        assert not (self.masked and action == 2), "a forbidden action was taken"
        self.at += {0: -1, 1: 1, 2: 0}[action]
        reward = {0: 0.2, 5: 1.0}.get(self.at, -0.01)
        if self.fault == "nan":
            reward = np.nan
        return self._see(), reward, self.at in (0, 5), False, {}


SMALL = {
    "hidden": (24,),
    "steps": 2400,
    "warm_up": 200,
    "batch": 32,
    "learning_rate": 3e-3,
    "updates_per_step": 0.5,
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"double": False, "target_every": 50, "tau": 1.0},
        {"dueling": True, "n_step": 3},
        {"average": 0.3},
    ],
    ids=["default", "plain", "dueling, 3 steps", "averaged"],
)
def test_the_way_to_the_better_end_is_learned(options):
    agent = DQNAgent(**{**SMALL, **options})
    policy = agent.train([Corridor() for _ in range(4)], episodes=10**6, max_steps=30, seed=1)
    assert policy.act(np.eye(6)[1:5]).tolist() == [1, 1, 1, 1]
    # By hand: from place 4 one step to the prize, from place 1 four steps.
    values = policy.values(np.eye(6)[[4, 1]]).max(axis=1)
    expected = [1.0, -0.01 * (1 + 0.99 + 0.99**2) + 0.99**3]
    assert np.allclose(values, expected, atol=0.2)
    assert policy.actions == Corridor.ACTIONS and len(agent.record_.returns) > 100


def test_forbidden_actions_are_never_taken_nor_counted_on():
    agent = DQNAgent(**SMALL)
    policy = agent.train([Corridor(masked=True)], episodes=10**6, max_steps=30)
    allowed = np.array([True, False, False])
    assert policy.act(np.eye(6)[3], allowed) == 0
    with pytest.raises(DataError, match="no action"):
        policy.act(np.eye(6)[3], np.zeros(3, bool))


def trained(seed=0, **options):
    agent = DQNAgent(**{**SMALL, "steps": 400, **options})
    return agent.train([Corridor(), Corridor()], episodes=10**6, max_steps=30, seed=seed)


def test_same_seed_same_bytes():
    first, again, other = trained(3).to_files(), trained(3).to_files(), trained(4).to_files()
    assert first == again != other


def test_an_agent_is_saved_with_its_policy(tmp_path):
    agent = DQNAgent(**{**SMALL, "steps": 300})
    policy = agent.train(Corridor(), max_steps=30)
    agent.save(tmp_path / "agent")
    again = DQNAgent.load(tmp_path / "agent")
    assert again.policy_.to_files() == policy.to_files() and again.params == agent.params


def test_it_stops_after_episodes_or_when_solved():
    agent = DQNAgent(**SMALL)
    agent.train(Corridor(), episodes=12, max_steps=30)
    assert len(agent.record_.returns) == 12 and not agent.record_.solved
    agent = DQNAgent(**SMALL, stop_at=0.1)
    agent.train(Corridor(), episodes=10**6, max_steps=30)
    assert agent.record_.solved and agent.record_.steps < 2500
    assert agent.record_.curve(5)[-1][1] >= 0.1


def test_episodes_are_cut_after_max_steps():
    agent = DQNAgent(**{**SMALL, "steps": 199, "warm_up": 199})
    agent.train(gymnasium.make("CartPole-v1"), episodes=10**6, max_steps=5)
    assert max(value for _, value in agent.record_.returns) == 5


def test_vectorized_environments_of_gymnasium():
    mode = gymnasium.vector.AutoresetMode
    vector = gymnasium.make_vec(
        "CartPole-v1", 4, "sync", vector_kwargs={"autoreset_mode": mode.SAME_STEP}
    )
    agent = DQNAgent(**{**SMALL, "steps": 400})
    policy = agent.train(vector, episodes=10**6)
    assert policy.features == 4 and agent.record_.returns
    with pytest.raises(UsageError, match="resets in mode"):
        agent.train(gymnasium.make_vec("CartPole-v1", 4, "sync"))


def test_environments_side_by_side_step_like_single_ones():
    beside = SideBySide([gymnasium.make("CartPole-v1") for _ in range(3)], 500)
    single = gymnasium.make("CartPole-v1")
    seen = beside.reset(7)
    first, _ = single.reset(seed=8)
    assert np.array_equal(seen[1], first)
    for action in (0, 1, 1, 0, 0):
        following, reward, over, cut, reached = beside.step(np.array([1, action, 0]))
        alone = single.step(action)
        assert np.array_equal(following[1], alone[0]) and np.array_equal(reached[1], alone[0])
        assert reward[1] == alone[1] and not over[1] and not cut[1]


@pytest.mark.parametrize(("fault", "code"), [("raises", "simulator_raised"), ("nan", "not_finite")])
def test_environments_that_cannot_be_trusted_are_refused(fault, code):
    with pytest.raises(DataError) as caught:
        DQNAgent(**SMALL).train(Corridor(fault=fault))
    assert caught.value.code == code


def test_no_settings_out_of_bounds():
    for bad in ({"gamma": 2}, {"learning_rate": -1}, {"hidden": ()}, {"n_step": 0}, {"tau": 0}):
        with pytest.raises(UsageError):
            DQNAgent(**bad)


def test_environments_of_other_spaces_are_refused():
    with pytest.raises(UsageError, match="numbered actions"):
        DQNAgent(**SMALL).train(gymnasium.make("Pendulum-v1"))


def test_a_problem_is_solved_through_its_environment():
    levels = Problem(
        "levels",
        [Variable("x", "integer", lower=0, upper=2, size=3)],
        [Objective("distance")],
        simulate=lambda X: np.abs(X - [2, 0, 1]).sum(axis=1),
    )
    answer = DQNAgent(**{**SMALL, "steps": 1500, "gamma": 0.999}).solve(levels, seed=0)
    assert answer.value == 0 and answer.feasible


# What is left of learning -------------------------------------------------------------


@pytest.mark.parametrize("dueling", [False, True])
def test_a_policy_is_saved_and_read_back_the_same(tmp_path, dueling):
    policy = trained(dueling=dueling)
    policy.save(tmp_path / "policy")
    again = Policy.load(tmp_path / "policy")
    x = np.random.default_rng(0).random((50, 6))
    assert np.array_equal(policy.values(x), again.values(x))
    assert again.actions == policy.actions and again.details == policy.details
    weights = tmp_path / "policy" / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(IntegrityError, match="SHA-256"):
        Policy.load(tmp_path / "policy")
    with pytest.raises(IntegrityError):
        Policy.from_files({"policy.json": b"{}"})


@pytest.mark.parametrize("dueling", [False, True])
def test_onnx_gives_the_same_values(dueling):
    runtime = pytest.importorskip("onnxruntime", reason="the extra 'train' is not installed")
    policy = trained(dueling=dueling)
    session = runtime.InferenceSession(policy.to_onnx(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).random((64, 6)).astype(np.float32)
    (values,) = session.run(None, {"input": x})
    assert np.allclose(values, policy.values(x), atol=1e-4)
    assert np.array_equal(values.argmax(axis=1), policy.act(x))


def test_a_batch_acts_like_single_observations():
    policy = trained()
    x = np.random.default_rng(1).random((40, 6))
    assert policy.act(x).tolist() == [policy.act(row) for row in x]
    assert np.allclose(policy.values(x), [policy.values(row) for row in x], atol=1e-12)
    for bad in (np.ones(5), np.full(6, np.nan), np.ones((2, 2, 6))):
        with pytest.raises(DataError, match="finite numbers"):
            policy.act(bad)


def test_outside_of_what_was_seen_the_rule_acts():
    policy = trained()
    inside, strange = np.eye(6)[2], np.eye(6)[2] * 3
    assert policy.outside(np.stack([inside, strange])).tolist() == [False, True]
    assert policy.unfamiliar(strange) == [2]
    guarded = GuardedPolicy(policy, lambda x: np.full(len(x), 2))
    assert guarded.act(strange) == 2 and guarded.act(inside) == policy.act(inside)
    assert guarded.handed_over == 1


def test_a_policy_worse_than_the_best_rule_never_runs():
    rules = {
        "left": lambda x: np.zeros(len(x), int),
        "right": lambda x: np.ones(len(x), int),
    }
    poor = trained()
    poor._wide["head.bias"][:] = [100, 0, 0]  # always left
    guarded = GuardedPolicy.tried(poor, rules, [Corridor() for _ in range(3)])
    assert not guarded.trusted and guarded.act(np.eye(6)[2]) == 1
    assert guarded.trial["right"] > guarded.trial["policy"] == guarded.trial["left"]
    poor._wide["head.bias"][:] = [0, 100, 0]
    assert GuardedPolicy.tried(poor, rules, [Corridor()]).trusted
    with pytest.raises(UsageError, match="at least one rule"):
        GuardedPolicy.tried(poor, {}, [Corridor()])


def test_a_margin_keeps_the_rule_unless_the_advantage_is_large():
    policy = trained()
    x = np.eye(6)[1:5]
    rule = lambda x: np.zeros(len(x), int)  # noqa: E731
    values = policy.values(x)
    lead = values.max(axis=1) - values[:, 0]
    for margin in (0.0, float(np.median(lead)), 1e9):
        expected = np.where(lead > margin, values.argmax(axis=1), 0)
        assert GuardedPolicy(policy, rule, margin=margin).decide(x).tolist() == expected.tolist()
    weeks = [Corridor() for _ in range(2)]
    guarded = GuardedPolicy.tried(policy, {"left": rule}, weeks, margins=(0.0, 1e9))
    assert guarded.trusted and guarded.trial["policy"] >= guarded.trial["left"]


def test_acting_and_learning_load_no_torch():
    code = (
        "import sys, numpy as np\n"
        "from esgml.optimization.solvers.dqn import DQNAgent\n"
        "import gymnasium\n"
        "p = DQNAgent(steps=150, warm_up=50).train(gymnasium.make('CartPole-v1'))\n"
        "p.act(np.zeros(4)); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
