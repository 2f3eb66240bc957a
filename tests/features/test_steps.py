from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.checks.features import sample_panel
from esgml.core.errors import ColumnError, HistoryError, IntegrityError, NotTrainedError, UsageError
from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.features.calendar import FIELDS, Calendar, calendar_field, holiday_flags, local_time
from esgml.features.degree_days import (
    DegreeDays,
    balance_point,
    cooling_degree_days,
    heating_degree_days,
    period_days,
)
from esgml.features.lags import Covariates, Differences, Lags
from esgml.features.ratio_steps import LoadShape, Ratio
from esgml.features.rolling import ExponentialMean, Rolling, SeasonalRolling
from esgml.features.step import FeatureStep, source_values


def panel_of(values, begin="2024-01-01", code="D", **covariates):
    values = np.asarray(values, dtype=float)
    frequency = Frequency(code)
    time = frequency.advance(np.datetime64(begin, "us"), np.arange(len(values)))
    past = np.column_stack(
        [np.asarray(c, float) for c in covariates.values()] or [np.empty((len(values), 0))]
    )
    return Panel(
        (SeriesKey("a", "y"),), np.array([0, len(values)]), time, values, frequency,
        np.empty((len(values), 0)), past, (), tuple(covariates),
    )  # fmt: skip


def test_calendar_fields_are_those_of_the_standard_library():
    time = np.arange("2019-12-20", "2024-03-10", np.timedelta64(397, "m"), dtype="datetime64[m]")
    time = time.astype("datetime64[us]")
    found = {name: calendar_field(time, name) for name in FIELDS}
    for i, stamp in enumerate(time.tolist()):
        assert found["hour_of_day"][i] == stamp.hour
        assert found["day_of_week"][i] == stamp.weekday()
        assert found["is_weekend"][i] == (stamp.weekday() >= 5)
        assert found["day_of_month"][i] == stamp.day
        assert found["day_of_year"][i] == stamp.timetuple().tm_yday
        assert found["month"][i] == stamp.month
        assert found["quarter"][i] == (stamp.month - 1) // 3 + 1


def test_dates_before_1970_count_too():
    time = np.array(["1969-12-28T23:00", "1900-02-28T00:00"], dtype="datetime64[us]")
    assert calendar_field(time, "day_of_week").tolist() == [6, 2]
    assert calendar_field(time, "hour_of_day").tolist() == [23, 0]
    assert calendar_field(time, "month").tolist() == [12, 2]


def test_local_clock_follows_daylight_saving():
    time = np.array(["2024-03-31T00:30", "2024-03-31T01:30"], dtype="datetime64[us]")
    assert local_time(time, "Europe/Paris").astype("datetime64[m]").astype(str).tolist() == [
        "2024-03-31T01:30",
        "2024-03-31T03:30",
    ]
    with pytest.raises(UsageError, match="time zone"):
        local_time(time, "Mars/Olympus")


def test_holidays_of_countries_and_their_parts():
    time = np.array(["2024-01-06", "2024-07-04", "2021-12-31"], dtype="datetime64[us]")
    assert holiday_flags(time, "DE").tolist() == [0, 0, 0]
    assert holiday_flags(time, "DE", "BY").tolist() == [1, 0, 0]
    # New Year 2022 fell on a Saturday and was observed the year before
    assert holiday_flags(time, "US").tolist() == [0, 1, 1]
    with pytest.raises(UsageError, match="no holiday calendar"):
        holiday_flags(time, "XX")
    with pytest.raises(UsageError, match="no holiday calendar"):
        holiday_flags(time, "DE", "Atlantis")


def test_a_wrong_country_or_zone_fails_when_fitted_not_when_serving():
    for wrong in (Calendar(country="XX"), Calendar(timezone="Nowhere")):
        with pytest.raises(UsageError):
            wrong.fit(sample_panel())


