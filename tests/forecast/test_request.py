"""Requests: what is asked is what is forecast, and nothing hostile or wrong gets through."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esgml.core.errors import ColumnError, DataError, EsgmlError, UnitError, UsageError
from esgml.forecast.request import decode, encode
from esgml.forecast.task import ForecastPredictor

HORIZON = 7


def numbers(values):
    return [float(v) if np.isfinite(v) else None for v in values]


def series_of(panel, future, i, **changes):
    rows = panel.rows_of(i)
    known = np.concatenate([panel.known[rows], future.known[i]])
    one = {
        "entity": panel.keys[i].entity,
        "target": panel.keys[i].target,
        "unit": "kgCO2e",
        "start": str(panel.time[rows.start].astype("datetime64[s]")),
        "values": numbers(panel.values[rows]),
        "known": {name: numbers(known[:, c]) for c, name in enumerate(panel.known_names)},
        "past": {name: numbers(panel.past[rows][:, c]) for c, name in enumerate(panel.past_names)},
    }
    one.update(changes)
    return {k: v for k, v in one.items() if v is not ...}


@pytest.fixture
def ask(fitted):
    panel, future, ensemble = fitted

    def make(which=(0, 1, 2), horizon=HORIZON, **changes):
        request = {"series": [series_of(panel, future, i, **changes) for i in which]}
        return {**request, "horizon": horizon} if horizon is not ... else request

    make.predict = ForecastPredictor(ensemble).predict
    return make


def test_answers_what_the_forecaster_says(fitted, ask):
    panel, future, ensemble = fitted
    answer = ask.predict(json.loads(json.dumps(ask())))
    expected = ensemble.forecast(panel, future)
    assert [f["entity"] for f in answer["forecasts"]] == [k.entity for k in expected.keys]
    for i, one in enumerate(answer["forecasts"]):
        np.testing.assert_array_equal(one["mean"], expected.mean[i])
        np.testing.assert_array_equal(one["lower"]["90"], expected.lower[90][i])
        np.testing.assert_array_equal(one["upper"]["50"], expected.upper[50][i])
        assert one["unit"] == "kgCO2e"
        assert one["timestamps"][0] == str(expected.time[i, 0].astype("datetime64[s]"))
    assert answer["horizon"] == HORIZON
    json.dumps(answer, allow_nan=False)


def test_history_and_future_are_read_back(fitted, ask):
    panel, future, ensemble = fitted
    history, ahead = decode(ask(), ensemble)
    assert history.keys == panel.keys
    for name in ("values", "known", "past", "time", "indptr"):
        np.testing.assert_array_equal(getattr(history, name), getattr(panel, name))
    np.testing.assert_array_equal(ahead.known, future.known)
    np.testing.assert_array_equal(ahead.time, future.time)


def test_the_same_bytes_twice_and_in_a_batch(ask):
    one, two = ask((0,)), ask((1,))
    batch = ForecastPredictor(ask.predict.__self__.ensemble).predict_batch([one, two])
    assert json.dumps(batch) == json.dumps([ask.predict(one), ask.predict(two)])


def test_defaults(ask):
    answer = ask.predict(ask((0,), horizon=..., target=..., unit=..., past=...))
    one = answer["forecasts"][0]
    assert one["target"] == "scope2_kg"
    assert len(one["mean"]) == HORIZON
    assert set(one["lower"]) == {"50", "80", "90"}


def test_units_are_converted(fitted, ask):
    panel, *_ = fitted
    kilograms = ask.predict(ask((0,)))["forecasts"][0]["mean"]
    tonnes = numbers(panel.series(0) / 1000)
    answer = ask.predict(ask((0,), unit="tCO2e", values=tonnes))["forecasts"][0]
    assert answer["unit"] == "kgCO2e"
    np.testing.assert_allclose(answer["mean"], kilograms, rtol=1e-9)


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("2023-01-02", "2023-06-01T00:00:00"),
        ("2023-01-02T00:00:00Z", "2023-06-01T00:00:00"),
        ("2023-01-02T02:00:00+02:00", "2023-06-01T00:00:00"),
        ("2023-01-01T19:00:00-05:00", "2023-06-01T00:00:00"),
        ("2023-01", "2023-05-31T00:00:00"),
    ],
)
def test_starts(ask, start, first):
    answer = ask.predict(ask((0,), start=start))
    assert answer["forecasts"][0]["timestamps"][0] == first


def test_gaps_and_covariates_that_end_early(ask, fitted):
    values = numbers(fitted[0].series(0))
    values[3] = values[-1] = None
    answer = ask.predict(ask((0,), values=values, known={"temperature": [1.0, None]}))
    assert np.isfinite(answer["forecasts"][0]["mean"]).all()


def test_levels(ask):
    answer = ask.predict({**ask((0,)), "levels": [90]})
    assert set(answer["forecasts"][0]["upper"]) == {"90"}
    for bad in ([95], "90", [90.0], 90, [None], [[]]):
        with pytest.raises(UsageError, match="level"):
            ask.predict({**ask((0,)), "levels": bad})


GOOD = [1.0] * 20


@pytest.mark.parametrize(
    ("change", "error", "where"),
    [
        ({"values": []}, DataError, "series[0]"),
        ({"values": None}, DataError, "series[0].values"),
        ({"values": "1,2"}, DataError, "series[0].values"),
        ({"values": {"0": 1}}, DataError, "series[0].values"),
        ({"values": [1, "2"]}, DataError, "series[0].values[1]"),
        ({"values": [1, True]}, DataError, "series[0].values[1]"),
        ({"values": [1, [2]]}, DataError, "series[0].values[1]"),
        ({"values": [None, None]}, DataError, "series[0]"),
        ({"values": [1, float("nan")]}, DataError, "series[0].values[1]"),
        ({"values": [1, float("inf")]}, DataError, "series[0].values[1]"),
        ({"values": [1, 10**400]}, DataError, "series[0].values[1]"),
        ({"values": [1, 1e300]}, DataError, "series[0].values[1]"),
        ({"start": "yesterday"}, DataError, "series[0].start"),
        ({"start": "now"}, DataError, "series[0].start"),
        ({"start": "NaT"}, DataError, "series[0].start"),
        ({"start": "2023-02-30"}, DataError, "series[0].start"),
        ({"start": ""}, DataError, "series[0].start"),
        ({"start": 20230102}, DataError, "series[0].start"),
        ({"start": None}, DataError, "series[0].start"),
        ({"start": ...}, DataError, "series[0].start"),
        ({"start": "0001-01-01T00:00:00+23:59"}, DataError, "series[0].start"),
        ({"entity": ...}, DataError, "series[0]"),
        ({"entity": 7}, DataError, "series[0]"),
        ({"entity": ""}, DataError, "series[0]"),
        ({"target": "scope9_kg"}, ColumnError, "series[0].target"),
        ({"target": ["scope2_kg"]}, ColumnError, "series[0].target"),
        ({"unit": "kWh"}, UnitError, ""),
        ({"unit": "bananas"}, UnitError, ""),
        ({"unit": ["kgCO2e"]}, DataError, "series[0].unit"),
        ({"unit": "x" * 10_000}, DataError, "series[0].unit"),
        ({"known": []}, DataError, "series[0].known"),
        ({"known": {"temprature": GOOD}}, ColumnError, "series[0].known"),
        ({"known": {"temperature": 5}}, DataError, "series[0].known.temperature"),
        ({"known": {"temperature": [1.0] * 10_000}}, ColumnError, "series[0].known.temperature"),
        ({"past": {"energy_kwh": [1.0] * 10_000}}, ColumnError, "series[0].past.energy_kwh"),
        ({"past": "energy"}, DataError, "series[0].past"),
        ({"past": {"water": GOOD}}, ColumnError, "series[0].past"),
    ],
)
def test_bad_series_are_refused_with_their_place(ask, change, error, where):
    with pytest.raises(error) as caught:
        ask.predict(ask((0,), **change))
    assert caught.value.where == where
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("horizon", [0, -1, 8, 10**12, 1.0, "7", True, [7], float("nan")])
def test_bad_horizons_are_refused_before_anything_is_built(ask, horizon):
    with pytest.raises(UsageError, match="from 1 to 7"):
        ask.predict(ask((0,), horizon=horizon))


@pytest.mark.parametrize("request_", [{}, {"series": []}, {"series": {}}, {"series": None}])
def test_empty_requests(ask, request_):
    with pytest.raises(DataError, match="at least one series"):
        ask.predict(request_)


def test_a_request_of_another_kind(ask):
    for bad in ([], "series", None, 5):
        with pytest.raises(UsageError):
            ask.predict(bad)
    for bad in (None, 5, "s0", [1.0]):
        with pytest.raises(DataError, match="object"):
            ask.predict({"series": [bad]})


def test_a_series_given_twice(ask):
    with pytest.raises(DataError, match="twice"):
        ask.predict(ask((0, 0)))


def test_a_level_that_was_not_calibrated_is_named(fitted):
    panel, future, ensemble = fitted
    with pytest.raises(UsageError, match="99 %"):
        encode(ensemble.forecast(panel, future), (80, 99))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = ("entity", "target", "unit", "start", "values", "known", "past")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from((*FIELDS, "series", "horizon", "levels")), anything)
def test_whatever_a_field_holds_it_is_answered_or_explained(ask, name, value):
    request = ask((0,))
    if name in FIELDS:
        request["series"][0][name] = value
    else:
        request[name] = value
    try:
        answer = ask.predict(request)
    except EsgmlError:
        return
    json.dumps(answer, allow_nan=False)
