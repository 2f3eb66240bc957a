"""The replay store against a plain list of transitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import UsageError
from esgml.nn.replay import ReplayBuffer


def filled(length, environments, capacity, seed):
    """Return a store and, by environment, the list of what was put into it."""
    rng = np.random.default_rng(seed)
    store = ReplayBuffer(capacity, 1, 3, environments)
    kept = [[] for _ in range(environments)]
    for t in range(length):
        over, cut = rng.random(environments) < 0.15, rng.random(environments) < 0.1
        reward = rng.integers(-3, 4, environments).astype(float)
        seen = np.arange(environments)[:, None] * 1000.0 + t
        action, allowed = rng.integers(0, 3, environments), rng.random((environments, 3)) < 0.7
        store.add(seen, action, reward, seen + 0.5, over, cut, allowed)
        for e in range(environments):
            kept[e].append(
                (seen[e, 0], action[e], reward[e], over[e], over[e] | cut[e], allowed[e])
            )
    rows = capacity // environments
    return store, [part[-rows:] for part in kept]


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 40),
    environments=st.integers(1, 3),
    capacity=st.integers(3, 60),
    steps=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_returns_over_several_steps_by_definition(length, environments, capacity, steps, seed):
    store, kept = filled(length, environments, capacity, seed)
    assert len(store) == sum(map(len, kept))
    drawn = store.sample(np.random.default_rng(seed), 50, steps, gamma=0.9)
    for i in range(50):
        start = drawn.observation[i, 0]
        part = kept[int(start // 1000)]
        at = next(k for k, item in enumerate(part) if item[0] == start)
        total, factor = 0.0, 1.0
        for k in range(at, min(at + steps, len(part))):
            total += factor * part[k][2]
            factor *= 0.9
            last = part[k]
            if last[4]:
                break
        assert drawn.action[i] == part[at][1]
        assert drawn.reward[i] == pytest.approx(total, abs=1e-5)
        assert drawn.discount[i] == pytest.approx(0.0 if last[3] else factor)
        assert drawn.following[i, 0] == last[0] + 0.5
        assert drawn.allowed[i].tolist() == last[5].tolist()


def test_outcomes_of_every_action_come_with_the_transition():
    store = ReplayBuffer(10, 2, 3, 2, every=True)
    zero = np.zeros(2)
    outcome = np.arange(12.0).reshape(2, 3, 2)
    store.add(
        np.ones((2, 2)), zero, zero, np.ones((2, 2)), zero, zero, None, (outcome[..., 0], outcome)
    )
    drawn = store.sample(np.random.default_rng(0), 20)
    assert drawn.every_reward.shape == (20, 3) and drawn.every_following.shape == (20, 3, 2)
    assert np.array_equal(drawn.every_reward, drawn.every_following[..., 0])


def test_every_transition_is_drawn_alike():
    store, _ = filled(30, 2, 40, 0)
    drawn = store.sample(np.random.default_rng(0), 8000).observation[:, 0]
    values, counts = np.unique(drawn, return_counts=True)
    assert len(values) == 40 and counts.min() > 130 and counts.max() < 280


def test_a_batch_is_cut_into_parts_of_one_size():
    store, _ = filled(30, 2, 40, 0)
    drawn = store.sample(np.random.default_rng(0), 24, 3)
    parts = list(drawn.parts(3))
    assert [len(part.action) for part in parts] == [8, 8, 8]
    assert all(part.every_reward is None for part in parts)
    for name in ("observation", "action", "reward", "discount", "following", "allowed"):
        together = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(together, getattr(drawn, name))


def test_nothing_to_draw_or_no_room_is_refused():
    with pytest.raises(UsageError, match="nothing is stored"):
        ReplayBuffer(10, 1, 2).sample(np.random.default_rng(0), 4)
    with pytest.raises(UsageError, match="holds no step"):
        ReplayBuffer(3, 1, 2, 4)
