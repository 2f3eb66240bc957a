"""Labelled series for anomaly detection, read where they lie (``ESGML_DATA``)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from esgml.anomaly.detect import Series
from esgml.core.frequency import Frequency
from esgml.core.panel import SeriesKey


class Labelled(NamedTuple):
    """A series with labels (1 = anomaly) and the moment up to which is learned."""

    series: Series
    label: np.ndarray
    frequency: Frequency
    until: np.datetime64


def data_folder() -> Path | None:
    """Return the folder of the anomaly sets, or None where there is none."""
    root = Path(os.environ.get("ESGML_DATA", "../shared/data")) / "anomaly"
    return root if root.is_dir() else None


def meters(root: Path) -> dict[str, Labelled]:
    """Return the five electricity meters: learned from January to June, judged to December."""
    found = {}
    for path in sorted((root / "meters").glob("*.csv")):
        table = pl.read_csv(path, infer_schema_length=None).with_columns(
            pl.col("timestamp").str.to_datetime(time_unit="us")
        )
        table = table.sort("timestamp")
        series = Series(
            SeriesKey(path.stem, "meter_reading"),
            table["timestamp"].to_numpy(),
            table["meter_reading"].cast(pl.Float64).to_numpy(),
        )
        label = table["anomaly"].fill_null(0).to_numpy().astype(int)
        found[path.stem] = Labelled(series, label, Frequency("h"), np.datetime64("2016-07-01"))
    return found


def boiler(root: Path) -> Labelled:
    """Return the boiler's gas pressure: learned from the first half, judged on the second."""
    table = pl.read_csv(root / "boiler_gas_15min.csv", infer_schema_length=None)
    table = table.with_columns(pl.col("Datetime").str.to_datetime(time_unit="us")).sort("Datetime")
    label = table["Anomaly"].cast(pl.String).str.to_lowercase() == "true"
    time = table["Datetime"].to_numpy()
    series = Series(SeriesKey("boiler", "pressure"), time, table["Value"].to_numpy())
    return Labelled(series, label.to_numpy().astype(int), Frequency("15min"), time[len(time) // 2])


def nab(root: Path) -> dict[str, Labelled]:
    """Return two temperatures of NAB: learned from the first quarter, judged on the rest."""
    windows = json.loads((root / "nab" / "labels" / "combined_windows.json").read_text())
    found = {}
    for name, code in (("machine_temperature", "5min"), ("ambient_temperature", "h")):
        key = f"realKnownCause/{name}_system_failure.csv"
        table = pl.read_csv(root / "nab" / "data" / key).with_columns(
            pl.col("timestamp").str.to_datetime(time_unit="us")
        )
        time = table.sort("timestamp")["timestamp"].to_numpy()
        label = np.zeros(len(time), dtype=int)
        for start, end in windows[key]:
            label[(time >= np.datetime64(start)) & (time <= np.datetime64(end))] = 1
        series = Series(SeriesKey(name, "value"), time, table.sort("timestamp")["value"].to_numpy())
        found[name] = Labelled(series, label, Frequency(code), time[len(time) // 4])
    return found
