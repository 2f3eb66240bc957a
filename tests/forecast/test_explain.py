"""Attributions: they add up, blame the true driver, and the sentence says the numbers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from esgml.core.errors import ColumnError, UsageError
from esgml.core.frequency import Frequency
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.core.results import Forecast
from esgml.forecast.explain import BASELINE, explain, usual_future


@dataclass
class Formula:
    """A forecaster that is a formula of the known covariates."""

    known: tuple[str, ...]
    formula: object
    units: dict
    calls: int = 0

    def forecast(self, history, future):
        self.calls += 1
        mean = self.formula(*np.moveaxis(future.known, -1, 0))
        return Forecast(history.keys, future.time, mean, units=self.units)


def simple(names, horizon=4, n=2, seed=0):
    """Return a history of 60 days and a future of random covariates."""
    rng = np.random.default_rng(seed)
    frequency = Frequency("D")
    time = frequency.advance(np.datetime64("2024-01-01", "us"), np.arange(60))
    panel = Panel(
        tuple(SeriesKey(f"s{i}", "scope2_kg") for i in range(n)),
        np.arange(n + 1) * 60,
        np.tile(time, n),
        100 + rng.standard_normal(60 * n),
        frequency,
        rng.standard_normal((60 * n, len(names))),
        np.empty((60 * n, 0)),
        tuple(names),
    )
    future = panel.future(horizon)
    return panel, replace(future, known=rng.standard_normal(future.known.shape))


@pytest.fixture(scope="module")
def found(fitted):
    panel, future, ensemble = fitted
    return explain(ensemble, panel, future)


def test_baseline_and_contributions_are_the_forecast(fitted, found):
    panel, future, ensemble = fitted
    expected = ensemble.forecast(panel, future)
    assert found.keys == expected.keys
    np.testing.assert_array_equal(found.forecast, expected.mean)
    whole = found.baseline + found.contributions.sum(axis=0)
    np.testing.assert_allclose(whole, found.forecast, rtol=1e-12, atol=1e-9)
    usual = ensemble.forecast(panel, usual_future(panel, future))
    np.testing.assert_array_equal(found.baseline, usual.mean)


def test_the_true_driver_is_found_in_every_series(fitted, found):
    panel, future, _ = fitted
    assert found.drivers == ("temperature", "windless")
    size = np.abs(found.contributions).sum(axis=2)
    assert (size[0] > 5 * size[1]).all()
    assert [found.largest(i) for i in range(6)] == ["temperature"] * 6
    # two kg a degree in s0, twice that in s1, three times in s2
    degrees = future.known[0, :, 0] - usual_future(panel, future).known[0, :, 0]
    for i in range(3):
        slope = np.polyfit(degrees, found.contributions[0, i], 1)[0]
        assert slope == pytest.approx(2.0 * (i + 1), rel=0.25)


def test_contributions_of_sites_add_up_to_those_of_their_sums(found):
    s0, s1, s2, total, north, south = np.moveaxis(found.contributions, 1, 0)
    np.testing.assert_allclose(total, s0 + s1 + s2, atol=1e-9)
    np.testing.assert_allclose(north, s0 + s1, atol=1e-9)
    np.testing.assert_allclose(south, s2, atol=1e-9)


def test_rows_of_the_table(found):
    frame = found.to_frame()
    assert frame.columns == ["entity", "timestamp", "target", "driver", "contribution", "unit"]
    assert frame.height == 6 * 7 * 2
    assert set(frame["unit"]) == {"kgCO2e"}
    one = frame.filter(pl.col("entity") == "s1", pl.col("driver") == "temperature")
    np.testing.assert_array_equal(one["contribution"], found.contributions[0, 1])
    np.testing.assert_array_equal(one["timestamp"].to_numpy(), found.time[1])
    whole = found.to_frame(baseline=True).group_by("entity", "timestamp", maintain_order=True)
    sums = whole.agg(pl.col("contribution").sum())["contribution"].to_numpy()
    np.testing.assert_allclose(sums, found.forecast.reshape(-1), rtol=1e-12)
    assert BASELINE in found.to_frame(baseline=True)["driver"]


def test_the_usual_weather_moves_nothing(fitted):
    panel, future, ensemble = fitted
    found = explain(ensemble, panel, usual_future(panel, future))
    assert (found.contributions == 0).all()
    assert found.largest(0) is None
    assert "no driver moves the forecast" in found.sentence(0)


def test_a_value_that_is_not_given_moves_nothing(fitted):
    panel, future, ensemble = fitted
    known = future.known.copy()
    known[:, :, 0] = np.nan
    found = explain(ensemble, panel, replace(future, known=known))
    assert (found.contributions[0] == 0).all()
    assert np.abs(found.contributions[1]).max() > 0


def test_some_series_only(fitted, found):
    panel, future, ensemble = fitted
    one = explain(
        ensemble, panel.select([1]), Future(future.time[1:2], future.known[1:2], future.known_names)
    )
    assert one.keys == (panel.keys[1],)
    np.testing.assert_allclose(one.baseline + one.contributions.sum(axis=0), one.forecast)


def brute_force(formula, names, panel, future):
    """Average the change a driver makes over every order of drivers."""
    usual = usual_future(panel, future).known
    parts = np.zeros((len(names), len(panel), future.horizon))
    for order in itertools.permutations(range(len(names))):
        known = usual.copy()
        before = formula(*np.moveaxis(known, -1, 0))
        for driver in order:
            known[:, :, driver] = future.known[:, :, driver]
            after = formula(*np.moveaxis(known, -1, 0))
            parts[driver] += (after - before) / math.factorial(len(names))
            before = after
    return parts


def test_equal_to_the_definition_with_interactions():
    names = ("a", "b", "c", "d")

    def formula(a, b, c, d):
        return 3 * a + a * b - np.abs(c) * b + np.maximum(d, 0) * a * c

    panel, future = simple(names)
    model = Formula(names, formula, {})
    found = explain(model, panel, future)
    np.testing.assert_allclose(
        found.contributions, brute_force(formula, names, panel, future), atol=1e-12
    )
    assert found.exact
    assert model.calls == 16  # each subset once


def test_a_driver_without_effect_gets_nothing_and_twins_the_same():
    names = ("a", "idle", "b")
    panel, future = simple(names)
    future.known[:, :, 2] = future.known[:, :, 0]
    panel.known[:, 2] = panel.known[:, 0]
    found = explain(Formula(names, lambda a, idle, b: (a + b) ** 2, {}), panel, future)
    np.testing.assert_allclose(found.contributions[1], 0, atol=1e-12)
    np.testing.assert_allclose(found.contributions[0], found.contributions[2], atol=1e-12)


def test_many_drivers_are_sampled_with_a_seed_and_still_add_up():
    names = tuple(f"d{k}" for k in range(11))
    panel, future = simple(names)

    def formula(*columns):
        return sum((k + 1) * c for k, c in enumerate(columns)) + columns[0] * columns[1]

    model = Formula(names, formula, {})
    one, two = (explain(model, panel, future, seed=5) for _ in range(2))
    assert not one.exact
    np.testing.assert_array_equal(one.contributions, two.contributions)
    np.testing.assert_allclose(one.baseline + one.contributions.sum(axis=0), one.forecast)
    away = future.known - usual_future(panel, future).known
    for k in range(2, 11):  # what does not interact is exact in any sample
        np.testing.assert_allclose(one.contributions[k], (k + 1) * away[:, :, k], atol=1e-9)
    with pytest.raises(UsageError):
        explain(model, panel, future, pairs=0)


def test_drivers_that_keep_their_course_cost_nothing():
    names = tuple(f"d{k}" for k in range(12))
    panel, future = simple(names)
    known = usual_future(panel, future).known
    known[:, :, 3] = future.known[:, :, 3]
    model = Formula(names, lambda *columns: sum(columns), {})
    found = explain(model, panel, replace(future, known=known))
    assert found.exact and model.calls == 2
    assert found.largest(0) == "d3"


def test_flags_of_one_text_covariate_are_one_driver():
    names = ("sky=rain", "sky=sun", "a")
    panel, future = simple(names)
    found = explain(Formula(names, lambda r, s, a: r + s + a, {}), panel, future)
    assert found.drivers == ("sky", "a")
    away = future.known - usual_future(panel, future).known
    np.testing.assert_allclose(found.contributions[0], away[:, :, :2].sum(axis=2), atol=1e-12)


def test_without_drivers_the_forecast_is_the_baseline():
    panel, future = simple(())
    model = Formula((), lambda: np.ones((2, 4)), {})
    found = explain(model, panel, future)
    assert found.drivers == ()
    np.testing.assert_array_equal(found.baseline, found.forecast)
    assert found.to_frame().height == 0
    assert found.to_frame(baseline=True).height == 8
    assert "no driver is known ahead" in found.sentence(0)


def test_the_usual_course_is_the_median_of_the_same_weekday():
    panel, future = simple(("a", "flag"), horizon=10, n=1)
    panel.known[:, 0] = np.arange(60)
    panel.known[:, 1] = 0.0
    panel.known[55, 1] = 1.0
    panel.known[53, 0] = np.nan
    usual = usual_future(panel, future).known[0]
    expected = [60 + step % 7 - 21.0 for step in range(10)]
    # the first weekday misses its latest value: the median of the four before it
    expected[0] = expected[7] = 53 - 17.5
    np.testing.assert_array_equal(usual[:, 0], expected)
    np.testing.assert_array_equal(usual[:, 1], np.zeros(10))


def test_a_history_without_covariates_has_no_usual_course():
    panel, future = simple(("a",))
    panel.known[:] = np.nan
    assert np.isnan(usual_future(panel, future).known).all()


def test_short_history():
    panel, future = simple(("a",), n=1)
    short = panel.take([slice(57, 60)])
    usual = usual_future(short, future).known[0, :, 0]
    assert set(usual[:4]) == {float(np.median(short.known[:, 0]))}


def test_sentences_are_made_of_the_numbers():
    panel, future = simple(("heat", "b"), n=1)
    panel.known[:] = 0.0
    future.known[:] = 0.0
    future.known[0, :, 0] = [1, 1, 1, 1]

    def formula(heat, b):
        return 1000 + 250 * heat + b

    tell = {"scope2_kg": "kgCO2e"}
    raised = explain(Formula(("heat", "b"), formula, tell), panel, future).sentence(0)
    assert raised == (
        "s0 (scope2_kg): heat raises the forecast of the next 4 periods by 1 tCO2e of 5 tCO2e"
        " in all, against its usual course."
    )
    future.known[0, :, 0] = [-1, 0, 0, 0]
    lowered = explain(Formula(("heat", "b"), formula, {}), panel, future).sentence(0)
    assert "heat lowers the forecast of the next 4 periods by 250 of 3,750 in all" in lowered
    future.known[0, :, 0] = [-1, 1, 0, 0]
    both = explain(Formula(("heat", "b"), formula, {}), panel, future)
    assert "raises the forecast by 250 in some of the next 4 periods" in both.sentence(0)
    assert "lowers it by 250 in others" in both.sentence(0)
    assert list(both.sentences()) == list(both.keys)


def test_missing_covariates_are_refused(fitted):
    panel, future, ensemble = fitted
    with pytest.raises(ColumnError, match="temperature, windless"):
        explain(ensemble, panel, Future(future.time, future.known[:, :, :0], ()))
