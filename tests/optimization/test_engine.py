"""The engine chooses, says why, guards; the route and the command take the same document."""

import json

import numpy as np
import pytest

from esgml import OptimizationEngine
from esgml.core.errors import DataError, NotFoundError, UsageError
from esgml.optimization import library
from esgml.optimization.problem import Constraint, Objective, Problem
from esgml.optimization.request import read_document, solve, solve_operation
from esgml.optimization.space import Variable


def test_auto_says_what_it_chose_and_why():
    found = OptimizationEngine().solve(library.example("battery_dispatch"))
    assert found.method == "exact" and "LP" in found.why and found.why.count(". ") == 0
    assert found.gap == pytest.approx(0, abs=1e-9)
    assert found.share_of_attainable == pytest.approx(1)
    assert OptimizationEngine().solve(library.example("portfolio")).why.count("MILP") == 1


def test_auto_searches_a_black_box_and_beats_the_rule():
    found = OptimizationEngine().solve(library.example("setpoints"), generations=30)
    assert found.method == "ga" and "black box" in found.why
    assert found.feasible and found.value <= found.rule + 1e-9
    assert found.bound <= found.value


def needle(X):
    slope = np.where(np.arange(40) % 3 == 0, -1.0, 1.5)
    return X @ slope + 50 * (np.abs(X + np.sign(slope)).max(axis=1) < 1e-6)


def test_auto_falls_back_where_the_simulator_contradicts():
    own = Problem("own", [Variable("x", "real", -1, 1, size=40)], [Objective("c")], (), needle)
    found = OptimizationEngine().solve(own, generations=20)
    assert found.method == "ga" and "does not confirm" in found.why


def test_simulators_are_asked_twice():
    rng = np.random.default_rng(0)
    noisy = Problem(
        "noisy", [Variable("x")], [Objective("c")], (), lambda X: X[:, 0] ** 2 + rng.random(len(X))
    )
    with pytest.raises(DataError) as caught:
        OptimizationEngine().solve(noisy, generations=5)
    assert caught.value.code == "simulator_not_deterministic"

    def raising(X):
        raise ValueError("no licence")

    with pytest.raises(DataError, match="no licence") as caught:
        OptimizationEngine().solve(
            Problem("raising", [Variable("x")], [Objective("c")], (), raising)
        )
    assert caught.value.code == "simulator_raised"


def test_no_feasible_plan_of_a_black_box_is_said():
    own = Problem(
        "own",
        [Variable("x", size=2)],
        [Objective("c")],
        [Constraint("never")],
        lambda X: ((X**2).sum(axis=1)[:, None], np.ones((len(X), 1))),
    )
    try:
        found = OptimizationEngine().solve(own, generations=5)
    except DataError as error:
        assert error.code == "infeasible" and "never" in str(error)
    else:
        assert not found.feasible and found.violations == {"never": pytest.approx(1)}


def test_same_seed_same_plan():
    plans = [
        OptimizationEngine().optimize_with_ga(library.example("schedule"), seed=3, generations=10).x
        for _ in range(2)
    ]
    assert np.array_equal(*plans)


def test_unknown_methods_and_parameters_are_refused():
    with pytest.raises(NotFoundError, match="exact"):
        OptimizationEngine().solve(library.example("algebra"), "magic")
    with pytest.raises(UsageError):
        OptimizationEngine().solve(library.example("algebra"), "exact", speed=9)


def test_the_route_answers_without_a_clock_and_the_same_again():
    document = {**library.example("ev_charging"), "method": "auto", "seed": 1}
    first, second = solve(document), solve(json.loads(json.dumps(document)))
    assert json.dumps(first) == json.dumps(second)
    assert "seconds" not in first and first["feasible"]
    operation = solve_operation()
    assert set(operation.answer["required"]) <= set(first)
    assert set(first) == set(operation.answer["properties"])
    assert operation.run is solve and not operation.learned


@pytest.mark.parametrize(
    ("fields", "code", "where"),
    [
        ({"method": 3}, "usage", "method"),
        ({"method": "dqn"}, "method_slow", "method"),
        ({"method": "no_such"}, "method_slow", "method"),
        ({"seed": -1}, "usage", "seed"),
        ({"seed": True}, "usage", "seed"),
        ({"colour": "red"}, "problem_document", "colour"),
        (
            {"load": [1.0] * 20_001, "solar": None, "price": 0.2, "carbon": 0},
            "too_large",
            "problem",
        ),
    ],
)
def test_requests_at_fault_say_where(fields, code, where):
    with pytest.raises((UsageError, DataError)) as caught:
        solve({**library.example("battery_dispatch"), **fields})
    assert (caught.value.code, caught.value.where) == (code, where)


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": NaN}', '{"a": Infinity}', "[" * 100_000])
def test_only_json_objects_are_read(text):
    with pytest.raises(DataError):
        read_document(text, "file")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run the command in this process, in a folder of its own."""
    folder = tmp_path_factory.mktemp("plan")

    def call(*arguments, capsys):
        from esgml.cli.app import main

        with pytest.raises(SystemExit) as caught:
            main(["optimize", *arguments, "--workspace", str(folder)])
        return caught.value.code, capsys.readouterr().out, folder

    return call


def test_command_solves_stores_and_lists(run, tmp_path, capsys):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(library.example("battery_dispatch")))
    code, out, folder = run(str(path), "--json", capsys=capsys)
    document = json.loads(out)
    assert code in (0, None) and document["schema"] == "esgml.solution/1"
    promised = {
        *("method", "why", "objective", "baseline", "rule", "bound", "share_of_attainable"),
        *("gap", "feasible", "seconds", "solution"),
    }
    assert promised <= set(document)
    assert json.loads((folder / "reports" / "plan.json").read_text())["method"] == "exact"
    code, out, _ = run(str(path), "--method", "mpc", capsys=capsys)
    assert code in (0, None) and "share of the attainable gain" in out
    code, out, _ = run("--list", "--json", capsys=capsys)
    assert set(json.loads(out)["problems"]) == set(library.names())
    code, out, _ = run("--example", "schedule", capsys=capsys)
    assert json.loads(out)["problem"] == "schedule"


@pytest.mark.parametrize(
    ("text", "expected"), [(None, 4), ("{", 3), ('{"problem": "no_such"}', 4), ("{}", 3)]
)
def test_command_ends_with_the_right_code(run, tmp_path, capsys, text, expected):
    path = tmp_path / "problem.json"
    if text is not None:
        path.write_text(text)
    assert run(str(path), capsys=capsys)[0] == expected


def test_command_without_a_problem_is_a_usage_error(run, capsys):
    assert run(capsys=capsys)[0] == 2
