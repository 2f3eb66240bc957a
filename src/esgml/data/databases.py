"""Reading a table of a database by URL: SQLite files and PostgreSQL servers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import polars as pl

from esgml.core.errors import MissingExtraError, NotFoundError, ReadError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

#: Parameters of a URL that nobody should read in a message.
_SECRET = ("password", "sslpassword", "passfile")


def shown_url(url: str) -> str:
    """Return a URL without any password in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    query = "&".join(
        part for part in parts.query.split("&") if part.partition("=")[0].lower() not in _SECRET
    )
    place = f"{user}@{host}" if user else host
    return f"{parts.scheme}://{place}{parts.path}{'?' if query else ''}{query}"


def read_database(url: str) -> pl.DataFrame:
    """Return the table a database URL names in its parameter ``table``.

    Raises
    ------
    UsageError
        If the database is of another kind, or no table is named.
    NotFoundError
        If there is no such file or table.
    ReadError
        If the database cannot be reached or read.
    """
    parts = urlsplit(url)
    table = (parse_qs(parts.query).get("table") or [""])[0]
    where = shown_url(url)
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
    return _read_postgres(parts, table, where)


def _frame_of(names: Sequence[str], rows: Sequence[Sequence[Any]], where: str) -> pl.DataFrame:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ReadError(
            f"column {', '.join(map(repr, repeated))} appears more than once.",
            code="duplicate_column",
            where=where,
            remedy="Give every column of the table or view its own name.",
        )
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    series = []
    for name, values in columns.items():
        kinds = {type(v) for v in values if v is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:
            # a dynamically typed column: texts among numbers stay visible to the checks
            values = [None if v is None else str(v) for v in values]
        series.append(pl.Series(name, values, strict=False))
    return pl.DataFrame(series)


def _no_table(table: str, where: str) -> NotFoundError:
    return NotFoundError(
        f"no table {table!r} in this database.",
        where=where,
        remedy="Check the name, with its schema where it has one (schema.table).",
    )


def _read_sqlite(path: str, table: str, where: str) -> pl.DataFrame:
    import sqlite3
    from contextlib import closing

    # sqlite:///relative.db and sqlite:////absolute.db, as SQLAlchemy writes them
    file = Path(unquote(path[1:] if path.startswith("/") else path))
    if not file.is_file():
        raise NotFoundError(
            "no such database file.",
            where=where,
            remedy="Write sqlite:///relative.db or sqlite:////absolute/path.db.",
        )
    quoted = '"' + table.replace('"', '""') + '"'
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = ? AND type IN ('table', 'view')",
                (table,),
            ).fetchone()
            if found is None:
                raise _no_table(table, where)
            cursor = connection.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - quoted above
            return _frame_of([d[0] for d in cursor.description], cursor.fetchall(), where)
    except sqlite3.Error as error:
        raise ReadError(
            f"the database cannot be read: {error}.",
            where=where,
            remedy="Check that this is an SQLite file and that it is not locked.",
        ) from error


def _read_postgres(parts: SplitResult, table: str, where: str) -> pl.DataFrame:
    try:
        import psycopg
        from psycopg import sql
    except ImportError as error:
        raise MissingExtraError.of("psycopg", "registry") from error
    # what else the URL says (sslmode, options) is meant for the server
    rest = [(key, value) for key, value in parse_qsl(parts.query) if key != "table"]
    if all(key != "connect_timeout" for key, _ in rest):
        rest.append(("connect_timeout", "10"))
    address = urlunsplit(parts._replace(scheme="postgresql", query=urlencode(rest)))
    statement = sql.SQL("SELECT * FROM {}").format(sql.Identifier(*table.split(".")))
    try:
        with psycopg.connect(address) as connection:
            cursor = connection.execute(statement)
            return _frame_of([d.name for d in cursor.description or ()], cursor.fetchall(), where)
    except psycopg.errors.UndefinedTable as error:
        raise _no_table(table, where) from error
    except psycopg.Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ReadError(
            f"the database cannot be read: {lines[0][:200]}",
            where=where,
            remedy="Check the address, the user and its rights on the table.",
        ) from error
