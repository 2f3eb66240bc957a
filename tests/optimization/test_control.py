"""Controllers see no future, take forecasts from outside, and value stored energy rightly."""

import numpy as np
import pytest

from esgml.core.errors import DataError
from esgml.optimization import library
from esgml.optimization.dispatch.analogs import Analogs, usual_ahead
from esgml.optimization.dispatch.control import Controller
from esgml.optimization.dispatch.store import Store
from esgml.optimization.dispatch.worth import Scenarios, decide, levels, still_to_come
from esgml.optimization.solvers.mpc import Mpc

STORE = Store(6.4, 5.0, 0.95, 0.95)


def house(**fields):
    return library.load({**library.example("battery_dispatch", 4), **fields})


@pytest.mark.parametrize("kind", ["scenarios", "mean"])
def test_nothing_after_a_step_changes_what_is_done_before(kind):
    document = library.example("battery_dispatch", 4)
    cut = 30
    later = {
        name: document[name][:cut] + [9.0] * (len(document[name]) - cut)
        for name in ("load", "solar", "carbon")
    }
    weights = {"cost": 1.0, "carbon": 0.5}
    plans = []
    for fields in ({}, later):
        controller = Controller(house(weights=weights, **fields), 24)
        plan = controller.by_scenarios() if kind == "scenarios" else controller.by_mean()
        plans.append(plan[0, :cut])
    assert np.array_equal(plans[0], plans[1])


def test_prices_not_yet_published_change_nothing():
    document = library.example("battery_dispatch", 4)
    document["history"]["price"] = [0.3] * len(document["history"]["load"])
    later = document["price"][:24] + [2.0] * 48
    plans = [
        Controller(house(**{**document, "price_published": 21, "price": p}), 36).by_scenarios()
        for p in (document["price"], later)
    ]
    assert np.array_equal(plans[0][0, :21], plans[1][0, :21])
    assert not np.array_equal(plans[0], plans[1])


def test_with_a_perfect_forecast_it_reaches_the_limit():
    problem = house()
    steps = problem.grid.shape[1]

    def perfect(load, solar, carbon, ahead):
        at = load.shape[1] - problem.history["load"].shape[1]
        net = problem.grid.net[:, at : at + ahead].T[:, :, None]
        return net, problem.grid.carbon[at : at + ahead], np.ones((1, 1))

    controller = Controller(problem, steps, perfect)
    limit, idle = problem.bound(), problem.evaluate(problem.baseline()).objectives[0, 0]
    for plan in (controller.by_mean(), controller.by_scenarios(129)):
        cost = problem.evaluate(plan.reshape(-1)).objectives[0, 0]
        assert (idle - cost) / (idle - limit) > 0.995


@pytest.mark.parametrize("shape", ["short", "missing"])
def test_a_forecast_with_missing_hours_is_refused(shape):
    def bad(load, solar, carbon, ahead):
        net = np.zeros((ahead - 1 if shape == "short" else ahead, 1, 1))
        net[0] = np.nan if shape == "missing" else 0.0
        return net, np.zeros(ahead), np.ones((1, 1))

    with pytest.raises(DataError) as caught:
        Controller(house(), 12, bad).by_scenarios()
    assert caught.value.code == ("forecast" if shape == "short" else "hours_missing")
    assert caught.value.where == "forecast"


@pytest.mark.parametrize("stays", [0.0, 0.7, 1.0])
def test_worth_matches_a_search_over_all_moves(stays):
    rng = np.random.default_rng(0)
    grid, ahead, count = levels(STORE, 65), 6, 3
    value = rng.uniform(0.1, 0.6, (ahead, 1, 1))
    scenarios = Scenarios(
        rng.normal(0.3, 2, (ahead, 1, count)), value, value * 0.4, np.full((1, count), 1 / 3), stays
    )
    fast = still_to_come(scenarios, STORE, grid)[0]
    change = grid[None, :] - grid[:, None]
    energy = np.where(change > 0, change / STORE.charging, change * STORE.discharging)
    each = np.zeros((count, len(grid)))
    for t in range(ahead - 1, -1, -1):
        expected = stays * each + (1 - stays) * each.mean(axis=0)
        each = np.zeros((count, len(grid)))
        for k in range(count):
            meter = scenarios.net[t, 0, k] + energy
            now = value[t] * np.maximum(meter, 0) - 0.4 * value[t] * np.maximum(-meter, 0)
            now = np.where(np.abs(energy) <= STORE.most, now, np.inf)
            each[k] = (now + expected[k][None]).min(axis=1)
    slow = each.mean(axis=0)
    # the search keeps to the grid, so it can only be a little worse
    assert (fast <= slow + 1e-9).all()
    assert np.abs(fast - slow).max() < 0.02 * np.abs(slow).max()
    best = decide(
        np.array([3.2]), np.array([1.0]), np.array([0.3]), np.array([0.0]), STORE, grid, fast[None]
    )
    assert -5 <= best[0] <= 5


