"""The weather response: slopes found, streamed as in one go, and fewer false alarms with it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from esgml.anomaly.detect import Series, detect, series_of
from esgml.anomaly.watch import MeterWatch
from esgml.anomaly.weather import WeatherResponse
from esgml.core.errors import ColumnError, DataError, IntegrityError
from esgml.core.frames import SeriesSpec
from esgml.core.frequency import Frequency
from esgml.core.panel import SeriesKey

_spec = importlib.util.spec_from_file_location(
    "buildings", Path(__file__).with_name("buildings.py")
)
buildings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(buildings)

HOUR = Frequency("h")
KEY = SeriesKey("a", "kwh")


@pytest.fixture(scope="module")
def heated():
    time, values = buildings.building(24 * 7 * 40)
    rng = np.random.default_rng(0)
    i = np.arange(len(time))
    spells = np.convolve(rng.normal(0, 1, len(time)), np.exp(-np.arange(200) / 60) / 4, "same")
    degrees = 10 - 12 * np.cos(2 * np.pi * i / 8760) + 3 * np.sin(2 * np.pi * i / 24) + 4 * spells
    load = 3 * np.clip(15 - degrees, 0, None) + 4 * np.clip(degrees - 18, 0, None)
    return Series(KEY, time, values + load, degrees)


def test_slopes_are_found(heated):
    response = WeatherResponse(HOUR)
    response.update(heated.time, heated.values, heated.temperature)
    np.testing.assert_allclose(response.theta[:2], [3, 4], atol=0.3)


def test_kelvin_is_told_from_celsius(heated):
    a, b = WeatherResponse(HOUR), WeatherResponse(HOUR)
    one = a.update(heated.time, heated.values, heated.temperature)
    two = b.update(heated.time, heated.values, heated.temperature + 273.15)
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_streamed_and_saved_equals_batch(heated):
    whole = detect([heated], HOUR, until=heated.time[3000]).found[KEY]
    start = detect([heated.cut(0, 3001)], HOUR, until=heated.time[3000])
    live = MeterWatch.from_files(start.meters[KEY].to_files())
    part = heated.cut(3001, 4000)
    got = live.update(part.time, part.values, temperature=part.temperature)
    np.testing.assert_array_equal(got.score, whole.score[1:1000])
    np.testing.assert_array_equal(got.expected, whole.expected[1:1000])


def test_expected_follows_the_weather_and_a_fault_stands_out(heated):
    values = heated.values.copy()
    values[5000:5003] *= 1.6
    faulty = heated._replace(values=values)
    scores = []
    for series in (faulty, faulty._replace(temperature=None)):
        found = detect([series], HOUR, until=series.time[4000]).found[KEY]
        error = np.abs(found.expected - heated.values[4000:])
        scores.append((np.nanmedian(error), found.score[1000] / np.nanmedian(found.score)))
    (error_with, stands_with), (error_without, stands_without) = scores
    assert error_with < 0.7 * error_without and stands_with > stands_without


def test_missing_temperatures_add_nothing(heated):
    response = WeatherResponse(HOUR)
    gone = np.full(len(heated.time), np.nan)
    assert not response.update(heated.time, heated.values, gone).any()


def test_the_column_is_found_or_named():
    frame = pl.DataFrame(
        {
            "entity": ["a", "a"],
            "timestamp": [buildings.START.astype(object), buildings.hours(2)[1].astype(object)],
            "kwh": [1.0, 2.0],
            "air_temperature": [3.0, None],
            "outside": [5.0, 6.0],
        }
    )
    spec = SeriesSpec(targets=("kwh",))
    np.testing.assert_array_equal(series_of(frame, spec)[0].temperature, [3.0, np.nan])
    assert series_of(frame, spec, "outside")[0].temperature.tolist() == [5.0, 6.0]
    with pytest.raises(ColumnError):
        series_of(frame, spec, "nowhere")


def test_bad_input_is_refused(heated):
    response = WeatherResponse(HOUR)
    with pytest.raises(DataError):
        response.update(heated.time[:3], heated.values[:3], heated.temperature[:2])
    files = response.to_files()
    with pytest.raises(IntegrityError):
        WeatherResponse.from_files({**files, "state.json": b"{}"})
