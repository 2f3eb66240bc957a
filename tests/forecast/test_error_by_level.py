"""Usual errors by level: larger where emitters are small, learned where there is much to learn."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.forecast.error_by_level import size_by_level

NOTHING = np.empty(0)


def test_the_size_at_a_level_is_found_whatever_was_assumed() -> None:
    rng = np.random.default_rng(0)
    level = rng.uniform(0, 12, 20_000)
    truth = np.where(level < 6, 0.1, 0.5)  # against what is assumed: the large err more
    error = truth * rng.exponential(1.0, len(level))
    found = size_by_level(level, error, NOTHING, float(error.mean()))
    np.testing.assert_allclose(found.at(np.array([2.0, 10.0])), [0.1, 0.5], rtol=0.1)


def test_without_errors_the_small_are_taken_to_err_more() -> None:
    coming = np.log(np.array([10.0, 1e3, 1e5, 1e30]))
    size = size_by_level(NOTHING, NOTHING, coming, 0.25).at(coming)
    assert (np.diff(size) < 0).all()
    assert size[0] < 2.5 * 0.25
    assert size[-1] > 0.05  # no further than a few powers of ten away
    alone = size_by_level(NOTHING, NOTHING, coming[:1], 0.25)
    assert alone.at(coming[:1])[0] == 0.25


def test_levels_never_met_and_unknown_ones_have_a_size() -> None:
    found = size_by_level(np.array([3.0, 5.0]), np.array([0.2, 0.1]), NOTHING, 0.3)
    assert found.at(np.array([-50.0]))[0] == found.at(np.array([3.0]))[0]
    assert found.at(np.array([50.0]))[0] == found.at(np.array([5.0]))[0]
    assert found.at(np.array([np.nan]))[0] == 0.3
    nothing = size_by_level(NOTHING, NOTHING, np.array([np.nan]), 0.3)
    assert nothing.at(np.array([np.nan, 1.0])).tolist() == [0.3, 0.3]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(0, 5), st.floats(0, 14), st.integers(0, 9999))
def test_sizes_are_positive_bounded_and_the_same_in_any_unit(n, more, spread, seed) -> None:
    rng = np.random.default_rng(seed)
    level, error = spread * rng.standard_normal(n), rng.exponential(0.3, n)
    coming = spread * rng.standard_normal(more)
    one = size_by_level(level, error, coming, 0.25).at(coming)
    two = size_by_level(level + np.log(1000), error, coming + np.log(1000), 0.25)
    assert (one > 0).all()
    assert (one <= max(0.25 * np.exp(0.9), error.max(initial=0.0)) + 1e-12).all()
    np.testing.assert_allclose(two.at(coming + np.log(1000)), one, rtol=1e-6, atol=1e-3)
