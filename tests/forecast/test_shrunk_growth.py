"""Shrunk growth: sensible on short, annual, broken and empty histories."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core import catalog
from esgml.core.frames import SeriesSpec
from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.data.panels import to_panel
from esgml.forecast.models.shrunk_growth import ShrunkGrowth


def panel_of(columns: list[list[float]], code: str = "YS", target: str = "co2_t") -> Panel:
    frequency = Frequency(code)
    start = np.datetime64("2000-01-01", "us")
    values = [np.array(column, dtype=float) for column in columns]
    rows = sum(map(len, values))
    return Panel(
        keys=tuple(SeriesKey(f"e{i}", target) for i in range(len(values))),
        indptr=np.cumsum([0, *map(len, values)]),
        time=np.concatenate([frequency.advance(start, np.arange(len(v))) for v in values]),
        values=np.concatenate(values),
        frequency=frequency,
        known=np.empty((rows, 0)),
        past=np.empty((rows, 0)),
    )


def forecast(panel: Panel, horizon: int = 3) -> np.ndarray:
    model = ShrunkGrowth().train(panel, horizon=horizon)
    return model.predict(panel, panel.future(horizon))


@pytest.mark.parametrize(("years", "close"), [(8, 0.1), (30, 0.03)])
def test_common_growth_is_found_and_goes_on(years: int, close: float) -> None:
    columns = [[100 * s * 0.9**t for t in range(years)] for s in range(1, 41)]
    panel = panel_of(columns)
    result = forecast(panel)
    for i in range(len(panel)):
        last = panel.series(i)[-1]
        np.testing.assert_allclose(result[i] / last, [0.9, 0.81, 0.729], rtol=close)


def test_many_series_in_one_bad_year_say_little_of_the_next() -> None:
    one = ShrunkGrowth().train(panel_of([[100.0, 80.0]] * 2000), horizon=1)
    six = ShrunkGrowth().train(panel_of([[100 * 0.8**t for t in range(7)]] * 300), horizon=1)
    lasting, passing = six.growth_["co2_t"][0], one.growth_["co2_t"][0]
    assert np.log(0.8) < lasting < 2 * passing < 0
    assert passing > -0.07


def test_a_last_value_several_years_old_has_grown_through_all_of_them() -> None:
    others = [[100 * s * 0.9**t for t in range(12)] for s in range(1, 41)]
    gone = [100.0] * 9 + [np.nan] * 3
    panel = panel_of([*others, gone])
    model = ShrunkGrowth().train(panel, horizon=1)
    common, _ = model.growth_["co2_t"]
    result = model.predict(panel, panel.future(1))
    np.testing.assert_allclose(result[-1, 0], 100 * np.exp(4 * common))


def test_the_growth_assumed_is_that_of_a_year_in_any_frequency() -> None:
    alone = {code: panel_of([[100.0, 100.0]], code) for code in ("YS", "QS", "MS", "W", "D", "h")}
    found = {c: ShrunkGrowth().train(p, horizon=1).growth_["co2_t"] for c, p in alone.items()}
    for code, per_year in (("QS", 1), ("MS", 1), ("W", 1), ("D", 52), ("h", 364)):
        np.testing.assert_allclose(found[code][0], -0.01 / per_year)
        assert found[code][1] == 0
    assert -0.01 < found["YS"][0] < -0.009  # one year without growth was seen


def test_few_pairs_are_shrunk_to_the_last_value() -> None:
    result = forecast(panel_of([[100.0, 50.0]]), 1)
    assert 90 < 100 * result[0, 0] / 50 < 101
    many = forecast(panel_of([[100.0, 90.0]] * 200), 1)
    assert abs(many[0, 0] / 90 - 1) > abs(result[0, 0] / 50 - 1)


def test_reversal_is_learned_from_all_series() -> None:
    rng = np.random.default_rng(0)
    level = np.log(rng.uniform(10, 1000, 300))[:, None]
    panel = panel_of(np.exp(level + rng.normal(0, 0.1, (300, 10))).tolist())
    model = ShrunkGrowth().train(panel, horizon=1)
    common, own = model.growth_["co2_t"]
    assert abs(common) < 0.02
    assert -0.5 <= own < -0.3
    truth = np.exp(level[:, 0])
    error = np.abs(np.log(model.predict(panel, panel.future(1))[:, 0] / truth)).mean()
    naive = np.abs(np.log(panel.values[panel.indptr[1:] - 1] / truth)).mean()
    assert error < 0.8 * naive


def test_wrong_units_do_not_move_the_growth() -> None:
    rng = np.random.default_rng(1)
    clean = 100 * np.exp(np.cumsum(rng.normal(-0.05, 0.02, (60, 8)), axis=1))
    broken = clean.copy()
    broken[::5, 4] *= 1000
    one = ShrunkGrowth().train(panel_of(clean.tolist()), horizon=1).growth_["co2_t"]
    two = ShrunkGrowth().train(panel_of(broken.tolist()), horizon=1).growth_["co2_t"]
    np.testing.assert_allclose(one[0], two[0], atol=0.01)


def test_a_last_value_in_the_wrong_unit_is_scaled_back() -> None:
    result = forecast(panel_of([[100.0, 105.0, 98.0, 101_000.0], [100.0, 20_000.0]]), 1)
    assert 80 < result[0, 0] < 120
    assert result[1, 0] > 15_000  # one earlier value proves nothing


def test_growth_is_read_from_an_older_value_set_right() -> None:
    rng = np.random.default_rng(2)
    others = np.exp(rng.normal(0, 0.1, (200, 8))).tolist()
    right, slipped = [100.0, 102.0, 99.0, 101.0, 98.0], [100.0, 102.0, 99.0, 101_000.0, 98.0]
    model = ShrunkGrowth().train(panel_of(others), horizon=1)
    one, two = (model.predict(p := panel_of([v]), p.future(1)) for v in (right, slipped))
    np.testing.assert_allclose(one, two)


def test_zeros_gaps_and_negatives_stay_what_they_are() -> None:
    columns = [
        [5.0, 4.0, 0.0],
        [np.nan, 5.0, np.nan, np.nan],
        [-3.0, -4.0],
        [0.0, 0.0, 7.0],
        [9.0],
    ]
    result = forecast(panel_of(columns), 2)
    assert np.isfinite(result).all()
    assert (result[0] == 0).all()
    np.testing.assert_allclose(result[1], 5, rtol=0.1)
    assert (result[2] == -4).all()
    np.testing.assert_allclose(result[4], 9, rtol=0.1)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(
                st.floats(-1e3, 1e9),
                st.just(float("nan")),
                st.floats(1e-9, 1e12),
                st.just(0.0),
            ),
            min_size=1,
            max_size=30,
        ),
        min_size=1,
        max_size=5,
    ).filter(lambda columns: any(np.isfinite(v) for column in columns for v in column)),
    st.sampled_from(["YS", "QS", "MS", "D", "h"]),
    st.integers(1, 30),
)
def test_any_history_gives_finite_forecasts(
    columns: list[list[float]], code: str, horizon: int
) -> None:
    result = forecast(panel_of(columns, code), horizon)
    assert np.isfinite(result).all()
    assert (result >= min(0.0, np.nanmin([v for column in columns for v in column]))).all()


def test_seasons_repeat_and_grow() -> None:
    shape = np.tile([1.0, 2.0, 3.0, 4.0], 6)
    growth = 0.95 ** np.repeat(np.arange(6), 4)
    panel = panel_of([(s * shape * growth).tolist() for s in range(1, 31)], "QS")
    result = forecast(panel, 6)
    expected = 0.95**6 * np.array([1, 2, 3, 4, 0.95, 1.9])
    np.testing.assert_allclose(result[0], expected, rtol=0.03)


def test_each_target_learns_from_itself() -> None:
    up = panel_of([[100 * 1.1**t for t in range(6)]] * 30, target="scope1_t")
    down = panel_of([[100 * 0.9**t for t in range(6)]] * 30, target="scope2_t")
    both = Panel(
        keys=up.keys + down.keys,
        indptr=np.concatenate([up.indptr, down.indptr[1:] + up.rows]),
        time=np.concatenate([up.time, down.time]),
        values=np.concatenate([up.values, down.values]),
        frequency=up.frequency,
        known=np.empty((2 * up.rows, 0)),
        past=np.empty((2 * up.rows, 0)),
    )
    model = ShrunkGrowth().train(both, horizon=1)
    assert model.growth_["scope1_t"][0] > 0.03
    assert model.growth_["scope2_t"][0] < -0.05
    assert "scope1_t" in model.metadata().details
    unknown = panel_of([[5.0, 6.0]], target="scope3_t")
    assert model.predict(unknown, unknown.future(1))[0, 0] == 6.0


def test_nothing_of_the_future_is_used() -> None:
    rng = np.random.default_rng(2)
    values = 100 * np.exp(np.cumsum(rng.normal(0, 0.1, (20, 12)), axis=1))
    changed = values.copy()
    changed[:, 9:] *= 7
    moment = np.datetime64("2008-01-01", "us")
    one, two = (panel_of(v.tolist()).until(moment) for v in (values, changed))
    np.testing.assert_array_equal(forecast(one), forecast(two))


def test_saved_and_loaded_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    panel = panel_of((100 * np.exp(rng.normal(0, 0.1, (20, 6)))).tolist())
    model = ShrunkGrowth().train(panel, horizon=2)
    model.save(tmp_path / "m")
    read = catalog.load("forecast", "shrunk_growth").load(tmp_path / "m")
    future = panel.future(2)
    assert isinstance(read, ShrunkGrowth)
    np.testing.assert_array_equal(model.predict(panel, future), read.predict(panel, future))


def real(name: str) -> Path:
    root = Path(os.environ.get("ESGML_DATA", Path(__file__).parents[2] / "../shared/data"))
    path = root / "emissions" / name
    if not path.exists():
        pytest.skip(f"{name} is not here; set ESGML_DATA to the folder of the real data sets")
    return path


def test_beats_the_last_value_on_canadian_facilities() -> None:
    frame = (
        pl.read_csv(real("facilities_canada_annual.csv"))
        .select(pl.col("actor_id").alias("entity"), pl.col("co2e_t").cast(pl.Float64), "year")
        .with_columns(pl.date("year", 1, 1).cast(pl.Datetime("us")).alias("timestamp"))
        .drop("year")
    )
    panel, _ = to_panel(frame, SeriesSpec(targets=("co2e_t",)))
    hits = naive = count = 0
    for now in np.unique(panel.time)[:-1]:
        past = panel.until(now)
        past = past.select(np.flatnonzero(past.last_time() == now).tolist())
        if len(past) == 0:
            continue
        model = ShrunkGrowth().train(panel.until(now), horizon=1)
        result = model.predict(past, past.future(1))[:, 0]
        rows = {key: panel.rows_of(i).start for i, key in enumerate(panel.keys)}
        for i, key in enumerate(past.keys):
            row = rows[key] + past.lengths[i]
            inside = row < panel.rows and panel.time[row] > now
            last, actual = past.series(i)[-1], panel.values[row] if inside else np.nan
            if np.isfinite(actual) and actual > 0 and last > 0:
                hits += abs(result[i] - actual) <= 0.1 * actual
                naive += abs(last - actual) <= 0.1 * actual
                count += 1
    assert count > 5000
    assert hits / count >= 0.58
    assert hits > naive
