from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from esgml.checks.features import sample_panel
from esgml.core.errors import ColumnError, DataError, NotTrainedError, UsageError
from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.features.defaults import default_steps
from esgml.features.engineering import FeatureEngineeringPipeline
from esgml.features.esg_columns import find_columns
from esgml.features.lags import Lags
from esgml.features.pipeline import FeaturePipeline
from esgml.features.scaling import Scaler
from esgml.features.validation import look_ahead_features


def test_time_features_of_one_timestamp():
    found = FeatureEngineeringPipeline(country="US").extract_time_features(
        dt.datetime(2024, 7, 4, 15, 30)
    )
    assert found == {
        "hour_of_day": 15,
        "day_of_week": 3,
        "is_weekend": False,
        "day_of_month": 4,
        "day_of_year": 186,
        "month": 7,
        "quarter": 3,
        "holiday": True,
    }
    assert type(found["hour_of_day"]) is int
    assert type(found["is_weekend"]) is bool


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-03-09T14:30:00Z",
        "2024-03-09 15:30:00+01:00",
        dt.datetime(2024, 3, 9, 14, 30),
        dt.datetime(2024, 3, 9, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
        np.datetime64("2024-03-09T14:30"),
    ],
)
def test_timestamps_of_every_kind_are_the_same_moment(stamp):
    found = FeatureEngineeringPipeline().extract_time_features(stamp)
    assert (found["hour_of_day"], found["day_of_week"], found["is_weekend"]) == (14, 5, True)
    tokyo = FeatureEngineeringPipeline(timezone="Asia/Tokyo").extract_time_features(stamp)
    assert (tokyo["hour_of_day"], tokyo["day_of_week"]) == (23, 5)


def test_many_timestamps_give_a_row_each():
    stamps = ["2024-01-01", dt.date(2024, 1, 6), dt.datetime(2024, 1, 7, 23)]
    found = FeatureEngineeringPipeline().extract_time_features(stamps)
    assert found["day_of_week"].to_list() == [0, 5, 6]
    assert found["is_weekend"].to_list() == [False, True, True]
    series = pl.Series(["2024-01-01T05:00:00"]).str.to_datetime()
    assert FeatureEngineeringPipeline().extract_time_features(series)["hour_of_day"].item() == 5
    assert FeatureEngineeringPipeline().extract_time_features([]).height == 0


@pytest.mark.parametrize("bad", ["yesterday", np.datetime64("NaT"), ["2024-01-01", None], [17]])
def test_what_is_no_timestamp_is_said(bad):
    with pytest.raises(DataError, match="no timestamp"):
        FeatureEngineeringPipeline().extract_time_features(bad)


def test_esg_features_of_one_row():
    found = FeatureEngineeringPipeline().extract_esg_features(
        {"emissions": 100.0, "revenue": 50.0, "renewable_energy": 30.0, "total_energy": 120.0}
    )
    assert found["emissions_intensity"] == 2.0
    assert found["emissions_intensity_by_revenue"] == 2.0
    assert found["renewable_percentage"] == 25.0
    assert found["renewable_share"] == 0.25
    assert found["energy_intensity_by_revenue"] == 2.4
    assert found["completeness"] == 1.0


def test_esg_features_of_a_table_in_its_units():
    frame = pl.DataFrame(
        {
            "entity": ["a", "b"],
            "scope1_t": [1.0, 2.0],
            "scope2_kg": [500.0, None],
            "scope2_market_kg": [100.0, 0.0],
            "scope3_kg": [500.0, 10.0],
            "energy_mwh": [2.0, 0.0],
            "renewable_kwh": [500.0, 0.0],
            "production": [10.0, 10.0],
            "floor_area_m2": [100.0, 0.0],
            "employees": [4, 4],
        }
    )
    pipeline = FeatureEngineeringPipeline()
    found = pipeline.extract_esg_features(frame)
    assert found["emissions_total"].to_list()[0] == 2000.0
    assert np.isnan(found["emissions_total"][1])  # half a total is no total
    assert found["emissions_intensity"][0] == found["emissions_intensity_by_output"][0] == 200.0
    assert found["emissions_intensity_by_area"][0] == 20.0
    assert found["emissions_intensity_by_fte"][0] == 500.0
    assert found["implied_factor"][0] == 0.25
    assert found["renewable_percentage"][0] == 25.0
    assert np.isnan(found["renewable_share"][1])
    assert found["completeness"].to_list() == [1.0, 8 / 9]
    market = pipeline.extract_esg_features(frame, scope2="market")
    assert market["emissions_total"].to_list() == [1600.0, 2010.0]


def test_pandas_and_mappings_of_columns_are_tables_too():
    pandas = pytest.importorskip("pandas")
    columns = {"co2e_kg": [10.0, 20.0], "revenue_usd": [5.0, 0.0]}
    pipeline = FeatureEngineeringPipeline()
    for data in (columns, pandas.DataFrame(columns), pl.DataFrame(columns)):
        found = pipeline.extract_esg_features(data)
        assert found["emissions_intensity"][0] == 2.0
        assert np.isnan(found["emissions_intensity"][1])


