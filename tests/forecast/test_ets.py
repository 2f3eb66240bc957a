"""Exponential smoothing: the loops against a plain recursion, the fit against others' fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.core import catalog
from esgml.core.errors import MissingExtraError
from esgml.forecast.candidates import choose_models
from esgml.forecast.history import fill

pytest.importorskip("numba", reason="the extra 'serve' is not installed")

from esgml.forecast.ets_kernel import (
    ADDED,
    MULTIPLIED,
    NONE,
    Form,
    look_ahead,
    one_step_errors,
    search,
)
from esgml.forecast.models.ets import Ets, ets_forecast, fit, forms
from esgml.forecast.models.theta import is_seasonal

FORMS = [
    (relative, damped, season)
    for relative in (False, True)
    for damped in (False, True)
    for season in (NONE, ADDED, MULTIPLIED)
    if relative or season != MULTIPLIED
]


def series(n=120, season=7, seed=0, noise=0.1):
    """Return a positive series around one with a weekly course and a slow wave."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    course = 1 + 0.3 * np.sin(2 * np.pi * t / season) + 0.1 * np.sin(t / 40)
    return course * np.exp(noise * rng.standard_normal(n))


def odds(x):
    return 1 / (1 + np.exp(-x))


def slow(form, values, parameters, horizon):
    """Return one-step errors and the path ahead, state by state as in the book."""
    z = list(parameters)
    alpha = odds(z.pop(0))
    beta, phi, gamma = 0.0, 0.0, 0.0
    if form.damped:
        beta, phi = alpha * odds(z.pop(0)), 0.8 + 0.18 * odds(z.pop(0))
    if form.season:
        gamma = (1 - alpha) * odds(z.pop(0))
    level = z.pop(0)
    slope = z.pop(0) if form.damped else 0.0
    course = list(z)
    if form.season:
        course.append((form.places if form.season == MULTIPLIED else 0.0) - sum(course))
    errors, expectations = [], []
    for t, value in enumerate(values):
        base, place = level + phi * slope, t % form.places
        seasonal = course[place] if form.season else None
        expected = base * seasonal if form.season == MULTIPLIED else base + (seasonal or 0.0)
        expectations.append(expected)
        epsilon = 0.0 if np.isnan(value) else value - expected
        errors.append(epsilon / expected if form.relative else epsilon)
        if form.season == MULTIPLIED:  # in the relative errors of the book, table 2.3
            ratio = epsilon / expected
            level = base * (1 + alpha * ratio)
            slope = phi * slope + beta * base * ratio
            course[place] = seasonal * (1 + gamma * ratio)
        else:
            level = base + alpha * epsilon
            slope = phi * slope + beta * epsilon
            if form.season:
                course[place] = seasonal + gamma * epsilon
    path = []
    for h in range(1, horizon + 1):
        ahead = level + sum(phi**k for k in range(1, h + 1)) * slope
        if form.season:
            seasonal = course[(len(values) + h - 1) % form.places]
            ahead = ahead * seasonal if form.season == MULTIPLIED else ahead + seasonal
        path.append(ahead)
    seen = np.isfinite(values)
    usual = np.exp(np.log(np.array(expectations)[seen]).mean()) if form.relative else 1.0
    return np.array(errors) * usual, np.array(path)


@pytest.mark.parametrize(("relative", "damped", "season"), FORMS)
def test_loops_do_what_a_plain_recursion_does(relative, damped, season):
    form = Form(relative, damped, season, 7 if season else 1, np.empty(0))
    rng = np.random.default_rng(3)
    values = series(60)
    values[[0, 17, 59]] = np.nan
    course = [1.1, 0.9, 1.2, 0.8, 1.0, 1.05]
    states = [1.0, *([0.02] if damped else [])]
    if season:
        states += course if season == MULTIPLIED else [x - 1 for x in course]
    parameters = np.concatenate([rng.normal(-1, 0.5, form.shares), states])
    expected, ahead = slow(form, values, parameters, 10)
    errors = np.empty(60)
    shares, at = np.empty(4), np.empty(2 + form.places)
    assert one_step_errors(form, values, parameters, shares, at, errors)
    np.testing.assert_allclose(errors, expected, rtol=1e-10, atol=1e-12)
    path, missed = look_ahead(form, values, parameters, 10, 3, 20)
    np.testing.assert_allclose(path, ahead, rtol=1e-10)
    # the paths that weigh the forms, each by the slow recursion from its own origin
    off = np.full((3, 60), np.nan)
    for t in range(max(60 - 20 - 3, form.places), 60):
        _, own = slow(form, values[:t], parameters, 3)
        off[: 60 - t, t] = np.abs(values[t : t + 3] - own[: 60 - t])
    assert missed == pytest.approx(np.nanmean(off, axis=1).mean(), rel=1e-10)


