"""The frame: variables, objectives, evaluation, and what is refused."""

import numpy as np
import pytest

from esgml.core.errors import DataError, UnitError, UsageError
from esgml.optimization.problem import Constraint, Objective, Problem
from esgml.optimization.space import Space, Variable

ONE = (Variable("x", lower=-1, upper=2, size=3),)


def problem(simulate, objectives=(Objective("cost"),), constraints=(), variables=ONE):
    return Problem("own", variables, objectives, constraints, simulate)


def test_repair_clips_rounds_and_ranks():
    space = Space(
        [
            Variable("a", "integer", 0, 2.5),
            Variable("b", "permutation", size=3),
            Variable("c", "choice", choices=("wind", "sun")),
        ]
    )
    fixed = space.repair(np.array([[9.0, 0.3, 0.9, 0.1, 0.7]]))
    assert fixed.tolist() == [[2, 1, 2, 0, 1]]
    assert space.misfit(fixed).tolist() == [0]
    named = space.named(fixed[0])
    assert named == {"a": 2, "b": [1, 2, 0], "c": "sun"}
    assert np.array_equal(space.row(named), fixed[0])


def test_samples_lie_inside():
    space = Space([Variable("a", "integer", -2, 2), *ONE, Variable("p", "permutation", size=4)])
    drawn = space.sample(np.random.default_rng(0), 200)
    assert space.misfit(drawn).max() == 0
    assert set(drawn[:, 0]) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize(
    ("simulate", "code"),
    [
        (lambda X: 1 / 0, "simulator_raised"),
        (lambda X: X, "simulator_shape"),
        (lambda X: np.full(len(X), np.inf), "not_finite"),
    ],
)
def test_bad_simulators_are_named(simulate, code):
    with pytest.raises(DataError) as caught:
        problem(simulate).evaluate(np.zeros((2, 3)))
    assert caught.value.code == code


def test_a_simulator_that_is_not_deterministic_is_found():
    rng = np.random.default_rng(0)
    noisy = problem(lambda X: X.sum(axis=1) + rng.normal(size=len(X)))
    with pytest.raises(DataError, match="other values") as caught:
        noisy.require_deterministic()
    assert caught.value.code == "simulator_not_deterministic"
    problem(lambda X: X.sum(axis=1)).require_deterministic()


def test_mixed_units_are_not_added():
    objectives = [Objective("cost", unit="USD"), Objective("carbon", unit="kgCO2e", weight=1.0)]
    with pytest.raises(UnitError) as caught:
        problem(lambda X: X[:, :2], objectives)
    assert caught.value.code == "unit_mixed"
    priced = [Objective("cost", unit="USD"), Objective("carbon", unit="kgCO2e", weight=0.05)]
    found = problem(lambda X: X[:, :2], priced)
    assert found.weights.tolist() == [1, 0.05]
    assert found.reweighted({"carbon": 1}).unit == "kgCO2e"


def test_violations_and_feasibility():
    own = problem(
        lambda X: (X[:, :1], np.maximum(0, 1 - X.sum(axis=1))[:, None]),
        constraints=(Constraint("enough"),),
    )
    judged = own.evaluate(np.array([[0, 0, 0], [1, 1, 1.0]]))
    assert judged.feasible.tolist() == [False, True]


@pytest.mark.parametrize(
    "build",
    [
        lambda: Variable("x", lower=2, upper=1),
        lambda: Variable("x", lower=np.nan),
        lambda: Variable("x", lower=[0, 1], size=3),
        lambda: Objective("x", weight=np.inf),
    ],
)
def test_bad_parts_are_refused(build):
    with pytest.raises(DataError):
        build()


def test_bad_calls_are_refused():
    with pytest.raises(UsageError):
        Variable("x", "complex")
    with pytest.raises(UsageError):
        problem(lambda X: X[:, 0]).evaluate(np.zeros((2, 4)))
    with pytest.raises(UsageError, match="finite bounds"):
        Space([Variable("x", upper=np.inf)]).sample(np.random.default_rng(0), 1)
