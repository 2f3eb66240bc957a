"""The table a model learned from, kept under its fingerprint."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from esgml.core.errors import StorageError
from esgml.core.frames import SeriesSpec
from esgml.core.settings import Settings
from esgml.core.storage import open_atomic
from esgml.data.load import Loaded, load, load_table
from esgml.registry.fingerprint import Fingerprint, fingerprint

if TYPE_CHECKING:
    import polars as pl


def prepare(data: Any, spec: SeriesSpec | None = None, reads: str = "series") -> Loaded:
    """Return data ready to train on; what is `Loaded` already stays as it is.

    Parameters
    ----------
    data : path, URL, data frame or Loaded
    spec : SeriesSpec, optional
        Column roles; detected where left out. For a `Loaded` they are its own.
    reads : str
        How the table comes through the door, as `esgml.core.tasks.Task.reads` says.

    Raises
    ------
    DataError
        If the table has a fault that cleaning cannot mend.
    """
    if isinstance(data, Loaded):
        return data
    if reads == "series":
        return load(data, spec)
    return replace(load_table(data), spec=spec or SeriesSpec())


def keep(frame: pl.DataFrame, spec: SeriesSpec, settings: Settings) -> tuple[Path, Fingerprint]:
    """Store a table under its fingerprint in the workspace, once.

    Returns
    -------
    path : Path
        Parquet file; there whole or not at all.
    fingerprint : Fingerprint

    Raises
    ------
    StorageError
        If the workspace cannot be written.
    """
    found = fingerprint(frame, spec.time)
    path = settings.folder("data", f"{found.sha256}.parquet").absolute()
    if path.exists():
        return path, found
    with open_atomic(path) as file:
        _write(frame, file, path)
    return path, found


def _write(frame: pl.DataFrame, file: IO[bytes], path: Path) -> None:
    """Write Parquet; Polars tells of a full disk in words of its own."""
    import polars as pl

    try:
        frame.write_parquet(file, compression="zstd")
    except pl.exceptions.PolarsError as error:
        if f"os error {errno.ENOSPC}" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise StorageError(
            f"the table cannot be stored: {error}.",
            where=str(path),
            remedy="Check the disk and try again.",
        ) from error


def without_columns(found: Fingerprint) -> dict[str, Any]:
    """Return a fingerprint as plain values, for records that need not name every column."""
    return {k: v for k, v in replace(found, columns={}).as_dict().items() if k != "columns"}
