"""Levels that step with the month: found in the past, and repeated from the year before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.forecast.candidates import choose_models
from esgml.forecast.models.month_levels import MonthLevels
from esgml.forecast.models.theta import Theta

DAYS = 730


def stepped(make_panel, seed=0):
    """Return three noisy weekly curves whose level repeats by calendar month."""
    panel = make_panel((DAYS,) * 3)
    rng = np.random.default_rng(seed)
    month = panel.time.astype("datetime64[M]").astype(np.int64) % 12
    day = np.arange(panel.rows) % 7
    levels = np.exp(rng.normal(0, 0.3, (3, 12)))
    which = np.repeat(np.arange(3), DAYS)
    values = levels[which, month] * (1 + 0.05 * (day == 6)) * np.exp(rng.normal(0, 0.01, len(day)))
    return replace(panel, values=values)


def test_steps_are_found_in_the_older_half(make_panel):
    panel = stepped(make_panel)
    assert MonthLevels.unsuited(panel, 30) == ""
    smooth = replace(panel, values=np.exp(np.random.default_rng(0).normal(0, 0.1, panel.rows)))
    assert "do not step" in MonthLevels.unsuited(smooth, 30)
    assert "do not step" in MonthLevels.unsuited(make_panel((100,)), 7)
    assert "daily" in MonthLevels.unsuited(make_panel((200,), code="h"), 24)


def test_it_takes_the_place_of_theta_in_the_pool(make_panel):
    chosen, left_out = choose_models(stepped(make_panel), 30)
    assert "month_levels" in chosen
    assert "contained in month_levels" in left_out["theta"]
    assert "theta" in choose_models(stepped(make_panel), 30, "theta")[0]


def test_repeated_steps_are_learned_and_forecast(make_panel):
    history, future, actual = stepped(make_panel).window(31, 30)
    model = MonthLevels().train(history, horizon=30)
    (share,) = model.repeats_.values()
    assert share > 0.6
    assert model.metadata().details == {"repeats": model.repeats_}
    theta = Theta().train(history, horizon=30)
    own = model.evaluate(history, future, actual)["wape"]
    assert own < 0.6 * theta.evaluate(history, future, actual)["wape"]


def test_inside_a_month_the_step_just_seen_is_the_level(make_panel):
    panel = stepped(make_panel)
    month = panel.time[:DAYS].astype("datetime64[M]")
    start = int(np.flatnonzero(np.diff(month.astype(int)))[-2]) + 1
    back = DAYS - start - 2  # two days of the new month are seen
    history, future, actual = panel.window(back, 20)
    forecast = MonthLevels().train(history, horizon=20).predict(history, future)
    assert forecast == pytest.approx(actual, rel=0.08)


def test_no_repetition_is_no_step(make_panel):
    history, future, _ = stepped(make_panel).window(31, 30)
    none = MonthLevels(repeats=0.0, prior=200.0).train(history, horizon=30)
    none.repeats_ = dict.fromkeys(none.repeats_, 0.0)
    forecast = none.predict(history, future)
    assert np.ptp(forecast, axis=1).max() < 0.15 * forecast.mean()


def test_half_of_last_years_course_inside_the_months_returns(make_panel):
    panel = stepped(make_panel)
    day = np.arange(panel.rows) % DAYS
    # a slow wave over the year under the steps
    wave = np.exp(0.4 * np.sin(2 * np.pi * day / 364))
    panel = replace(panel, values=panel.values * wave)
    history, future, _ = panel.window(DAYS - 300, 25)
    none, half, whole = (
        MonthLevels(returns=share).train(history, horizon=25).predict(history, future)
        for share in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(none, half)  # no year before yet
    history, future, _ = panel.window(32, 25)
    none, half, whole = (
        MonthLevels(returns=share).train(history, horizon=25).predict(history, future)
        for share in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(half, np.sqrt(none * whole))
    course = np.log(whole[:, -1] / none[:, -1])
    at = DAYS - 32 + np.array([-1, 24]) - 364
    np.testing.assert_allclose(course, np.log(wave[at[1]] / wave[at[0]]), atol=0.04)


def test_a_year_ago_that_reaches_into_the_future_says_nothing(make_panel):
    panel = stepped(make_panel)
    history = panel.before(100)
    long, short = history.future(360), history.future(300)
    model = MonthLevels().train(history, horizon=360)
    none = MonthLevels(returns=0.0).train(history, horizon=360)
    np.testing.assert_array_equal(model.predict(history, long), none.predict(history, long))
    assert (model.predict(history, short) != none.predict(history, short)).any()
