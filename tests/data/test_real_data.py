"""The real data sets read, check and load as they lie; skipped where they are not there."""

import polars as pl
import pytest

from esgml.core.errors import DataError
from esgml.core.frames import SeriesSpec
from esgml.data.checks import check
from esgml.data.load import load
from esgml.data.panels import to_panel
from esgml.data.sources import read


@pytest.mark.parametrize(
    ("file", "spec", "rows", "frequency"),
    [
        ("grids_daily.csv", SeriesSpec(), 6755, "D"),
        ("grids_hourly.parquet", SeriesSpec(), 162_120, "h"),
        ("buildings_hourly.parquet", SeriesSpec(), 70_080, "h"),
        ("china_daily.csv", SeriesSpec(known=("holiday",), hierarchy=("sector",)), 25_560, "D"),
        ("steel_plant_15min.csv", SeriesSpec(), 35_040, "15min"),
        ("facilities_canada_annual.csv", SeriesSpec(entity="actor_id"), 6246, "YS"),
        ("companies_scope123_annual.csv", SeriesSpec(entity="company"), 328, "YS"),
    ],
)
def test_sets_load_and_become_panels(real_data, file, spec, rows, frequency):
    loaded = load(real_data / "emissions" / file, spec)
    assert loaded.rows_in == rows
    assert loaded.frame.height + loaded.quarantine.height == rows
    assert not loaded.report.errors
    panel, _ = to_panel(loaded.frame, loaded.spec)
    assert panel.frequency.code == frequency


def test_steel_plant_with_its_byte_order_mark_and_dates(real_data):
    loaded = load(real_data / "emissions" / "steel_plant_15min.csv")
    assert loaded.spec.time == "date"
    assert loaded.spec.targets == ("CO2(tCO2)",)
    assert str(loaded.frame["date"].max()) == "2018-12-31 23:45:00"
    assert "ambiguous_date" not in {f.code for f in loaded.report.faults}
    assert loaded.spec.unit_of("CO2(tCO2)") in ("", "tCO2e")


def test_companies_without_an_entity_are_refused_with_candidates(real_data):
    with pytest.raises(DataError, match="'company'") as caught:
        load(real_data / "emissions" / "companies_scope123_annual.csv")
    assert caught.value.code == "entity_missing"


def test_text_in_a_numeric_column_of_companies(real_data):
    frame = read(real_data / "emissions" / "companies_scope123_annual.csv")
    spec = SeriesSpec(entity="company", targets=("scope1_verified",))
    report = check(frame, spec)
    assert "not_a_number" in {f.code for f in report.faults}


def test_washington_parents_change_and_rows_repeat(real_data):
    spec = SeriesSpec(entity="Reporter", hierarchy=("Parent Company",))
    loaded = load(real_data / "emissions" / "facilities_washington_annual.csv", spec)
    assert loaded.spec.time == "Year"
    assert loaded.spec.targets == ("Total Emissions (MTCO2e)",)
    codes = {f.code for f in loaded.report.faults}
    assert {"hierarchy_conflict", "duplicate_row"} <= codes
    assert loaded.quarantine["reason"].unique().to_list() == ["duplicate_row"]
    assert (
        loaded.frame.group_by("Reporter").agg(pl.col("Parent Company").n_unique())["Parent Company"]
        == 1
    ).all()


def test_meters(real_data):
    for path in sorted((real_data / "anomaly" / "meters").glob("*.csv")):
        loaded = load(path)
        assert loaded.spec.entity == "building_id"
        assert loaded.spec.targets == ("meter_reading",)
        assert loaded.frame["building_id"].unique().to_list() == [path.stem]


def test_offsets_through_a_clock_change(real_data):
    path = real_data / "optimization" / "tariff_es" / "PVPC_2023_ES_peninsula_hourly.csv"
    loaded = load(path, SeriesSpec(targets=("value",)))
    assert "gap" not in {f.code for f in loaded.report.faults}
    assert str(loaded.frame["datetime"].min()) == "2022-12-31 23:00:00"