#: Without a season, a steep start of a damped trend is one of several optima, and so no measure.
@pytest.mark.parametrize(
    ("relative", "damped", "season"), [f for f in FORMS if f[2] != NONE or not f[1]]
)
def test_the_fit_is_as_likely_as_that_of_statsforecast(relative, damped, season):
    ets = pytest.importorskip("statsforecast.ets", reason="the extra 'train' is not installed")
    values = series(150, seed=1)
    values /= values.mean()
    name = "AM"[relative] + ("A" if damped else "N") + "NAM"[season]
    other = ets.ets_f(values, m=7, model=name, damped=damped)
    (form,) = (f for f in forms(values, 7) if f[:3] == (relative, damped, season))
    parameters = fit(form, values, values, Ets.Params(prior=1e-6, bound=1e6), 0.15)
    errors = np.empty(len(values))
    shares, at = np.empty(4), np.empty(2 + form.places)
    assert one_step_errors(form, values, parameters, shares, at, errors)
    assert len(values) * np.log((errors**2).sum()) < -2 * other["loglik"] + 1.0


def test_the_search_ends_where_no_step_helps():
    values = series(100)
    form = Form(True, False, MULTIPLIED, 7, np.empty(0))
    believed = np.array([-1.0, -3.0])
    start = np.concatenate([believed, [1.0], np.ones(6)])

    def objective(parameters):
        errors = np.empty(100)
        shares, at = np.empty(4), np.empty(9)
        if not one_step_errors(form, values, parameters, shares, at, errors):
            return np.inf
        size = np.where(np.abs(errors) <= 0.1, errors**2, 0.1 * (2 * np.abs(errors) - 0.1))
        return 100 * np.log(size.mean()) + 3 * ((parameters[:2] - believed) ** 2).sum()

    found = start.copy()
    assert search(form, values, found, believed, 3.0, 0.1, 60)
    best = objective(found)
    assert best < objective(start) - 10
    rng = np.random.default_rng(0)
    around = np.concatenate([found + rng.normal(0, far, (200, 9)) for far in (0.01, 0.1)])
    assert min(objective(p) for p in around) > best - 0.02
    # where the form cannot hold, nothing is searched
    assert not search(form, values, np.r_[believed, -1.0, np.ones(6)], believed, 3.0, 0.1, 60)


def test_which_forms_a_series_can_have():
    positive = series()
    assert [f[:3] for f in forms(positive, 7)] == sorted(FORMS, key=lambda f: (f[2], f[0], f[1]))
    assert {f[:3] for f in forms(positive - 1, 7)} == {f for f in FORMS if not (f[0] or f[2] == 2)}
    assert {f.season for f in forms(positive[:14], 7)} == {NONE}
    assert {f.season for f in forms(positive, 1)} == {NONE}
    long = list(forms(np.tile(series(52), 4), 52))
    assert {len(f.fixed) for f in long if f.season} == {52}


@pytest.mark.parametrize("season", [7, 12, 52])
def test_what_repeats_goes_on(season):
    values = np.tile(series(season, season, noise=0.2), 5)
    ahead = ets_forecast(values, season, season)
    np.testing.assert_allclose(ahead, values[:season], rtol=0.03)


def test_gaps_are_not_errors():
    values = series(200, noise=0.02)
    holed = values.copy()
    holed[np.random.default_rng(1).random(200) < 0.2] = np.nan
    holed[:3] = np.nan
    np.testing.assert_allclose(ets_forecast(holed, 7, 7), ets_forecast(values, 7, 7), rtol=0.05)


def test_one_broken_week_moves_little():
    values = series(200, noise=0.02)
    broken = values.copy()
    broken[150:155] = 0.01
    np.testing.assert_allclose(ets_forecast(broken, 7, 7), ets_forecast(values, 7, 7), rtol=0.1)


