"""Cleaning repairs what it must, keeps what it took, and invents nothing."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.data.checks import check
from esgml.data.cleaning import UNASSIGNED, clean
from esgml.data.load import load
from esgml.data.panels import to_panel

NOW = dt.datetime(2026, 1, 1)


def adds_up(cleaned):
    return cleaned.rows_in == cleaned.frame.height + cleaned.quarantine.height + cleaned.merged


def test_a_clean_table_stays_as_it_is(daily, spec):
    cleaned = clean(daily(), spec, now=NOW)
    assert cleaned.frame.equals(daily())
    assert cleaned.log == ()
    assert cleaned.quarantine.height == cleaned.cells.height == 0


def test_everything_removed_is_in_quarantine(daily, spec):
    frame = daily().with_columns(pl.col("timestamp").cast(pl.String))
    bad = pl.DataFrame(
        {
            "entity": ["s0", "s0", None, "s0", "s0"],
            "timestamp": ["soon", "2023-01-05", "2023-01-05", "2031-01-01", None],
            "energy_kwh": [1.0, 2.0, 3.0, 4.0, 5.0],
            "scope2_kg": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    cleaned = clean(pl.concat([frame, frame.head(1), bad]), spec, now=NOW)
    assert dict(cleaned.quarantine.select("row", "reason").rows()) == {
        4: "duplicate_timestamp",
        240: "duplicate_row",
        241: "unparseable_timestamp",
        243: "missing_entity",
        244: "future_date",
        245: "unparseable_timestamp",
    }
    assert adds_up(cleaned)
    assert cleaned.quarantine.filter(row=241)["timestamp"].item() == "soon"
    assert cleaned.frame["scope2_kg"][4] == 2.0
    assert {e.action for e in cleaned.log} >= {
        "quarantine:duplicate_row",
        "quarantine:duplicate_timestamp",
        "quarantine:unparseable_timestamp",
        "set:unparseable_timestamp",
    }
    assert all(e.as_dict()["count"] == e.count for e in cleaned.log)


def test_infinite_becomes_missing_and_missing_stays_missing(daily, spec):
    frame = daily().with_columns(
        scope2_kg=pl.when(pl.int_range(pl.len()) == 3)
        .then(np.inf)
        .when(pl.int_range(pl.len()) == 4)
        .then(np.nan)
        .when(pl.int_range(pl.len()).is_between(10, 20))
        .then(None)
        .otherwise("scope2_kg")
    )
    cleaned = clean(frame, spec, now=NOW)
    assert cleaned.frame["scope2_kg"].null_count() == 13
    assert cleaned.cells.select("row", "before").rows() == [(3, "inf"), (4, "NaN")]


def test_suspicious_values_are_left_alone_unless_named(daily, spec):
    frame = daily()
    values = frame["scope2_kg"].to_numpy().copy()
    values[5] *= 1000
    values[8] = 99999.0
    values[60:72] = values[60]
    values[180:190] = 0.0
    frame = frame.with_columns(pl.Series("scope2_kg", values))
    assert clean(frame, spec, now=NOW).frame.equals(frame)
    repaired = clean(
        frame, spec, repair=("unit_x1000", "placeholder_value", "stuck_run", "zero_run"), now=NOW
    )
    numbers = repaired.frame["scope2_kg"]
    assert numbers[5] == pytest.approx(values[5] / 1000)
    assert numbers[8] is None
    assert numbers[60] == values[60]
    assert numbers[61:72].null_count() == 11
    assert numbers[180:190].null_count() == 10
    assert repaired.cells.height == 1 + 1 + 11 + 10
    assert adds_up(repaired)
    before = repaired.cells.filter(reason="unit_x1000")
    assert float(before["before"].item()) == values[5]
    assert float(before["after"].item()) == pytest.approx(values[5] / 1000)


def test_unknown_repairs_are_refused(daily, spec):
    with pytest.raises(UsageError, match="cannot repair magic"):
        clean(daily(), spec, repair=("magic",))


def test_negative_emissions_stop_loading_unless_repaired(daily, spec):
    frame = daily().with_columns(
        scope2_kg=pl.when(pl.int_range(pl.len()) == 3).then(-1.0).otherwise("scope2_kg")
    )
    with pytest.raises(DataError) as caught:
        load(frame, spec)
    assert caught.value.code == "negative_value"
    assert load(frame, spec, repair=("negative_value",)).frame["scope2_kg"][3] is None


def test_places_in_the_hierarchy(daily):
    row = pl.int_range(pl.len())
    frame = daily(sites=3).with_columns(
        company=pl.when(pl.col("entity") == "s2")
        .then(None)
        .when(row < 3)
        .then(pl.lit("old"))
        .otherwise(pl.lit("new"))
    )
    loaded = load(frame, SeriesSpec(targets=("scope2_kg",), hierarchy=("company",)))
    assert loaded.frame.filter(entity="s0")["company"].unique().to_list() == ["new"]
    assert loaded.frame.filter(entity="s2")["company"].unique().to_list() == [UNASSIGNED]
    assert loaded.cells.height == 3 + 120
    to_panel(loaded.frame, loaded.spec)


def test_columns_called_row_and_reason_survive(daily, spec):
    frame = daily().with_columns(row=pl.lit("mine"), reason=pl.lit("because"))
    aside = clean(pl.concat([frame, frame.head(1)]), spec, now=NOW).quarantine
    assert aside.select("row", "row_", "reason", "reason_").rows() == [
        (240, "mine", "duplicate_row", "because")
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda f: f.head(0), "empty"),
        (lambda f: f.head(1), "too_few_rows"),
        (lambda f: f.with_columns(scope2_kg=pl.lit(None, pl.Float64)), "all_missing"),
        (lambda f: f.with_columns(timestamp=pl.lit("soon")), "no_usable_rows"),
        (lambda f: f.drop("scope2_kg"), "column_missing"),
        (
            lambda f: f.with_columns(
                scope2_kg=pl.when(pl.col("timestamp") < dt.datetime(2023, 3, 1)).then("scope2_kg")
            ),
            "target_vanishes",
        ),
        (
            lambda f: f.with_columns(
                timestamp=pl.when(pl.int_range(pl.len()) % 2 == 0)
                .then(pl.col("timestamp").dt.to_string("%Y-%m-%d 05:00Z"))
                .otherwise(pl.col("timestamp").dt.to_string("%Y-%m-%d 05:00"))
            ),
            "mixed_time_zones",
        ),
    ],
)
def test_what_cleaning_cannot_mend_stops_loading(daily, spec, change, code):
    with pytest.raises(DataError) as caught:
        load(change(daily()), spec)
    assert caught.value.code == code
    assert caught.value.where
    assert caught.value.remedy


def test_load_tells_the_whole_story(daily, spec, tmp_path):
    frame = pl.concat([daily(), daily().head(2)])
    frame.write_csv(tmp_path / "t.csv")
    loaded = load(tmp_path / "t.csv", spec)
    assert loaded.rows_in == 242
    assert loaded.frame.height + loaded.quarantine.height == 242
    assert "duplicate_row" in {f.code for f in loaded.report.faults}
    assert loaded.log


CELLS = st.sampled_from(["1.5", "-2", "inf", "nan", "", "oops", "n/a", None, "9999", "0"])
STAMPS = st.sampled_from(
    ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "soon", "", None, "2150-01-01"]
)
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "", None]), STAMPS, CELLS), min_size=1, max_size=25
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sets(st.sampled_from(["negative_value", "placeholder_value", "zero_run"])))
def test_rows_always_add_up(rows, repair):
    frame = pl.DataFrame(
        rows, schema={"entity": pl.String, "timestamp": pl.String, "co2_t": pl.String}, orient="row"
    )
    spec = SeriesSpec(targets=("co2_t",))
    cleaned = clean(frame, spec, repair=repair, now=NOW)
    assert adds_up(cleaned)
    out = cleaned.frame
    assert out.select("entity", "timestamp").null_count().sum_horizontal().item() == 0
    assert not out.select("entity", "timestamp").is_duplicated().any()
    assert not out["co2_t"].is_infinite().any()
    assert out.sort("entity", "timestamp").equals(out)
    # every value that is left was there, every one that is not is on record
    kept = set(range(frame.height)) - set(cleaned.quarantine["row"].to_list())
    assert len(kept) == out.height
    blank = sum(1 for r in kept if not (rows[r][2] or "").strip())
    altered = cleaned.cells.filter(pl.col("row").is_in(list(kept)) & (pl.col("column") == "co2_t"))
    assert out["co2_t"].null_count() == blank + altered["row"].n_unique()
    # cleaning a cleaned table changes nothing
    if out.height:
        again = clean(out, cleaned.spec, repair=repair, now=NOW)
        assert again.frame.equals(out)
    check(frame, spec, now=NOW)
