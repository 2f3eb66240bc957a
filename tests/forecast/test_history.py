"""Gaps are filled from the same season before, never from later."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.forecast.history import fill, in_a_later_month, seasonal_naive_error

NAN = np.nan
gappy = st.lists(st.one_of(st.just(NAN), st.floats(-1e6, 1e6)), min_size=1, max_size=40)


def test_from_one_season_before():
    values = np.array([1.0, 2.0, 3.0, NAN, 5.0, NAN, NAN])
    np.testing.assert_array_equal(fill(values, 3), [1, 2, 3, 1, 5, 3, 1])


def test_leading_gap_takes_the_first_value_and_short_history_the_last():
    np.testing.assert_array_equal(fill(np.array([NAN, NAN, 4.0, NAN]), 7), [4, 4, 4, 4])


def test_nothing_observed_gives_zeros():
    np.testing.assert_array_equal(fill(np.full(3, NAN), 7), np.zeros(3))


def test_the_input_stays_as_it_was():
    values = np.array([1.0, NAN, 3.0])
    fill(values, 1)
    assert np.isnan(values[1])


@settings(max_examples=100, deadline=None)
@given(gappy, st.integers(1, 9))
def test_finite_keeps_what_was_seen(values, season):
    values = np.array(values)
    filled = fill(values, season)
    assert np.isfinite(filled).all()
    seen = np.isfinite(values)
    np.testing.assert_array_equal(filled[seen], values[seen])


@settings(max_examples=100, deadline=None)
@given(gappy, st.integers(1, 9), st.integers(1, 39), st.floats(-1e6, 1e6))
def test_later_values_never_reach_back(values, season, cut, other):
    values = np.array(values)
    cut = min(cut, len(values))
    if not np.isfinite(values[:cut]).any():
        return  # the leading gap takes the first value there is
    changed = values.copy()
    changed[cut:] = other
    np.testing.assert_array_equal(fill(values, season)[:cut], fill(changed, season)[:cut])


def test_seasonal_naive_error():
    assert seasonal_naive_error(np.array([1.0, 2.0, 2.0, 5.0]), 2) == 2.0
    assert seasonal_naive_error(np.array([1.0, 2.0, NAN, 5.0]), 2) == 3.0
    assert np.isnan(seasonal_naive_error(np.array([1.0, 2.0]), 2))
    assert np.isnan(seasonal_naive_error(np.array([1.0, NAN, NAN, 2.0]), 2))


def test_days_in_a_later_month_are_told_from_the_last_day_seen():
    ahead = np.datetime64("2020-01-30") + np.arange(4)
    first = np.datetime64("2020-02-01") + np.arange(4)
    found = in_a_later_month(np.stack([ahead, first]).astype("datetime64[us]"))
    # the last days seen are the 29th and the 31st of January
    np.testing.assert_array_equal(found, [[False, False, True, True], [True] * 4])
