"""The log of predictions: append-only, hash-chained, written off the hot path.

A prediction is handed over in memory and written by a thread of its own, in one transaction
for all that waits. If the log cannot be written (disk full, read-only), handing over fails,
so that no prediction is given out unrecorded; writing is retried until it works again.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from esgml.core.errors import StorageError
from esgml.core.events import PredictionMade
from esgml.core.storage import explained
from esgml.monitoring.records import COLUMNS, GENESIS, Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS prediction (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, model TEXT NOT NULL,
    version TEXT NOT NULL, tenant TEXT NOT NULL, seconds REAL NOT NULL, request BLOB NOT NULL,
    response BLOB NOT NULL, response_sha256 TEXT NOT NULL, bundle_digest TEXT NOT NULL,
    data_fingerprint TEXT NOT NULL, code_version TEXT NOT NULL, previous TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE);
CREATE TRIGGER IF NOT EXISTS prediction_no_update BEFORE UPDATE ON prediction
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS prediction_no_delete BEFORE DELETE ON prediction
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
"""
_INSERT = (
    f"INSERT INTO prediction ({', '.join(COLUMNS)})"  # noqa: S608 - names from above
    f" VALUES ({', '.join('?' * len(COLUMNS))})"
)


@dataclass(frozen=True)
class _Pending:
    at: str
    event: PredictionMade


def _store_error(error: sqlite3.Error, path: Path) -> StorageError:
    text = str(error)
    full = "full" in text
    return StorageError(
        f"the log of predictions cannot be written: {text}.",
        code="disk_full" if full else "log_unwritable",
        where=str(path),
        remedy="Free space or make the workspace writable; writing is tried again by itself.",
    )


class PredictionLog:
    """Write predictions to a SQLite file from a background thread.

    Parameters
    ----------
    path : Path
        The file; made with its folder where missing.
    max_waiting : int
        Most predictions handed over and not yet written.
    retry_seconds : float
        Pause before writing is tried again after a failure.

    Raises
    ------
    StorageError
        If the file cannot be made or written.
    """

    def __init__(self, path: Path, *, max_waiting: int = 10_000, retry_seconds: float = 0.5):
        self.path = path
        self._retry_seconds = retry_seconds
        self._queue: queue.Queue[_Pending | None] = queue.Queue(max_waiting)
        self._failure: StorageError | None = None
        self._closing = threading.Event()
        with explained(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with contextlib.closing(self._connect()) as connection:
                connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise _store_error(error, path) from error
        self._thread = threading.Thread(target=self._work, name="esgml-log", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def record(self, event: PredictionMade) -> None:
        """Take a prediction over; it is written within milliseconds.

        Raises
        ------
        StorageError
            If the log cannot be written, or too many predictions wait to be.
        """
        if self._closing.is_set():
            raise StorageError("the log of predictions is closed.", code="log_closed")
        if self._failure is not None:
            raise self._failure
        pending = _Pending(datetime.now(UTC).isoformat(timespec="microseconds"), event)
        try:
            self._queue.put_nowait(pending)
        except queue.Full:
            raise StorageError(
                "too many predictions wait to be recorded.",
                code="log_full",
                where=str(self.path),
                remedy="Try again shortly.",
            ) from None

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until everything taken over is written; returns whether it was in time."""
        deadline = time.monotonic() + seconds
        while self._queue.unfinished_tasks:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, then end.

        Raises
        ------
        StorageError
            If something could not be written in time; it names how many were lost.
        """
        if self._closing.is_set():
            return
        written = self.flush(seconds)
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(seconds if written else 2 * self._retry_seconds)
        lost = self._queue.unfinished_tasks - (1 if self._thread.is_alive() else 0)
        if not written and lost > 0:
            raise StorageError(
                f"{lost} predictions could not be recorded.",
                code="log_lost",
                where=str(self.path),
                remedy="Free space or make the workspace writable.",
            )

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        while True:
            batch = self._take()
            items = [item for item in batch if item is not None]
            while items:
                try:
                    connection = connection or self._connect()
                    self._write(connection, items)
                    self._failure = None
                    break
                except sqlite3.Error as error:
                    self._failure = _store_error(error, self.path)
                    if connection is not None:
                        connection.close()
                        connection = None
                    if self._closing.wait(self._retry_seconds):
                        return
            for _ in batch:
                self._queue.task_done()
            if len(items) < len(batch):
                break
        if connection is not None:
            connection.close()

    def _take(self) -> list[_Pending | None]:
        """Wait for one prediction, then take all that wait with it."""
        batch = [self._queue.get()]
        while len(batch) < 1000:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _write(self, connection: sqlite3.Connection, items: Sequence[_Pending]) -> None:
        connection.execute("BEGIN IMMEDIATE")  # other processes may write the same log
        try:
            last = connection.execute(
                "SELECT seq, hash FROM prediction ORDER BY seq DESC LIMIT 1"
            ).fetchone()
            seq, previous = last if last else (0, GENESIS)
            rows = []
            for item in items:
                seq += 1
                record = Record.of(seq, previous, item.at, item.event)
                previous = record.hash
                rows.append(tuple(getattr(record, name) for name in COLUMNS))
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
