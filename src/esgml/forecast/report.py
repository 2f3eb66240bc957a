"""Forecasts as files: rows for other programs, a report for the dashboard."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.storage import write_atomic
from esgml.forecast.request import encode

if TYPE_CHECKING:
    import polars as pl

    from esgml.core.panel import Panel
    from esgml.core.results import Forecast

#: Periods of history the report shows before the forecast.
SHOWN = 120


def write_rows(path: Path, rows: pl.DataFrame) -> None:
    """Write forecast rows as CSV or Parquet, by the file's ending, whole or not at all."""
    buffer = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        rows.write_parquet(buffer)
    else:
        rows.write_csv(buffer)
    write_atomic(path, buffer.getvalue())


def report(
    history: Panel, forecast: Forecast, target_path: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the dashboard's forecast page shows, as JSON values."""
    place = {key: i for i, key in enumerate(history.keys)}
    shown = []
    for key in forecast.keys:
        if key not in place:
            continue
        rows = history.rows_of(place[key])
        values = history.values[rows][-SHOWN:]
        shown.append(
            {
                "entity": key.entity,
                "target": key.target,
                "timestamps": [str(t.astype("datetime64[s]")) for t in history.time[rows][-SHOWN:]],
                "values": [float(v) if np.isfinite(v) else None for v in values],
            }
        )
    document = {
        "title": "Forecast",
        "unit": next(iter(forecast.units.values()), ""),
        "history": shown,
        **encode(forecast, forecast.levels),
    }
    if target_path is not None:
        document["target_path"] = target_path
    return document


def write_report(
    path: Path, history: Panel, forecast: Forecast, target_path: dict[str, Any] | None = None
) -> None:
    """Write the report of a forecast for the dashboard."""
    document = report(history, forecast, target_path)
    write_atomic(path, json.dumps(document, allow_nan=False).encode())
