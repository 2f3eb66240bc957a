"""Filling, moments and sums over flat arrays: against slow loops, and never from the future."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.nn import series

LENGTHS = st.lists(st.integers(1, 8), min_size=1, max_size=5)


def _flat(lengths, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(sum(lengths), 2))
    values[rng.random(values.shape) < 0.4] = np.nan
    return values, np.cumsum([0, *lengths])


@given(LENGTHS, st.integers(0, 1000))
def test_forward_fill_equals_a_loop(lengths, seed):
    values, indptr = _flat(lengths, seed)
    expected = np.full(values.shape, np.nan)
    for a, b in itertools.pairwise(indptr):
        last = np.full(2, np.nan)
        for t in range(a, b):
            last = np.where(np.isfinite(values[t]), values[t], last)
            expected[t] = last
    filled, observed = series.forward_fill(values, indptr)
    np.testing.assert_array_equal(filled, expected)
    np.testing.assert_array_equal(observed, np.isfinite(values))
    np.testing.assert_array_equal(series.forward_fill(values[:, 0], indptr)[0], expected[:, 0])


@given(LENGTHS, st.integers(0, 1000))
def test_moments_equal_numpy(lengths, seed):
    values, indptr = _flat(lengths, seed)
    mean, std = series.moments(values, indptr)
    for i, (a, b) in enumerate(itertools.pairwise(indptr)):
        for k in range(2):
            seen = values[a:b, k][np.isfinite(values[a:b, k])]
            assert mean[i, k] == pytest.approx(seen.mean() if len(seen) else 0.0, abs=1e-12)
            expected = seen.std() if len(seen) else 0.0
            assert std[i, k] == pytest.approx(expected if expected > 1e-8 else 1.0)


@given(LENGTHS, st.integers(0, 1000), st.data())
def test_running_sums_equal_slices(lengths, seed, data):
    values, indptr = _flat(lengths, seed)
    values = np.nan_to_num(values)
    sums = series.RunningSums(values, indptr)
    i = data.draw(st.integers(0, len(lengths) - 1))
    a = data.draw(st.integers(indptr[i], indptr[i + 1]))
    b = data.draw(st.integers(a, indptr[i + 1]))
    got = sums.between(np.array([a]), np.array([b]))[0]
    np.testing.assert_allclose(got, values[a:b].sum(axis=0), atol=1e-12)


def test_running_sums_of_a_small_series_are_not_rounded_by_a_large_one():
    values = np.concatenate([np.full(5, 1e15), np.full(5, 1e-3)])[:, None]
    sums = series.RunningSums(values, np.array([0, 5, 10]))
    assert sums.between(np.array([5]), np.array([10]))[0, 0] == pytest.approx(5e-3, rel=1e-12)


def test_calendar_is_a_circle():
    time = np.array(["2024-01-01T06:00", "2024-01-07T18:00"], dtype="datetime64[us]")
    monday, sunday = series.calendar(time)
    assert monday[0] == pytest.approx(1.0)  # six o'clock: a quarter of the day
    assert monday[6] == 0
    assert sunday[6] == 1
    assert (monday[1], monday[4]) == pytest.approx((0.0, 1.0))


def test_hold_season_keeps_what_is_known():
    history = np.arange(10.0)[:, None]
    future = np.array([[np.nan], [99.0], [np.nan], [np.nan]])
    held = series.hold_season(history, future, 3)[:, 0]
    np.testing.assert_array_equal(held, [7, 99, 9, 7])
    assert np.isnan(series.hold_season(np.full((2, 1), np.nan), future, 7)[0, 0])
    np.testing.assert_array_equal(series.hold_season(history[:1], future, 7)[:, 0], [0, 99, 0, 0])
