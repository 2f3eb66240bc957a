"""Forecasts as files for other programs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from esgml.core.errors import UsageError
from esgml.core.storage import write_atomic

if TYPE_CHECKING:
    import polars as pl

FORMATS = (".csv", ".parquet", ".json")


def check_output(path: Path | None) -> None:
    """Refuse a file whose ending says no format, before the work of minutes.

    Raises
    ------
    UsageError
        If the ending is none of `FORMATS`.
    """
    if path is not None and path.suffix.lower() not in FORMATS:
        raise UsageError(f"--output must end in one of {', '.join(FORMATS)}.", where=str(path))


def write_rows(path: Path, rows: pl.DataFrame) -> None:
    """Write forecast rows as CSV, Parquet or JSON, by the file's ending, whole or not at all."""
    buffer = io.BytesIO()
    kind = path.suffix.lower()
    if kind == ".parquet":
        rows.write_parquet(buffer)
    elif kind == ".json":
        rows.write_json(buffer)
    else:
        rows.write_csv(buffer, datetime_format="%Y-%m-%dT%H:%M:%S")
    write_atomic(path, buffer.getvalue())
