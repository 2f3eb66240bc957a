"""Reading a table from wherever it lies: files, databases, data frames.

What comes out is the table as it stands, row for row: nothing is parsed beyond what the
format itself says, so that the checks see every oddity with its row number.
"""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import polars as pl

from esgml.core.errors import MissingExtraError, NotFoundError, ReadError, UsageError
from esgml.core.storage import explained

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARROW = {".arrow", ".feather", ".ipc"}
_TEXT = {".csv", ".tsv", ".txt"}
_SEPARATORS = (",", ";", "\t", "|")
_SNIFF_BYTES = 65_536
_INFER_ROWS = 10_000


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
            return _read_database(text)
        return _read_file(Path(source), max_bytes)
    return _from_object(source)


def describe(source: Any) -> str:
    """Return a name of `source` for messages, without any password in it."""
    if isinstance(source, str) and "://" in source:
        parts = urlsplit(source)
        host = parts.netloc.rpartition("@")[2]
        user = parts.username or ""
        return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))
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
        # a meaningful index (entity, timestamp) becomes columns, a plain row number does not
        if any(name is not None for name in source.index.names):
            source = source.reset_index()
        elif type(source.index).__name__ == "DatetimeIndex":
            source = source.rename_axis("timestamp").reset_index()
        names = [str(c) for c in source.columns]
        _refuse_repeated(names, "pandas DataFrame")
        source = source.set_axis(names, axis=1)
        # columns of mixed Python objects become texts, so that the checks see what is wrong:
        # left to the conversion, a timestamp without a zone would pass for UTC
        mixed = [c for c in names if source[c].dtype == object and _is_mixed(source[c])]
        texts = {c: [None if _is_missing(v) else str(v) for v in source[c]] for c in mixed}
        rest = pl.from_pandas(source.drop(columns=mixed))
        return rest.with_columns(
            pl.Series(c, values, dtype=pl.String) for c, values in texts.items()
        ).select(names)
    if library == "pyarrow" or hasattr(source, "__arrow_c_stream__"):
        table = pl.from_arrow(source)
        return table.to_frame() if isinstance(table, pl.Series) else table
    raise UsageError(
        f"cannot read a table from a {type(source).__name__}.",
        code="source_unknown",
        remedy="Give a path, a database URL, or a pandas, Polars or pyarrow table.",
    )


def _is_mixed(values: Any) -> bool:
    kinds = {(type(v), getattr(v, "tzinfo", None) is None) for v in values if not _is_missing(v)}
    return len(kinds) > 1


def _is_missing(value: Any) -> bool:
    return value is None or bool(value != value)


def _refuse_repeated(names: Sequence[str], where: str) -> None:
    repeated = sorted({n for n in names if list(names).count(n) > 1})
    if repeated:
        raise ReadError(
            f"column {', '.join(map(repr, repeated))} appears more than once.",
            code="duplicate_column",
            where=where,
            remedy="Give every column its own name.",
        )


def _read_file(path: Path, max_bytes: int | None) -> pl.DataFrame:
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
            return _read_text(path)
    raise UsageError(
        f"unknown kind of file {suffix!r}.",
        code="source_unknown",
        where=str(path),
        remedy="Use .csv, .tsv, .parquet, .arrow or .feather.",
    )


def _columnar(path: Path, kind: str) -> pl.DataFrame:
    try:
        if kind == "Parquet":
            return pl.read_parquet(path, glob=False)
        return pl.read_ipc(path)
    except OSError:
        raise
    except Exception as error:
        raise ReadError(
            f"this is not a readable {kind} file: {_first_line(error)}",
            where=str(path),
            remedy=f"Write it again as {kind}, or give it the ending that fits its content.",
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]


def _read_text(path: Path) -> pl.DataFrame:
    import gzip

    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            head = file.read(_SNIFF_BYTES)
    except (gzip.BadGzipFile, EOFError) as error:
        raise ReadError(
            f"not a readable gzip file: {_first_line(error)}", where=str(path)
        ) from error
    source: Path | io.BytesIO = path
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = path.read_bytes().decode("utf-16")
        source, head = io.BytesIO(text.encode()), text[:_SNIFF_BYTES].encode()
    if b"\0" in head:
        raise ReadError(
            "this is a binary file, not text.",
            code="binary",
            where=str(path),
            remedy="Give a CSV file, or the ending that fits its content (.parquet, .arrow).",
        )
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise ReadError(
            "the file holds only white space.",
            code="empty_file",
            where=str(path),
            remedy="Export the table again; it needs a header and at least two rows.",
        )
    separator = sniff_separator(head.decode("utf-8", errors="replace"))
    try:
        frame = _parse_text(source, separator)
    except OSError:
        raise
    except Exception as error:
        raise _explain_text_error(path, separator, error) from error
    names = [name.strip().strip("\ufeff") for name in frame.columns]
    repeated = [name for name in names if re.search(r"_duplicated_\d+$", name)]
    if repeated:
        _refuse_repeated([re.sub(r"_duplicated_\d+$", "", n) for n in names], str(path))
    frame.columns = names
    return frame


