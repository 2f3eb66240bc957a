"""Rules know nothing of later hours, keep the physics, and do what they say."""

import numpy as np
import pytest

from esgml.optimization import library
from esgml.optimization.dispatch.rules import fill_late, self_consumption, tariff
from esgml.optimization.dispatch.store import Store
from esgml.optimization.environments.battery import Battery, BatteryFleet, Houses
from esgml.optimization.environments.battery import fill_late as fleet_rule

WAY = float(np.sqrt(0.9))
STORE = Store(6.4, 5.0, WAY, WAY)


def net_load(hours, seed=0):
    rng = np.random.default_rng(seed)
    hour = np.arange(hours) % 24
    load = rng.lognormal(0, 0.3, (3, hours)) * (0.3 + np.exp(-((hour - 19) ** 2) / 6))
    sun = np.maximum(0, np.sin((hour - 6) / 12 * np.pi)) * rng.uniform(0, 4, (3, 1))
    return load, sun


def prices(hours):
    hour = np.arange(hours) % 24
    return np.where((hour >= 15) & (hour < 20), 0.5, 0.21)


def cost(net, value, plan):
    energy, level = STORE.run(plan.T)
    assert level.min() >= 0 and level.max() <= STORE.capacity
    return np.maximum(net + energy.T, 0.0) @ value


@pytest.mark.parametrize("rule", [self_consumption, tariff, fill_late])
def test_no_rule_sees_later_hours(rule):
    load, sun = net_load(96)
    net, other = load - sun, load - sun
    other = other.copy()
    other[:, 50:] = 9.0
    first, second = (rule(n, prices(96), STORE) for n in (net, other))
    assert np.array_equal(first[:, :50], second[:, :50])


def test_filling_late_is_what_the_fleet_calls_so():
    load, sun = net_load(24 * 14)
    value = prices(24 * 14)
    start, hours = 24 * 7, 24 * 6
    houses = Houses(load, sun, value)
    fleet = BatteryFleet(
        houses, Battery(), np.array([(i, start) for i in range(3)]), hours=hours, copies=3,
        in_turn=True,
    )  # fmt: skip
    seen, _ = fleet.reset(seed=0)
    theirs = np.zeros((3, hours))
    for t in range(hours):
        seen, _, _, _, info = fleet.step(fleet_rule(seen))
        theirs[:, t] = info["energy"]
    net = load - sun
    # the last day is not compared: the fleet sees beyond it
    ours = fill_late(net[:, start:], value[start:], STORE, net[:, :start])[:, : hours - 24]
    assert np.allclose(ours, theirs[:, : hours - 24], atol=1e-5)


def test_filling_late_beats_following_the_load_where_evenings_are_dear():
    load, sun = net_load(24 * 28)
    net, value = load - 0.3 * sun, prices(24 * 28)
    late, follow = (
        cost(net, value, rule(net, value, STORE)) for rule in (fill_late, self_consumption)
    )
    assert (late < follow).all()


def test_a_flat_tariff_is_no_reason_to_fill():
    load, sun = net_load(96)
    flat = np.full(96, 0.3)
    assert np.allclose(
        fill_late(load - sun, flat, STORE),
        STORE.run(self_consumption(load - sun, flat, STORE).T)[0].T,
    )


def test_rules_of_a_problem_know_what_came_before():
    document = library.example("battery_dispatch", 4)
    with_past = library.load(document).rules()
    document.pop("history")
    alone = library.load(document).rules()
    assert list(with_past) == ["self-consumption", "tariff", "fill late"]
    assert not np.array_equal(with_past["fill late"], alone["fill late"])
    # without a day before, it fills up
    assert library.load(document).store.run(alone["fill late"][:, None])[1].max() == pytest.approx(
        6.4
    )
