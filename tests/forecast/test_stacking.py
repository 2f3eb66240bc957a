"""Weights of a mixture: lower its own error, near the prior where little is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from esgml.forecast.averaging import average
from esgml.forecast.stacking import stack_weights

PRIOR = np.full((1, 3), 1 / 3)


def mixture(rows=400, seed=0):
    """Return a truth, two models that err apart, and a third that errs as the first does."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(100, 10, (1, rows))
    one, two = rng.normal(0, 3, (2, 1, rows))
    return np.stack([truth + one, truth + two, truth + 1.05 * one]), truth


def solve(forecasts, truth, penalty=0.01, prior=PRIOR, importance=None):
    importance = np.ones_like(truth) if importance is None else importance
    return stack_weights(forecasts, truth, importance, prior, np.full(len(truth), penalty))


def error(weights, forecasts, truth):
    return np.abs(average(forecasts, weights.T[:, :, None]) - truth).mean()


def test_models_that_err_alike_share_one_weight():
    forecasts, truth = mixture()
    weights = solve(forecasts, truth)
    assert weights[0, 1] == pytest.approx(0.5, abs=0.06)
    # single errors alone would give the second a third: near a fine grid's best, all the same
    grid = [
        error(np.array([[a, b, 1 - a - b]]), forecasts, truth)
        for a in np.linspace(0, 1, 41)
        for b in np.linspace(0, 1 - a, 41)
    ]
    assert error(weights, forecasts, truth) < 1.01 * min(grid)


def test_the_error_of_the_published_mean_is_lowered():
    rng = np.random.default_rng(4)
    truth = rng.normal(100, 10, (1, 400))
    # the arithmetic mean asks for equal shares, that of roots for more of the high one
    forecasts = np.stack([0.2 * truth, 1.8 * truth])
    weights = solve(forecasts, truth, 0.001, np.full((1, 2), 0.5))
    np.testing.assert_allclose(average(forecasts, weights.T[:, :, None]), truth, rtol=0.03)
    assert weights[0, 1] == pytest.approx((1 - 0.2**0.5) / (1.8**0.5 - 0.2**0.5), abs=0.02)


def test_a_high_penalty_keeps_the_prior():
    forecasts, truth = mixture()
    prior = np.array([[0.7, 0.1, 0.2]])
    np.testing.assert_allclose(solve(forecasts, truth, 500.0, prior), prior, atol=0.02)


def test_no_prior_weight_means_none():
    forecasts, truth = mixture()
    weights = solve(forecasts, truth, prior=np.array([[0.5, 0.0, 0.5]]))
    assert weights[0, 1] == 0
    assert weights.sum() == pytest.approx(1)


def test_rows_of_no_importance_do_not_count():
    forecasts, truth = mixture()
    importance = np.ones_like(truth)
    importance[:, 200:] = 0
    broken = forecasts.copy()
    broken[1, :, 200:] = 1e9
    np.testing.assert_allclose(
        solve(broken, truth, importance=importance),
        solve(forecasts[:, :, :200], truth[:, :200]),
    )


def test_series_do_not_touch_each_other():
    one, two = mixture(seed=1), mixture(seed=2)
    both = stack_weights(
        np.concatenate([one[0], two[0]], axis=1),
        np.concatenate([one[1], two[1]]),
        np.ones((2, 400)),
        np.repeat(PRIOR, 2, axis=0),
        np.array([0.01, 0.01]),
    )
    np.testing.assert_allclose(both, np.concatenate([solve(*one), solve(*two)]))


def test_nothing_to_gain_from_the_truth_itself():
    forecasts, truth = mixture()
    same = np.stack([truth] * 3)
    np.testing.assert_allclose(solve(same, truth), PRIOR)
    assert solve(np.stack([truth, *forecasts[1:]]), truth)[0, 0] > 0.9


@settings(max_examples=80, deadline=None)
@given(
    arrays(np.float64, (3, 2, 4), elements=st.floats(-1e8, 1e8)),
    arrays(np.float64, (2, 4), elements=st.floats(-1e8, 1e8)),
    arrays(np.float64, (2, 4), elements=st.sampled_from([0.0, 1e-6, 1.0])),
    st.floats(0, 100),
)
def test_weights_are_shares_whatever_happened(forecasts, truth, importance, penalty):
    weights = stack_weights(
        forecasts, truth, importance, np.repeat(PRIOR, 2, axis=0), np.full(2, penalty)
    )
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
