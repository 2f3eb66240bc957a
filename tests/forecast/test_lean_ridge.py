"""Few features for all series: what was measured beside the target helps, noise does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.forecast.candidates import choose_models
from esgml.forecast.models.lean_ridge import LeanRidge
from esgml.forecast.models.ridge import Ridge


def houses(make_panel, lengths=(300, 300, 300), seed=0):
    """Return noisy days whose level follows yesterday's meter beside the target."""
    panel = make_panel(lengths)
    rng = np.random.default_rng(seed)
    beside = np.exp(0.3 * rng.standard_normal(panel.rows))
    values = np.empty(panel.rows)
    for i in range(len(panel)):
        rows = panel.rows_of(i)
        before = np.concatenate([[1.0], beside[rows][:-1]])
        values[rows] = before * (50 + 10 * i) * np.exp(0.2 * rng.standard_normal(len(before)))
    return replace(panel, values=values, past=beside[:, None], past_names=("load",))


def test_it_uses_what_was_measured_beside_the_target(make_panel):
    history, future, actual = houses(make_panel).window(1, 1)
    model = LeanRidge().train(history, horizon=1)
    used = set(model.dropped_)
    assert not {"load_last", "load_mean_3", "mean_7", "lag_1"} & used
    assert {"lag_9", "same_season_1", "year_ago"} <= used
    bare = replace(history, past=history.past[:, :0], past_names=())
    alone = LeanRidge().train(bare, horizon=1).evaluate(bare, future, actual)["wape"]
    assert model.evaluate(history, future, actual)["wape"] < alone


def test_known_covariates_are_left_out(make_panel):
    panel = houses(make_panel)
    panel = replace(panel, known=panel.past, known_names=("load_plan",))
    model = LeanRidge().train(panel, horizon=7)
    assert {"load_plan", "load_plan_recent"} <= set(model.dropped_)


def test_all_series_share_the_coefficients_and_no_feature_is_squared(make_panel):
    panel = houses(make_panel)
    lean, full = (kind().train(panel, horizon=7) for kind in (LeanRidge, Ridge))
    assert len(lean.coefficients_) == 1 and len(full.coefficients_) == 2
    # intercept, weekdays, and every feature twice: as it is and times the step ahead
    assert lean.coefficients_[0].shape == (1, 1 + 7 + 2 * len(lean.center_))


def test_bigger_scale_bigger_forecast(make_panel):
    history, future, _ = houses(make_panel).window(7, 7)
    model = LeanRidge().train(history, horizon=7)
    tenfold = replace(history, values=10 * history.values)
    again = LeanRidge().train(tenfold, horizon=7).predict(tenfold, future)
    np.testing.assert_allclose(again, 10 * model.predict(history, future), rtol=1e-6)


def test_where_it_is_in_the_pool(make_panel):
    panel = houses(make_panel)
    assert "lean_ridge" in choose_models(panel, 7)[0]
    assert "500 rows" in choose_models(houses(make_panel, (300,)), 7)[1]["lean_ridge"]
    bare = replace(panel, past=panel.past[:, :0], past_names=())
    assert "beside the target" in choose_models(bare, 7)[1]["lean_ridge"]
    assert "daily" in LeanRidge.unsuited(make_panel((200,), code="h"), 24)
    assert "daily" in LeanRidge.unsuited(make_panel((12,), code="YS"), 1)


@pytest.mark.parametrize("gap", [slice(100, 130), slice(290, 300)])
def test_gaps_are_no_obstacle(make_panel, gap):
    panel = houses(make_panel)
    values = panel.values.copy()
    values[gap] = np.nan
    past = panel.past.copy()
    past[gap] = np.nan
    panel = replace(panel, values=values, past=past)
    model = LeanRidge().train(panel, horizon=7)
    assert np.isfinite(model.predict(panel, panel.future(7))).all()
