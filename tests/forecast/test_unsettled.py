"""Last values that stand for themselves: first reports of newcomers, and old ones."""

from __future__ import annotations

import numpy as np
import pytest

from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.forecast.evaluate import evaluate
from esgml.forecast.unsettled import unsettled


def panel_of(series: list[tuple[int, list[float]]]) -> Panel:
    """Return annual series, each with its first year."""
    years = [first + k for first, values in series for k in range(len(values))]
    nothing = np.empty((len(years), 0))
    return Panel(
        tuple(SeriesKey(f"site {i}", "co2e_t") for i in range(len(series))),
        np.cumsum([0, *(len(values) for _, values in series)]),
        np.array([np.datetime64(f"{year}-01-01", "us") for year in years]),
        np.concatenate([np.array(values, dtype=float) for _, values in series]),
        Frequency("YS"),
        nothing,
        nothing,
    )


OLD = [(2015, [100.0, 101.0, 99.0])] * 9


def test_a_first_report_stands_for_itself_where_most_were_there_before() -> None:
    panel = panel_of([*OLD, (2017, [50.0])])
    assert unsettled(panel, panel).tolist() == [False] * 9 + [True]
    later = panel_of([*OLD, (2017, [50.0, 80.0])])
    assert not unsettled(later, later).any()


@pytest.mark.parametrize("joining", [3, 9])
def test_where_many_join_at_once_none_is_a_newcomer(joining: int) -> None:
    panel = panel_of([*OLD, *[(2017, [50.0])] * joining])
    assert not unsettled(panel, panel).any()


def test_in_the_first_year_of_a_file_nobody_is_new() -> None:
    panel = panel_of([(2015, [100.0]), (2015, [3.0])])
    assert not unsettled(panel, panel).any()


def test_a_value_of_years_ago_stands_for_itself() -> None:
    panel = panel_of([*OLD, (2015, [10.0, 11.0, np.nan]), (2015, [10.0, np.nan, 11.0])])
    assert unsettled(panel, panel).tolist() == [False] * 9 + [True, False]


def test_it_is_asked_of_some_series_and_never_of_what_came_later() -> None:
    panel = panel_of([*OLD, (2017, [50.0]), *[(2018, [1.0])] * 20])
    then = panel.until(np.datetime64("2017-01-01", "us"))
    assert unsettled(then.select([9]), then).tolist() == [True]


def test_bands_of_newcomers_are_as_wide_as_newcomers_need_and_no_others() -> None:
    """Newcomers start with part of a year; those after them are given wider bands."""
    rng = np.random.default_rng(0)

    def walk(years: int) -> np.ndarray:
        return 1000 * np.exp(np.cumsum(rng.normal(0, 0.05, years)))

    series = [(2008, list(walk(12))) for _ in range(100)]
    for start in range(2010, 2019):
        for _ in range(4):
            values = walk(2020 - start)
            values[0] *= rng.uniform(0.1, 1.0)
            series.append((start, list(values)))
    # two join in the newest year but one; what comes next is unknown
    found = evaluate(panel_of(series), 1, 1, total=False)
    alone = found.backtest.alone
    assert alone is not None
    window = found.backtest.plan.calibrating
    new = alone[window]
    assert new.sum() == 4
    reach = np.log(found.walk.upper[80][window, :, 0] / found.walk.forecast[window, :, 0])
    assert reach[new].min() > 4 * np.nanmedian(reach[~new])
    assert found.scores["coverage"]["80"] == pytest.approx(0.8, abs=0.1)
    # at the end of the panel nobody is new any more
    assert not alone[-1].any()
