"""Intervals reach as far as past errors did: nested, growing, adapting, on every scale."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from esgml.forecast.intervals import Calibration, calibrate

LEVELS = (50, 80, 90)


def past(windows=60, n=4, horizon=7, seed=0, relative=True, growth=0.0):
    rng = np.random.default_rng(seed)
    forecast = np.full((windows, n, horizon), 100.0)
    size = 0.05 * (1 + growth * np.arange(horizon)) * rng.standard_normal(forecast.shape)
    return forecast, forecast * np.exp(size) if relative else forecast * (1 + size)


@pytest.mark.parametrize("relative", [True, False])
def test_coverage_of_the_next_window(relative):
    forecast, actual = past(relative=relative)
    covered = {level: [] for level in LEVELS}
    for w in range(10, len(actual)):
        found = calibrate(forecast[:w], actual[:w], LEVELS, relative=relative)
        for level in LEVELS:
            low, high = found.bounds(forecast[w], level)
            covered[level].append(((actual[w] >= low) & (actual[w] <= high)).mean())
    for level in LEVELS:
        assert abs(np.mean(covered[level]) - level / 100) < 0.03


def test_errors_that_grow_with_the_step_give_bounds_that_grow():
    forecast, actual = past(growth=0.5)
    found = calibrate(forecast, actual, LEVELS, relative=True)
    assert (np.diff(found.shape) >= 0).all()
    assert found.shape[-1] > 2 * found.shape[0]
    assert found.shape.mean() == pytest.approx(1)
    low, high = found.bounds(forecast[0], 80)
    assert (np.diff(high - low, axis=1) >= 0).all()


def test_a_series_with_larger_errors_gets_wider_bounds():
    forecast, actual = past()
    actual[:, 2] = forecast[:, 2] * (actual[:, 2] / forecast[:, 2]) ** 4
    low, high = calibrate(forecast, actual, LEVELS, relative=True).bounds(forecast[0], 80)
    width = (high - low)[:, 0]
    assert width[2] > 2.5 * np.delete(width, 2).max()


def test_a_series_without_windows_takes_the_usual_size():
    forecast, actual = past()
    actual[:, 1] = np.nan
    found = calibrate(forecast, actual, LEVELS, relative=True)
    others = np.delete(found.size, 1)
    assert others.min() <= found.size[1] <= others.max()


def test_without_any_window_nothing_is_known():
    none = np.empty((0, 2, 3))
    found = calibrate(none, none, LEVELS, relative=True)
    assert np.isnan(found.size).all()
    assert all(np.isnan(q).all() for q in found.quantile.values())


def test_adapts_when_errors_grow():
    forecast, actual = past(60)
    late = actual.copy()
    late[30:] = forecast[30:] * (actual[30:] / forecast[30:]) ** 3
    calm = calibrate(forecast, actual, LEVELS, relative=True)
    wild = calibrate(forecast, late, LEVELS, relative=True)
    for level in LEVELS:
        width = [np.diff(c.bounds(forecast[0], level), axis=0).mean() for c in (calm, wild)]
        assert width[1] > 2 * width[0]


def test_constant_series_have_bounds_of_no_width():
    forecast = np.full((10, 2, 3), 5.0)
    found = calibrate(forecast, forecast, LEVELS, relative=True)
    low, high = found.bounds(forecast[0], 90)
    np.testing.assert_allclose(low, 5.0)
    np.testing.assert_allclose(high, 5.0)


def windows_of(low, high):
    hole_or_value = st.one_of(st.just(np.nan), st.floats(low, high))
    return arrays(np.float64, (6, 3, 4), elements=hole_or_value, fill=st.just(low))


@settings(max_examples=80, deadline=None)
@given(windows_of(1, 10), windows_of(11, 1e4), st.booleans())
def test_nested_and_around_the_forecast(forecast, actual, relative):
    found = calibrate(forecast, actual, LEVELS, relative=relative)
    if not np.isfinite(found.size).any():
        return
    mean = np.full((3, 4), 7.0)
    bounds = [found.bounds(mean, level) for level in LEVELS]
    inner_low, inner_high = mean, mean
    for low, high in bounds:
        assert (low <= inner_low).all() and (high >= inner_high).all()
        inner_low, inner_high = low, high
    if relative:
        assert (inner_low >= 0).all()


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_the_unit_is_irrelevant(relative, factor):
    forecast, actual = past(12, relative=relative)
    one = calibrate(forecast, actual, LEVELS, relative=relative).bounds(forecast[0], 80)
    two = calibrate(factor * forecast, factor * actual, LEVELS, relative=relative)
    for a, b in zip(one, two.bounds(factor * forecast[0], 80), strict=True):
        np.testing.assert_allclose(b, factor * a, rtol=1e-6)


def test_later_windows_do_not_change_earlier_ones():
    forecast, actual = past(20)
    first = calibrate(forecast[:10], actual[:10], LEVELS, relative=True)
    masked = actual.copy()
    masked[10:] = np.nan
    again = calibrate(forecast[:10], masked[:10], LEVELS, relative=True)
    np.testing.assert_array_equal(first.size, again.size)
    for level in LEVELS:
        np.testing.assert_array_equal(first.quantile[level], again.quantile[level])


def test_saved_as_json_every_bit_kept():
    forecast, actual = past(12)
    found = calibrate(forecast, actual, LEVELS, relative=True)
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
    for level in LEVELS:
        for a, b in zip(
            found.bounds(forecast[0], level), again.bounds(forecast[0], level), strict=True
        ):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found.select([2, 0]).size, found.size[[2, 0]])


def test_a_shorter_horizon_takes_the_first_steps():
    forecast, actual = past(12, growth=0.3)
    found = calibrate(forecast, actual, LEVELS, relative=True)
    low, _ = found.bounds(forecast[0], 80)
    short, _ = found.bounds(forecast[0][:, :3], 80)
    np.testing.assert_array_equal(low[:, :3], short)


def test_no_band_reaches_further_than_a_factor_of_a_hundred():
    forecast, actual = past(8)
    actual[-1, 0] = forecast[-1, 0] * np.array([1, 1, 1, 1, 1, 1, 1e9])
    low, high = calibrate(forecast, actual, LEVELS, relative=True).bounds(forecast[0], 90)
    assert (high <= 100 * forecast[0] * (1 + 1e-9)).all()
    assert (low >= forecast[0] / 100 * (1 - 1e-9)).all()


def stepping(windows=40, n=6, horizon=10, seed=0):
    """Return past errors five times as large after a step, which comes at any day or not at all."""
    rng = np.random.default_rng(seed)
    forecast = np.full((windows, n, horizon), 100.0)
    stepped = np.arange(horizon) >= rng.integers(0, horizon + 5, windows)[:, None, None]
    stepped = np.broadcast_to(stepped, forecast.shape)
    size = np.where(stepped, 0.1, 0.02) * rng.standard_normal(forecast.shape)
    return forecast, forecast * np.exp(size), stepped


def test_bands_know_on_which_side_of_a_step_a_day_lies():
    forecast, actual, stepped = stepping()
    covered = {True: [], False: []}
    for w in range(15, len(actual)):
        found = calibrate(forecast[:w], actual[:w], LEVELS, relative=True, stepped=stepped[:w])
        low, high = found.bounds(forecast[w], 80, stepped[w])
        inside = (actual[w] >= low) & (actual[w] <= high)
        for side, hits in covered.items():
            hits.append(inside[stepped[w] == side])
    for hits in covered.values():
        assert abs(np.concatenate(hits).mean() - 0.8) < 0.06


def test_the_usual_error_of_a_series_hangs_not_on_how_much_was_stepped():
    forecast, actual, stepped = stepping(80, 2)
    alike = np.full_like(actual, np.nan)
    # the second series was seen in windows that lie behind a step, the first in the others
    behind = stepped[:, 0].all(axis=1)
    alike[~behind, 0], alike[behind, 1] = actual[~behind, 0], actual[behind, 1]
    found = calibrate(forecast, alike, LEVELS, relative=True, stepped=stepped)
    assert found.size[1] / found.size[0] == pytest.approx(1, abs=0.3)


def test_the_profile_after_a_step_is_saved():
    forecast, actual, stepped = stepping(12)
    found = calibrate(forecast, actual, LEVELS, relative=True, stepped=stepped)
    again = Calibration.from_dict(json.loads(json.dumps(found.to_dict())))
    one = found.select([1]).bounds(forecast[0, [1]], 80, stepped[0, [1]])
    two = again.select([1]).bounds(forecast[0, [1]], 80, stepped[0, [1]])
    np.testing.assert_array_equal(one, two)


def test_too_few_windows_on_one_side_leave_one_profile():
    forecast, actual, stepped = stepping(12)
    found = calibrate(forecast, actual, LEVELS, relative=True, stepped=np.zeros_like(stepped))
    plain = calibrate(forecast, actual, LEVELS, relative=True)
    assert found.later is None
    np.testing.assert_array_equal(found.quantile[80], plain.quantile[80])