def _parse_text(source: Path | io.BytesIO, separator: str) -> pl.DataFrame:
    try:
        return pl.read_csv(source, separator=separator, infer_schema_length=_INFER_ROWS)
    except pl.exceptions.ComputeError:
        # a text far down in a numeric column: look at every row before deciding on types
        if isinstance(source, io.BytesIO):
            source.seek(0)
        return pl.read_csv(source, separator=separator, infer_schema_length=None)


def sniff_separator(head: str) -> str:
    """Return the separator of delimited text: the one that splits the first lines alike."""
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    if len(lines) > 2:
        lines = lines[:-1]  # the last may be cut off
    best, score = ",", (0, 0)
    for separator in _SEPARATORS:
        counts = [len(re.sub(r'"[^"]*"', "", line).split(separator)) - 1 for line in lines]
        if counts and counts[0] > 0:
            alike = sum(count == counts[0] for count in counts)
            if (alike, counts[0]) > score:
                best, score = separator, (alike, counts[0])
    return best


def _explain_text_error(path: Path, separator: str, error: Exception) -> ReadError:
    """Find the first line that is not UTF-8 or has another number of fields."""
    import csv
    import gzip

    opener = gzip.open if path.suffix == ".gz" else open
    number = 0
    with opener(path, "rb") as raw:
        try:
            for number, line in enumerate(raw, start=1):  # noqa: B007 - used in the handler
                line.decode("utf-8")
        except UnicodeDecodeError as bad:
            return ReadError(
                f"byte {bad.start + 1} of line {number} is not UTF-8.",
                code="encoding",
                where=f"{path}: line {number}",
                remedy=f"Convert it: iconv -f CP1252 -t UTF-8 {path.name} > utf8.csv.",
            )
    with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, delimiter=separator)
        try:
            header = next(rows, [])
            for row in rows:
                if row and len(row) != len(header):
                    return ReadError(
                        f"line {rows.line_num} has {len(row)} fields, the header has"
                        f" {len(header)}.",
                        code="ragged",
                        where=f"{path}: line {rows.line_num}",
                        remedy="Quote fields that hold the separator, or mend the line.",
                    )
        except csv.Error as bad:
            return ReadError(f"{bad}.", where=f"{path}: line {rows.line_num}")
    return ReadError(
        f"cannot be read as delimited text: {_first_line(error)}",
        where=str(path),
        remedy="Save it as UTF-8 CSV with one header line.",
    )


def _read_database(url: str) -> pl.DataFrame:
    parts = urlsplit(url)
    table = (parse_qs(parts.query).get("table") or [""])[0]
    where = describe(url)
    if parts.scheme not in ("sqlite", "postgresql", "postgres"):
        raise UsageError(
            f"unknown kind of source {parts.scheme!r}.",
            code="source_unknown",
            where=where,
            remedy="Use sqlite:///file.db?table=NAME or postgresql://…?table=NAME.",
        )
    if not table:
        raise UsageError(
            "the URL names no table.",
            code="table_missing",
            where=where,
            remedy="Add ?table=NAME to the URL.",
        )
    if parts.scheme == "sqlite":
        return _read_sqlite(parts.path, table, where)
    return _read_postgres(url, table, where)


def _frame_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    series = []
    for name, values in columns.items():
        kinds = {type(v) for v in values if v is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:
            # a dynamically typed column: texts among numbers stay visible to the checks
            values = [None if v is None else str(v) for v in values]
        series.append(pl.Series(name, values, strict=False))
    return pl.DataFrame(series)


def _read_sqlite(path: str, table: str, where: str) -> pl.DataFrame:
    import sqlite3
    from contextlib import closing

    # sqlite:///relative.db and sqlite:////absolute.db, as SQLAlchemy writes them
    file = Path(unquote(path[1:] if path.startswith("/") else path))
    if not file.is_file():
        raise NotFoundError("no such database file.", where=where)
    quoted = '"' + table.replace('"', '""') + '"'
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = ? AND type IN ('table', 'view')",
                (table,),
            ).fetchone()
            if found is None:
                raise NotFoundError(f"no table {table!r} in this database.", where=where)
            cursor = connection.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - quoted above
            return _frame_of([d[0] for d in cursor.description], cursor.fetchall())
    except sqlite3.Error as error:
        raise ReadError(
            f"the database cannot be read: {error}.",
            where=where,
            remedy="Check that this is an SQLite file and that it is not locked.",
        ) from error


def _read_postgres(url: str, table: str, where: str) -> pl.DataFrame:
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise MissingExtraError.of("psycopg", "registry") from error
    parts = urlsplit(url)
    address = urlunsplit(parts._replace(scheme="postgresql", query=""))
    statement = sql.SQL("SELECT * FROM {}").format(sql.Identifier(*table.split(".")))
    try:
        with psycopg.connect(address, connect_timeout=10) as connection:
            cursor = connection.execute(statement)
            return _frame_of([d.name for d in cursor.description or ()], cursor.fetchall())
    except psycopg.errors.UndefinedTable as error:
        raise NotFoundError(f"no table {table!r} in this database.", where=where) from error
    except psycopg.Error as error:
        raise ReadError(
            f"the database cannot be read: {_first_line(error)}",
            where=where,
            remedy="Check the address, the user and its rights on the table.",
        ) from error
