"""Weights follow past errors, lean on the pool, and yield to the naive forecast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from esgml.forecast.combine import BASELINE, Combination, combine

SHAPE = (8, 3, 5)


def with_errors(sizes, seed=0, shape=SHAPE):
    """Return an actual and forecasts whose errors have the given sizes."""
    rng = np.random.default_rng(seed)
    actual = 100 + rng.standard_normal(shape)
    return {m: actual + s * rng.standard_normal(shape) for m, s in sizes.items()}, actual


def test_no_window_gives_equal_weights_to_all_but_the_naive():
    found = combine({m: np.empty((0, 2, 3)) for m in (BASELINE, "a", "b")}, np.empty((0, 2, 3)))
    np.testing.assert_allclose(found.weights, [[0, 0.5, 0.5]] * 2)
    alone = combine({BASELINE: np.empty((0, 2, 3))}, np.empty((0, 2, 3)))
    np.testing.assert_allclose(alone.weights, [[1.0]] * 2)


def test_nothing_observed_is_no_window():
    forecasts, actual = with_errors({BASELINE: 1, "a": 1})
    found = combine(forecasts, np.full_like(actual, np.nan))
    np.testing.assert_allclose(found.weights[:, 1], 1.0)


def test_better_models_weigh_more_and_bad_ones_nothing():
    forecasts, actual = with_errors(
        {BASELINE: 5.0, "good": 1.0, "close": 1.1, "bad": 3.0}, shape=(60, 3, 7)
    )
    found = combine(forecasts, actual)
    naive, good, close, bad = found.weights.T
    assert good.mean() > close.mean() and (close > 0).all()
    assert (bad == 0).all() and (naive == 0).all()
    assert not found.gated.any()


def test_the_naive_stands_alone_where_it_was_better():
    forecasts, actual = with_errors({BASELINE: 1.0, "a": 0.8})
    # on the second series a errs as the naive forecast does, and further
    forecasts["a"][:, 1] = actual[:, 1] + 1.2 * (forecasts[BASELINE] - actual)[:, 1]
    found = combine(forecasts, actual)
    np.testing.assert_array_equal(found.gated, [False, True, False])
    np.testing.assert_allclose(found.weights[1], [1.0, 0.0])


def test_few_windows_do_not_gate():
    forecasts, actual = with_errors({BASELINE: 1.0, "a": 1.1}, shape=(3, 2, 5))
    assert not combine(forecasts, actual).gated.any()


def test_a_series_with_more_windows_trusts_its_own_errors_more():
    shape = (12, 6, 5)
    forecasts, actual = with_errors({"a": 1.0, "b": 1.1}, shape=shape)
    rng = np.random.default_rng(5)
    for i in (4, 5):  # b is better on the last two series
        forecasts["a"][:, i] = actual[:, i] + 1.15 * rng.standard_normal((12, 5))
        forecasts["b"][:, i] = actual[:, i] + 0.9 * rng.standard_normal((12, 5))
    actual[:-1, 5] = np.nan  # of which the very last has a single window
    weights = combine(forecasts, actual).weights
    assert weights[4, 1] > weights[:4, 1].mean()


def test_a_model_that_fails_has_no_part():
    forecasts, actual = with_errors({"a": 1.0, "b": 1.0})
    forecasts["b"][:] = np.nan
    found = combine(forecasts, actual)
    np.testing.assert_allclose(found.weights, [[1.0, 0.0]] * 3)
    mixed = found.apply({m: f[0] for m, f in forecasts.items()})
    np.testing.assert_allclose(mixed, forecasts["a"][0])


def test_perfect_models_are_not_divided_by_zero():
    forecasts, actual = with_errors({BASELINE: 0.0, "a": 0.0})
    weights = combine(forecasts, actual).weights
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_apply_is_the_weighted_mean_of_roots():
    found = Combination(("a", "b"), np.array([[0.25, 0.75]]), np.zeros(1, dtype=bool))
    mixed = found.apply({"a": np.array([[4.0, 0.0, -4.0]]), "b": np.array([[16.0, 16.0, 16.0]])})
    np.testing.assert_allclose(mixed, [[3.5**2, 3.0**2, 2.5**2]], rtol=1e-12)


def test_the_gate_judges_the_mean_that_is_published(monkeypatch):
    monkeypatch.setattr("esgml.forecast.combine.LEAST_STACKED", 99)
    actual = np.full((8, 1, 5), 10.0)
    # the arithmetic mean of a and b is the truth, the mean of their roots is 7.2
    forecasts = {BASELINE: actual + 1.0, "a": actual - 9.0, "b": actual + 9.0}
    assert combine(forecasts, actual).gated.all()
    forecasts[BASELINE] = actual + 3.0
    found = combine(forecasts, actual)
    assert not found.gated.any()
    published = found.apply({m: f[0] for m, f in forecasts.items()})
    np.testing.assert_allclose(published, ((1 + 19**0.5) / 2) ** 2)


def test_a_model_without_weight_may_say_anything():
    found = Combination(("a", "b"), np.array([[1.0, 0.0]]), np.zeros(1, dtype=bool))
    one = {"a": np.array([[2.0, 3.0]]), "b": np.array([[-7.0, np.nan]])}
    np.testing.assert_allclose(found.apply(one), [[2.0, 3.0]], rtol=1e-12)


def test_the_naive_is_no_part_of_a_mixture():
    forecasts, actual = with_errors({BASELINE: 1.0, "a": 1.0, "b": 1.0}, shape=(20, 3, 7))
    found = combine(forecasts, actual)
    assert (found.weights[~found.gated, 0] == 0).all()


def test_a_lead_of_the_naive_by_chance_does_not_gate():
    shape, lead = (8, 1, 5), np.array([1.0, -0.9, 0.4, -0.2, 0.1, 0.1, 0.0, 0.1])[:, None, None]
    actual = np.full(shape, 100.0)
    forecasts = {BASELINE: actual + 2.0, "a": actual + 2.0 + lead}
    assert not combine(forecasts, actual).gated.any()
    forecasts["a"] = actual + 2.0 + np.abs(lead) + 0.3
    assert combine(forecasts, actual).gated.all()


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, (5, 3, 2), elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))),
    arrays(np.float64, (5, 3, 2), elements=st.floats(-1e6, 1e6)),
    arrays(np.float64, (5, 3, 2), elements=st.floats(-1e6, 1e6)),
)
def test_weights_are_shares_whatever_happened(actual, one, two):
    found = combine({BASELINE: one, "a": two}, actual)
    assert (found.weights >= 0).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0)


def test_order_of_series_is_irrelevant():
    forecasts, actual = with_errors({BASELINE: 2.0, "a": 1.0, "b": 1.1})
    turned = combine({m: f[:, ::-1] for m, f in forecasts.items()}, actual[:, ::-1])
    np.testing.assert_allclose(turned.weights[::-1], combine(forecasts, actual).weights)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_is_irrelevant(factor):
    forecasts, actual = with_errors({BASELINE: 2.0, "a": 1.0, "b": 1.1})
    scaled = combine({m: factor * f for m, f in forecasts.items()}, factor * actual)
    np.testing.assert_allclose(scaled.weights, combine(forecasts, actual).weights, rtol=1e-6)


def test_models_that_err_apart_are_mixed_and_twins_are_not_counted_twice():
    rng = np.random.default_rng(3)
    actual = 100 + rng.standard_normal((20, 4, 7))
    one, two = rng.standard_normal((2, *actual.shape))
    found = combine({"a": actual + one, "twin": actual + 1.02 * one, "b": actual + two}, actual)
    assert found.weights[:, 2] == pytest.approx(0.5, abs=0.12)


def test_after_a_step_the_models_weigh_by_their_errors_there():
    forecasts, actual = with_errors({"curve": 1.0, "levels": 1.0}, shape=(20, 3, 6))
    stepped = np.zeros(actual.shape, dtype=bool)
    stepped[:, :, 4:] = True
    forecasts["curve"][:, :, 4:] += 5.0
    forecasts["levels"][:, :, :4] += 5.0
    found = combine(forecasts, actual, stepped)
    assert (found.weights[:, 0] > 0.9).all() and (found.later[:, 1] > 0.9).all()
    one = {m: f[0] for m, f in forecasts.items()}
    mixed = found.apply(one, stepped[0])
    np.testing.assert_allclose(mixed[:, :4], one["curve"][:, :4], atol=0.6)
    np.testing.assert_allclose(mixed[:, 4:], one["levels"][:, 4:], atol=0.6)


def test_where_no_step_was_seen_all_periods_decide():
    forecasts, actual = with_errors({"a": 1.0, "b": 1.1})
    found = combine(forecasts, actual, np.zeros(actual.shape, dtype=bool))
    np.testing.assert_allclose(found.later, found.weights)
