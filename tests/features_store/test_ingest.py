"""Ingest: typed, idempotent, restating without forgetting, and clear about bad input."""

import errno
import os
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from esgml.core.errors import (
    ColumnError,
    DataError,
    IntegrityError,
    NotFoundError,
    StorageError,
    UsageError,
)
from esgml.features.store import Feature, FeatureStore, FeatureView


def rows(day, *values, entity="a", start=0):
    return {
        "entity": [entity] * len(values),
        "event_timestamp": [day(start + i) for i in range(len(values))],
        "kwh": list(values),
    }


def ask(store, moments, **options):
    asked = pl.DataFrame({"entity": ["a"] * len(moments), "event_timestamp": moments})
    return store.get_historical_features(asked, **options)["kwh"].to_list()


def test_a_retried_ingest_changes_nothing(store, load, day):
    store.register(load)
    first = store.ingest("load", rows(day, 1.0, 2.0))
    assert (first.rows, first.stored, first.duplicates) == (2, 2, 0)
    again = store.ingest("load", rows(day, 1.0, 2.0))
    assert (again.stored, again.duplicates, again.partition) == (0, 2, "")
    overlapping = store.ingest("load", rows(day, 1.0, 2.0, 3.0))
    assert (overlapping.stored, overlapping.duplicates, overlapping.corrections) == (1, 2, 0)
    assert ask(store, [day(9)]) == [3.0]


def test_a_retry_with_stated_times_changes_nothing(store, load, day):
    store.register(load)
    stated = rows(day, 1.0, None) | {"created_timestamp": [day(1), day(3)]}
    assert store.ingest("load", stated).stored == 2
    assert store.ingest("load", stated).duplicates == 2
    with pytest.raises(DataError, match="needs a later created_timestamp") as caught:
        store.ingest("load", rows(day, 7.0), created_timestamp=day(1))
    assert caught.value.code == "conflicting_restatement"
    done = store.ingest("load", rows(day, 7.0), created_timestamp=day(5))
    assert (done.stored, done.corrections) == (1, 1)


def test_a_changed_value_is_a_correction_known_from_now(store, clock, load, day):
    store.register(load)
    store.ingest("load", rows(day, 1.0))
    clock.now = day(20)
    assert store.ingest("load", rows(day, 5.0)).corrections == 1
    clock.now = day(30)
    assert store.ingest("load", rows(day, 1.0)).corrections == 1  # and back again
    assert ask(store, [day(0), day(19), day(20), day(29), day(30)]) == [1.0, 1.0, 5.0, 5.0, 1.0]
    assert ask(store, [day(0)], as_of=day(25)) == [5.0]


def test_a_clock_that_went_back_does_not_reorder_corrections(store, clock, load, day):
    store.register(load)
    store.ingest("load", rows(day, 1.0))
    store.ingest("load", rows(day, 2.0))
    clock.now = day(-50)
    store.ingest("load", rows(day, 3.0))
    assert ask(store, [day(200)]) == [3.0]


def test_rows_given_twice_are_kept_once_and_contradictions_refused(store, load, day):
    store.register(load)
    twice = pl.concat([pl.DataFrame(rows(day, 1.0))] * 3)
    report = store.ingest("load", twice)
    assert (report.rows, report.stored, report.duplicates) == (3, 1, 2)
    with pytest.raises(DataError, match="contradict") as caught:
        store.ingest("load", pl.concat([twice, pl.DataFrame(rows(day, 2.0))]))
    assert caught.value.code == "duplicate_rows"


def test_nan_is_missing_and_infinity_is_refused(store, load, day):
    store.register(load)
    with pytest.raises(DataError, match="infinite in 1 rows, first in row 2") as caught:
        store.ingest("load", rows(day, 1.0, float("nan"), float("inf")))
    assert caught.value.code == "infinite"
    report = store.ingest("load", rows(day, 1.0, np.nan, -np.inf, None), infinite="null")
    assert (report.nan_as_null, report.infinite_as_null, report.stored) == (1, 1, 4)
    assert ask(store, [day(0), day(1), day(2), day(3)]) == [1.0, None, None, None]
    with pytest.raises(UsageError):
        store.ingest("load", rows(day, 1.0), infinite="drop")


