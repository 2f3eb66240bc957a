"""Walking forward: what is published at an origin never depends on what came after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.forecast.backtest import Backtest, Plan, run_backtest
from esgml.forecast.combine import BASELINE
from esgml.forecast.evaluate import with_sums
from esgml.forecast.walk import walk_forward

LEVELS = (80, 90)
PLAN = Plan((63, 56, 49, 42, 35, 28, 21, 14, 7), 4, 7)
MODELS = (BASELINE, "ridge")


def walked(panel, hierarchy=None, **more):
    backtest = run_backtest(panel, PLAN, MODELS)
    settings = {"relative": True, "nonnegative": True, **more}
    return backtest, walk_forward(backtest, LEVELS, hierarchy=hierarchy, **settings)


def published_by(backtest, walk, moment):
    """Return all that was published at origins up to `moment`, bounds included."""
    early = backtest.time[:, :, 0] <= moment
    parts = [walk.forecast[early]]
    parts += [bound[level][early] for bound in (walk.lower, walk.upper) for level in LEVELS]
    return np.concatenate(parts)


@pytest.mark.parametrize("ends", [(0, 0, 0), (0, 11, 5)])
@pytest.mark.parametrize("back", [10, 24, 50])
def test_no_look_ahead(make_panel, ends, back):
    """Values after an origin are changed in every series; nothing published by then moves."""
    panel = make_panel((150, 150, 90), ends=ends, gaps=0.05)
    moment = panel.time.max() - np.timedelta64(back, "D")
    late = panel.time > moment
    changed = replace(panel, values=panel.values.copy(), past=panel.past.copy())
    changed.values[late] = changed.values[late] * 9 + 500
    changed.past[late] = -3.0
    one, two = walked(panel), walked(changed)
    published = published_by(*one, moment)
    assert np.isfinite(published).any()
    np.testing.assert_array_equal(published, published_by(*two, moment))
    assert not np.array_equal(one[1].forecast, two[1].forecast, equal_nan=True)


def test_no_look_ahead_by_the_hour(make_panel):
    panel = make_panel((24 * 14, 24 * 12), code="h", ends=(0, 5))
    moment = panel.time.max() - np.timedelta64(30, "h")
    late = panel.time > moment
    changed = replace(panel, values=np.where(late, 1.0, panel.values))
    one, two = walked(panel), walked(changed)
    np.testing.assert_array_equal(published_by(*one, moment), published_by(*two, moment))


@pytest.mark.parametrize("back", [10, 24])
def test_no_look_ahead_with_a_hierarchy(make_panel, back):
    panel, hierarchy = with_sums(make_panel((150, 150, 150), groups=True), total=False)
    moment = panel.time.max() - np.timedelta64(back, "D")
    changed = replace(panel, values=panel.values.copy(), past=panel.past.copy())
    late = panel.time > moment
    changed.values[late] *= 3
    changed.past[late] = 0.0
    one, two = walked(panel, hierarchy), walked(changed, hierarchy)
    np.testing.assert_array_equal(published_by(*one, moment), published_by(*two, moment))


def test_forecasts_of_a_hierarchy_add_up(make_panel):
    panel, hierarchy = with_sums(make_panel((150, 150, 150), groups=True), total=False)
    _, walk = walked(panel, hierarchy)
    sums = np.einsum("nm,wmh->wnh", hierarchy.summing, walk.forecast[:, : len(hierarchy.bottom)])
    np.testing.assert_allclose(walk.forecast, sums, rtol=1e-9)
    assert walk.reconciliation is not None


def test_bounds_only_where_scored_nested_and_around_the_forecast(make_panel):
    backtest, walk = walked(make_panel((150, 150)))
    first = backtest.plan.calibrating
    for level in LEVELS:
        assert np.isnan(walk.lower[level][:first]).all()
        assert (walk.lower[level][first:] <= walk.forecast[first:]).all()
        assert (walk.upper[level][first:] >= walk.forecast[first:]).all()
    assert (walk.lower[90][first:] <= walk.lower[80][first:]).all()
    assert (walk.upper[90][first:] >= walk.upper[80][first:]).all()


def test_one_model_alone(make_panel):
    backtest, walk = walked(make_panel((150,)), only="ridge")
    np.testing.assert_array_equal(walk.forecast, np.maximum(backtest.forecasts["ridge"], 0))
    assert walk.combination.models == ("ridge",)


@pytest.mark.parametrize("nonnegative", [True, False])
def test_what_cannot_be_negative_never_is(make_panel, nonnegative):
    panel = make_panel((120,))
    backtest = run_backtest(panel, Plan((21, 14, 7), 2, 7), MODELS)
    sunk = {name: forecast - 1000.0 for name, forecast in backtest.forecasts.items()}
    lowered = Backtest(
        backtest.plan,
        backtest.keys,
        backtest.time,
        backtest.actual,
        sunk,
        backtest.naive_error,
        backtest.seconds,
    )
    walk = walk_forward(lowered, LEVELS, relative=False, nonnegative=nonnegative)
    lowest = min(walk.forecast.min(), np.nanmin(walk.lower[90]))
    assert (lowest >= 0) == nonnegative


def test_the_last_weights_know_every_window(make_panel):
    panel = make_panel((150, 150))
    backtest, walk = walked(panel)
    worse = {**backtest.forecasts, "ridge": backtest.forecasts["ridge"] * 1.5}
    other = walk_forward(replace(backtest, forecasts=worse), LEVELS, relative=True)
    assert (other.combination.weights[:, 0] > walk.combination.weights[:, 0]).all()


def test_series_that_have_not_begun_have_no_forecast(make_panel):
    backtest, walk = walked(make_panel((150, 30)))
    begun = np.isfinite(backtest.forecasts["ridge"])
    np.testing.assert_array_equal(np.isfinite(walk.forecast), begun)
    assert not begun[0, 1].any() and begun[-1].all()