def test_needy_evenings_that_last_are_worth_filling_for():
    net = np.zeros((6, 1, 10))
    net[1:, :, 0] = 1.0  # one evening in ten takes five hours in a row
    value = np.full((6, 1, 1), 0.5)
    worth = []
    for stays in (0.0, 1.0):
        chances = Scenarios(net, value, 0 * value, np.full((1, 10), 0.1), stays)
        worth.append(still_to_come(chances, STORE, levels(STORE, 65))[0])
    last = [
        (cost[40] - cost[-1]) / (levels(STORE, 65)[-1] - levels(STORE, 65)[40]) for cost in worth
    ]
    # drawn anew each hour, five such hours in a row hardly ever come
    assert last[1] > 10 * last[0] > 0


def test_worth_falls_with_the_level_and_less_and_less():
    rng = np.random.default_rng(1)
    scenarios = Scenarios(
        rng.normal(0, 2, (12, 2, 4)),
        rng.uniform(0.1, 0.6, (12, 2, 1)),
        np.zeros((12, 2, 1)),
        np.full((2, 4), 0.25),
    )
    cost = still_to_come(scenarios, STORE, levels(STORE))
    slope = np.diff(cost, axis=1)
    assert (slope <= 1e-9).all() and (np.diff(slope, axis=1) >= -1e-9).all()


def test_analogs_weigh_days_and_need_none():
    hour = np.arange(24 * 20)
    load = (1 + np.sin(hour / 24 * 2 * np.pi))[None] * np.ones((2, 1))
    net, weights = Analogs().paths(load, 0 * load, 10, clock=23)
    assert net.shape == (10, 2, 19) and np.allclose(weights.sum(axis=1), 1)
    assert np.allclose(net[:, 0, 0], 1 + np.sin(np.arange(480, 490) / 24 * 2 * np.pi))
    alone, one = Analogs().paths(load[:, :5], 0 * load[:, :5], 3)
    assert alone.shape == (3, 2, 1) and np.allclose(alone[:, 0, 0], load[0, 4])
    assert one.tolist() == [[1.0], [1.0]]
    assert usual_ahead(load[0, :7], 2).tolist() == [load[0, 6]] * 2
    assert np.allclose(usual_ahead(load[0], 24), load[0, :24])


def test_solutions_say_how_they_were_controlled():
    found = Mpc().solve(house())
    assert found.details["kind"] == "scenarios" and found.feasible
    assert found.value >= found.bound - 1e-9
    assert 0.8 < found.share_of_attainable <= 1
    joint = Mpc(ahead=12).solve(house(site_limit=9.0))
    assert joint.details["kind"] == "mean" and joint.feasible


def test_what_is_required_at_the_end_is_there():
    battery = {"capacity": 6.4, "power": 5.0, "end_least": 3.0}
    for kind in ("scenarios", "mean"):
        found = Mpc(kind=kind).solve(house(battery=battery))
        assert found.violations.get("end level", 0) <= 0.2


def test_store_moves_as_its_formula_says():
    rng = np.random.default_rng(0)
    power = rng.uniform(-8, 8, (50, 3, 2))
    energy, level = STORE.run(power)
    at = np.zeros((3, 2))
    for t in range(50):
        step = STORE.limit(at, power[t])
        at = STORE.moved(at, step)
        assert np.allclose(step, energy[t]) and np.allclose(at, level[t])
    assert level.min() >= 0 and level.max() <= 6.4 and np.abs(energy).max() <= 5
