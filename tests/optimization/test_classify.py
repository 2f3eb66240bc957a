"""What kind of problem it is: read off algebra, and never a false "linear" for a black box."""

import numpy as np
import pytest

from esgml.core.errors import DataError, UsageError
from esgml.optimization.classify import classify
from esgml.optimization.expressions import Model
from esgml.optimization.problem import Constraint, Objective, Problem
from esgml.optimization.solvers.exact import Exact
from esgml.optimization.space import Variable


def black_box(f, d=4, low=-1.0, high=1.0, kind="real", constraints=()):
    return Problem(
        "own", [Variable("x", kind, low, high, size=d)], [Objective("cost")], constraints, f
    )


def random_nonlinear(rng):
    """Return a function that is not linear, and the number of its columns."""
    d = int(rng.integers(1, 31))
    a, i, j = rng.normal(size=d), int(rng.integers(d)), int(rng.integers(d))
    s = rng.normal(size=d)
    at = rng.uniform(-0.95, 0.95)
    corner = 0.8 * np.abs(s).max()  # a kink far from the middle, still inside the box
    sign = rng.choice([-1.0, 1.0])
    bends = {
        "tiny square": lambda X: 1e-9 * X[:, i] ** 2,
        "square": lambda X: sign * X[:, i] ** 2,
        "product": lambda X: X[:, i] * X[:, (i + 1) % d] if d > 1 else X[:, i] ** 2,
        "tiny product": lambda X: 1e-8 * X[:, i] * X[:, j] if i != j else 1e-8 * X[:, i] ** 2,
        "kink": lambda X: sign * np.abs(X[:, i] - at),
        "hinge": lambda X: sign * np.maximum(0, X[:, i] - at),
        "late hinge": lambda X: sign * 0.1 * np.maximum(0, X[:, i] - 0.98),
        "hinge of a sum": lambda X: sign * np.maximum(0, X @ s - corner),
        "largest": lambda X: np.maximum(X @ s, X @ a - 0.1),
        "stairs": lambda X: sign * np.floor(4 * X[:, i]),
        "jump": lambda X: 0.01 * (X[:, i] > at),
        "wave": lambda X: 1e-6 * np.sin(3 * X[:, i] + at),
        "exponential": lambda X: np.exp(0.01 * X[:, i]),
        "norm": lambda X: np.sqrt(1 + (X**2).sum(axis=1)),
        "both high": lambda X: 1e-3 * np.maximum(0, np.minimum(X[:, i], X[:, j]) - 0.5),
        "sum far out": lambda X: sign * np.maximum(0, np.abs(X).sum(axis=1) - 0.9 * d),
    }
    name = list(bends)[int(rng.integers(len(bends)))]
    return name, d, lambda X: X @ a + bends[name](X)


def test_no_nonlinear_function_is_called_linear():
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(1000):
        name, d, f = random_nonlinear(rng)
        if classify(black_box(f, d)).kind != "black box":
            wrong.append((name, d))
    assert wrong == []


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("d", [1, 5, 40, 200])
def test_linear_black_boxes_are_found_and_solved(d, scale):
    rng = np.random.default_rng(d)
    a = rng.normal(size=d) * scale
    own = black_box(lambda X: X @ a + 3 * scale, d, -2.0, 5.0)
    found = classify(own)
    assert (found.kind, found.probed) == ("LP", True), found.reasons
    best = np.where(a > 0, -2.0, 5.0) @ a + 3 * scale
    assert Exact().solve(own).value == pytest.approx(best, rel=1e-9)


def test_a_linear_black_box_of_whole_numbers_is_milp():
    found = classify(black_box(lambda X: X @ np.arange(1, 5), 4, -3, 3, "integer"))
    assert found.kind == "MILP"


def test_a_linear_constraint_behind_a_simulator_is_found():
    def simulate(X):
        return X.sum(axis=1)[:, None], np.maximum(0, 1.5 - X[:, :2].sum(axis=1))[:, None]

    own = black_box(simulate, constraints=(Constraint("enough"),))
    assert classify(own).kind == "LP"
    assert Exact().solve(own).value == pytest.approx(1.5 - 2)


def test_a_kink_that_no_probe_met_is_caught_in_the_simulator():
    # linear wherever it is asked (a needle in 40 columns), but not at the optimum
    d = 40
    a = np.where(np.arange(d) % 3 == 0, -1.0, 1.5)

    def simulate(X):
        return X @ a + 50 * (np.abs(X + np.sign(a)).max(axis=1) < 1e-6)

    own = black_box(simulate, d)
    assert classify(own).kind == "LP"
    with pytest.raises(DataError) as caught:
        Exact().solve(own)
    assert caught.value.code == "not_linear"


def test_algebra_is_read_off():
    model = Model("m")
    x, y = model.real("x", 0, 4), model.real("y", -1, 4)
    model.minimize("cost", x + 2 * y)
    model.require("enough", x + y >= 1)
    assert classify(model.problem()).kind == "LP"
    model.integer("k", 0, 3)
    assert classify(model.problem()).kind == "MILP"

    def quadratic(formula):
        model = Model("q")
        v = model.real("v", -1, 1, size=2)
        model.minimize("cost", formula(v))
        return classify(model.problem())

    assert quadratic(lambda v: (v**2).sum()).kind == "convex"
    assert quadratic(lambda v: v[0] * v[1]).kind == "black box"
    assert quadratic(lambda v: v[0] ** 2 + v[1] ** 2 + v[0] * v[1]).kind == "convex"
    assert "bends down" in quadratic(lambda v: -(v[0] ** 2)).reasons[0]


def test_a_quadratic_constraint_or_whole_square_is_a_black_box():
    model = Model("m")
    x = model.real("x", 0, 4)
    model.minimize("cost", x)
    model.require("round", x * x <= 2)
    found = classify(model.problem())
    assert found.kind == "black box" and "round" in found.reasons[0]
    with pytest.raises(UsageError) as caught:
        Exact().solve(model.problem())
    assert caught.value.code == "not_exact"


def test_choices_orders_and_open_bounds_are_not_probed():
    order = Problem(
        "o", [Variable("p", "permutation", size=3)], [Objective("c")], (), lambda X: X[:, 0]
    )
    assert classify(order).kind == "black box"
    assert classify(black_box(lambda X: X[:, 0], high=np.inf)).kind == "black box"
