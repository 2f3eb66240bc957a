"""A forecast with intervals stands in for load and sun that are not known yet."""

import numpy as np
import pytest

from esgml.core.errors import DataError
from esgml.optimization import library
from esgml.optimization.engine import OptimizationEngine
from esgml.optimization.request import solve

STEPS = 48


def series(target, mean, spread, entity="house", **fields):
    mean = np.asarray(mean, dtype=float)
    bounds = {80: 1.2816 * spread, 90: 1.6449 * spread}
    return {
        "entity": entity,
        "target": target,
        "timestamps": ["2026-01-08T00:00:00"],
        "mean": mean.tolist(),
        "lower": {str(level): (mean - reach).tolist() for level, reach in bounds.items()},
        "upper": {str(level): (mean + reach).tolist() for level, reach in bounds.items()},
        **fields,
    }


def document(spread=0.4, **fields):
    hour = np.arange(STEPS) % 24
    load = 2.0 + np.exp(-((hour - 19) ** 2) / 6)
    sun = 3 + np.maximum(0, 2 * np.sin((hour - 6) / 12 * np.pi))
    return {
        "problem": "battery_dispatch",
        "price": np.where((hour >= 16) & (hour < 21), 0.5, 0.2).tolist(),
        "carbon": 0.2,
        "forecast": {
            "forecasts": [series("load_kwh", load, spread), series("solar_kwh", sun, 2 * spread)],
            "model": "theta",
            "horizon": STEPS,
        },
        **fields,
    }


def test_paths_run_along_the_quantiles_of_the_bands():
    given = library.load(document()).foreseen
    assert given.net.shape == (STEPS, 1, 25) and np.allclose(given.weights.sum(axis=1), 1)
    mean, net = given.load[0] - given.solar[0], given.net[:, 0, :]
    assert np.allclose(net @ given.weights[0], mean, atol=1e-6)  # nothing is cut off here
    # load 5 % with sun 95 % is the easiest path: both 1.6449 deviations off
    assert np.allclose(net.min(axis=1), mean - 1.6449 * 0.4 * 3, atol=1e-3)
    assert np.allclose(net.max(axis=1), mean + 1.6449 * 0.4 * 3, atol=1e-3)
    assert (given.load >= 0).all()


def test_what_is_known_is_kept_and_only_gaps_are_forecast():
    known = [1.5] * 6 + [None] * (STEPS - 6)
    problem = library.load(document(load=known))
    assert problem.load[0, :6].tolist() == [1.5] * 6
    assert np.allclose(problem.load[0, 6:], problem.foreseen.load[0, 6:])
    assert problem.first_hour == 72  # a Thursday


def test_wider_bands_are_filled_for():
    narrow, wide = (
        OptimizationEngine().solve(
            document(spread=spread, forecast={**document(spread)["forecast"], "solar": "none"}),
            "mpc",
        )
        for spread in (0.01, 1.5)
    )
    stored = [np.maximum(s.solution["battery"], 0)[:16].sum() for s in (narrow, wide)]
    assert narrow.details["forecaster"] == "theta" and "theta" in narrow.why
    assert stored[1] >= stored[0] > 0
    spans = [s.details["paths"]["most"] - s.details["paths"]["least"] for s in (narrow, wide)]
    assert spans[1] > 20 * spans[0] > 0
    for found in (narrow, wide):
        paths = found.details["paths"]
        assert paths["least"] <= paths["expected"] <= paths["most"]


def test_the_route_takes_the_answer_of_the_forecast_route_as_it_is():
    found = solve({**document(), "method": "mpc"})
    assert found["method"] == "mpc" and len(found["solution"]["battery"]) == STEPS
    assert found["details"]["paths"]["expected"] > 0
    assert solve({**document(), "method": "mpc"}) == found


def test_a_forecast_without_bands_is_one_path():
    bare = document()
    for one in bare["forecast"]["forecasts"]:
        one.pop("lower"), one.pop("upper")
    given = library.load(bare).foreseen
    assert given.net.shape == (STEPS, 1, 1) and given.weights.tolist() == [[1.0]]


def test_units_of_a_forecast_are_converted():
    watts = document()
    one = watts["forecast"]["forecasts"][0]
    for name in ("lower", "upper"):
        one[name] = {level: [v * 1000 for v in values] for level, values in one[name].items()}
    one.update(mean=[v * 1000 for v in one["mean"]], unit="Wh")
    assert np.allclose(library.load(watts).foreseen.net, library.load(document()).foreseen.net)


def test_sites_forecast_in_different_ways_are_refused():
    made = document()
    bare = series("load_kwh", np.ones(STEPS), 0.1, entity="other", lower={}, upper={})
    made["forecast"]["forecasts"].append(bare)
    with pytest.raises(DataError, match="others have none") as caught:
        library.load(made)
    assert caught.value.code == "length"


def broken(**fields):
    made = document()
    made["forecast"]["forecasts"][0].update(fields)
    return made


@pytest.mark.parametrize(
    ("made", "code", "where"),
    [
        ({**document(), "forecast": None}, "hours_missing", "load"),
        (broken(mean=[1.0] * 20), "hours_missing", "forecast.forecasts[0].mean"),
        (broken(mean=[None] * STEPS), "hours_missing", "forecast.forecasts[0].mean"),
        (broken(target="heat"), "forecast", "forecast.load"),
        (broken(lower={}), "forecast", "forecast.forecasts[0]"),
        (broken(upper={"80": [1.0] * 3, "90": [1.0] * STEPS}), "hours_missing", None),
        (document(load=[[1.0] * STEPS] * 2), "length", "load"),
        (document(forecast={"forecasts": []}), "problem_document", "forecast.forecasts"),
        (document(load=[1.0] * 10 + [None] * 10), "length", "price"),
    ],
)
def test_forecasts_that_do_not_do_say_where(made, code, where):
    with pytest.raises(DataError) as caught:
        library.load(made)
    assert caught.value.code == code
    if where is not None:
        assert caught.value.where == where
