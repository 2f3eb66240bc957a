"""Every rule at the door finds its fault, names the rows, and leaves clean tables alone."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from esgml.core.frames import SeriesSpec, Severity
from esgml.data.checks import check
from esgml.data.cleaning import clean
from esgml.data.tables import standardize

NOW = dt.datetime(2026, 1, 1)


def faults(frame, spec=None, **roles):
    report = check(frame, spec or SeriesSpec(**{"targets": ("scope2_kg",), **roles}), now=NOW)
    for fault in report.faults:
        assert fault.message
        assert fault.remedy
    return {f.code: f for f in report.faults}


def put(frame, column, rows, values):
    numbers = frame[column].to_numpy().copy()
    numbers[rows] = values
    return frame.with_columns(pl.Series(column, numbers))


@pytest.mark.parametrize("step", ["1d", "1h", "15m", "1mo", "1w", "1y"])
def test_a_clean_table_has_no_faults(daily, step):
    report = check(
        daily(
            days=48 if step in ("1mo", "1y") else 200,
            start=dt.date(1970 if step == "1y" else 2020, 1, 2 if step == "1w" else 1),
            step=step,
        ),
        SeriesSpec(targets=("scope2_kg",)),
        now=NOW,
    )
    assert [f.code for f in report.faults] == []
    assert report.quality >= 4.5


def test_faults_come_errors_first_and_all_at_once(daily):
    frame = put(daily(), "scope2_kg", [5, 6], [-1.0, np.inf])
    frame = pl.concat([frame, frame.head(1)])
    report = check(frame, SeriesSpec(), now=NOW)
    assert {"negative_value", "non_finite", "duplicate_row"} <= {f.code for f in report.faults}
    order = [f.severity for f in report.faults]
    assert order == sorted(order, key=["error", "warning", "info"].index)
    assert report.as_dict()["faults"][0]["severity"] == "error"


def test_nothing_is_altered(daily):
    frame = put(daily(), "scope2_kg", [5], [np.inf])
    before = frame.clone()
    check(frame, SeriesSpec(), now=NOW)
    assert frame.equals(before)


@pytest.mark.parametrize(("value", "severity"), [(-1.0, Severity.ERROR)])
def test_negative_emissions_are_an_error(daily, value, severity):
    found = faults(put(daily(), "scope2_kg", [7], value))
    assert found["negative_value"].severity is severity
    assert found["negative_value"].rows == (7,)


def test_negative_use_is_a_warning(daily):
    found = faults(put(daily(), "energy_kwh", [7], -5.0))
    assert found["negative_value"].severity is Severity.WARNING


@pytest.mark.parametrize("scale", [1000, 0.001])
def test_unit_times_thousand(daily, scale):
    frame = daily()
    frame = put(
        frame, "energy_kwh", [10, 11, 150], frame["energy_kwh"].to_numpy()[[10, 11, 150]] * scale
    )
    found = faults(frame)
    assert found["unit_x1000"].rows == (10, 11, 150)
    assert found["unit_x1000"].column == "energy_kwh"


def test_series_that_come_near_zero_are_not_times_thousand(daily):
    frame = daily(400)
    random = np.random.default_rng(1)
    frame = put(frame, "scope2_kg", slice(None), random.exponential(10, frame.height))
    assert "unit_x1000" not in faults(frame)


def test_duplicates(daily):
    frame = daily()
    exact = faults(pl.concat([frame, frame[[3]]]))
    assert exact["duplicate_row"].rows == (240,)
    other = frame[[3]].with_columns(scope2_kg=pl.lit(1.25))
    conflict = faults(pl.concat([frame, other]))
    assert conflict["duplicate_timestamp"].severity is Severity.ERROR
    assert conflict["duplicate_timestamp"].rows == (3,)
    revised = pl.concat([frame, other]).with_columns(revision=pl.Series([1] * 240 + [2]))
    found = faults(revised)
    assert found["superseded"].severity is Severity.INFO
    assert "duplicate_timestamp" not in found


def test_rows_without_a_revision_are_the_original(daily):
    frame = daily()
    other = frame[[3]].with_columns(scope2_kg=pl.lit(1.25))
    twice = pl.concat([frame, other])
    none = twice.with_columns(revision=pl.lit(None, dtype=pl.Int64))
    assert faults(none)["duplicate_timestamp"].count == 1
    assert clean(none, SeriesSpec(targets=("scope2_kg",)), now=NOW).frame.height == 240
    # the correction stands before what it corrects
    first = pl.concat([other.with_columns(revision=pl.lit(1)), frame], how="diagonal")
    assert set(faults(first)) >= {"superseded"}
    kept = clean(first, SeriesSpec(targets=("scope2_kg",)), now=NOW).frame
    assert kept.height == 240
    assert 1.25 in kept["scope2_kg"].to_list()


def test_labels_that_look_the_same(daily):
    frame = daily(sites=3)
    names = {"s0": "Plant A", "s1": "plant  a", "s2": "Pl\u0430nt A\u200b"}
    found = faults(frame.with_columns(pl.col("entity").replace(names)))
    assert found["similar_names"].count == 360
    assert "\\u0430" in found["similar_names"].message
    assert "similar_names" not in faults(frame)


def test_labels_that_a_spreadsheet_would_run(daily):
    frame = daily()
    for name, bad in (("=cmd|x", True), ("@SUM(1)", True), ("+a", True), ("-5", False)):
        found = faults(frame.with_columns(pl.col("entity").replace({"s0": name})))
        assert ("formula_cell" in found) is bad, name


def test_names_of_any_kind_fit_into_messages(daily):
    frame = daily().with_columns(pl.col("entity").replace({"s0": "{x}" * 500}))
    frame = put(frame, "scope2_kg", [5], [-1.0]).rename({"scope2_kg": "co2{t}_kg"})
    found = faults(frame, targets=("co2{t}_kg",))
    assert len(found["negative_value"].message) < 300
    years = daily(step="1y").rename({"scope2_kg": "co2{t}_kg"})
    years = put(years, "co2{t}_kg", [5], [1e5])
    assert "annual_jump" in faults(years, targets=("co2{t}_kg",))


def test_row_numbers_of_another_program_are_not_used(daily):
    frame = daily()
    for name in ("", "Unnamed: 0"):
        numbered = frame.with_row_index(name).with_columns(pl.col(name).cast(pl.Int64))
        assert faults(numbered)["unused_column"].column == name
        assert name not in standardize(numbered, SeriesSpec()).frame.columns


def test_one_meter_under_two_names(daily):
    frame = daily(sites=1)
    found = faults(pl.concat([frame, frame.with_columns(entity=pl.lit("copy"))]))
    assert found["duplicate_meter"].count == 240


def test_gaps_and_ends(daily):
    frame = daily()
    found = faults(frame.filter(~pl.Series(range(240)).is_in([50, 51, 60])))
    assert found["gap"].count == 3
    assert found["gap"].rows == (50, 58)
    assert faults(frame.head(200))["end_gap"].count == 40


def test_stuck_and_zero_runs(daily):
    frame = put(daily(), "scope2_kg", slice(40, 52), 333.3)
    assert faults(frame)["stuck_run"].count == 12
    frame = put(daily(), "scope2_kg", slice(40, 52), 0.0)
    found = faults(frame)
    assert found["zero_run"].count == 12
    assert "stuck_run" not in found


def test_nights_and_coarse_meters_are_not_runs():
    hours = np.arange(24 * 60)
    time = np.datetime64("2024-06-01", "us") + hours * np.timedelta64(1, "h")
    sun = np.round(np.maximum(np.sin((hours % 24 - 6) / 12 * np.pi), 0) * 50, 1)
    coarse = 5.0 + (hours // 30) % 2
    frame = pl.DataFrame({"entity": "a", "timestamp": time, "solar_kwh": sun, "base_kwh": coarse})
    found = faults(frame, targets=("solar_kwh", "base_kwh"))
    assert "zero_run" not in found
    assert "stuck_run" not in found


def test_placeholders(daily):
    found = faults(put(daily(), "scope2_kg", [3, 9], [99999.0, 999999.0]))
    assert found["placeholder_value"].rows == (3, 9)
    assert "placeholder_value" not in faults(put(daily(), "scope2_kg", [3], 999.0))


def test_minus_infinity_is_no_negative_reading(daily):
    found = faults(put(daily(), "scope2_kg", [3], [-np.inf]))
    assert "non_finite" in found
    assert "negative_value" not in found


def test_non_finite_all_missing_and_constant(daily):
    frame = put(daily(), "scope2_kg", [1], np.inf)
    assert faults(frame)["non_finite"].rows == (1,)
    frame = put(daily(), "scope2_kg", [1, 2], np.nan)
    found = faults(frame)
    assert found["nan"].severity is Severity.INFO
    assert found["missing_value"].rows == (1, 2)
    gone = put(daily(), "scope2_kg", slice(None), np.nan)
    assert faults(gone)["all_missing"].severity is Severity.ERROR
    flat = put(daily(), "scope2_kg", slice(None), 5.0)
    assert faults(flat)["constant"].count == 240


def test_empty_and_single_rows(daily):
    assert faults(daily().head(0))["empty"].severity is Severity.ERROR
    one = faults(daily().head(1))
    assert one["too_few_rows"].severity is Severity.ERROR
    assert faults(daily().head(121))["single_period"].severity is Severity.WARNING


def test_columns_that_do_not_exist(daily):
    assert faults(daily(), targets=("scope9_kg",))["column_missing"].severity is Severity.ERROR


def test_time_that_cannot_be(daily):
    frame = daily()
    late = frame.with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) == 239)
        .then(dt.datetime(2031, 1, 1))
        .otherwise("timestamp")
    )
    found = faults(late)
    assert found["future_date"].severity is Severity.ERROR
    assert found["future_date"].rows == (239,)
    early = frame.with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) == 0)
        .then(dt.datetime(1970, 1, 1))
        .otherwise("timestamp")
    )
    assert faults(early)["implausible_date"].rows == (0,)
    text = frame.with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) == 4)
        .then(pl.lit("soon"))
        .otherwise(pl.col("timestamp").cast(pl.String))
    )
    assert faults(text)["unparseable_timestamp"].rows == (4,)
    assert faults(frame[::-1])["unordered_timestamps"].severity is Severity.INFO


def test_a_known_future_is_no_fault(daily):
    frame = daily(120, start=dt.date(2025, 10, 1)).with_columns(
        wx=pl.lit(1.0) + pl.int_range(pl.len())
    )
    frame = frame.with_columns(
        scope2_kg=pl.when(pl.col("timestamp") < dt.datetime(2026, 1, 1)).then("scope2_kg")
    )
    frame = frame.with_columns(pl.col("timestamp") + pl.duration(days=2))
    found = faults(frame, known=("wx",))
    assert not {"future_date", "target_vanishes"} & set(found)


def test_target_that_vanishes(daily):
    frame = daily().with_columns(
        scope2_kg=pl.when(pl.col("timestamp") < dt.datetime(2023, 3, 1)).then("scope2_kg")
    )
    found = faults(frame)
    assert found["target_vanishes"].severity is Severity.ERROR
    one = frame.with_columns(
        scope2_kg=pl.when(pl.col("entity") == "s0")
        .then("scope2_kg")
        .otherwise(1.0 + pl.int_range(pl.len()))
    )
    assert faults(one)["target_vanishes"].severity is Severity.WARNING


def test_clock_changes():
    zone = "Europe/Berlin"
    hours = pl.datetime_range(
        dt.datetime(2024, 1, 1),
        dt.datetime(2024, 12, 31),
        "1h",
        time_zone=zone,
        eager=True,
        time_unit="us",
    )
    local = hours.dt.replace_time_zone(None)
    values = np.random.default_rng(0).normal(100, 10, len(local))
    found = faults(pl.DataFrame({"timestamp": local, "scope2_kg": values}))
    assert found["dst_hours"].count == 2
    assert "1 hours are absent in spring" in found["dst_hours"].message
    aware = faults(pl.DataFrame({"timestamp": hours, "scope2_kg": values}))
    assert set(aware) == {"time_zone_converted"}


def test_irregular_steps(daily):
    odd = daily().with_columns(
        pl.col("timestamp") + pl.duration(minutes=7 * pl.int_range(pl.len()))
    )
    extra = odd[[3]].with_columns(pl.col("timestamp") + pl.duration(hours=5))
    assert faults(pl.concat([daily(), extra]))["irregular_step"].count == 1
    strange = pl.DataFrame(
        {
            "timestamp": [
                dt.datetime(2024, 1, 1) + dt.timedelta(minutes=47 * i) for i in range(50)
            ],
            "scope2_kg": np.random.default_rng(0).normal(100, 10, 50),
        }
    )
    assert "frequency_unknown" in faults(strange)


def test_hierarchy(daily):
    frame = daily().with_columns(company=pl.lit("x"))
    assert not faults(frame, hierarchy=("company",))
    torn = frame.with_columns(
        company=pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("y")).otherwise("company")
    )
    assert "hierarchy_conflict" in faults(torn, hierarchy=("company",))
    blank = frame.with_columns(company=pl.when(pl.int_range(pl.len()) >= 3).then("company"))
    found = faults(blank, hierarchy=("company",))
    assert found["hierarchy_missing"].count == 3
    assert "hierarchy_conflict" not in found
    assert "missing_entity" in faults(
        frame.with_columns(entity=pl.when(pl.int_range(pl.len()) > 2).then("entity"))
    )


def test_capacity(daily):
    frame = daily().with_columns(capacity_kw=pl.lit(100.0))
    assert "beyond_capacity" not in faults(frame)
    assert faults(put(frame, "energy_kwh", [8], 2600.0))["beyond_capacity"].rows == (8,)


def test_cost_and_factor(daily):
    frame = daily().with_columns(energy_cost=pl.col("energy_kwh") * 0.2)
    assert not faults(frame)
    assert faults(put(frame, "energy_cost", [8], 9000.0))["cost_ratio"].rows == (8,)
    assert faults(put(frame, "scope2_kg", [8], 9000.0))["implied_factor"].rows == (8,)
    wrong_unit = frame.with_columns(pl.col("scope2_kg") * 1000)
    assert faults(wrong_unit)["implied_factor"].count == 240


def test_year_in_one_month(daily):
    frame = daily(48, step="1mo")
    values = frame["scope2_kg"].to_numpy().copy()
    values[12:24] = 0.0
    values[23] = 4000.0
    found = faults(frame.with_columns(pl.Series("scope2_kg", values)))
    assert found["year_in_one_month"].rows == (23,)


def test_text_in_a_numeric_column(daily):
    frame = daily().with_columns(
        scope2_kg=pl.when(pl.int_range(pl.len()) == 7)
        .then(pl.lit("see note"))
        .otherwise(pl.col("scope2_kg").cast(pl.String))
    )
    found = faults(frame)
    assert found["not_a_number"].severity is Severity.ERROR
    assert found["not_a_number"].rows == (7,)


@pytest.mark.parametrize("values", [[[1], [2]], [dt.date(2024, 1, 1)] * 2, ["x", "y"]])
def test_targets_of_the_wrong_kind(values):
    frame = pl.DataFrame({"timestamp": ["2024-01-01", "2024-01-02"], "scope2_kg": values})
    assert {"column_kind", "not_a_number"} & set(faults(frame))


def test_readings_at_the_end_of_the_number_range(daily):
    frame = put(daily(), "scope2_kg", [0, 1], [1e308, 1e-308])
    faults(put(frame, "energy_kwh", [0, 1], [1e-308, 1e308]))


def test_nothing_to_look_at():
    assert "empty" in {f.code for f in check(pl.DataFrame()).faults}
    assert "empty" in {f.code for f in check(pl.DataFrame({"timestamp": []})).faults}
    assert "column_missing" in {f.code for f in check(pl.DataFrame({"co2_t": [1.0, 2.0]})).faults}


def test_rows_are_capped_but_counted(daily):
    found = faults(put(daily(), "scope2_kg", slice(0, 100), -1.0))
    assert found["negative_value"].count == 100
    assert len(found["negative_value"].rows) == 20