def test_a_unit_changes_nothing():
    values = series(90)
    np.testing.assert_allclose(
        ets_forecast(1e7 * values, 9, 7), 1e7 * ets_forecast(values, 9, 7), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("values", "season", "expected"),
    [
        ([3.0, 4.0, 5.0], 7, [3, 4, 5, 3]),
        ([2.0] * 30, 7, [2] * 4),
        ([np.nan, 6.0, np.nan], 1, [6] * 4),
        ([0.0] * 20, 7, [0] * 4),
    ],
)
def test_what_cannot_be_fitted_repeats(values, season, expected):
    assert ets_forecast(np.array(values), 4, season).tolist() == expected


@pytest.mark.parametrize("season", [1, 4, 7, 24, 52, 96])
def test_awkward_series_stay_finite_and_above_zero(season):
    rng = np.random.default_rng(season)
    n = 3 * season + 11
    for values in (
        rng.exponential(1, n) * (rng.random(n) < 0.3),
        np.exp(5 * rng.standard_normal(n)),
        np.r_[np.full(n - 1, 5.0), 1e-12],
        np.r_[np.full(n - 5, 1e9), np.ones(5)],
        np.cumsum(rng.exponential(1, n)),
    ):
        ahead = ets_forecast(values, 2 * season, season)
        assert np.isfinite(ahead).all()
        assert (ahead >= 0).all()
        assert ahead.max() <= 3 * values.max() + 10
    assert np.isfinite(ets_forecast(rng.standard_normal(n), season, season)).all()


def test_events_known_ahead_lower_the_forecast(make_panel):
    panel = make_panel((210,), noise=0.5)
    event = np.zeros(210)
    event[20:200:20] = 1.0
    panel = replace(
        panel,
        values=np.where(event == 1, 0.3 * panel.values, panel.values),
        known=event[:, None],
        known_names=("holiday",),
    )
    future = replace(panel.future(7), known=np.eye(7)[2][None, :, None])
    model = Ets().train(panel, horizon=7)
    plain = model.predict(panel, replace(future, known=np.zeros((1, 7, 1))))
    ratio = model.predict(panel, future) / plain
    assert ratio[0, 2] < 0.6
    np.testing.assert_allclose(np.delete(ratio, 2), 1.0)


@pytest.mark.parametrize(("code", "rows"), [("MS", 60), ("QS", 40), ("W", 200)])
def test_it_takes_the_place_of_theta_where_a_year_repeats(make_panel, code, rows):
    chosen, _ = choose_models(make_panel((rows, rows), code=code), 4)
    assert "ets" in chosen
    assert not {"theta", "month_levels"} & set(chosen)
    assert "ets" not in choose_models(make_panel((rows, rows)), 4)[0]


def test_a_few_years_of_months_have_a_season():
    """Where the test of theta finds too few years, the season is still forecast."""
    t = np.arange(40)
    heat = np.maximum(1 + np.cos(2 * np.pi * t / 12), 0.05)
    heat = heat * np.exp(0.05 * np.random.default_rng(0).standard_normal(40))
    assert not is_seasonal(heat, 12)
    off = np.abs(ets_forecast(heat[:34], 6, 12) - heat[34:]).sum() / heat[34:].sum()
    assert off < 0.1


def test_without_numba_it_is_left_out_with_the_reason(make_panel, monkeypatch):
    load = catalog.load

    def without(capability, name):
        if name == "ets":
            raise MissingExtraError.of("numba", "serve")
        return load(capability, name)

    monkeypatch.setattr(catalog, "load", without)
    _, left_out = choose_models(make_panel((60, 60), code="MS"), 4)
    assert "esgml[serve]" in left_out["ets"]


def test_gaps_are_filled_only_to_begin():
    """A gap and its filled value lead to different fits: the gap is not an observation."""
    values = series(80)
    values[40:47] = np.nan
    whole = fill(values, 7)
    (form,) = (f for f in forms(whole, 7) if f[:3] == (False, False, ADDED))
    holed = fit(form, values, whole, Ets.Params(), 0.15)
    filled = fit(form, whole, whole, Ets.Params(), 0.15)
    assert not np.allclose(holed, filled)