def test_columns_can_be_named_and_doubt_is_said():
    pipeline = FeatureEngineeringPipeline()
    found = pipeline.extract_esg_features(
        {"x": 10.0, "y": 4.0}, columns={"emissions": "x", "area": "y"}
    )
    assert found["emissions_intensity"] == 2.5
    with pytest.raises(ColumnError, match="no sustainability quantity"):
        pipeline.extract_esg_features({"x": 1.0})
    with pytest.raises(ColumnError, match="could all be"):
        find_columns(["emissions", "co2e_kg"])
    with pytest.raises(UsageError, match="unknown quantity"):
        find_columns(["x"], {"steam": "x"})
    with pytest.raises(ColumnError, match="no column"):
        find_columns(["x"], {"area": "y"})
    with pytest.raises(ColumnError, match="no numbers"):
        pipeline.extract_esg_features({"emissions": "much", "revenue": 3.0})
    assert find_columns(["emissions_intensity", "renewable_percentage", "emission_factor"]) == {}


def test_one_scope2_is_never_given_for_the_other():
    features = FeatureEngineeringPipeline()
    both = {"scope1_t": 1.0, "scope2_location_t": 2.0, "scope2_market_t": 0.5}
    totals = {None: 3000.0, "location": 3000.0, "market": 1500.0}
    for scope2, total in totals.items():
        found = features.extract_esg_features(both, scope2=scope2)
        assert found["emissions_total"] == total
    market = {"scope1_t": 1.0, "scope2_market_t": 0.5}
    assert features.extract_esg_features(market)["emissions_total"] == 1500.0
    with pytest.raises(ColumnError, match="location-based"):
        features.extract_esg_features(market, scope2="location")
    with pytest.raises(UsageError, match="markt"):
        features.extract_esg_features(both, scope2="markt")


def test_tonnes_are_tonnes_whatever_the_column_is_called():
    found = FeatureEngineeringPipeline().extract_esg_features(
        {"emissions_t": 1.0, "energy_gj": 3.6}
    )
    assert found["emissions_total"] == 1000.0
    assert found["implied_factor"] == pytest.approx(1.0)


def test_panel_features_from_choice_to_file(tmp_path):
    panel = sample_panel()
    pipeline = FeatureEngineeringPipeline(scaler=Scaler("robust", per_entity=True), country="SE")
    values = pipeline.fit_transform(panel)
    assert values.shape == (panel.rows, len(pipeline.names))
    assert {"target_lag1", "target_lag7", "day_of_week", "temperature_hdd"} <= set(pipeline.names)
    assert pipeline.warm_up is not None
    frame = pipeline.to_frame(panel)
    assert frame.columns[:3] == ["entity", "target", "timestamp"]
    assert frame.height == panel.rows
    pipeline.save(tmp_path / "f.json")
    loaded = FeatureEngineeringPipeline.load(tmp_path / "f.json")
    np.testing.assert_array_equal(loaded.transform(panel), values)
    chosen = pipeline.select(panel, method="correlation", best=4)
    assert pipeline.names == chosen.names
    assert 0 < len(chosen.names) <= 4
    np.testing.assert_array_equal(
        pipeline.transform(panel), values[:, [loaded.names.index(n) for n in chosen.names]]
    )


def test_seasonality_of_series_and_panels():
    pipeline = FeatureEngineeringPipeline()
    assert pipeline.detect_seasonality(np.tile([1.0, 2.0, 9.0, 4.0], 50))[0].period == 4
    assert isinstance(pipeline.detect_seasonality(sample_panel()), list)


def test_wrong_use_is_said():
    pipeline = FeatureEngineeringPipeline([Lags()])
    with pytest.raises(NotTrainedError):
        pipeline.transform(sample_panel())
    blank = sample_panel().select([3])
    with pytest.raises(DataError, match="no feature"):
        pipeline.select(blank)


@pytest.mark.parametrize("code", ["15min", "h", "D", "W", "MS", "QS", "YS"])
@pytest.mark.parametrize("rows", [1, 5, 60, 800])
@pytest.mark.parametrize("lead", [1, 7])
def test_default_steps_suit_every_frequency_and_length(code, rows, lead):
    frequency = Frequency(code)
    time = frequency.advance(np.datetime64("2001-01-01", "us"), np.arange(rows))
    rng = np.random.default_rng(0)
    panel = Panel(
        (SeriesKey("a", "y"),), np.array([0, rows]), time, rng.normal(size=rows), frequency,
        rng.normal(size=(rows, 2)), np.empty((rows, 0)), ("wx_temperature", "holiday"), (),
    )  # fmt: skip
    pipeline = FeaturePipeline(default_steps(panel, country="DE", lead=lead)).fit(panel)
    assert pipeline.min_lag == lead
    assert pipeline.transform(panel).shape == (rows, len(pipeline.names))
    if rows < 100:
        assert look_ahead_features(pipeline, panel) == []
