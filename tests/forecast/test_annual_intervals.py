"""Annual intervals hold on heavy tails and short histories, and never see what comes later."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.forecast.annual_intervals import calibrate_annual, calibrate_targets
from esgml.forecast.evaluate import evaluate

LEVELS = (50, 80, 90)


def walks(n=300, years=10, seed=0, freedom=2.0):
    """Last values and what followed; every series has a spread of its own."""
    rng = np.random.default_rng(seed)
    spread = 0.1 * np.exp(0.7 * rng.standard_normal(n))
    change = np.clip(spread * rng.standard_t(freedom, (years, n)), -5, 5)
    level = 1000.0 * np.exp(np.cumsum(np.vstack([rng.standard_normal(n), change]), axis=0))
    return level[:-1, :, None], level[1:, :, None]


def annual(series):
    """Return a panel of annual series that all end in 2022; None is a year without a value."""
    time, values, lengths = [], [], []
    for one in series:
        first = 2023 - len(one)
        time += [np.datetime64(f"{first + k}-01-01", "us") for k in range(len(one))]
        values += [np.nan if value is None else float(value) for value in one]
        lengths.append(len(one))
    nothing = np.empty((len(time), 0))
    return Panel(
        tuple(SeriesKey(f"site {i}", "co2e_t") for i in range(len(series))),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.array(time),
        np.array(values),
        Frequency("YS"),
        nothing,
        nothing,
    )


@pytest.mark.parametrize("freedom", [1.5, 3.0, 30.0])
def test_bands_hold_in_the_coming_year_whatever_the_tails(freedom):
    covered = {level: [] for level in LEVELS}
    for seed in range(4):
        forecast, actual = walks(seed=seed, freedom=freedom)
        found = calibrate_annual(forecast[:-1], actual[:-1], LEVELS)
        for level in LEVELS:
            low, high = found.bounds(forecast[-1], level)
            covered[level].append(((actual[-1] >= low) & (actual[-1] <= high)).mean())
    for level in LEVELS:
        assert abs(np.mean(covered[level]) - level / 100) < 0.03


def test_a_restless_series_gets_wider_bands_than_a_calm_one():
    forecast, actual = walks(freedom=30.0)
    move = np.abs(np.log(actual / forecast))[:-1, :, 0].mean(axis=0)
    found = calibrate_annual(forecast[:-1], actual[:-1], (80,))
    low, high = found.bounds(forecast[-1], 80)
    width = np.log(high / low)[:, 0]
    calm, restless = np.argsort(move)[:30], np.argsort(move)[-30:]
    assert width[restless].min() > 1.5 * width[calm].max()


def test_one_restated_value_does_not_make_a_series_look_wild_for_ever():
    forecast, actual = walks(n=50, freedom=30.0)
    usual = calibrate_annual(forecast, actual, (80,)).size
    actual = actual.copy()
    actual[3, 7] = forecast[3, 7] * 20
    found = calibrate_annual(forecast, actual, (80,)).size
    assert usual[7] < found[7] < 3 * usual[7]
    np.testing.assert_allclose(np.delete(found, 7), np.delete(usual, 7), rtol=0.05)


@pytest.mark.parametrize("windows", [0, 1, 2])
def test_with_hardly_any_past_the_assumed_errors_give_finite_bands(windows):
    forecast, actual = walks(n=2, years=3)
    found = calibrate_annual(forecast[:windows], actual[:windows], LEVELS)
    low, high = found.bounds(np.full((2, 1), 100.0), 80)
    assert (low > 20).all()
    assert (high < 500).all()
    assert ((high - low) > 20).all()


def test_years_further_ahead_are_less_certain():
    forecast, actual = walks()
    found = calibrate_annual(np.repeat(forecast, 3, 2), np.repeat(actual, 3, 2), (80,))
    low, high = found.bounds(np.full((300, 3), 100.0), 80)
    assert (np.diff(high - low, axis=1) > 0).all()


def test_zero_stays_a_possible_year_and_not_a_certain_one():
    forecast, actual = walks(n=20)
    forecast, actual = forecast.copy(), actual.copy()
    actual[-1, 0] = 0.0  # closed
    forecast[:, 1] = actual[:, 1] = 0.0  # never emitted
    found = calibrate_annual(forecast, actual, (80,))
    assert np.isfinite(found.size).all()
    low, high = found.bounds(np.array([0.0, 0.0] + [100.0] * 18)[:, None], 80)
    assert low[0, 0] == 0
    assert high[0, 0] > 0  # it may come back
    assert (low[1, 0], high[1, 0]) == (0, 0)


def test_a_slip_of_the_unit_says_nothing():
    forecast, actual = walks(n=5)
    unknown, slipped = actual.copy(), actual.copy()
    unknown[3, 2] = np.nan
    slipped[3, 2] = forecast[3, 2] * 1000
    one, two = (calibrate_annual(forecast, a, (90,)) for a in (unknown, slipped))
    np.testing.assert_array_equal(one.size, two.size)
    np.testing.assert_array_equal(one.quantile[90], two.quantile[90])


def test_unknown_years_count_neither_way():
    forecast, actual = walks(n=40)
    gaps = actual.copy()
    gaps[2:5, 3] = np.nan
    found = calibrate_annual(forecast, gaps, (80,))
    assert np.isfinite(found.size).all()
    other = gaps.copy()
    other_forecast = forecast.copy()
    other_forecast[2:5, 3] = 1e9
    again = calibrate_annual(other_forecast, other, (80,))
    np.testing.assert_array_equal(found.size, again.size)
    np.testing.assert_array_equal(found.quantile[80], again.quantile[80])


def test_small_emitters_get_wider_bands_where_their_errors_are_larger():
    rng = np.random.default_rng(0)
    level = np.repeat([10.0, 1e5], 100)
    forecast = np.repeat(level[None, :, None], 6, axis=0)
    spread = np.repeat([0.4, 0.04], 100)
    actual = forecast * np.exp(spread * rng.standard_normal((6, 200)))[:, :, None]
    found = calibrate_annual(forecast[:5], actual[:5], (80,), coming=level)
    low, high = found.bounds(forecast[5], 80)
    inside = (actual[5] >= low) & (actual[5] <= high)
    for half in (slice(0, 100), slice(100, 200)):
        assert inside[half].mean() == pytest.approx(0.8, abs=0.1)
    moved = calibrate_annual(forecast[:5], actual[:5], (80,), coming=level[::-1]).size
    assert moved[0] < found.size[0]
    assert moved[-1] > found.size[-1]


def test_after_a_value_that_stands_for_itself_scores_of_that_kind_decide():
    rng = np.random.default_rng(1)
    forecast = np.full((8, 100, 1), 1000.0)
    alone = np.zeros((9, 100), dtype=bool)
    alone[:, ::4] = True
    spread = np.where(alone[:-1], 0.8, 0.05)
    actual = forecast * np.exp(spread * rng.standard_normal(spread.shape))[:, :, None]
    # every year others: a series' own size does not tell
    for w in range(8):
        shift = rng.permutation(100)
        actual[w], alone[w] = actual[w][shift], alone[w][shift]
    found = calibrate_annual(forecast, actual, LEVELS, alone=alone)
    plain = calibrate_annual(forecast, actual, LEVELS)
    assert found.quantile[80][::4].min() > 3 * found.quantile[80][1]
    assert found.quantile[80][1] < plain.quantile[80][1] < found.quantile[80][0]


def test_one_kind_of_value_never_seen_before_leans_on_all_scores_and_reaches_further():
    forecast, actual = walks(n=40, freedom=30.0)
    windows = len(forecast)
    alone = np.zeros((windows + 1, 40), dtype=bool)
    alone[-1, 0] = True
    found = calibrate_annual(forecast, actual, (80,), alone=alone)
    usual = calibrate_annual(forecast, actual, (80,))
    assert usual.quantile[80][0] < found.quantile[80][0] < 5 * usual.quantile[80][0]
    np.testing.assert_array_equal(found.quantile[80][1:], usual.quantile[80][1:])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 6), st.integers(1, 3), st.integers(0, 10_000))
def test_bands_are_nested_positive_and_scale_with_the_unit(n, windows, horizon, seed):
    rng = np.random.default_rng(seed)
    forecast = rng.lognormal(3, 2, (windows, n, horizon))
    actual = np.where(rng.random(forecast.shape) < 0.2, 0.0, rng.lognormal(3, 2, forecast.shape))
    actual[rng.random(forecast.shape) < 0.2] = np.nan
    found = calibrate_annual(forecast, actual, LEVELS)
    mean = rng.lognormal(3, 2, (n, horizon))
    bounds = [found.bounds(mean, level) for level in LEVELS]
    for (low, high), (lower, higher) in itertools.pairwise(bounds):
        assert (lower >= 0).all()
        assert (lower <= low).all()
        assert (low <= mean).all()
        assert (mean <= high).all()
        assert (high <= higher).all()
        assert np.isfinite(higher).all()
    scaled = calibrate_annual(forecast * 1000, actual * 1000, LEVELS)
    np.testing.assert_allclose(scaled.bounds(mean * 1000, 80)[1], bounds[1][1] * 1000)


def test_bands_of_a_scope_are_the_same_with_and_without_the_others():
    calm, wild = walks(n=60, freedom=30.0), walks(n=40, seed=1, freedom=1.5)
    forecast, actual = (np.concatenate(both, axis=1) for both in zip(calm, wild, strict=True))
    targets = ["scope1_t"] * 60 + ["scope3_t"] * 40
    order = np.random.default_rng(0).permutation(100)
    alone = np.random.default_rng(1).random((len(forecast) + 1, 100)) < 0.1
    found = calibrate_targets(
        forecast[:, order],
        actual[:, order],
        (80, 90),
        [targets[i] for i in order],
        actual[-1, order, 0],
        alone[:, order],
    )
    back = found.select(np.argsort(order).tolist())
    for rows in (slice(0, 60), slice(60, 100)):
        one = calibrate_annual(
            forecast[:, rows],
            actual[:, rows],
            (80, 90),
            coming=actual[-1, rows, 0],
            alone=alone[:, rows],
        )
        np.testing.assert_allclose(back.size[rows], one.size)
        np.testing.assert_allclose(back.floor[rows], one.floor)
        for level in (80, 90):
            np.testing.assert_allclose(back.quantile[level][rows], one.quantile[level])
    assert np.median(back.size[60:]) > 1.3 * np.median(back.size[:60])


def test_evaluate_uses_them_for_annual_series_and_publishes_nothing_from_the_future():
    rng = np.random.default_rng(3)
    series = [100 * np.exp(np.cumsum(0.2 * rng.standard_t(3, 8))) for _ in range(30)]
    found = evaluate(annual(series), 1, 2, total=False)
    late = [np.append(one[:-1], one[-1] * 50) for one in series]
    changed = evaluate(annual(late), 1, 2, total=False)
    for level in (80, 90):
        np.testing.assert_array_equal(
            found.walk.upper[level][-1], changed.walk.upper[level][-1], strict=True
        )
    assert found.walk.calibration.relative
    np.testing.assert_allclose(found.walk.calibration.shape, 1.0)
    assert found.scores["coverage"]["80"] == pytest.approx(0.8, abs=0.13)


@pytest.mark.parametrize(
    "series",
    [
        [[100, 110]],  # two years
        [[100, 110, 90]],
        [[100, None, 120, 90], [50, 55, None, 60]],  # gaps
        [[100, 0, 0, 90], [0, 0, 0, 0]],  # zeros
        [[100, 105, 98, 950], [50, 49, 51, 50]],  # a merger in the last year
        [[1000, 1020, 1.01, 990], [50, 49, 51, 50]],  # a unit that slipped
    ],
)
def test_short_broken_and_merged_histories_get_an_answer(series):
    from esgml.forecast.fitting import fit_ensemble
    from esgml.forecast.future import complete_future

    panel = annual(series)
    ensemble, _ = fit_ensemble(panel, horizon=1)
    forecast = ensemble.forecast(panel, complete_future(panel, None, 1)[0])
    last = [[v for v in one if v is not None][-1] for one in series]
    np.testing.assert_allclose(forecast.mean[:, 0], last, rtol=0.15)
    assert (forecast.lower[80] <= forecast.mean).all()
    assert (forecast.mean <= forecast.upper[80]).all()
    assert np.isfinite(forecast.upper[90]).all()
