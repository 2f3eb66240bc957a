"""The shipped forecaster: saved and loaded, reordered, summed, bounded, on odd histories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.core.errors import ColumnError, HistoryError, IntegrityError, UsageError
from esgml.core.frequency import Frequency
from esgml.core.panel import Future, SeriesKey
from esgml.forecast import candidates
from esgml.forecast.combine import BASELINE
from esgml.forecast.ensemble import CONFIG, Ensemble
from esgml.forecast.fitting import default_horizon, fit_ensemble
from esgml.forecast.history import in_a_later_month

LEVELS = (50, 80, 90)
pytestmark = pytest.mark.usefixtures("quick")


def select(panel, future, which):
    return panel.select(which), Future(future.time[which], future.known[which], future.known_names)


def check(result):
    """Finite, bounds in order around the mean, nested."""
    assert np.isfinite(result.mean).all()
    low = high = result.mean
    for level in result.levels:
        assert (result.lower[level] <= low + 1e-12 * np.abs(low)).all()
        assert (result.upper[level] >= high - 1e-12 * np.abs(high)).all()
        low, high = result.lower[level], result.upper[level]
        assert np.isfinite(low).all() and np.isfinite(high).all()


def same(one, two):
    assert one.keys == two.keys
    np.testing.assert_array_equal(one.mean, two.mean)
    for level in one.levels:
        np.testing.assert_array_equal(one.lower[level], two.lower[level])
        np.testing.assert_array_equal(one.upper[level], two.upper[level])


def test_forecast_is_sound(fitted):
    panel, future, ensemble = fitted
    result = ensemble.forecast(panel, future)
    assert [key.entity for key in result.keys] == ["s0", "s1", "s2", "total", "north", "south"]
    assert result.levels == LEVELS
    assert result.horizon == 7
    assert result.units == {"scope2_kg": "kgCO2e"}
    check(result)
    assert result.to_frame().height == 42


def test_saved_and_loaded_it_forecasts_the_same_bits(fitted):
    panel, future, ensemble = fitted
    files = ensemble.to_files()
    again = Ensemble.from_files(files)
    same(again.forecast(panel, future), ensemble.forecast(panel, future))
    assert again.to_files() == files
    assert all(name.endswith((".json", ".txt")) for name in files)


def test_sums_are_coherent(fitted):
    panel, future, ensemble = fitted
    mean = ensemble.forecast(panel, future).mean
    s0, s1, s2, total, north, south = mean
    np.testing.assert_allclose(total, s0 + s1 + s2, rtol=1e-9)
    np.testing.assert_allclose(north, s0 + s1, rtol=1e-9)
    np.testing.assert_allclose(south, s2, rtol=1e-9)


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0)])
def test_order_of_series_is_irrelevant(fitted, order):
    panel, future, ensemble = fitted
    expected = ensemble.forecast(panel, future)
    same(ensemble.forecast(*select(panel, future, list(order))), expected)


def test_order_is_irrelevant_without_sums_too(fitted):
    panel, future, ensemble = fitted
    one = ensemble.forecast(*select(panel, future, [0, 2]))
    two = ensemble.forecast(*select(panel, future, [2, 0]))
    assert one.keys == two.keys[::-1]
    np.testing.assert_allclose(one.mean, two.mean[::-1], rtol=1e-12)


def test_some_series_come_without_sums(fitted):
    panel, future, ensemble = fitted
    result = ensemble.forecast(*select(panel, future, [1]))
    assert result.keys == (panel.keys[1],)
    check(result)


def test_an_unknown_series_takes_the_usual_weights(fitted):
    panel, future, ensemble = fitted
    history, ahead = select(panel, future, [1])
    stranger = replace(history, keys=(SeriesKey("new", "scope2_kg"),))
    result = ensemble.forecast(stranger, ahead)
    check(result)
    known = ensemble.forecast(history, ahead)
    np.testing.assert_allclose(result.mean, known.mean, rtol=0.2)


def test_an_unknown_series_beside_the_hierarchy_is_not_lost(fitted):
    panel, future, ensemble = fitted
    history, ahead = select(panel, future, [0, 1, 2, 1])
    history = replace(history, keys=(*panel.keys, SeriesKey("new", "scope2_kg")))
    result = ensemble.forecast(history, ahead)
    assert [key.entity for key in result.keys[3:]] == ["total", "north", "south", "new"]
    check(result)
    expected = ensemble.forecast(panel, future)
    np.testing.assert_allclose(result.mean[:6], expected.mean, rtol=1e-12)


def test_series_that_end_apart_are_not_summed(fitted):
    panel, future, ensemble = fitted
    shorter = panel.take(
        [slice(r.start, r.stop - 2 * (i == 1)) for i, r in enumerate(map(panel.rows_of, range(3)))]
    )
    time = shorter.future(7).time
    result = ensemble.forecast(shorter, replace(future, time=time))
    assert result.keys == panel.keys
    np.testing.assert_array_equal(result.time, time)
    check(result)


def test_shorter_horizon_is_the_start_of_the_longer(fitted):
    panel, future, ensemble = fitted
    short = Future(future.time[:, :3], future.known[:, :3], future.known_names)
    result = ensemble.forecast(panel, short)
    assert result.horizon == 3
    check(result)


@pytest.mark.parametrize("kind", ["gaps", "constant", "zeros", "short", "one", "all_but_one"])
def test_odd_histories(fitted, kind):
    panel, future, ensemble = fitted
    if kind in ("short", "one"):
        keep = 5 if kind == "short" else 1
        panel = panel.take([slice(b - keep, b) for b in panel.indptr[1:].tolist()])
    values = panel.values.copy()
    rng = np.random.default_rng(0)
    if kind == "gaps":
        values[rng.random(len(values)) < 0.4] = np.nan
    elif kind == "constant":
        values[:] = 50.0
    elif kind == "zeros":
        values[:] = 0.0
    elif kind == "all_but_one":
        values[panel.indptr[0] + 1 : panel.indptr[1]] = np.nan
    result = ensemble.forecast(replace(panel, values=values), future)
    check(result)
    assert (result.mean >= 0).all()


def test_missing_covariates_ahead_are_borne(fitted):
    panel, future, ensemble = fitted
    check(ensemble.forecast(panel, replace(future, known=np.full(future.known.shape, np.nan))))


def test_covariates_may_come_in_another_order_and_with_others(fitted):
    panel, future, ensemble = fitted
    names = ("extra", "windless", "temperature")
    columns = [0, 1, 0]
    history = replace(panel, known=panel.known[:, columns], known_names=names)
    ahead = Future(future.time, future.known[:, :, columns], names)
    same(ensemble.forecast(history, ahead), ensemble.forecast(panel, future))


def test_what_does_not_fit_is_refused(fitted):
    panel, future, ensemble = fitted
    bare = replace(panel, known=panel.known[:, :1], known_names=("temperature",))
    with pytest.raises(ColumnError, match="windless"):
        ensemble.forecast(bare, future)
    with pytest.raises(ColumnError, match="energy_kwh"):
        ensemble.forecast(replace(panel, past=np.empty((panel.rows, 0)), past_names=()), future)
    with pytest.raises(ColumnError, match="temperature, windless"):
        ensemble.forecast(panel, Future(future.time, future.known[:, :, :0], ()))
    with pytest.raises(UsageError, match="horizon of 7"):
        ensemble.forecast(panel, panel.future(8))
    with pytest.raises(UsageError, match="frequency D"):
        ensemble.forecast(replace(panel, frequency=Frequency("h")), future)
    values = panel.values.copy()
    values[panel.rows_of(2)] = np.nan
    with pytest.raises(HistoryError, match="s2"):
        ensemble.forecast(replace(panel, values=values), future)


def test_changed_files_are_refused(fitted):
    files = fitted[2].to_files()
    with pytest.raises(IntegrityError):
        Ensemble.from_files({})
    with pytest.raises(IntegrityError):
        Ensemble.from_files({**files, CONFIG: b"{}"})
    with pytest.raises(IntegrityError):
        Ensemble.from_files({**files, CONFIG: b"not json"})
    weights = next(name for name in files if name.endswith("state.json"))
    with pytest.raises(IntegrityError):
        Ensemble.from_files({**files, weights: files[weights] + b" "})
    with pytest.raises(IntegrityError):
        Ensemble.from_files({k: v for k, v in files.items() if k != weights})


def test_same_seed_same_bytes(make_panel):
    panel = make_panel((120, 120))
    one, two = (fit_ensemble(panel, horizon=7, seed=4)[0].to_files() for _ in range(2))
    assert one == two


def test_a_series_near_zero_stays_at_or_above_it(make_panel):
    panel = make_panel((120, 120))
    values = np.maximum(panel.values - 380, 0.0)
    panel = replace(panel, values=values)
    ensemble, _ = fit_ensemble(panel, horizon=7)
    result = ensemble.forecast(panel, panel.future(7))
    check(result)
    assert ensemble.nonnegative
    assert min(result.mean.min(), result.lower[90].min()) >= 0


def test_a_series_that_crosses_zero_may_go_below(make_panel):
    panel = make_panel((120,))
    panel = replace(panel, values=panel.values - panel.values.mean() - 100)
    ensemble, _ = fit_ensemble(panel, horizon=7)
    assert not ensemble.nonnegative and not ensemble.calibration.relative
    result = ensemble.forecast(panel, panel.future(7))
    check(result)
    assert result.lower[90].min() < 0


def test_without_past_windows_the_bounds_come_from_the_changes(make_panel):
    panel = make_panel((16,))
    ensemble, evaluation = fit_ensemble(panel, horizon=7, levels=LEVELS)
    assert evaluation.backtest.plan.calibrating == 0
    result = ensemble.forecast(panel, panel.future(7))
    check(result)
    assert (result.upper[90] > result.mean).all()


def test_constant_series_are_forecast_as_they_are(make_panel):
    panel = make_panel((60, 60))
    panel = replace(panel, values=np.full(panel.rows, 12.5))
    ensemble, _ = fit_ensemble(panel, horizon=7)
    result = ensemble.forecast(panel, panel.future(7))
    check(result)
    np.testing.assert_allclose(result.mean, 12.5, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_bounds_of_series_that_never_erred(make_panel, value):
    panel = make_panel((100, 100), ends=(0, 9))
    panel = replace(panel, values=np.full(panel.rows, value))
    ensemble, _ = fit_ensemble(panel, horizon=7, model=BASELINE)
    result = ensemble.forecast(panel, panel.future(7))
    check(result)
    np.testing.assert_array_equal(result.mean, value)


def test_too_short_a_history_is_refused(make_panel):
    with pytest.raises(HistoryError, match="longest series has 5"):
        fit_ensemble(make_panel((5, 3)), horizon=7)


def test_several_scopes_at_once_are_summed_each_by_itself(make_panel):
    panel = make_panel((120, 120, 120, 120))
    keys = [SeriesKey(e, t) for e in ("a", "b") for t in ("scope1_kg", "scope2_kg")]
    panel = replace(panel, keys=tuple(keys), groups={"a": ("north",), "b": ("north",)})
    ensemble, evaluation = fit_ensemble(panel, horizon=7)
    result = ensemble.forecast(panel, panel.future(7))
    check(result)
    mean = dict(zip(result.keys, result.mean, strict=True))
    for target in ("scope1_kg", "scope2_kg"):
        sites = mean["a", target] + mean["b", target]
        np.testing.assert_allclose(mean["total", target], sites, rtol=1e-9)
        np.testing.assert_allclose(mean["north", target], sites, rtol=1e-9)
    assert len(result.keys) == 8
    assert "a/scope1_kg" in evaluation.scores["by_entity"]


def test_annual_series(make_panel):
    panel = make_panel((8, 6), code="YS")
    ensemble, _ = fit_ensemble(panel)
    assert ensemble.horizon == 1
    check(ensemble.forecast(panel, panel.future(1)))


def test_models_without_weight_are_not_shipped(make_panel, monkeypatch):
    monkeypatch.setattr(candidates, "SEASONAL", (BASELINE, "ridge"))
    ensemble, _ = fit_ensemble(make_panel((200, 200)), horizon=7)
    assert list(ensemble.models) == ["ridge"]
    np.testing.assert_allclose(ensemble.combination.weights.sum(axis=1), 1.0)


def test_resumes_from_checkpoints(make_panel):
    panel = make_panel((120,))
    stored, computed = {}, []

    def checkpoint(name, compute):
        if name not in stored:
            computed.append(name)
            stored[name] = compute()
        return stored[name]

    first, _ = fit_ensemble(panel, horizon=7, checkpoint=checkpoint)
    done = list(computed)
    assert "fit-ridge" in done
    again, _ = fit_ensemble(panel, horizon=7, checkpoint=checkpoint)
    assert computed == done  # nothing was computed twice
    assert first.to_files() == again.to_files() == fit_ensemble(panel, horizon=7)[0].to_files()
    assert all(isinstance(value, bytes) for value in stored.values())


def test_default_horizons():
    found = {c: default_horizon(Frequency(c)) for c in ("15min", "h", "D", "W", "MS", "QS", "YS")}
    assert found == {"15min": 96, "h": 24, "D": 7, "W": 13, "MS": 12, "QS": 4, "YS": 1}


def test_where_levels_step_later_months_have_weights_of_their_own(make_panel, monkeypatch):
    monkeypatch.setattr(candidates, "SEASONAL", (BASELINE, "theta", "month_levels", "ridge"))
    panel = make_panel((690, 690))
    month = panel.time.astype("datetime64[M]").astype(int)
    rng = np.random.default_rng(0)
    levels = np.exp(rng.normal(0, 0.3, month.max() - month.min() + 1))[month - month.min()]
    panel = replace(panel, values=levels * np.exp(rng.normal(0, 0.01, panel.rows)))
    ensemble, _ = fit_ensemble(panel, horizon=30)
    assert ensemble.combination.later is not None
    np.testing.assert_allclose(ensemble.combination.later.sum(axis=1), 1.0)
    future = panel.future(30)
    result = ensemble.forecast(panel, future)
    check(result)
    same(Ensemble.from_files(ensemble.to_files()).forecast(panel, future), result)
    unweighted = replace(ensemble, combination=replace(ensemble.combination, later=None))
    stepped = in_a_later_month(future.time)
    changed = unweighted.forecast(panel, future).mean != result.mean
    assert not changed[~stepped].any() and changed[stepped].any()


def test_a_site_that_was_closed_is_forecast_beside_the_sums(make_panel, quick):
    panel = make_panel((150, 150, 120, 150), groups=True, ends=(0, 0, 0, -40))
    ensemble, _ = fit_ensemble(panel, horizon=7)
    found = Ensemble.from_files(ensemble.to_files()).forecast(panel, panel.future(7))
    mean = {key.entity: found.mean[i] for i, key in enumerate(found.keys)}
    assert list(mean) == ["s0", "s1", "s2", "total", "north", "south", "s3"]
    whole = mean["s0"] + mean["s1"] + mean["s2"]
    np.testing.assert_allclose(mean["total"], whole, rtol=1e-9)
    np.testing.assert_allclose(mean["south"], mean["s2"], rtol=1e-9)
    assert [key.entity for key in ensemble.apart(panel)] == ["s3"]
    assert [key.entity for key in ensemble.shown(panel).keys] == list(mean)
    going = panel.select([0, 1, 2])  # who asks later need not give the closed site
    assert ensemble.forecast(going, going.future(7)).keys[3].entity == "total"
    assert ensemble.apart(going) == ()
