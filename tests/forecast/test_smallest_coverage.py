"""What the smallest coverage of series would be if none were worse than another."""

import numpy as np
import pytest
from benchmarks.smallest_coverage import smallest_if_alike


def test_one_window_keeps_its_smallest_series():
    inside = np.random.default_rng(0).random((1, 5, 10)) < 0.8
    found = smallest_if_alike(inside, np.ones_like(inside), draws=20)
    np.testing.assert_array_equal(found, inside[0].mean(axis=1).min())


def test_windows_that_hold_or_fail_as_a_whole_leave_some_series_far_below():
    windows, n = 6, 40
    held = np.arange(n) >= n // 5  # a fifth of the series misses each window, by chance others
    inside = np.repeat(np.tile(held, (windows, 1))[:, :, None], 30, axis=2)
    found = smallest_if_alike(inside, np.ones_like(inside), draws=200)
    assert inside.mean() == pytest.approx(0.8)
    # in the data always the same ones fail: worse than bad luck can be
    assert inside.mean(axis=(0, 2)).min() < np.quantile(found, 0.05)
    assert 0.2 < np.median(found) < 0.7


def test_unknown_values_and_absent_series_do_not_count():
    inside = np.zeros((3, 4, 5), dtype=bool)
    seen = np.zeros_like(inside)
    seen[:, :3] = inside[:, :3] = True
    seen[0, 0] = False
    inside[:, 3] = False
    np.testing.assert_array_equal(smallest_if_alike(inside, seen, draws=10), 1.0)
