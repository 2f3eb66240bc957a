"""Annual totals: complete years only, whatever the frequency; the running one completed."""

from __future__ import annotations

import numpy as np
import pytest

from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.forecast.annual import annual_histories
from esgml.forecast.unit_slips import unit_factors


def panel_of(code: str, start: str, values: np.ndarray) -> Panel:
    frequency = Frequency(code)
    rows = len(values)
    return Panel(
        keys=(SeriesKey("a", "co2_t"),),
        indptr=np.array([0, rows]),
        time=frequency.advance(np.datetime64(start, "us"), np.arange(rows)),
        values=values.astype(float),
        frequency=frequency,
        known=np.empty((rows, 0)),
        past=np.empty((rows, 0)),
    )


@pytest.mark.parametrize(
    ("code", "start", "rows"),
    [("D", "2019-06-10", 1400), ("h", "2019-06-10", 24 * 1400), ("MS", "2019-06-01", 46)],
)
def test_totals_are_the_sums_of_complete_years(code: str, start: str, rows: int) -> None:
    values = np.random.default_rng(0).uniform(1, 2, rows)
    panel = panel_of(code, start, values)
    (history,) = annual_histories(panel)
    year = panel.time.astype("datetime64[Y]").astype(int) + 1970
    assert sorted(history.totals) == [2020, 2021, 2022]
    for y, total in history.totals.items():
        assert total == pytest.approx(values[year == y].sum())
    assert history.last == 2022
    assert history.running is not None
    assert history.running.year == 2023


def test_quarters_and_years_and_weeks() -> None:
    (quarters,) = annual_histories(panel_of("QS", "2020-01-01", np.arange(1, 10)))
    assert quarters.totals == {2020: 10.0, 2021: 26.0}
    (years,) = annual_histories(panel_of("YS", "2018-01-01", np.array([5, np.nan, 7])))
    assert years.totals == {2018: 5.0, 2020: 7.0}
    assert years.running is None
    (weeks,) = annual_histories(panel_of("W", "2019-12-30", np.full(160, 7.0)))
    assert weeks.totals == pytest.approx({2020: 366.0, 2021: 365.0, 2022: 365.0})


def test_the_running_year_takes_the_pattern_of_the_year_before() -> None:
    shape = np.array([9, 8, 7, 6, 5, 4, 3, 4, 5, 6, 7, 8.0])
    values = np.concatenate([shape, shape * 2, (shape * 3)[:5]])
    (history,) = annual_histories(panel_of("MS", "2020-01-01", values))
    assert history.running is not None
    assert history.running.total == pytest.approx(3 * shape.sum())
    assert history.running.share == pytest.approx(5 / 12)


def test_small_gaps_are_scaled_and_large_ones_leave_the_year_out() -> None:
    values = np.ones(365 + 366)
    values[[5, 40, 90]] = np.nan
    (small,) = annual_histories(panel_of("D", "2019-01-01", values))
    assert small.totals == pytest.approx({2019: 365.0, 2020: 366.0})
    values[130:150] = np.nan
    (large,) = annual_histories(panel_of("D", "2019-01-01", values))
    assert list(large.totals) == [2020]


def test_growth_is_that_of_rolling_annual_sums() -> None:
    values = np.random.default_rng(1).uniform(1, 2, 40)
    (history,) = annual_histories(panel_of("MS", "2020-01-01", values))
    change, year = history.growth()
    expected = [
        np.log(values[t - 12 : t].sum() / values[t - 24 : t - 12].sum()) for t in range(24, 41)
    ]
    np.testing.assert_allclose(change, expected)
    assert year[0] == 2021
    assert year[-1] == 2023
    (short,) = annual_histories(panel_of("MS", "2020-01-01", values[:20]))
    assert len(short.growth()[0]) == 0


def test_nothing_after_the_year_is_left() -> None:
    values = np.random.default_rng(2).uniform(1, 2, 40)
    (history,) = annual_histories(panel_of("MS", "2020-01-01", values))
    past = history.until(2021)
    assert past is not None
    assert past.last == 2021
    assert past.running is None
    assert len(past.values) == 24
    assert history.until(2019) is None


def test_no_complete_year_gives_no_history() -> None:
    assert annual_histories(panel_of("D", "2020-03-01", np.ones(300))) == []


@pytest.mark.parametrize("factor", [1000.0, 1 / 1000])
def test_a_year_whose_unit_slipped_does_not_count(factor: float) -> None:
    values = np.array([100.0, 104, 99, 101, 97])
    slipped = values.copy()
    slipped[2] *= factor
    (history,) = annual_histories(panel_of("YS", "2018-01-01", slipped))
    assert history.slips == (2020,)
    assert sorted(history.totals) == [2018, 2019, 2021, 2022]
    change, _ = history.growth()
    assert np.abs(change).max() < 0.05
    assert (unit_factors(values) == 1).all()


@pytest.mark.parametrize(
    "totals",
    [
        [100.0, 0.1],  # too few to say which is right
        [100.0, 1.0, 0.1, 30.0],  # they do not agree
        [100.0, 110.0, 105.0, 420.0],  # a merger
        [100.0, 110.0, 105.0, 0.0],  # a closure
        [0.0, 0.0, 0.0, 5.0],
    ],
)
def test_other_jumps_are_no_slips(totals: list[float]) -> None:
    assert (unit_factors(np.array(totals)) == 1).all()
