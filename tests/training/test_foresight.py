"""The project's own forecaster under a battery, from the command line to the controller."""

import json

import numpy as np
import polars as pl
import pytest

from esgml.cli.app import main
from esgml.core.errors import DataError, HistoryError, UsageError
from esgml.optimization import library
from esgml.optimization.dispatch.control import Controller
from esgml.training.foresight import Foresight, with_forecast

HOURS = 24 * 28
BEGIN = np.datetime64("2026-01-05T00", "us")


def measured(seed=0, hours=HOURS):
    rng = np.random.default_rng(seed)
    hour = np.arange(hours) % 24
    load = (0.5 + 1.5 * np.exp(-((hour - 19) ** 2) / 8)) * rng.lognormal(0, 0.2, hours)
    sun = np.maximum(0, 2 * np.sin((hour - 6) / 12 * np.pi)) * np.repeat(
        rng.uniform(0.3, 1, hours // 24), 24
    )
    return load, sun


def table(**changed):
    load, sun = measured()
    time = BEGIN + np.arange(HOURS) * np.timedelta64(1, "h")
    columns = {"entity": "house", "timestamp": time, "load_kwh": load, "solar_kwh": sun}
    return pl.DataFrame({**columns, **changed})


def plan(hours=36, **fields):
    hour = np.arange(hours) % 24
    price = np.where((hour >= 16) & (hour < 21), 0.5, 0.2)
    return {"problem": "battery_dispatch", "price": price.tolist(), "carbon": 0.2, **fields}


def test_the_command_plans_on_the_forecast_of_a_history(tmp_path, capsys):
    data, problem = tmp_path / "meter.csv", tmp_path / "plan.json"
    table().write_csv(data)
    problem.write_text(json.dumps(plan()))
    command = ["optimize", str(problem), "--method", "mpc", "--history", str(data)]
    command += ["--forecaster", "seasonal_median", "--workspace", str(tmp_path / "w")]
    with pytest.raises(SystemExit) as caught:
        main([*command, "--json"])
    assert not caught.value.code
    found = json.loads(capsys.readouterr().out)
    assert found["method"] == "mpc" and "seasonal_median" in found["why"]
    assert len(found["solution"]["battery"]) == 36
    paths = found["details"]["paths"]
    assert 0 <= paths["least"] < paths["expected"] < paths["most"]
    assert found["feasible"] and found["value"] <= found["baseline"]
    with pytest.raises(SystemExit):
        main(command)
    assert "paths of the forecast" in capsys.readouterr().out


def test_the_forecast_is_that_of_the_hours_after_the_history():
    made = with_forecast(plan(), table(), model="seasonal_median")
    problem = library.load(made)
    assert problem.foreseen.start.startswith("2026-02-02T00:00")
    assert problem.history["load"].shape == (1, HOURS)
    hour = np.arange(36) % 24
    usual = 0.5 + 1.5 * np.exp(-((hour - 19) ** 2) / 8)
    assert np.abs(problem.load[0] - usual).max() < 0.5
    assert problem.foreseen.net.shape == (36, 1, 25)
    # bands of the load hold about what they say
    assert (np.ptp(problem.foreseen.net, axis=2) > 0.1).all()


def test_what_the_document_knows_is_kept():
    known = [2.0] * 3 + [None] * 33
    made = with_forecast(plan(load=known), table(), model="seasonal_median")
    assert library.load(made).load[0, :3].tolist() == [2.0] * 3


def test_a_controller_walks_on_the_forecaster_and_sees_nothing_ahead():
    load, sun = measured(1, HOURS + 48)
    past = {"load": load[None, :HOURS], "solar": sun[None, :HOURS]}
    sight = Foresight.fit(past["load"], past["solar"], BEGIN, 24, every=6, model="seasonal_median")

    def run(coming):
        hour = np.arange(48) % 24
        document = plan(
            48,
            load=coming.tolist(),
            solar=sun[HOURS:].tolist(),
            price=np.where((hour >= 16) & (hour < 21), 0.5, 0.2).tolist(),
            history={name: values.tolist() for name, values in past.items()},
        )
        problem = library.load(document)
        own = Foresight(sight.ensemble, BEGIN, every=6)
        return problem, Controller(problem, 24, own).by_scenarios()[0]

    problem, powers = run(load[HOURS:])
    other = load[HOURS:].copy()
    other[20:] = 6.0
    assert np.array_equal(powers[:20], run(other)[1][:20])
    cost = problem.evaluate(powers).objectives[0, 0]
    idle = problem.evaluate(problem.baseline()).objectives[0, 0]
    assert (idle - cost) / (idle - problem.bound()) > 0.9


@pytest.mark.parametrize(
    ("document", "data", "error", "where"),
    [
        ({"problem": "sizing"}, table(), UsageError, "problem"),
        (plan(price=0.2), table(), UsageError, "price"),
        (plan(step_hours=0.25), table(), DataError, "timestamp"),
    ],
)
def test_what_cannot_be_forecast_is_said(document, data, error, where):
    with pytest.raises(error) as caught:
        with_forecast(document, data, model="seasonal_median")
    assert caught.value.where == where


def test_series_that_end_apart_are_refused():
    short = table(entity="other").head(HOURS - 24)
    with pytest.raises(DataError) as caught:
        with_forecast(plan(), pl.concat([table(), short]), model="seasonal_median")
    assert caught.value.code == "length"


def test_too_little_to_learn_from_is_said():
    with pytest.raises(HistoryError):
        Foresight.fit(np.ones((1, 100)), np.ones((1, 100)), BEGIN, 24)
