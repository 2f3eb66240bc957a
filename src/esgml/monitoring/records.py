"""Recorded predictions: what a record holds, how the chain is hashed, and reading it back."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from esgml.core.canonical import canonical_json
from esgml.core.errors import NotFoundError, StorageError
from esgml.core.events import PredictionMade
from esgml.core.storage import sha256

GENESIS = "0" * 64
COLUMNS = (
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
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM prediction"  # noqa: S608 - names from above


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

    @classmethod
    def of(cls, seq: int, previous: str, at: str, event: PredictionMade) -> Self:
        """Return the record of a prediction at its place in the chain."""
        response = canonical_json(event.response)
        body = cls(
            seq,
            event.prediction_id,
            at,
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
        return replace(body, hash=body.computed())

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