@pytest.mark.parametrize(
    ("dtype", "values", "error"),
    [
        ("float64", ["1"], True),
        ("float64", [True], True),
        ("float64", [2**53 + 1], True),
        ("float64", [3], False),
        ("float64", [Decimal("1.5")], False),
        ("float64", [None], False),
        ("float32", [1e300], True),
        ("float32", [1.1], False),
        ("int64", [1.0], True),
        ("int64", [False], True),
        ("int32", [2**40], True),
        ("int32", [5], False),
        ("bool", [1], True),
        ("bool", [True], False),
        ("string", [1], True),
        ("string", ["x"], False),
        ("timestamp", ["2026-01-01"], True),
        ("timestamp", [date(2026, 1, 1)], False),
        ("timestamp", [datetime(2026, 1, 1, tzinfo=UTC)], False),
    ],
)
def test_types_are_held(store, day, dtype, values, error):
    store.register(FeatureView("v", ("entity",), (Feature("x", dtype),)))
    given = {"entity": ["a"], "event_timestamp": [day(0)], "x": values}
    if not error:
        assert store.ingest("v", given).stored == 1
        return
    with pytest.raises(ColumnError, match=f"declared as {dtype}") as caught:
        store.ingest("v", given)
    assert caught.value.code == "wrong_dtype"
    assert store.ingest("v", {**given, "x": [None]}).stored == 1  # nothing was left behind


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entity": [None]}, "column 'entity' is empty in 1 rows, first in row 0"),
        ({"entity": [1.5]}, "expected text or whole numbers"),
        ({"entity": [True]}, "expected text or whole numbers"),
        ({"event_timestamp": [None]}, "column 'event_timestamp' is empty in 1 rows"),
        ({"event_timestamp": ["2026-01-01"]}, "Parse it into datetimes"),
        ({"event_timestamp": [5]}, "expected times"),
    ],
)
def test_bad_keys_and_times(store, load, day, change, message):
    store.register(load)
    with pytest.raises(DataError, match=message):
        store.ingest("load", rows(day, 1.0) | change)
    store.ingest("load", rows(day, 1.0))
    asked = {k: v for k, v in (rows(day, 1.0) | change).items() if k != "kwh"}
    with pytest.raises(DataError, match=message):
        store.get_historical_features(asked)


def test_missing_and_further_columns(store, load, day):
    store.register(load)
    with pytest.raises(ColumnError, match="no column 'event_timestamp', 'kwh'"):
        store.ingest("load", {"entity": ["a"]})
    assert store.ingest("load", rows(day, 1.0) | {"note": ["x"]}).ignored == ("note",)
    with pytest.raises(NotFoundError):
        store.ingest("nothing", rows(day, 1.0))
    with pytest.raises(UsageError, match="expected a view"):
        store.ingest("load:kwh", rows(day, 1.0))
    with pytest.raises(UsageError, match="both as a column and as an argument"):
        stated = rows(day, 1.0) | {"created_timestamp": [day(1)]}
        store.ingest("load", stated, created_timestamp=day(1))


def test_empty_tables(store, load, day):
    store.register(load)
    empty = pl.DataFrame(rows(day, 1.0)).clear()
    assert store.ingest("load", empty).stored == 0
    assert store.ingest("load", {"entity": [], "event_timestamp": [], "kwh": []}).rows == 0
    assert ask(store, [day(0)]) == [None]
    answer = store.get_historical_features(empty.drop("kwh"))
    assert answer.schema["kwh"] == pl.Float64
    assert answer.height == 0
    store.ingest("load", rows(day, 1.0))
    assert store.get_historical_features(empty.drop("kwh")).height == 0


def test_time_zones_become_utc(store, load):
    store.register(load)
    east = timezone(timedelta(hours=5))
    given = pl.DataFrame(
        {
            "entity": ["a"],
            "event_timestamp": pl.Series([datetime(2026, 1, 1, 5)]).dt.replace_time_zone(
                "Asia/Karachi"
            ),
            "kwh": [1.0],
        }
    )
    store.ingest("load", given)
    midnight = datetime(2026, 1, 1)
    just_before = midnight - timedelta(microseconds=1)
    assert ask(store, [midnight, just_before]) == [1.0, None]
    assert ask(store, [midnight], as_of=datetime(2026, 1, 1, 5, tzinfo=east)) == [1.0]
    aware = given.select("entity", "event_timestamp")
    answer = store.get_historical_features(aware)
    assert answer.select(aware.columns).equals(aware)
    assert answer["kwh"].to_list() == [1.0]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_time_units_and_dates(store, load, unit):
    store.register(load)
    stamp = pl.Series([datetime(2026, 1, 2)]).cast(pl.Datetime(unit))
    store.ingest("load", pl.DataFrame({"entity": ["a"], "event_timestamp": stamp, "kwh": [1.0]}))
    assert ask(store, [date(2026, 1, 2), date(2026, 1, 1)]) == [1.0, None]
    assert ask(store, [datetime(2026, 1, 2)], as_of=date(2026, 1, 2)) == [1.0]


