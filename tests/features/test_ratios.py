from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import DataError, UsageError
from esgml.features.lmdi import decompose, log_mean
from esgml.features.ratios import (
    base_load,
    completeness,
    emissions_intensity,
    implied_factor,
    load_factor,
    ratio,
    renewable_share,
)


def test_a_ratio_is_unknown_never_infinite():
    found = ratio([1.0, 1.0, np.nan, np.inf, 1e300], [2.0, 0.0, 1.0, 1.0, 1e-300])
    np.testing.assert_array_equal(found, [0.5, np.nan, np.nan, np.nan, np.nan])
    assert ratio(1.0, 4.0) == 0.25


def test_intensity_and_factor():
    np.testing.assert_array_equal(
        emissions_intensity([10.0, 10.0, 10.0], [5.0, 0.0, -5.0]), [2.0, np.nan, np.nan]
    )
    assert implied_factor(230.0, 1000.0) == 0.23
    # a Scope 1 below zero may be a removal; its intensity keeps the sign
    assert emissions_intensity(-10.0, 5.0) == -2.0


def test_renewable_share_stays_a_share():
    found = renewable_share([30.0, -1.0, 200.0, 100.05, 0.0], [100.0, 100.0, 100.0, 100.0, 0.0])
    np.testing.assert_array_equal(found, [0.3, np.nan, np.nan, 1.0, np.nan])


def test_load():
    assert load_factor([10.0, 20.0, np.nan]) == 0.75
    assert np.isnan(load_factor([0.0, 0.0]))
    assert np.isnan(load_factor([]))
    assert base_load([5.0, 5.0, 5.0, 50.0, np.nan]) == 5.0
    assert np.isnan(base_load([np.nan]))
    with pytest.raises(UsageError):
        base_load([1.0], 2.0)


def test_completeness():
    assert completeness([1.0, np.nan, np.inf, 4.0]) == 0.5
    assert completeness([1.0, 2.0], expected=4) == 0.5
    assert np.isnan(completeness([]))
    with pytest.raises(DataError):
        completeness([1.0, 2.0], expected=1)


def test_log_mean_lies_between_the_means():
    assert log_mean(2.0, 2.0) == 2.0
    assert log_mean(0.0, 5.0) == 0.0
    assert np.isclose(log_mean(1.0, np.e), np.e - 1)
    nearly = log_mean(1.0, 1.0 + 1e-15)
    assert 1.0 <= nearly <= 1.0 + 1e-15
    assert np.isfinite(log_mean(1e-300, 1e300))


amount = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


@given(st.lists(st.tuples(amount, amount, amount, amount, amount, amount), min_size=1, max_size=6))
def test_effects_always_add_up_to_the_change(rows):
    a = np.array(rows)
    names = ("activity", "structure", "intensity")
    split = decompose(
        dict(zip(names, a[:, :3].T, strict=True)), dict(zip(names, a[:, 3:].T, strict=True))
    )
    size = max(abs(split.before), abs(split.after), 1e-300)
    assert abs(sum(split.effects.values()) - split.change) <= 1e-12 * size * len(rows)
    assert all(np.isfinite(v) for v in split.effects.values())


def test_the_textbook_split():
    # Ang (2005): two sectors, activity and intensity
    split = decompose(
        {"activity": [10.0, 40.0], "intensity": [4.0, 3.0]},
        {"activity": [50.0, 40.0], "intensity": [2.0, 2.0]},
    )
    assert (split.before, split.after) == (160.0, 180.0)
    weight = [log_mean(100.0, 40.0), log_mean(80.0, 120.0)]
    assert np.isclose(split.effects["activity"], weight[0] * np.log(5.0))
    assert np.isclose(
        split.effects["intensity"], weight[0] * np.log(0.5) + weight[1] * np.log(2 / 3)
    )
    assert split.as_dict()["change"] == 20.0


def test_the_order_of_factors_does_not_matter():
    before, after = {"a": [3.0], "b": [2.0]}, {"a": [5.0], "b": [1.5]}
    one = decompose(before, after).effects
    other = decompose(dict(reversed(before.items())), dict(reversed(after.items()))).effects
    assert one == pytest.approx(other)


def test_a_source_that_opens_or_closes_goes_to_what_was_zero():
    split = decompose({"a": [0.0, 5.0], "b": [3.0, 4.0]}, {"a": [2.0, 0.0], "b": [3.0, 4.0]})
    assert split.effects == {"a": 6.0 - 20.0, "b": 0.0}
    # the limit of ever smaller values
    tiny = decompose({"a": [1e-300], "b": [3.0]}, {"a": [2.0], "b": [4.0]})
    zero = decompose({"a": [0.0], "b": [3.0]}, {"a": [2.0], "b": [4.0]})
    assert abs(tiny.effects["a"] - zero.effects["a"]) < 0.01 * 8


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"a": [1.0]}, {"b": [1.0]}),
        ({"a": [1.0]}, {"a": [1.0, 2.0]}),
        ({"a": [1.0], "b": [1.0, 2.0]}, {"a": [1.0], "b": [1.0, 2.0]}),
        ({"a": [-1.0]}, {"a": [1.0]}),
        ({"a": [np.nan]}, {"a": [1.0]}),
    ],
)
def test_factors_that_cannot_be_split_are_refused(before, after):
    with pytest.raises(DataError):
        decompose(before, after)