def test_year_waves_close_at_new_year_in_leap_years_too():
    step = Calendar(fields=(), year_order=1)
    ends = np.array(["2024-01-01", "2024-12-31T23:59:59", "2023-07-02T12:00"], "datetime64[us]")
    sine, cosine = step.at(ends)
    np.testing.assert_allclose(sine, [0, 0, 0], atol=1e-3)
    np.testing.assert_allclose(cosine, [1, 1, -1], atol=1e-3)


def test_lags_and_differences_stay_in_their_series():
    panel = sample_panel()
    found = Lags(lags=(1, 3)).fit(panel).transform(panel)
    for i in range(len(panel)):
        rows, series = panel.rows_of(i), panel.series(i)
        for column, lag in zip(found[rows].T, (1, 3), strict=True):
            expected = np.concatenate([np.full(min(lag, len(series)), np.nan), series[:-lag]])
            np.testing.assert_array_equal(column, expected[: len(series)])
    change = Differences(periods=(2,), lag=1).fit(panel).transform(panel)[:, 0]
    np.testing.assert_array_equal(change, found[:, 0] - found[:, 1])


def test_steps_read_covariates_by_name():
    panel = sample_panel()
    found = Lags(lags=(1,), source="energy").fit(panel).transform(panel)[:, 0]
    np.testing.assert_array_equal(found[1:120], panel.past[:119, 0])
    with pytest.raises(ColumnError, match="no covariate 'steam'"):
        Lags(source="steam").fit(panel).transform(panel)
    assert source_values(panel, "holiday") is not None


def test_covariates_known_ahead_only():
    panel = sample_panel()
    step = Covariates().fit(panel)
    assert step.names == ("temperature", "holiday")
    np.testing.assert_array_equal(step.transform(panel), panel.known)
    with pytest.raises(UsageError, match="not known ahead"):
        Covariates(sources=("energy",)).fit(panel)
    with pytest.raises(ColumnError):
        Covariates(sources=("steam",)).fit(panel)


def test_degree_days():
    assert heating_degree_days([10.0, 20.0]).tolist() == [5.5, 0.0]
    assert cooling_degree_days([10.0, 25.0], 22.0).tolist() == [0.0, 3.0]
    assert heating_degree_days([10.0], 15.0, days=30.0).tolist() == [150.0]
    assert np.isnan(heating_degree_days(np.nan))
    months = np.array(["2024-02-01", "2023-02-01"], "datetime64[us]")
    assert period_days(months, Frequency("MS")).tolist() == [29, 28]
    assert period_days(months, Frequency("QS")).tolist() == [90, 89]
    assert period_days(months, Frequency("h")).tolist() == [1 / 24, 1 / 24]
    panel = sample_panel()
    found = DegreeDays().fit(panel).transform(panel)
    np.testing.assert_allclose(found[:, 0], np.maximum(15.5 - panel.known[:, 0], 0))
    assert DegreeDays(lag=2).min_lag == 2
    with pytest.raises(UsageError, match="not known ahead"):
        DegreeDays(temperature="energy").fit(panel).transform(panel)
    with pytest.raises(UsageError, match="not known ahead"):
        DegreeDays(temperature="").fit(panel).transform(panel)


@pytest.mark.parametrize(
    ("unit", "scale", "zero"), [("degC", 1, 0), ("degF", 1.8, 32), ("K", 1, 273.15)]
)
def test_degree_days_know_their_unit(unit, scale, zero):
    panel = sample_panel()
    warm = panel.known[:, 0] + 12
    celsius = replace(panel, known=np.column_stack([warm, panel.known[:, 1]]))
    other = replace(panel, known=np.column_stack([warm * scale + zero, panel.known[:, 1]]))
    expected = DegreeDays().fit(celsius).transform(celsius)
    for step in (DegreeDays(), DegreeDays(unit=unit)):
        found = step.fit(other)
        assert found.unit_ == unit
        np.testing.assert_allclose(found.transform(other), expected, atol=1e-9)
        again = FeatureStep.from_dict(found.to_dict())
        np.testing.assert_array_equal(again.transform(other), found.transform(other))
    document = found.to_dict()
    document["state"]["unit"] = "rankine"
    with pytest.raises(IntegrityError):
        FeatureStep.from_dict(document)


