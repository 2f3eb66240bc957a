"""The log of predictions: append-only, hash-chained, written off the hot path.

A prediction is handed over in memory and written by a thread of its own, in one transaction
for all that waits. If the log cannot be written (disk full, read-only), handing over fails,
so that no prediction is given out unrecorded; writing is retried until it works again.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from esgml.core.canonical import canonical_json
from esgml.core.errors import NotFoundError, StorageError
from esgml.core.events import PredictionMade
from esgml.core.storage import explained, sha256

GENESIS = "0" * 64
_COLUMNS = (
    "seq",
    "id",
    "at",
    "model",
    "version",
    "tenant",
    "seconds",
    "request",
    "response",
    "response_sha256",
    "bundle_digest",
    "data_fingerprint",
    "code_version",
    "previous",
    "hash",
)
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
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM prediction"  # noqa: S608 - names from above
_INSERT = (
    f"INSERT INTO prediction ({', '.join(_COLUMNS)})"  # noqa: S608 - names from above
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
)


@dataclass(frozen=True)
class Record:
    """One prediction as it was made.

    Attributes
    ----------
    seq : int
        Position in the log, from 1.
    id : str
    at : str
        When it was made; ISO 8601, UTC.
    model, version, tenant : str
    seconds : float
        How long it took.
    request, response : bytes
        Canonical JSON.
    response_sha256, bundle_digest, data_fingerprint, code_version : str
        Code version is that of the service that answered.
    previous, hash : str
        SHA-256 of the record before, and of this one with it.
    """

    seq: int
    id: str
    at: str
    model: str
    version: str
    tenant: str
    seconds: float
    request: bytes
    response: bytes
    response_sha256: str
    bundle_digest: str
    data_fingerprint: str
    code_version: str
    previous: str
    hash: str

    def computed(self) -> str:
        """Return the hash the record must have."""
        body = [
            self.seq,
            self.id,
            self.at,
            self.model,
            self.version,
            self.tenant,
            self.seconds,
            sha256(self.request),
            self.response_sha256,
            self.bundle_digest,
            self.data_fingerprint,
            self.code_version,
            self.previous,
        ]
        return sha256(canonical_json(body))

    @property
    def intact(self) -> bool:
        """Whether the record is as it was written."""
        return self.hash == self.computed() and sha256(self.response) == self.response_sha256

    def asked(self) -> dict[str, Any]:
        """Return the request as plain values."""
        value = json.loads(self.request)
        assert isinstance(value, dict)
        return value


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
                record = _record(seq, previous, item)
                previous = record.hash
                rows.append(tuple(getattr(record, name) for name in _COLUMNS))
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def _record(seq: int, previous: str, item: _Pending) -> Record:
    event = item.event
    response = canonical_json(event.response)
    body = Record(
        seq,
        event.prediction_id,
        item.at,
        event.model,
        event.version,
        event.tenant,
        round(event.seconds, 6),
        canonical_json(event.request),
        response,
        sha256(response),
        event.bundle_digest,
        event.data_fingerprint,
        event.code_version,
        previous,
        "",
    )
    return Record(**{**body.__dict__, "hash": body.computed()})


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise NotFoundError(
            "no prediction was recorded here.",
            code="log_missing",
            where=str(path),
            remedy="Predictions are recorded by `esgml serve`; name its --workspace.",
        )
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield connection
    except sqlite3.Error as error:
        raise StorageError(
            f"the log of predictions cannot be read: {error}.",
            code="log_unreadable",
            where=str(path),
        ) from error


def find(path: Path, prediction_id: str) -> Record:
    """Return the record of a prediction.

    Raises
    ------
    NotFoundError
        If there is no log, or no such prediction in it.
    """
    with _reading(path) as connection:
        row = connection.execute(f"{_SELECT} WHERE id = ?", (prediction_id,)).fetchone()
    if row is None:
        raise NotFoundError(
            f"no prediction {prediction_id[:80]!r} was recorded.",
            code="prediction_unknown",
            where=str(path),
            remedy="The id is the field prediction_id of the answer.",
        )
    return Record(*row)


def latest(path: Path, count: int = 20) -> list[Record]:
    """Return the last predictions, newest first."""
    with _reading(path) as connection:
        rows = connection.execute(f"{_SELECT} ORDER BY seq DESC LIMIT ?", (count,)).fetchall()
    return [Record(*row) for row in rows]


def check(path: Path) -> list[str]:
    """Return what is wrong with a log; empty where every record is intact and follows."""
    found = []
    previous = GENESIS
    with _reading(path) as connection:
        for number, row in enumerate(connection.execute(f"{_SELECT} ORDER BY seq"), start=1):
            record = Record(*row)
            if record.seq != number:
                found.append(f"record {number} is missing; found record {record.seq} instead.")
                break
            if record.previous != previous:
                found.append(f"record {record.seq} does not follow the one before it.")
            if not record.intact:
                found.append(f"record {record.seq} was changed after it was written.")
            previous = record.hash
    return found
