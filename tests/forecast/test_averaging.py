"""The mean of forecasts: between what was forecast, half-way to the geometric mean, in any unit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from esgml.forecast.averaging import average, root, square

FORECASTS = arrays(np.float64, (3, 2, 4), elements=st.floats(-1e9, 1e9))
SHARES = st.lists(st.floats(0.01, 1), min_size=3, max_size=3)


def shares(values):
    return (np.array(values) / np.sum(values))[:, None, None]


def test_half_way_between_the_arithmetic_and_the_geometric_mean():
    pair, half = np.array([[4.0], [16.0]]), np.full((2, 1), 0.5)
    np.testing.assert_allclose(average(pair, half), (10.0 + 8.0) / 2)


@given(FORECASTS, SHARES)
def test_lies_between_the_forecasts_and_where_they_agree_is_what_they_say(forecasts, values):
    mean = average(forecasts, shares(values))
    assert (mean >= forecasts.min(axis=0)).all()
    assert (mean <= forecasts.max(axis=0)).all()


@given(FORECASTS, SHARES, st.sampled_from([-1.0, 1e-6, -1e6]))
def test_unit_and_sign_are_irrelevant(forecasts, values, factor):
    weights = shares(values)
    scaled, mean = average(factor * forecasts, weights), factor * average(forecasts, weights)
    np.testing.assert_allclose(scaled, mean, rtol=1e-9, atol=1e-9 * np.abs(mean).max())


@given(arrays(np.float64, 5, elements=st.floats(-1e300, 1e300)))
def test_squares_of_roots_are_the_values(values):
    np.testing.assert_allclose(square(root(values)), values, rtol=1e-12, atol=1e-300)


def test_a_model_without_weight_may_say_anything_and_one_with_weight_must_speak():
    one, nothing = np.array([2.0, 3.0]), np.array([np.nan, np.inf])
    np.testing.assert_allclose(average(np.stack([one, nothing]), np.array([[1.0], [0.0]])), one)
    mixed = average(np.stack([one, np.array([np.nan, 3.0])]), np.full((2, 1), 0.5))
    np.testing.assert_allclose(mixed, [np.nan, 3.0])
