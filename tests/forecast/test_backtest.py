"""Rolling origins: the right windows, fitted and forecast from the past alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.core import catalog
from esgml.core.errors import HistoryError
from esgml.core.interfaces import Hyperparameters, TimeSeriesModel
from esgml.forecast.backtest import Plan, plan_windows, run_backtest
from esgml.forecast.models.seasonal_naive import SeasonalNaive

NAIVE = "seasonal_naive"


class Watcher(TimeSeriesModel):
    """Forecasts zero and writes down what it was shown."""

    Params = Hyperparameters
    refit_every = 3
    seen: list = []  # noqa: RUF012

    def _train(self, panel, horizon, seed):
        self.until = panel.time.max()
        self.seen.append(("train", self.until, panel.keys, seed))

    def _predict(self, history, future):
        self.seen.append(("predict", self.until, history, future))
        return np.zeros((len(history), future.horizon))

    def _dump(self):
        return {}

    def _restore(self, files):
        pass


@pytest.fixture
def watched(monkeypatch):
    Watcher.seen = []
    monkeypatch.setattr(catalog, "load", lambda capability, name: Watcher)
    return Watcher.seen


def test_plan_counts_back_from_the_end(make_panel):
    plan = plan_windows(make_panel((100,)), 7, 3, step=10, calibrating=2)
    assert plan.backs == (41, 34, 27, 17, 7)
    assert (plan.scored, plan.calibrating) == (3, 2)
    assert plan_windows(make_panel((100,)), 7, 2).backs[-2:] == (14, 7)


def test_scored_windows_take_the_room_first(make_panel):
    plan = plan_windows(make_panel((40,)), 7, 4)
    assert plan.backs[-4:] == (28, 21, 14, 7)
    assert plan.calibrating == 0


def test_finer_than_daily_calibrates_on_different_weekdays(make_panel):
    plan = plan_windows(make_panel((24 * 60,), code="h"), 24, 2)
    spacing = -np.diff(plan.backs)
    assert set(spacing[: plan.calibrating]) == {72}


def test_annual_data_calibrates_on_consecutive_years(make_panel):
    plan = plan_windows(make_panel((12,), code="YS"), 1, 3)
    assert plan.backs == (9, 8, 7, 6, 5, 4, 3, 2, 1)


@pytest.mark.parametrize(("length", "windows"), [(8, 1), (1, 1), (30, 5)])
def test_too_short_a_history_is_said(make_panel, length, windows):
    with pytest.raises(HistoryError, match=f"longest series has {length}"):
        plan_windows(make_panel((length,)), 7, windows)


def test_windows_hold_what_happened(make_panel):
    panel = make_panel((100, 60))
    found = run_backtest(panel, plan_windows(panel, 7, 3), [NAIVE])
    for w, back in enumerate(found.plan.backs):
        for i in range(2):
            stop = int(panel.indptr[i + 1]) - back
            if back >= panel.lengths[i]:
                assert np.isnan(found.actual[w, i]).all()
                assert np.isnat(found.time[w, i]).all()
                continue
            np.testing.assert_array_equal(found.actual[w, i], panel.values[stop : stop + 7])
            np.testing.assert_array_equal(found.time[w, i], panel.time[stop : stop + 7])
            if stop - panel.indptr[i] >= 7:  # the week before the origin, repeated
                np.testing.assert_array_equal(
                    found.forecasts[NAIVE][w, i], panel.values[stop - 7 : stop]
                )
    assert set(found.seconds) == {NAIVE}


def test_fits_at_the_first_window_the_first_scored_and_then_every_third(make_panel, watched):
    panel = make_panel((100,))
    run_backtest(panel, Plan((70, 60, 50, 40, 30, 20, 10), 5, 7), ["watcher"], seed=5)
    ends = [int((panel.time[-1] - s[1]) / np.timedelta64(1, "D")) for s in watched]
    assert [e for e, s in zip(ends, watched, strict=True) if s[0] == "train"] == [70, 50, 20]
    assert [s[3] for s in watched if s[0] == "train"] == [5, 5, 5]


@pytest.mark.parametrize("code", ["D", "YS"])
def test_nothing_shown_is_from_after_the_origin(make_panel, watched, code):
    """Also where series end apart and a model goes on with an earlier fit."""
    panel = make_panel((60, 60, 40), code=code, ends=(0, 17, 9))
    run_backtest(panel, Plan((30, 20, 15, 10, 5), 3, 5), ["watcher"])
    predicted = [s for s in watched if s[0] == "predict"]
    assert len(predicted) == 15  # no two series end together, so each origin is its own
    for _, fitted_until, history, future in predicted:
        origin = history.time.max()
        assert (history.last_time() == origin).all()
        assert fitted_until <= origin
        assert (future.time[:, 0] > origin).all()


def test_training_takes_every_series_up_to_the_origin(make_panel, watched):
    panel = make_panel((60, 60, 20), ends=(0, 17, 0))
    run_backtest(panel, Plan((30,), 1, 5), ["watcher"])
    first = next(s for s in watched if s[0] == "train")
    assert len(first[2]) == 2  # the third has not begun at that time


def test_changed_later_values_change_no_forecast(make_panel):
    panel = make_panel((90, 90))
    changed = replace(panel, values=panel.values.copy(), past=panel.past.copy())
    for end in panel.indptr[1:]:
        changed.values[end - 14 : end] = 1e7
        changed.past[end - 14 : end] = -1e7
    plan = Plan((28, 21, 14), 2, 7)
    one, two = (run_backtest(p, plan, [NAIVE, "ridge"]) for p in (panel, changed))
    for name in (NAIVE, "ridge"):
        np.testing.assert_array_equal(one.forecasts[name], two.forecasts[name])
    np.testing.assert_array_equal(one.naive_error, two.naive_error)


def test_threads_change_nothing(make_panel):
    panel = make_panel((90, 90))
    plan = Plan((14, 7), 2, 7)
    one = run_backtest(panel, plan, [NAIVE, "ridge"], threads=1)
    two = run_backtest(panel, plan, [NAIVE, "ridge"], threads=2)
    assert list(one.forecasts) == list(two.forecasts) == [NAIVE, "ridge"]
    for name in one.forecasts:
        np.testing.assert_array_equal(one.forecasts[name], two.forecasts[name])


def test_a_series_without_history_yet_is_left_out(make_panel):
    panel = make_panel((60, 10))
    found = run_backtest(panel, Plan((20, 10, 5), 3, 5), [NAIVE])
    assert np.isnan(found.forecasts[NAIVE][:2, 1]).all()
    assert np.isnan(found.naive_error[:2, 1]).all()
    assert np.isfinite(found.forecasts[NAIVE][2]).all()


def test_the_naive_model_is_the_one_of_the_catalog():
    assert catalog.load("forecast", NAIVE) is SeasonalNaive