def test_balance_point_is_found_where_it_was_put():
    rng = np.random.default_rng(0)
    temperature = rng.uniform(-5, 30, 400)
    energy = 40 + 3 * np.maximum(16 - temperature, 0) + rng.normal(size=400)
    energy[3] = np.nan
    base, slope, load = balance_point(temperature, energy)
    assert abs(base - 16) <= 0.5
    assert abs(slope - 3) < 0.1
    assert abs(load - 40) < 0.5
    base, slope, _ = balance_point(
        temperature, 10 + 2 * np.maximum(temperature - 21, 0), cooling=True
    )
    assert abs(base - 21) <= 0.5
    assert abs(slope - 2) < 0.1
    with pytest.raises(HistoryError):
        balance_point([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(HistoryError):
        balance_point(np.full(20, 5.0), np.arange(20.0))


def test_ratio_is_of_sums_where_both_were_observed():
    panel = panel_of([10, 20, np.nan, 40, 0], made=[1, 4, 100, np.nan, 0])
    found = Ratio(denominator="made", window=3).fit(panel).transform(panel)[:, 0]
    np.testing.assert_array_equal(found, [np.nan, 10, 6, 6, 5])
    nothing = panel_of([1, 2, 3], made=[0, 0, 0])
    assert np.isnan(Ratio(denominator="made").fit(nothing).transform(nothing)).all()


def test_load_shape():
    panel = panel_of([0, 10, 10, 20, 5])
    factor, base = LoadShape(window=4, quantile=0.0).fit(panel).transform(panel).T
    assert factor[4] == 0.5
    assert base[4] == 0
    idle = panel_of([0, 0, 0, 0])
    assert np.isnan(LoadShape(window=2).fit(idle).transform(idle)[:, 0]).all()


def test_seasonal_rolling_sees_its_own_phase():
    panel = panel_of(np.arange(28.0) % 7)
    step = SeasonalRolling(season=7, windows=(2,)).fit(panel)
    found = step.transform(panel)[:, 0]
    np.testing.assert_array_equal(found[14:], panel.values[14:])
    assert step.min_lag == 7
    assert step.warm_up == 14


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        (Lags, {"lags": ()}),
        (Lags, {"lags": (0,)}),
        (Lags, {"lag": 1}),
        (Rolling, {"windows": (1,), "statistics": ("std",)}),
        (Rolling, {"statistics": ("mode",)}),
        (Rolling, {"lag": 0}),
        (Rolling, {"min_share": 0.0}),
        (SeasonalRolling, {"windows": (1,), "statistics": ("std",)}),
        (ExponentialMean, {"alphas": (0.0,)}),
        (Calendar, {"fields": ("minute",)}),
        (Ratio, {}),
        (LoadShape, {"window": 1}),
        (DegreeDays, {"lag": -1}),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(step, settings):
    with pytest.raises(UsageError, match=step.kind):
        step(**settings)


def test_using_a_step_before_it_is_fitted_says_so():
    with pytest.raises(NotTrainedError, match="fit"):
        Lags().transform(sample_panel())


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, IntegrityError),
        ({"step": "lags", "params": {}, "fitted": True}, IntegrityError),
        ({"step": "os.system", "params": {}, "fitted": False, "state": {}}, UsageError),
        ({"step": "lags", "params": [], "fitted": False, "state": {}}, IntegrityError),
        ({"step": "lags", "params": {"lags": "x"}, "fitted": False, "state": {}}, UsageError),
        ({"step": "seasonality", "params": {}, "fitted": True, "state": {}}, IntegrityError),
    ],
)
def test_a_broken_description_is_refused(document, error):
    with pytest.raises(error):
        FeatureStep.from_dict(document)
