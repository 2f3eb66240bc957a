"""Scores by hand, by property, and where nothing was observed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from esgml.forecast import metrics

NAN = np.nan
#: windows x series x horizon: two windows, two series, two steps
ACTUAL = np.array([[[10.0, 20.0], [1.0, 1.0]], [[30.0, 40.0], [NAN, 2.0]]])
FORECAST = np.array([[[11.0, 18.0], [1.0, 2.0]], [[30.0, 47.0], [5.0, 2.0]]])


def test_wape_by_hand():
    by_series = metrics.wape_by_series(FORECAST, ACTUAL)
    np.testing.assert_allclose(by_series, [10 / 100, 1 / 4])
    assert metrics.wape(FORECAST, ACTUAL) == pytest.approx((0.1 + 0.25) / 2)


def test_total_counts_periods_where_all_are_seen():
    # sums 11/12, 21/20, (missing), 42/49
    assert metrics.wape_total(FORECAST, ACTUAL) == pytest.approx((1 + 1 + 7) / (11 + 21 + 42))


def test_smape_by_hand_and_zero_against_zero():
    found = metrics.smape(np.array([[[0.0, 3.0]]]), np.array([[[0.0, 1.0]]]))
    assert found == pytest.approx((0 + 2 * 2 / 4) / 2)


def test_within_a_tenth():
    assert metrics.within(FORECAST, ACTUAL) == pytest.approx(5 / 7)


def test_mase_by_hand():
    scale = np.array([[2.0, 1.0], [NAN, 0.0]])  # unknown and zero scales do not count
    first = (1 + 2) / 2 / 2.0
    second = (0 + 1) / 2 / 1.0
    assert metrics.mase(FORECAST, ACTUAL, scale) == pytest.approx((first + second) / 2)


def test_coverage_and_width():
    low, high = ACTUAL - 1.0, ACTUAL + 1.0
    np.testing.assert_array_equal(metrics.coverage(low, high, ACTUAL), [1.0, 1.0])
    low = low.copy()
    low[0, 0, 0] = 10.5
    np.testing.assert_array_equal(metrics.coverage(low, high, ACTUAL), [0.75, 1.0])
    width = metrics.relative_width(ACTUAL - 1.0, high, ACTUAL)
    assert width == pytest.approx((2 / 25 + 2 / (4 / 3)) / 2)


def test_nothing_observed_is_nan_without_a_warning():
    unseen = np.full((2, 2, 2), NAN)
    assert np.isnan(metrics.wape_by_series(FORECAST, unseen)).all()
    for value in (
        metrics.wape(FORECAST, unseen),
        metrics.wape_total(FORECAST, unseen),
        metrics.smape(FORECAST, unseen),
        metrics.within(FORECAST, unseen),
        metrics.mase(FORECAST, unseen, np.ones((2, 2))),
        metrics.relative_width(unseen, unseen, unseen),
    ):
        assert np.isnan(value)
    assert np.isnan(metrics.coverage(unseen, unseen, unseen)).all()


def test_one_series_without_values_does_not_spoil_the_others():
    actual = ACTUAL.copy()
    actual[:, 1] = NAN
    forecast = FORECAST.copy()
    forecast[:, 1] = NAN
    assert metrics.wape(forecast, actual) == pytest.approx(0.1)
    assert np.isfinite(metrics.mase(forecast, actual, np.ones((2, 2))))
    assert np.isfinite(metrics.smape(forecast, actual))


def test_a_series_of_zeros_has_no_wape():
    zeros = np.zeros((1, 1, 3))
    assert np.isnan(metrics.wape(zeros + 1, zeros))
    assert np.isnan(metrics.wape_total(zeros + 1, zeros))


values = arrays(np.float64, (2, 3, 4), elements=st.floats(0.1, 1e6))


@settings(max_examples=50, deadline=None)
@given(values, values, st.floats(0.01, 100))
def test_scale_free_and_zero_for_the_truth(forecast, actual, factor):
    assert metrics.wape(actual, actual) == 0
    assert metrics.smape(actual, actual) == 0
    assert metrics.within(actual, actual) == 1
    for score in (metrics.wape, metrics.wape_total, metrics.smape):
        again = score(factor * forecast, factor * actual)
        assert again == pytest.approx(score(forecast, actual), rel=1e-9)
    assert 0 <= metrics.smape(forecast, actual) <= 2


def test_binomial_interval():
    # R: binom::binom.wilson(8, 10)
    assert metrics.binomial_interval(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = metrics.binomial_interval(0.0, 5)
    assert low == 0
    assert 0 < high < 0.5
    assert metrics.binomial_interval(1.0, 5)[1] == 1
    widths = [np.ptp(metrics.binomial_interval(0.8, n)) for n in (10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)


def test_pooled_wape_is_decided_by_the_large():
    actual = np.array([[[100.0], [1.0], [np.nan]]])
    forecast = np.array([[[90.0], [2.0], [5.0]]])
    assert metrics.wape_pooled(forecast, actual) == pytest.approx(11 / 101)
    assert np.isnan(metrics.wape_pooled(forecast, np.zeros_like(actual)))
