"""Exact solutions: against other solvers, prices, conflicts, and what has no solution."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, UsageError
from esgml.optimization import decompose, library, linear
from esgml.optimization.classify import classify
from esgml.optimization.conflicts import find_conflict
from esgml.optimization.expressions import Model
from esgml.optimization.linear import LinearProgram
from esgml.optimization.problem import Objective, Problem
from esgml.optimization.quadratic import solve_quadratic
from esgml.optimization.solvers.dp import Dp
from esgml.optimization.solvers.exact import Exact
from esgml.optimization.space import Variable
from esgml.optimization.tradeoff import linear_front, next_switch


def mix(demand=50.0, cap=None):
    model = Model("mix")
    x = model.real("x", 0, [40, 60], unit="MW", size=2)
    model.minimize("cost", (x * np.array([30, 20])).sum(), unit="USD")
    model.minimize("carbon", x[1] * 0.5, unit="tCO2e")
    model.require("demand", x.sum() >= demand, unit="MW")
    if cap is not None:
        model.require("cap", x[1] * 0.5 <= cap, unit="tCO2e")
    return model.problem()


def test_shadow_prices_are_what_one_more_unit_costs():
    found = Exact().solve(mix(70, 20))
    assert found.value == pytest.approx(30 * 30 + 40 * 20)
    assert found.shadow_prices["demand"] == pytest.approx(30)
    assert found.shadow_prices["cap"] == pytest.approx(-20)
    more = Exact().solve(mix(71, 20)).value - found.value
    assert more == pytest.approx(found.shadow_prices["demand"])
    eased = Exact().solve(mix(70, 21)).value - found.value
    assert eased == pytest.approx(found.shadow_prices["cap"])


def test_the_carbon_price_at_which_the_plan_changes():
    problem = mix(50)
    price = Exact().solve(problem).shadow_prices["USD per tCO2e at which the plan changes"]
    assert price == pytest.approx(20)  # 10 USD more per MW saves half a tonne
    for weight, carbon in ((price - 0.1, 25.0), (price + 0.1, 5.0)):
        again = Exact().solve(problem.reweighted({"cost": 1, "carbon": weight}))
        assert again.objective["carbon"] == pytest.approx(carbon)


def test_the_front_has_its_corners():
    program = LinearProgram(mix(50).matrix())
    _, values = linear_front(program)
    assert np.allclose(values, [[1000, 25], [1400, 5]])
    assert next_switch(program, np.array([1.0, 25.0]), 1) is None


def test_conflicts_are_named_and_the_relief_is_enough():
    model = Model("m")
    x = model.real("x", 0, 10, size=2)
    model.minimize("cost", x.sum())
    model.require("floor", x.sum() >= 12)
    model.require("ceiling", x.sum() <= 9, unit="kW")
    model.require("harmless", x[0] <= 8)
    problem = model.problem()
    found = find_conflict(problem.matrix())
    assert set(found.constraints) == {"floor", "ceiling"}
    assert sum(found.relief.values()) == pytest.approx(3)
    with pytest.raises(DataError, match="'floor', 'ceiling'") as caught:
        Exact().solve(problem)
    assert caught.value.code == "infeasible" and "harmless" not in str(caught.value)


def test_a_conflict_with_the_bounds_alone_is_said():
    model = Model("m")
    x = model.real("x", 0, 1)
    model.minimize("cost", x)
    model.require("too much", x >= 2)
    with pytest.raises(DataError, match="inside the bounds: 'too much'"):
        Exact().solve(model.problem())


def test_vehicles_that_cannot_all_be_served_are_named():
    document = library.example("ev_charging")
    document["site_limit"] = 18.0
    with pytest.raises(DataError) as caught:
        Exact().solve(library.load(document))
    assert caught.value.code == "infeasible"
    assert "site limit" in str(caught.value) and "energy of van" in str(caught.value)


@pytest.mark.parametrize("bend", [False, True])
def test_without_limit_is_said(bend):
    model = Model("m")
    x, y = model.real("x"), model.real("y")
    model.maximize("gain", x + (y - y * y if bend else y))
    with pytest.raises(DataError) as caught:
        Exact().solve(model.problem())
    assert caught.value.code == "unbounded"


def test_costs_that_are_not_finite_are_refused():
    model = Model("m")
    x = model.real("x", 0, 1)
    with pytest.raises(DataError) as caught:
        model.minimize("cost", x * np.nan)
    assert caught.value.code == "not_finite"
    with pytest.raises(DataError):
        x / 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(0, 8))
def test_quadratic_optimum_is_proved_and_matches_a_slow_solver(seed, d, rows):
    from scipy.optimize import minimize

    rng = np.random.default_rng(seed)
    root = rng.normal(size=(d, d))
    model = Model("q")
    x = model.real("x", -2, 3, size=d)
    stretched = sum((x[i] * root[:, i] for i in range(d)), start=np.zeros(d))
    a = rng.normal(size=(rows, d)) if rows else np.zeros((0, d))
    inside = rng.uniform(-1, 1, d)
    limit = a @ inside + rng.uniform(0, 1, rows)
    c = rng.normal(size=d) * 3
    model.minimize("cost", (stretched**2).sum() + (x * c).sum())
    for i in range(rows):
        model.require(f"r{i}", (x * a[i]).sum() <= limit[i])
    problem = model.problem()
    kind = classify(problem)
    assert kind.kind == "convex"
    found = solve_quadratic(kind.form, problem.weights)
    assert found.value - found.bound <= 1e-6 * (1 + abs(found.value))
    judged = problem.evaluate(found.z)
    assert judged.violations.max(initial=0) <= 1e-6
    assert judged.objectives[0, 0] == pytest.approx(found.value, rel=1e-6, abs=1e-6)
    slow = minimize(
        lambda z: float(problem.evaluate(z).objectives[0, 0]),
        inside,
        bounds=[(-2, 3)] * d,
        constraints=[{"type": "ineq", "fun": lambda z: limit - a @ z}] if rows else (),
        method="SLSQP",
    )
    assert found.value <= slow.fun + 1e-5 * (1 + abs(slow.fun))


def test_dispatch_equals_dynamic_programming_and_negative_prices_earn_nothing_extra():
    for seed in range(2):
        document = library.example("battery_dispatch", seed)
        rng = np.random.default_rng(seed)
        document["price"] = rng.normal(0.1, 0.15, len(document["load"])).tolist()
        problem = library.load(document)
        assert classify(problem).kind == "MILP"
        exact, slow = Exact().solve(problem), Dp(levels=193).solve(problem)
        assert exact.gap <= 1e-6
        gain = exact.baseline - exact.value
        assert -1e-6 <= (slow.value - exact.value) / gain < 0.02


@pytest.mark.parametrize(
    "fields", [{"carbon_cap": 2.0}, {"site_limit": 1.2}, {"export_price": 0.1}]
)
def test_limits_and_export_are_kept_in_the_simulator(fields):
    document = {**library.example("battery_dispatch"), **fields}
    document["battery"] = {"capacity": 9.0, "power": 5.0, "start": 6.0, "end_least": 2.0}
    problem = library.load(document)
    try:
        found = Exact().solve(problem)
    except DataError as error:
        assert error.code == "infeasible" and "together" in error.message
        return
    assert found.feasible and found.gap <= 1e-6


def test_sites_share_one_limit():
    one = library.example("battery_dispatch")
    both = {**one, "load": [one["load"], one["load"][::-1]], "solar": [one["solar"]] * 2}
    both.pop("history")
    free = Exact().solve(library.load(both))
    peak = library.load(both)
    tight = Exact().solve(library.load({**both, "site_limit": 4.0}))
    assert tight.value >= free.value - 1e-9
    assert tight.feasible and peak.dimension == 144
    assert "site limit" in tight.shadow_prices or tight.value == pytest.approx(free.value)


def test_a_rule_that_beats_the_algebra_is_not_hidden():
    class Lying(Problem):
        def matrix(self):
            return mix().matrix()

    lying = Lying(
        "lying",
        [Variable("x", "real", 0, [40, 60], size=2)],
        [Objective("cost", unit="USD"), Objective("carbon", unit="tCO2e")],
        [*mix().constraints],
        lambda X: (np.stack([X.sum(axis=1), X[:, 1]], axis=1), np.zeros((len(X), 1))),
    )
    with pytest.raises(DataError) as caught:
        Exact().solve(lying)
    assert caught.value.code == "not_linear"


def test_dp_and_mpc_say_what_they_are_for():
    from esgml.optimization.solvers.mpc import Mpc

    for solver in (Dp(), Mpc()):
        with pytest.raises(UsageError):
            solver.solve(library.load(library.example("portfolio")))
    two = {**library.example("battery_dispatch"), "carbon_cap": 5.0}
    for solver in (Dp(), Mpc(kind="scenarios")):
        with pytest.raises(UsageError) as caught:
            solver.solve(library.load(two))
        assert caught.value.code == "joint_limits"


@pytest.mark.parametrize("limit", [None, 50.0, 5.0])
def test_parts_solved_apart_are_the_whole(monkeypatch, limit):
    one = library.example("battery_dispatch")
    document = {**one, "load": [one["load"], one["load"][::-1], [1.0] * 72], "solar": None}
    document.pop("history")
    problem = library.load({**document, "site_limit": limit})
    whole = LinearProgram(problem.matrix()).solve(problem.weights)
    monkeypatch.setattr(linear, "_LARGE", 10)
    apart = decompose.decomposed(problem.matrix(), problem.weights, 60.0)
    again = LinearProgram(problem.matrix()).solve(problem.weights)
    assert again.value == pytest.approx(whole.value, rel=1e-9)
    assert (apart is None) == (limit == 5.0)  # a limit that binds joins the sites
    if apart is not None:
        judged = problem.evaluate(problem.matrix().plan(apart.z, problem.dimension))
        assert judged.objectives[0, 0] == pytest.approx(whole.value, rel=1e-7)


def neighbours(**fields):
    """Two sites of random load over 140 steps under one limit."""
    rng = np.random.default_rng(3)
    load = rng.uniform(0.2, 3, (2, 140)).round(3)
    document = {
        "problem": "battery_dispatch",
        "load": load.tolist(),
        "price": rng.uniform(0.1, 0.5, 140).round(3).tolist(),
        "site_limit": 0.4,
        "step_hours": 12.0,
    }
    return library.load({**document, **fields})


def test_solved_in_pieces_of_time_it_is_the_whole(monkeypatch):
    problem = neighbours()
    form = replace(problem.matrix(), reach=30)
    whole = LinearProgram(form).solve(problem.weights)
    parts = decompose.split(form)
    free = decompose.solved_apart(form, parts, problem.weights, 60.0)
    assert free.value < whole.value - 1e-3, "the limit binds"
    found = decompose.solved_in_time(form, problem.weights, 60.0)
    assert found.value == pytest.approx(whole.value, rel=1e-7)
    judged = problem.evaluate(form.plan(found.z, problem.dimension))
    assert judged.violations.max() < 1e-7
    assert judged.objectives[0, 0] == pytest.approx(found.value, rel=1e-7)
    bound = decompose.priced_bound(form, parts, problem.weights, found.row_prices, 60.0)
    assert bound <= whole.value + 1e-9
    none = decompose.priced_bound(form, parts, problem.weights, 0 * found.row_prices, 60.0)
    assert none == pytest.approx(free.value) and none < bound
    monkeypatch.setattr(linear, "_LARGE", 10)
    again = LinearProgram(form).solve(problem.weights)
    assert again.value == pytest.approx(whole.value, rel=1e-7)
    assert again.bound <= whole.value + 1e-9


@pytest.mark.parametrize("fields", [{"carbon": 0.2, "carbon_cap": 1e4}, {"step_hours": 3.0}])
def test_what_reaches_far_in_time_stays_in_one_piece(fields):
    problem = neighbours(**fields)
    assert decompose.solved_in_time(problem.matrix(), problem.weights, 60.0) is None
