"""Reading a table from wherever it lies: files, databases, data frames.

What comes out is the table as it stands, row for row: nothing is parsed beyond what the
format itself says, so that the checks see every oddity with its row number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from esgml.core.errors import ReadError, UsageError
from esgml.core.storage import explained
from esgml.data.databases import read_database, shown_url
from esgml.data.text_tables import read_text, refuse_repeated

_ARROW = {".arrow", ".arrows", ".feather", ".ipc"}
_TEXT = {".csv", ".tsv", ".txt"}


def read(source: Any, *, max_bytes: int | None = None) -> pl.DataFrame:
    """Return the table found at `source`, row for row as it stands there.

    Parameters
    ----------
    source : path, URL or data frame
        A file (``.csv``, ``.tsv``, ``.csv.gz``, ``.parquet``, ``.arrow``, ``.feather``), a
        database URL naming a table (``sqlite:///file.db?table=readings``,
        ``postgresql://user@host/db?table=readings``), or a pandas, Polars or pyarrow table.
    max_bytes : int, optional
        Refuse files larger than this.

    Returns
    -------
    DataFrame
        Text files keep the texts of columns that are not wholly numeric.

    Raises
    ------
    NotFoundError
        If there is no such file or table.
    ReadError
        If the bytes are no table: empty, binary, ragged rows, wrong encoding.
    UsageError
        If the kind of source is not one of the above.
    """
    if isinstance(source, str | Path):
        text = str(source)
        if "://" in text:
            return read_database(text)
        return _read_file(Path(source), max_bytes)
    return _from_object(source)


def describe(source: Any) -> str:
    """Return a name of `source` for messages, without any password in it."""
    if isinstance(source, str) and "://" in source:
        return shown_url(source)
    if isinstance(source, str | Path):
        return str(source)
    return f"{type(source).__module__.partition('.')[0]} {type(source).__name__}"


def _from_object(source: Any) -> pl.DataFrame:
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    library = type(source).__module__.partition(".")[0]
    if library == "pandas" and hasattr(source, "columns"):
        return _from_pandas(source)
    if library == "pyarrow" or hasattr(source, "__arrow_c_stream__"):
        refuse_repeated(list(getattr(source, "column_names", ())), f"{library} table")
        table = pl.from_arrow(source)
        return table.to_frame() if isinstance(table, pl.Series) else table
    raise UsageError(
        f"cannot read a table from a {type(source).__name__}.",
        code="source_unknown",
        remedy="Give a path, a database URL, or a pandas, Polars or pyarrow table.",
    )


def _from_pandas(source: Any) -> pl.DataFrame:
    # a meaningful index (entity, timestamp) becomes columns, a plain row number does not
    index = [str(name) for name in source.index.names if name is not None]
    if not index and type(source.index).__name__ in ("DatetimeIndex", "PeriodIndex"):
        source, index = source.rename_axis("timestamp"), ["timestamp"]
    refuse_repeated([*index, *map(str, source.columns)], "pandas DataFrame")
    if index:
        source = source.reset_index()
    names = [str(c) for c in source.columns]
    source = source.set_axis(names, axis=1)
    for name in names:
        if hasattr(source[name].dtype, "freq"):  # a period stands for its first moment
            source[name] = source[name].dt.start_time
    # columns of mixed Python objects become texts, so that the checks see what is wrong:
    # left to the conversion, a timestamp without a zone would pass for UTC
    mixed = [c for c in names if source[c].dtype == object and _is_mixed(source[c])]
    texts = {c: [None if _is_missing(v) else str(v) for v in source[c]] for c in mixed}
    rest = pl.from_pandas(source.drop(columns=mixed))
    return rest.with_columns(
        pl.Series(c, values, dtype=pl.String) for c, values in texts.items()
    ).select(names)


def _is_mixed(values: Any) -> bool:
    kinds = {(type(v), getattr(v, "tzinfo", None) is None) for v in values if not _is_missing(v)}
    return len(kinds) > 1


def _is_missing(value: Any) -> bool:
    return value is None or bool(value != value)


def _read_file(path: Path, max_bytes: int | None) -> pl.DataFrame:
    if "\0" in str(path):
        raise UsageError("a path holds no zero byte.", code="path", where=repr(str(path))[:80])
    with explained(path):
        size = path.stat().st_size
    if path.is_dir():
        raise ReadError(
            "this is a directory, not a table.",
            where=str(path),
            remedy="Name the file inside it.",
        )
    if size == 0:
        raise ReadError(
            "the file is empty.",
            code="empty_file",
            where=str(path),
            remedy="Export the table again; it needs a header and at least two rows.",
        )
    if max_bytes is not None and size > max_bytes:
        raise ReadError(
            f"the file has {size:,} bytes, more than the {max_bytes:,} allowed.",
            code="too_large",
            where=str(path),
            remedy="Split the table, or give it as Parquet.",
        )
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = Path(path.stem).suffix.lower() or ".csv"
    with explained(path):
        if suffix == ".parquet":
            return _columnar(path, "Parquet")
        if suffix in _ARROW:
            return _columnar(path, "Arrow")
        if suffix in _TEXT:
            return read_text(path)
    raise UsageError(
        f"unknown kind of file {suffix!r}.",
        code="source_unknown",
        where=str(path),
        remedy="Save it as .csv (in a spreadsheet: CSV UTF-8), .tsv, .parquet, .arrow or .feather.",
    )


def _columnar(path: Path, kind: str) -> pl.DataFrame:
    try:
        if kind == "Parquet":
            return pl.read_parquet(path, glob=False)
        with open(path, "rb") as file:
            is_file = file.read(6) == b"ARROW1"
        return pl.read_ipc(path) if is_file else pl.read_ipc_stream(path)
    except OSError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ReadError(
            f"this is not a readable {kind} file: {lines[0][:200]}",
            where=str(path),
            remedy=f"Write it again as {kind}, or give it the ending that fits its content.",
        ) from error
