"""The default online store: one SQLite file, one packed row per entity."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from esgml.core.errors import StorageError
from esgml.core.storage import explained
from esgml.features.store.online import NewRow, OnlineStore, StoredRow, Watermark

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS online (view TEXT NOT NULL, key TEXT NOT NULL,"
    " event INTEGER NOT NULL, created INTEGER NOT NULL, payload BLOB NOT NULL,"
    " PRIMARY KEY (view, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS watermark (view TEXT PRIMARY KEY, content TEXT NOT NULL)"
    " WITHOUT ROWID",
)
_READ = "SELECT event, created, payload FROM online WHERE view = ? AND key = ?"
_WRITE = (
    "INSERT INTO online VALUES (?, ?, ?, ?, ?) ON CONFLICT (view, key) DO UPDATE SET"
    " event = excluded.event, created = excluded.created, payload = excluded.payload"
    " WHERE excluded.event > event OR (excluded.event = event AND"
    " (excluded.created > created OR"
    " (excluded.created = created AND excluded.payload <> payload)))"
)
_MARK = "INSERT OR REPLACE INTO watermark VALUES (?, ?)"


class SqliteOnlineStore(OnlineStore):
    """Online rows in a SQLite file with a write-ahead log.

    Readers never wait for a writer. Each thread has its own connection and its own
    prepared statements; rows and watermark are written in one transaction.

    Parameters
    ----------
    path : Path
        Created when first used.

    Raises
    ------
    StorageError
        From every method, if the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[sqlite3.Connection] = []

    def read(self, view: str, key: str) -> StoredRow | None:
        """Return the latest row of an entity, None where there is none."""
        try:
            local = self._local
            if getattr(local, "pid", None) != os.getpid():
                self._connect()
            row = local.connection.execute(_READ, (view, key)).fetchone()
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return None if row is None else StoredRow(*row)

    def write(self, view: str, rows: Iterable[NewRow], watermark: Watermark | None) -> int:
        """Write rows and watermark in one transaction."""
        with self._explained(), self._connection() as connection:
            before = connection.total_changes
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_WRITE, ((view, *row) for row in rows))
            changed = connection.total_changes - before
            if watermark is not None:
                connection.execute(_MARK, (view, watermark.to_json()))
        return changed

    def watermark(self, view: str) -> Watermark | None:
        """Return how far a view was materialized, None = never."""
        with self._explained(), self._connection() as connection:
            row = connection.execute(
                "SELECT content FROM watermark WHERE view = ?", (view,)
            ).fetchone()
        return None if row is None else Watermark.from_json(row[0])

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._local = threading.local()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yield this thread's connection; commit at the end, roll back on an error."""
        if getattr(self._local, "pid", None) != os.getpid():
            self._connect()
        connection: sqlite3.Connection = self._local.connection
        try:
            yield connection
            if connection.in_transaction:
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _connect(self) -> None:
        """Open a connection for this thread (and process: none survives a fork)."""
        if self._is_read_only():
            place = f"{self._path.resolve().as_uri()}?immutable=1"
            connection = sqlite3.connect(
                place, uri=True, isolation_level=None, check_same_thread=False
            )
        else:
            connection = self._writable()
        self._local.connection = connection
        self._local.pid = os.getpid()
        with self._lock:
            self._open.append(connection)

    def _is_read_only(self) -> bool:
        """Whether the file lies, whole, on a disk that nobody writes: then it needs no log."""
        log = self._path.with_name(f"{self._path.name}-wal")
        if not self._path.is_file() or (log.is_file() and log.stat().st_size):
            return False
        return bool(os.statvfs(self._path).f_flag & os.ST_RDONLY)

    def _writable(self) -> sqlite3.Connection:
        with explained(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=5.0, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA mmap_size = 268435456")
            for statement in _SCHEMA:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> StorageError:
        text = str(error)
        code, remedy = "storage", "Check the file, or remove it and materialize again."
        if "readonly" in text or "unable to open" in text:
            code, remedy = "read_only", "Choose a writable --workspace."
        elif "full" in text:
            code, remedy = "disk_full", "Free space, then materialize again."
        elif "locked" in text or "busy" in text:
            code, remedy = "locked", "Another process is writing; try again."
        return StorageError(
            f"the online store failed: {text}.", code=code, where=str(self._path), remedy=remedy
        )
