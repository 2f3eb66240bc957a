from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.checks.features import sample_panel
from esgml.core.errors import HistoryError, UsageError
from esgml.features.seasonality import SeasonalWaves, detect_seasonality, panel_seasonality


def test_a_day_inside_a_week_is_found_as_two_cycles():
    rng = np.random.default_rng(0)
    hour = np.arange(24 * 90)
    values = 100 + 20 * np.sin(2 * np.pi * hour / 24) + 10 * ((hour // 24 % 7) >= 5)
    values = values + 0.01 * hour + rng.normal(size=len(hour)) * 4
    values[200:230] = np.nan
    found = detect_seasonality(values)
    assert [season.period for season in found] == [24, 168]
    assert found[0].strength > 0.8
    assert all(0 <= s.strength <= 1 for s in found)


def test_a_week_inside_a_year_with_the_usual_length_named():
    rng = np.random.default_rng(1)
    day = np.arange(3 * 365)
    values = 50 + 10 * np.cos(2 * np.pi * day / 365) + 5 * (day % 7 >= 5)
    found = detect_seasonality(values + rng.normal(size=len(day)) * 2, candidates=(7, 365))
    assert [season.period for season in found] == [365, 7]


@pytest.mark.parametrize("period", [2, 3, 7, 12, 24, 30, 52])
def test_one_cycle_of_any_length_and_not_its_multiples(period):
    rng = np.random.default_rng(period)
    shape = rng.normal(size=period)
    values = np.tile(shape, 600 // period) + rng.normal(size=600 // period * period) * 0.2
    assert detect_seasonality(values)[0].period == period


def test_no_cycle_where_there_is_none():
    rng = np.random.default_rng(2)
    false = sum(bool(detect_seasonality(rng.normal(size=500))) for _ in range(50))
    assert false <= 2
    assert detect_seasonality(np.full(100, 3.0)) == []
    assert detect_seasonality(np.zeros(100)) == []
    assert detect_seasonality(np.arange(100.0)) == []


def test_scale_does_not_matter():
    day = np.arange(200)
    plain = np.sin(2 * np.pi * day / 7) + 2
    for scale in (1e-200, 1e-6, 1e200):
        assert [s.period for s in detect_seasonality(plain * scale)] == [7]


def test_a_slipped_unit_does_not_hide_the_cycle():
    series = np.sin(2 * np.pi * np.arange(400) / 7)
    series[[50, 51, 200]] *= 1e6
    assert [s.period for s in detect_seasonality(series)] == [7]
    bursts = np.where(np.arange(400) % 50 == 0, 5.0, 0.0)  # rare and regular is a cycle itself
    assert [s.period for s in detect_seasonality(bursts)] == [50]


def test_one_series_at_a_time():
    with pytest.raises(UsageError, match="one series"):
        detect_seasonality(np.ones((20, 2)))


def test_too_little_history_is_said():
    with pytest.raises(HistoryError, match="8"):
        detect_seasonality([1.0, 2.0, np.nan] * 3)


def test_a_panel_votes_and_the_waves_go_on_into_any_future():
    panel = sample_panel()
    week = panel.frequency.ordinals(panel.time) % 7
    rng = np.random.default_rng(0)
    panel = replace(panel, values=10.0 * (week < 5) + rng.normal(size=panel.rows))
    assert panel_seasonality(panel)[0].period == 7
    step = SeasonalWaves(max_seasons=1).fit(panel)
    assert step.names == ("season7_sin1", "season7_cos1", "season7_sin2", "season7_cos2")
    found = step.transform(panel)
    for phase in range(7):
        assert np.ptp(found[week == phase], axis=0).max() < 1e-9


def test_given_periods_are_taken_and_the_fastest_wave_has_no_sine():
    panel = sample_panel()
    step = SeasonalWaves(periods=(4,), harmonics=5).fit(panel)
    assert step.names == ("season4_sin1", "season4_cos1", "season4_cos2")
    assert np.linalg.matrix_rank(step.transform(panel)) == 3
