"""From a wide table to a panel on a regular grid, and the known future after it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import ColumnError, DataError
from esgml.core.frames import SeriesSpec
from esgml.core.frequency import Frequency
from esgml.core.panel import SeriesKey
from esgml.data.panels import infer_frequency, to_panel

SPEC = SeriesSpec(targets=("co2_t",))


def table(rows, columns=("entity", "timestamp", "co2_t")):
    frame = pl.DataFrame(rows, schema=list(columns), orient="row")
    return frame.with_columns(pl.col("timestamp").str.to_datetime(time_unit="us"))


def days(entity, numbers, values, *more):
    return [
        (entity, f"2024-01-{d:02d}", v, *m) for d, v, *m in zip(numbers, values, *more, strict=True)
    ]


def test_series_are_cut_to_what_was_observed_and_gaps_are_missing():
    rows = days("b", [2, 3, 6, 7], [None, 1.0, 2.0, None]) + days("a", [1, 2], [5.0, 6.0])
    panel, future = to_panel(table(rows), SPEC)
    assert panel.keys == (SeriesKey("a", "co2_t"), SeriesKey("b", "co2_t"))
    assert panel.indptr.tolist() == [0, 2, 6]
    np.testing.assert_array_equal(panel.series(1), [1, np.nan, np.nan, 2])
    steps = np.diff(panel.time[panel.rows_of(1)])
    assert (steps == np.timedelta64(1, "D")).all()
    assert panel.units == {"co2_t": "tCO2e"}
    assert future is None


def test_rows_in_any_order_and_entities_of_any_type():
    rows = days("1", [1, 2, 3], [1.0, 2.0, 3.0]) + days("2", [1, 2, 3], [4.0, 5.0, 6.0])
    one, _ = to_panel(table(rows), SPEC)
    two, _ = to_panel(table(rows[::-1]).with_columns(pl.col("entity").cast(pl.Int64)), SPEC)
    assert one.keys == two.keys
    np.testing.assert_array_equal(one.values, two.values)


def test_targets_of_one_entity_are_series_with_their_own_ends():
    rows = days("a", [1, 2, 3], [1.0, 2.0, None], [None, 3.0, 4.0])
    panel, _ = to_panel(
        table(rows, ("entity", "timestamp", "scope1_kg", "scope2_kg")),
        SeriesSpec(targets=("scope1_kg", "scope2_kg")),
    )
    assert [key.target for key in panel.keys] == ["scope1_kg", "scope2_kg"]
    np.testing.assert_array_equal(panel.series(0), [1, 2])
    np.testing.assert_array_equal(panel.series(1), [3, 4])
    assert panel.last_time()[1] - panel.last_time()[0] == np.timedelta64(1, "D")


def test_an_entity_without_values_is_left_out():
    rows = days("a", [1, 2], [1.0, 2.0]) + days("b", [1, 2], [None, None])
    panel, _ = to_panel(table(rows), SPEC)
    assert panel.keys == (SeriesKey("a", "co2_t"),)


def test_covariates_and_the_known_future():
    columns = ("entity", "timestamp", "co2_t", "heat", "output", "note")
    rows = days("a", [1, 2, 3, 4, 5], [1.0, 2.0, 3.0, None, None], [10.0, 11, 12, 13, 14],
                [7.0, 8, 9, None, None], ["x"] * 5)  # fmt: skip
    rows += days("b", [1, 2, 3, 4], [4.0, 5.0, 6.0, None], [20.0, 21, 22, 23],
                 [1.0, 2, 3, None], ["x"] * 4)  # fmt: skip
    panel, future = to_panel(table(rows, columns), SeriesSpec(targets=("co2_t",), known=("heat",)))
    assert (panel.known_names, panel.past_names) == (("heat",), ("output",))
    np.testing.assert_array_equal(panel.known[:, 0], [10, 11, 12, 20, 21, 22])
    np.testing.assert_array_equal(panel.past[:, 0], [7, 8, 9, 1, 2, 3])
    assert future.horizon == 1  # as far as all series know
    np.testing.assert_array_equal(future.known[:, 0, 0], [13, 23])
    assert (future.time[:, 0] == np.datetime64("2024-01-04")).all()


def test_a_future_without_known_covariates_is_none():
    rows = days("a", [1, 2, 3], [1.0, 2.0, None])
    assert to_panel(table(rows), SPEC)[1] is None


def test_infinite_values_are_missing():
    columns = ("entity", "timestamp", "co2_t", "heat", "output")
    inf = float("inf")
    rows = days("a", [1, 2, 3], [1.0, inf, 3.0], [inf, 1.0, 2.0], [1.0, -inf, 3.0])
    panel, _ = to_panel(table(rows, columns), SeriesSpec(targets=("co2_t",), known=("heat",)))
    np.testing.assert_array_equal(panel.values, [1, np.nan, 3])
    np.testing.assert_array_equal(panel.known[:, 0], [np.nan, 1, 2])
    np.testing.assert_array_equal(panel.past[:, 0], [1, np.nan, 3])


def known_panel(values):
    columns = ("entity", "timestamp", "co2_t", "event")
    rows = days("a", range(1, len(values) + 1), [1.0] * len(values), values)
    return to_panel(table(rows, columns), SeriesSpec(targets=("co2_t",), known=("event",)))[0]


def test_text_that_is_often_empty_marks_events():
    panel = known_panel(["", None, "Christmas", " ", "Easter"])
    assert panel.known_names == ("event",)
    np.testing.assert_array_equal(panel.known[:, 0], [0, 0, 1, 0, 1])


def test_other_text_becomes_one_flag_a_value():
    panel = known_panel(["sun", "rain", "sun"])
    assert panel.known_names == ("event=rain", "event=sun")
    np.testing.assert_array_equal(panel.known, [[0, 1], [1, 0], [0, 1]])


def test_flags_are_numbers():
    np.testing.assert_array_equal(known_panel([True, False, True]).known[:, 0], [1, 0, 1])


def test_two_rows_of_one_period_are_refused():
    rows = days("a", [1, 2, 2], [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="two rows for one period") as caught:
        to_panel(table(rows), SPEC, Frequency("D"))
    assert caught.value.code == "duplicate_timestamp"
    assert "2024-01-02" in caught.value.where


def test_months_of_unequal_length_are_consecutive():
    rows = [("a", f"2024-{m:02d}-01", float(m)) for m in (1, 2, 3, 5)]
    panel, _ = to_panel(table(rows), SPEC)
    assert panel.frequency.code == "MS"
    np.testing.assert_array_equal(panel.values, [1, 2, 3, np.nan, 5])
    assert panel.time[3] == np.datetime64("2024-04-01")


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("15m", "15min"),
        ("1h", "h"),
        ("1d", "D"),
        ("1w", "W"),
        ("1mo", "MS"),
        ("3mo", "QS"),
        ("1y", "YS"),
    ],
)
def test_frequencies(step, code):
    frame = pl.DataFrame({"k": range(6)}).select(
        pl.lit("a").alias("entity"),
        pl.lit(dt.datetime(2020, 1, 1)).dt.cast_time_unit("us").alias("timestamp"),
        pl.col("k").cast(pl.Float64).alias("co2_t"),
    )
    offsets = [f"{int(step.rstrip('mhdwoy')) * k}{step.lstrip('0123456789')}" for k in range(6)]
    frame = frame.with_columns(pl.col("timestamp").dt.offset_by(pl.Series(offsets)))
    assert infer_frequency(frame, SPEC).code == code
    panel, _ = to_panel(frame, SPEC)
    assert panel.rows == 6


@pytest.mark.parametrize(
    ("dates", "code"),
    [
        (["2015-01-01", "2018-01-01", "2019-01-01", "2022-01-01"], "YS"),
        (["2015-06-30", "2018-06-30", "2021-06-30", "2022-06-30"], "YS"),
        (["2020-01-01", "2020-07-01", "2021-01-01", "2021-04-01", "2021-10-01"], "QS"),
        (["2020-01-01", "2020-06-01", "2020-11-01"], "MS"),
    ],
)
def test_gaps_may_be_more_usual_than_neighbours(dates, code):
    time = np.array(dates, dtype="datetime64[us]")
    assert Frequency.infer(time).code == code


def test_steps_that_share_no_unit_are_refused():
    time = np.array(["2020-01-01", "2020-02-11", "2020-03-23"], dtype="datetime64[us]")
    with pytest.raises(DataError, match="no known frequency"):
        Frequency.infer(time)


def test_the_longest_series_tells_the_frequency():
    rows = days("a", range(1, 11), range(10)) + days("b", [1, 15], [1, 2])
    assert infer_frequency(table(rows), SPEC).code == "D"


def grouped(labels):
    columns = ("entity", "timestamp", "co2_t", "country", "company")
    rows = []
    for entity, (country, company) in labels:
        rows += days(entity, [1, 2], [1.0, 2.0], [country] * 2, [company] * 2)
    spec = SeriesSpec(targets=("co2_t",), hierarchy=("country", "company"))
    return to_panel(table(rows, columns), spec)[0]


def test_groups_from_the_top_down_and_empty_labels():
    panel = grouped([("a", ("SE", "x")), ("b", ("SE", None))])
    assert panel.groups == {"a": ("SE", "x"), "b": ("SE", "")}
    assert panel.past_names == ()


def test_an_entity_in_two_groups_is_refused():
    columns = ("entity", "timestamp", "co2_t", "company")
    rows = days("a", [1, 2], [1.0, 2.0], ["x", "y"])
    with pytest.raises(DataError, match="two groups") as caught:
        to_panel(table(rows, columns), SeriesSpec(targets=("co2_t",), hierarchy=("company",)))
    assert caught.value.code == "hierarchy_conflict"


@pytest.mark.parametrize(
    ("rows", "spec", "code"),
    [
        (days("a", [1, 2], [1.0, 2.0]), SeriesSpec(), "no_target"),
        (days("a", [1, 2], [None, None]), SPEC, "no_values"),
        (days("a", [1], [1.0]), SPEC, "too_few_rows"),
        (days("a", [1, 14], [1.0, 2.0]), SPEC, "frequency_unknown"),
    ],
)
def test_unfit_tables_are_refused(rows, spec, code):
    frame = table(rows).with_columns(pl.col("co2_t").cast(pl.Float64))
    with pytest.raises(DataError) as caught:
        to_panel(frame, spec)
    assert caught.value.code == code


def test_empty_tables_and_missing_columns():
    empty = pl.DataFrame(
        schema={"entity": pl.String, "timestamp": pl.Datetime("us"), "co2_t": pl.Float64}
    )
    with pytest.raises(DataError, match="no rows"):
        to_panel(empty, SPEC)
    with pytest.raises(ColumnError, match="rain"):
        to_panel(empty, SeriesSpec(targets=("co2_t",), known=("rain",)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sets(st.integers(1, 28), min_size=2, max_size=28), min_size=1, max_size=4),
)
def test_every_observed_value_is_at_its_time(observed):
    rows = []
    for i, numbers in enumerate(observed):
        rows += days(f"e{i}", sorted(numbers), [float(100 * i + d) for d in sorted(numbers)])
    panel, _ = to_panel(table(rows), SPEC, Frequency("D"))
    for i, numbers in enumerate(observed):
        part = panel.rows_of(i)
        day = (panel.time[part] - np.datetime64("2023-12-31")) // np.timedelta64(1, "D")
        seen = np.isfinite(panel.values[part])
        assert set(day[seen].tolist()) == numbers
        np.testing.assert_array_equal(panel.values[part][seen], 100.0 * i + day[seen])
