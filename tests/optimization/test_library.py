"""Every problem of the library keeps its contract, and refuses bad documents."""

import numpy as np
import pytest

from esgml.checks.problems import ProblemBattery, problem_checks
from esgml.core.errors import DataError, EsgmlError, GateError, NotFoundError, UnitError, UsageError
from esgml.optimization import library
from esgml.optimization.classify import classify

KINDS = {
    "algebra": "LP",
    "battery_dispatch": "LP",
    "ev_charging": "LP",
    "portfolio": "MILP",
    "schedule": "MILP",
    "setpoints": "black box",
    "sizing": "LP",
}


def test_the_library_is_complete_and_the_battery_pinned():
    assert library.names() == tuple(KINDS)
    assert len(ProblemBattery.names()) == 12


@pytest.mark.parametrize("name", KINDS)
def test_contract(name):
    assert len(problem_checks(library.problem_class(name))) == 12


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_classified_right(name, kind):
    assert classify(library.load(library.example(name))).kind == kind


@pytest.mark.parametrize(("name", "text"), [(n, library.describe(n)) for n in KINDS])
def test_described(name, text):
    assert len(text) > 30


def test_a_broken_problem_fails_the_battery():
    class Broken(library.problem_class("battery_dispatch")):
        def baseline(self):
            return np.full(self.dimension, 99.0)

        def bound(self):
            return 1e9

    Broken.__module__ = library.problem_class("battery_dispatch").__module__
    with pytest.raises(GateError, match=r"baseline_feasible.*bound_below_everything"):
        problem_checks(Broken)


def changed(name, **fields):
    return {**library.example(name), **fields}


@pytest.mark.parametrize(
    ("document", "code", "where"),
    [
        (changed("battery_dispatch", price=[0.2, None] * 36), "hours_missing", "price"),
        (changed("battery_dispatch", price=[0.2] * 71), "length", "price"),
        (changed("battery_dispatch", price=[float("nan")] * 72), "not_finite", "price[0]"),
        (changed("battery_dispatch", price=[float("inf")] * 72), "not_finite", "price[0]"),
        (changed("battery_dispatch", load=[-1.0] * 72), "negative", "load"),
        (changed("battery_dispatch", export_price=1.0), "unbounded", "export_price[0]"),
        (
            changed("battery_dispatch", units={"price": "EUR/kWh"}),
            "unit_incompatible",
            "units.price",
        ),
        (changed("battery_dispatch", units={"load": "kgCO2e"}), "unit_incompatible", "units.load"),
        (changed("battery_dispatch", units={"size": "kWh"}), "unit", "units.size"),
        (changed("battery_dispatch", battery={"efficiency": 1.2}), "problem_document", None),
        (changed("battery_dispatch", battery={"start": 9.0}), "data_invalid", "battery.start"),
        (changed("battery_dispatch", battery={"end_least": 9.0}), "infeasible", None),
        (changed("battery_dispatch", start="tomorrow"), "timestamp", "start"),
        (changed("battery_dispatch", weights={"cost": -1}), "not_finite", "weights.cost"),
        (changed("battery_dispatch", solar=[[0.0] * 72] * 2), "length", "solar"),
        (
            changed(
                "ev_charging",
                sessions=[{"name": "a", "arrival": 9, "departure": 4, "energy": 1, "power": 1}],
            ),
            "window",
            "sessions[0]",
        ),
        (changed("schedule", jobs=[{"name": "a", "profile": [1.0] * 49}]), "infeasible", "jobs[0]"),
        (
            changed(
                "portfolio", measures=[{"name": "a", "cost": 1, "abatement": 1, "needs": ["b"]}]
            ),
            "measure_unknown",
            "measures[0].needs",
        ),
        (
            changed("portfolio", measures=[{"name": "a", "cost": float("inf"), "abatement": 1}]),
            "problem_document",
            "measures.0.cost",
        ),
        (changed("portfolio", emissions=None), "emissions", "emissions"),
        (changed("setpoints", outdoor=[1.0] * 30), "length", "outdoor"),
        (changed("sizing", load=[1.0] * 95), "length", "load"),
    ],
)
def test_bad_documents_say_where(document, code, where):
    with pytest.raises((DataError, UnitError)) as caught:
        library.load(document)
    assert caught.value.code == code
    if where is not None:
        assert caught.value.where == where


def test_units_are_converted():
    plain = library.load(library.example("battery_dispatch"))
    document = library.example("battery_dispatch")
    document["price"] = [p * 1000 for p in document["price"]]
    document["carbon"] = [c * 1000 for c in document["carbon"]]
    document["units"] = {"price": "USD/MWh", "carbon": "gCO2e/kWh"}
    other = library.load(document)
    X = plain.space.sample(np.random.default_rng(0), 5)
    assert np.allclose(plain.evaluate(X).objectives, other.evaluate(X).objectives)


def test_mixed_units_in_coefficients_are_refused():
    document = library.example("algebra")
    document["variables"][0]["unit"] = "kWh"
    with pytest.raises(UnitError) as caught:
        library.load(document)
    assert caught.value.code == "unit_mixed"
    assert "0.001" in caught.value.remedy


@pytest.mark.parametrize("document", [{}, {"problem": 3}, {"problem": "no_such"}, [], None])
def test_no_problem_is_said(document):
    with pytest.raises((NotFoundError, DataError, UsageError)) as caught:
        library.load(document)
    assert isinstance(caught.value, EsgmlError) and caught.value.where == "problem"