def test_tables_of_other_libraries(store, load, day):
    store.register(load)
    store.ingest("load", pd.DataFrame(rows(day, 1.0)))
    store.ingest("load", pa.table(rows(day, 2.0, start=1)))
    store.ingest("load", pl.DataFrame(rows(day, 3.0, start=2)).lazy())
    store.ingest("load", [{"entity": "a", "event_timestamp": day(3), "kwh": 4.0}])
    assert ask(store, [day(i) for i in range(4)]) == [1.0, 2.0, 3.0, 4.0]
    for thing in (7, "text", object()):
        with pytest.raises(ColumnError, match="cannot be read as a table"):
            store.ingest("load", thing)


def test_whole_number_keys_are_text(store, load, day):
    store.register(load)
    store.ingest("load", rows(day, 1.0) | {"entity": [7]})
    asked = {"entity": ["7"], "event_timestamp": [day(1)]}
    assert store.get_historical_features(asked)["kwh"].to_list() == [1.0]


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EROFS, "read_only"), (errno.ENOSPC, "disk_full")]
)
def test_a_disk_that_cannot_be_written(store, load, day, monkeypatch, number, code):
    store.register(load)
    store.ingest("load", rows(day, 1.0))

    def refuse(*_args, **_options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(StorageError) as caught:
            store.ingest("load", rows(day, 2.0, start=1))
        assert caught.value.code == code
        patch.setattr(os, "rename", refuse)
        with pytest.raises(StorageError):
            store.register(FeatureView("w", ("entity",), (Feature("x"),)))
    assert ask(store, [day(5)]) == [1.0]
    assert [v.name for v in store.list_feature_views()] == ["load"]
    assert store.ingest("load", rows(day, 2.0, start=1)).stored == 1


def test_a_workspace_that_is_a_file(tmp_path, settings, load):
    settings.workspace.write_text("not a folder")
    with pytest.raises(StorageError), FeatureStore(settings) as store:
        store.register(load)


def test_a_damaged_partition_is_named(store, settings, load, day):
    store.register(load)
    store.ingest("load", rows(day, 1.0))
    (part,) = settings.workspace.glob("features/offline/load/v1/part-*.parquet")
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match="partition cannot be read"):
        ask(store, [day(1)])


def test_strangers_in_the_folder_are_not_read(store, settings, load, day):
    store.register(load)
    store.ingest("load", rows(day, 1.0))
    folder = settings.workspace / "features/offline/load/v1"
    (folder / ".tmp-killed").write_bytes(b"half a partition")
    (folder / "notes.parquet").write_bytes(b"no")
    assert ask(store, [day(1)]) == [1.0]
    store.ingest("load", rows(day, 2.0, start=1))
    assert not (folder / ".tmp-killed").exists()


def test_versions_are_kept_apart(store, load, day):
    store.register(load)
    store.ingest("load", rows(day, 1.0))
    two = FeatureView("load", ("entity",), (Feature("kwh"), Feature("peak")), version=2)
    store.register(two)
    asked = {"entity": ["a"], "event_timestamp": [day(1)]}
    assert store.get_historical_features(asked, features=["load@1:kwh"])["kwh"].to_list() == [1.0]
    assert store.get_historical_features(asked, features=["load"])["kwh"].to_list() == [None]


def test_another_process_is_seen_by_the_next_join(store, settings, load, day):
    store.register(load)
    store.ingest("load", rows(day, 1.0))
    assert ask(store, [day(5)]) == [1.0]
    FeatureStore(settings).ingest("load", rows(day, 2.0, start=1))
    assert ask(store, [day(5)]) == [2.0]


def test_events_before_1970_are_found_again(store, load):
    store.register(load)
    given = {
        "entity": ["a", "a"],
        "event_timestamp": [datetime(1931, 5, 1), datetime(1969, 12, 31)],
        "kwh": [1.0, 2.0],
    }
    assert store.ingest("load", given).stored == 2
    assert store.ingest("load", given).duplicates == 2
    assert ask(store, [datetime(1931, 4, 30), datetime(1950, 1, 1), datetime(1970, 1, 1)]) == [
        None,
        1.0,
        2.0,
    ]
