"""The fleet of batteries: physics by hand, nothing from the future, copies like single ones."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, UsageError
from esgml.optimization.environments.battery import (
    Battery,
    BatteryFleet,
    Houses,
    fill_late,
)
from esgml.optimization.environments.battery_features import (
    FEATURES,
    features,
    last_chance,
    needs,
    trailing_mean,
)

HOURS = 24 * 24


@functools.cache
def houses(seed=0, count=3):
    rng = np.random.default_rng(seed)
    hour = np.arange(HOURS) % 24
    load = rng.gamma(2.0, 0.5, (count, HOURS)) + (hour >= 18)
    sun = np.maximum(0, np.sin((hour - 6) / 12 * np.pi)) * 3
    price = np.where((hour >= 16) & (hour < 20), 0.5, 0.2)
    return Houses(load, sun * rng.random((count, HOURS)), price)


STARTS = np.array([[0, 168], [1, 192], [2, 240], [0, 300]])


@functools.cache
def fleet(copies=4, **options):
    return BatteryFleet(
        houses(), Battery(), STARTS, copies=copies, hours=96, in_turn=True, **options
    )


@functools.cache
def singles():
    return [
        BatteryFleet(houses(), Battery(), STARTS[i : i + 1], copies=1, hours=96, in_turn=True)
        for i in range(4)
    ]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_copies_step_like_single_ones(seed):
    actions = np.random.default_rng(seed).integers(0, 7, (30, 4))
    many = fleet()
    seen, _ = many.reset(seed=0)
    alone = [(one, one.reset(seed=0)[0]) for one in singles()]
    assert np.array_equal(seen, np.concatenate([first for _, first in alone]))
    for row in actions:
        seen, reward, _, _, info = many.step(row)
        for i, (one, _) in enumerate(alone):
            own, gained, _, _, told = one.step(row[i : i + 1])
            assert np.array_equal(own[0], seen[i]) and gained[0] == reward[i]
            assert told["saved"][0] == info["saved"][i] and told["level"][0] == info["level"][i]


def slow_needs(data, house, hour):
    """Return what each of the seven days before took in dear hours, hour by hour, sorted."""
    day = range(hour, hour + 24)
    price = [data.price[min(t, HOURS - 1)] for t in day]
    middle = (max(price) + min(price)) / 2
    found = []
    for back in range(1, 8):
        taken = brought = 0.0
        begun = False
        for t, p in zip(day, price, strict=True):
            net = data.load[house, t - 24 * back] - data.solar[house, t - 24 * back]
            begun |= p > middle
            taken += max(net, 0) if p > middle else 0.0
            brought += max(-net, 0) if not begun else 0.0
        found.append(min(max(taken - 0.9 * brought, 0.0), 6.4 * Battery().way))
    return sorted(found)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_physics_hour_by_hour(seed):
    env, battery, data = fleet(), Battery(), houses()
    env.reset(seed=0)
    rng = np.random.default_rng(seed)
    level = np.zeros(4)
    for t in range(40):
        action = rng.integers(0, 7, 4)
        _, _, _, _, info = env.step(action)
        for i in range(4):
            house, hour = STARTS[i, 0], STARTS[i, 1] + t
            net = data.load[house, hour] - data.solar[house, hour]
            goal = 6.4 if action[i] == 6 else 0.0
            if action[i] in (3, 4, 5):
                past = slow_needs(data, house, hour)
                goal = min(past[{3: 3, 4: 5, 5: 6}[action[i]]] / battery.way, 6.4)
            late = hour % 24 in (14, 15)  # filling takes two hours, dear ones begin at 16
            wish = {0: 0.0, 1: max(-net, 0), 2: -net}.get(
                action[i], max((goal - level[i]) / battery.way, -net, 0) if late else -net
            )
            wish = min(max(wish, -5, -level[i] * battery.way), 5, (6.4 - level[i]) / battery.way)
            level[i] += wish * battery.way if wish > 0 else wish / battery.way
            saved = data.price[hour] * (max(net, 0) - max(net + wish, 0))
            assert info["energy"][i] == pytest.approx(wish, abs=1e-9)
            assert info["saved"][i] == pytest.approx(saved, abs=1e-9)
            assert info["level"][i] == pytest.approx(level[i], abs=1e-9)


def test_what_every_action_would_have_brought_is_what_it_brings():
    env, twin = fleet(), fleet(gamma=0.99)
    env.reset(seed=0)
    for t in range(20):
        action = np.array([(t + i) % 7 for i in range(4)])
        others = []
        for a in range(7):
            twin.reset(seed=0)
            for s in range(t):
                twin.step(np.array([(s + i) % 7 for i in range(4)]))
            others.append(twin.step(np.full(4, a)))
        _, _, _, _, info = env.step(action)
        reward, reached = info["every"]
        for a, (seen, gained, _, _, _) in enumerate(others):
            assert np.array_equal(reached[:, a], seen) and np.array_equal(reward[:, a], gained)


def test_every_feature_has_a_name():
    env = fleet()
    seen, _ = env.reset(seed=0)
    assert seen.shape[1] == len(FEATURES) == len(set(FEATURES))
    at, now = FEATURES.index("load"), (env.house, env.hour)
    assert np.allclose(seen[:, at], houses().load[now] / 6.4)
    net = houses().load[now] - houses().solar[now]
    assert np.allclose(seen[:, FEATURES.index("net load")], net / 6.4)
    late = seen[:, FEATURES.index("last chance to fill")] > 0
    assert np.array_equal(late, last_chance(houses(), Battery())[env.hour])


def test_nothing_of_the_future_is_seen():
    data = houses()
    cut = 400
    load, sun = data.load.copy(), data.solar.copy()
    load[:, cut + 1 :] += 7.0
    sun[:, cut + 1 :] = 0.0
    other, battery = Houses(load, sun, data.price), Battery()
    before = features(data, battery, needs(data, battery)[0])[:, : cut + 1]
    after = features(other, battery, needs(other, battery)[0])[:, : cut + 1]
    assert np.array_equal(before, after), "only the tariff ahead may be known"
    changed = BatteryFleet(Houses(load, sun, data.price), Battery(), STARTS, copies=1)
    same = BatteryFleet(data, Battery(), STARTS, copies=1)
    assert np.array_equal(changed._needed[:, : cut + 1], same._needed[:, : cut + 1])


def test_the_potential_changes_no_sum_but_by_its_ends():
    shaped, plain = fleet(shaping=1.0, gamma=1.0), fleet(shaping=0.0)
    shaped.reset(seed=0)
    plain.reset(seed=0)
    rng = np.random.default_rng(0)
    total = np.zeros(4)
    for _ in range(50):
        action = rng.integers(0, 7, 4)
        total += shaped.step(action)[1] - plain.step(action)[1]
    assert np.allclose(total, shaped.stored_value(shaped.level)), "it began empty"


def test_an_episode_ends_and_the_next_begins_in_one_step():
    env = BatteryFleet(houses(), Battery(), STARTS, copies=2, hours=16, in_turn=True)
    env.reset(seed=0)
    for t in range(16):
        seen, _, over, cut, info = env.step(np.array([6, 6]))
        assert not over.any() and cut.all() == (t == 15)
    assert (info["final_obs"][:, 0] > 0).all() and (seen[:, 0] == 0).all()
    assert env.house.tolist() == [2, 0] and env.hour.tolist() == [240, 300]


def test_gaps_and_episodes_without_a_past_are_refused():
    data = houses()
    gap = data.load.copy()
    gap[0, 5] = np.nan
    with pytest.raises(DataError, match="missing"):
        Houses(gap, data.solar, data.price)
    with pytest.raises(DataError, match="alike"):
        Houses(data.load, data.solar[:1], data.price)
    with pytest.raises(DataError, match="every hour"):
        Houses(data.load, data.solar, data.price[1:])
    for starts in ([[0, 100]], [[0, HOURS - 10]]):
        with pytest.raises(UsageError, match="episodes run"):
            BatteryFleet(data, Battery(), np.array(starts))


def test_filling_waits_for_the_last_hours_that_are_as_cheap():
    flat = houses()
    late = last_chance(flat, Battery())
    assert set((np.flatnonzero(late) % 24).tolist()) == {14, 15}
    assert late.sum() == 2 * HOURS / 24
    price = flat.price.copy()
    price[np.arange(HOURS) % 24 == 15] = 0.3  # 13 and 14 are cheaper than 15, and follow night
    dipped = Houses(flat.load, flat.solar, price)
    assert {13, 14} <= set((np.flatnonzero(last_chance(dipped, Battery())) % 24).tolist())
    slow = last_chance(flat, Battery(power=2.0))
    assert set((np.flatnonzero(slow) % 24).tolist()) == {12, 13, 14, 15}
    never = Houses(flat.load, flat.solar, np.full(HOURS, 0.2))
    assert not last_chance(never, Battery()).any(), "no hour is dear enough to fill for"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_prices_are_measured_by_the_past_week(seed):
    price = np.random.default_rng(seed).random(400)
    found = trailing_mean(price)
    for t in (0, 5, 167, 168, 300):
        assert found[t] == pytest.approx(price[max(0, t - 167) : t + 1].mean())


def test_the_late_rule_saves_money():
    env = BatteryFleet(houses(), Battery(), STARTS, copies=4, hours=96, in_turn=True, shaping=0.0)
    totals = {}
    for name, rule in (("late", fill_late), ("follow", lambda seen: np.full(len(seen), 2))):
        seen, _ = env.reset(seed=0)
        totals[name] = 0.0
        for _ in range(96):
            seen, _, _, _, info = env.step(rule(seen))
            totals[name] += info["saved"].sum()
    assert totals["late"] > totals["follow"] > 0
