"""The design matrix holds what was known at each origin, and nothing later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.core.panel import Future
from esgml.forecast.design import build_design, is_multiplicative, training_origins

HORIZON = 7


@pytest.fixture(params=["D", "h", "MS", "W", "YS"])
def panel(request, make_panel):
    lengths = {"D": (500, 90), "h": (24 * 20, 24 * 12), "YS": (12, 7)}
    return make_panel(lengths.get(request.param, (130, 70)), code=request.param)


@pytest.mark.parametrize("log", [True, False])
def test_rows_are_well_formed(panel, log):
    design = build_design(panel, HORIZON, log=log)
    rows = len(design.z)
    assert design.x.shape == (rows, len(design.names))
    assert len(set(design.names)) == len(design.names)
    assert (design.step >= 1).all() and (design.step <= HORIZON).all()
    assert (design.origin + design.step <= panel.lengths[design.series]).all()
    assert set(design.ahead) <= set(design.names)
    assert "temperature" in design.ahead


@pytest.mark.parametrize("log", [True, False])
def test_relative_targets_turn_back_into_values(panel, log):
    design = build_design(panel, HORIZON, log=log)
    seen = np.isfinite(design.z)
    rows = panel.indptr[design.series] + design.origin + design.step - 1
    np.testing.assert_allclose(design.to_target(design.z)[seen], panel.values[rows][seen])


@pytest.mark.parametrize("log", [True, False])
def test_no_row_knows_what_came_after_its_origin(panel, log):
    """Targets and past covariates after an origin, covariates after the step: no trace."""
    cut = int(panel.lengths[1]) - 3
    first = int(panel.indptr[1])
    late = np.arange(first + cut, panel.rows)
    changed = replace(
        panel, values=panel.values.copy(), past=panel.past.copy(), known=panel.known.copy()
    )
    changed.values[late] *= 1.7
    # the spread of a past covariate is learned from all rows, so its values are only permuted
    changed.past[late] = panel.past[late][::-1]
    one = build_design(panel, HORIZON, log=log)
    two = build_design(changed, HORIZON, log=log)
    early = (one.series == 0) | (one.origin <= cut)
    for name in one.names:
        np.testing.assert_allclose(
            one.column(name)[early], two.column(name)[early], rtol=1e-6, atol=1e-9, err_msg=name
        )


def test_covariates_after_the_step_leave_no_trace(make_panel):
    panel = make_panel((200,))
    changed = replace(panel, known=panel.known.copy())
    changed.known[180:] += 100.0
    one, two = (build_design(p, HORIZON, log=True) for p in (panel, changed))
    early = one.origin + one.step <= 180
    np.testing.assert_array_equal(one.x[early], two.x[early])
    late = one.origin + one.step > 180
    assert not np.array_equal(one.x[late], two.x[late])


@pytest.mark.parametrize("log", [True, False])
def test_training_and_forecasting_build_the_same_row(panel, log):
    """What a model learns at an origin is what it gets when it forecasts from there."""
    horizon = 5
    history = panel.before(horizon)
    rows = [np.arange(b - horizon, b) for b in panel.indptr[1:]]
    future = Future(
        np.stack([panel.time[r] for r in rows]),
        np.stack([panel.known[r] for r in rows]),
        panel.known_names,
    )
    asked = build_design(history, horizon, log=log, future=future)
    learned = build_design(panel, horizon, log=log, max_rows=10**9)
    for i in range(len(panel)):
        at = (learned.series == i) & (learned.origin == history.lengths[i])
        mine = asked.series == i
        assert at.sum() == horizon
        for name in asked.names:
            if name.startswith("energy_kwh"):
                continue  # scaled by the spread of the rows at hand
            np.testing.assert_allclose(
                asked.column(name)[mine],
                learned.column(name)[at],
                rtol=1e-6,
                atol=1e-6,
                err_msg=name,
            )


def test_rows_are_thinned_and_the_latest_kept(make_panel):
    panel = make_panel((400, 400))
    design = build_design(panel, HORIZON, log=True, max_rows=700)
    assert len(design.z) <= 700
    assert (design.origin + design.step).max() == 400


def test_origins():
    assert training_origins(100, 7, 7, False)[0] == 28
    assert training_origins(9, 7, 7, False)[0] == 3
    hourly = training_origins(24 * 30, 24, 24, True)
    assert hourly[-1] == 24 * 29
    assert (np.diff(hourly) == 24).all()


def test_multiplicative_means_well_above_zero(make_panel):
    panel = make_panel((200, 200))
    assert is_multiplicative(panel)
    assert not is_multiplicative(replace(panel, values=panel.values - panel.values.mean()))
    holes = panel.values.copy()
    holes[::50] = 0.0
    assert not is_multiplicative(replace(panel, values=holes))
    assert is_multiplicative(replace(panel, values=np.full(panel.rows, np.nan)))


def test_gaps_become_missing_targets_and_finite_lags(make_panel):
    panel = make_panel((200,), gaps=0.2)
    design = build_design(panel, HORIZON, log=True)
    assert np.isnan(design.z).any()
    lags = [k for k, name in enumerate(design.names) if "lag" in name or "mean" in name]
    assert np.isfinite(design.x[:, lags]).all()


def test_selecting_and_dropping(make_panel):
    design = build_design(make_panel((100,)), HORIZON, log=True)
    some = design.where(design.step == 1)
    assert set(some.step) == {1}
    bare = design.without(design.ahead)
    assert not set(bare.names) & set(design.ahead)
    np.testing.assert_array_equal(bare.column("lag_1"), design.column("lag_1"))


@pytest.mark.parametrize("code", ["D", "h"])
def test_a_covariate_never_given_leaves_only_missing_features(make_panel, code):
    panel = make_panel((200, 200), code=code)
    never = replace(panel, known=np.full_like(panel.known, np.nan))
    design = build_design(never, HORIZON, log=True, future=never.future(HORIZON))
    ahead = [design.names.index(name) for name in design.ahead]
    assert ahead and np.isnan(design.x[:, ahead]).all()
    others = build_design(panel, HORIZON, log=True, future=panel.future(HORIZON))
    np.testing.assert_array_equal(design.without(design.ahead).x, others.without(others.ahead).x)
