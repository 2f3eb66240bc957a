"""Windows: alike in training and prediction, blind after the origin, later data held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.checks.samples import sample_panel
from esgml.core.errors import HistoryError
from esgml.core.frequency import Frequency
from esgml.core.panel import Future, SeriesKey
from esgml.nn.scope_windows import FEATURES, drivers, grouped, scope_of, scope_table
from esgml.nn.series import require_observed
from esgml.nn.windows import Layout, WindowedPanel, split_by_time


@given(st.integers(2, 60), st.integers(0, 20), st.integers(1, 8))
def test_nothing_after_the_origin_is_seen(row, seed, horizon):
    panel = sample_panel((60, 40), gaps=0.2, seed=seed)
    layout = Layout.of(panel.frequency, horizon)
    row = min(row, 59)
    poisoned = replace(panel, values=panel.values.copy(), past=panel.past.copy())
    poisoned.values[row:60] = 1e9
    # standardising uses all the history it is given, so a past covariate may change after the
    # origin only in its order
    poisoned.past[row:60] = panel.past[row:60][::-1]
    first, second = (WindowedPanel(p, layout).gather(np.array([row])) for p in (panel, poisoned))
    for name in ("past", "future", "candidates", "level"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), atol=1e-9)


@pytest.mark.parametrize("code", ["h", "D", "W", "MS", "QS", "YS"])
def test_prediction_windows_are_training_windows(code):
    """The window before the end of a history equals the one cut inside a longer series."""
    panel = sample_panel((60, 50), code, gaps=0.1)
    panel = replace(panel, known=np.zeros_like(panel.known), past=np.zeros_like(panel.past))
    horizon = 4
    layout = Layout.of(panel.frequency, horizon)
    history, future, actual = panel.window(horizon, horizon)
    table = WindowedPanel(history, layout, future)
    served = table.gather(table.last_origins()[1])
    whole = WindowedPanel(panel, layout).gather(panel.indptr[1:] - horizon)
    for name in ("past", "future", "candidates", "level"):
        np.testing.assert_allclose(getattr(served, name), getattr(whole, name), atol=1e-12)
    seen = np.isfinite(actual)
    np.testing.assert_array_equal(whole.weight, seen)
    np.testing.assert_allclose((whole.target * whole.level[:, None])[seen], actual[seen], rtol=1e-9)
    assert not served.weight.any()


def test_candidates_are_the_simple_forecasts():
    panel = sample_panel((40,))
    layout = Layout.of(panel.frequency, 9)
    table = WindowedPanel(panel, layout, panel.future(9))
    batch = table.gather(table.last_origins()[1])
    y = panel.values
    candidates = batch.candidates[0] * batch.level[0]
    np.testing.assert_allclose(candidates[:, 0], y[-1])
    np.testing.assert_allclose(candidates[:, 1], y[-28:].mean())
    np.testing.assert_allclose(candidates[:, 2], np.resize(y[-7:], 9))
    np.testing.assert_allclose(candidates[0, 3], y[[-7, -14, -21, -28]].mean())
    np.testing.assert_allclose(candidates[8, 3], y[[-6, -13, -20, -27]].mean())
    np.testing.assert_allclose(candidates[:, 4], candidates[:, 3])  # no year of history yet


def test_short_history_is_padded():
    panel = sample_panel((1, 3))
    table = WindowedPanel(panel, Layout.of(panel.frequency, 2), panel.future(2))
    batch = table.gather(table.last_origins()[1])
    assert not batch.past[0, :-1].any()
    assert batch.past[0, -1, 1] == 1
    assert not batch.past[1, :-3].any()


def test_training_origins_have_past_and_future():
    panel = sample_panel((30, 10))
    values = panel.values.copy()
    values[5:28] = np.nan
    panel = replace(panel, values=values)
    table = WindowedPanel(panel, Layout.of(panel.frequency, 4))
    series, row = table.training_origins()
    mine = row[series == 0].tolist()
    assert mine == [1, 2, 3, 4, *range(25, 30)]
    assert row[series == 1].tolist() == list(range(31, 40))


@given(st.integers(10, 200), st.floats(0.05, 0.45), st.integers(1, 30))
def test_validation_is_later(n, share, gap):
    ordinal = np.random.default_rng(n).integers(0, 100, n)
    train, later = split_by_time(ordinal, share, gap)
    assert len(train) > 0
    if len(later):
        assert ordinal[train].max() + gap <= ordinal[later].min()
    else:
        assert len(train) == n


def test_layouts_fit_the_frequency():
    for code in ("1min", "15min", "h", "D", "W", "MS", "QS", "YS"):
        layout = Layout.of(Frequency(code), 3)
        assert layout.past >= 4
        assert layout.level >= 4
    assert Layout.of(Frequency("D"), 3, 40).past == 40


def test_scope_slots_and_drivers_are_found_by_name():
    assert [scope_of(t) for t in ("scope1_kg", "Scope 2 (LB)", "scope_3", "scope12", "co2_t")] == [
        0,
        1,
        2,
        None,
        None,
    ]
    names = [
        "wx_wind",
        "wx_temperature",
        "grid_output",
        "Energy_kWh",
        "generation_mwh",
        "is_holiday",
    ]
    assert drivers(names) == {"energy": 3, "production": 2, "temperature": 1, "holiday": 5}


def test_series_of_an_entity_share_a_table():
    panel = sample_panel((20, 20, 20, 15, 10))
    keys = (
        SeriesKey("a", "scope1_kg"),
        SeriesKey("a", "scope2_kg"),
        SeriesKey("a", "scope2_market_kg"),
        SeriesKey("a", "co2_t"),
        SeriesKey("b", "scope3_kg"),
    )
    panel = replace(panel, keys=keys)
    assert grouped(panel) == [{0: 0, 1: 1}, {1: 2}, {0: 3}, {2: 4}]
    table = scope_table(panel, panel.future(3))
    assert table.features.shape[1] == len(FEATURES) == 10
    assert table.ahead.shape == (4, 3, 10)
    np.testing.assert_array_equal(np.diff(table.indptr), [20, 20, 15, 10])
    assert table.observed[:20].sum() == 40
    windows = table.windows(table.indptr[1:], 12)
    np.testing.assert_array_equal(windows[0], table.features[8:20])
    assert not windows[3, :2].any()
    np.testing.assert_array_equal(windows[3, 2:], table.features[55:65])


def test_series_that_end_apart_do_not_share_a_table():
    panel = sample_panel((20, 20))
    panel = replace(panel, keys=(SeriesKey("a", "scope1_kg"), SeriesKey("a", "scope2_kg")))
    assert grouped(panel) == [{0: 0, 1: 1}]
    assert grouped(panel.take([slice(0, 20), slice(20, 38)])) == [{0: 0}, {1: 1}]


def test_calendar_features_of_the_table():
    panel = sample_panel((14,))
    table = scope_table(panel)
    weekday = table.features[:, FEATURES.index("day_of_week")]
    assert weekday[5] == pytest.approx(-1.0)  # 2020-01-06 was a Monday
    assert weekday[4] == pytest.approx(1.0)
    assert (table.features[:, FEATURES.index("month")] == -1.0).all()


def test_a_series_without_values_is_named():
    panel = sample_panel((20, 20))
    values = panel.values.copy()
    values[20:] = np.nan
    with pytest.raises(HistoryError, match="site1"):
        require_observed(replace(panel, values=values))


def test_future_covariates_unknown_hold_their_season():
    panel = sample_panel((21,))
    layout = Layout.of(panel.frequency, 7)
    blank = panel.future(7)
    held = Future(blank.time, panel.known[-7:][None], panel.known_names)
    first, second = (
        WindowedPanel(panel, layout, f).gather(np.array([21])).future for f in (blank, held)
    )
    np.testing.assert_array_equal(first, second)
