"""Run records: what was trained on what, when, how long, with what result."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from esgml.core.canonical import canonical_json
from esgml.core.errors import IntegrityError, NotFoundError
from esgml.core.settings import Settings
from esgml.core.storage import explained, sha256, write_atomic

SCHEMA = "esgml.run/1"
RECORD = "run.json"
#: Libraries whose versions a run record keeps, where they are installed.
LIBRARIES = (
    "numpy",
    "polars",
    "pyarrow",
    "scipy",
    "coreforecast",
    "torch",
    "lightgbm",
    "statsforecast",
    "scikit-learn",
    "onnxruntime",
)


def now() -> str:
    """Return the present in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that numbers may depend on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def run_key(
    task: str,
    data: str,
    spec: Mapping[str, Any],
    options: Mapping[str, Any],
    code: str,
) -> str:
    """Return the key of a run: 24 hexadecimal digits that change with anything it depends on.

    Parameters
    ----------
    task : str
    data : str
        SHA-256 of the table.
    spec, options : mapping
        Column roles and training options, as plain values.
    code : str
        Version of the package and hash of its source.
    """
    body = [SCHEMA, task, data, dict(spec), dict(options), code, library_versions()]
    return sha256(canonical_json(body))[:24]


@dataclass(frozen=True)
class Attempt:
    """One try at a run: from its start to its end, or to the kill that ended it.

    Attributes
    ----------
    started, finished : str
        ISO 8601 in UTC; `finished` is empty while it runs and after a kill.
    status : str
        ``running``, ``done``, ``failed``, ``interrupted``.
    pid : int
    host : str
    seconds : float or None
        Of training alone.
    steps : dict of name to dict
        Seconds, size and reuse of each step.
    damaged : list of str
        Steps computed again because their stored bytes were wrong.
    timings : dict
        Seconds that the task measured itself.
    error : dict
        ``code, message, where, remedy`` of a failure.
    """

    started: str
    finished: str = ""
    status: str = "running"
    pid: int = 0
    host: str = ""
    seconds: float | None = None
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    timings: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """All that is kept of a run.

    Attributes
    ----------
    key, task : str
    seed : int
    options, spec : dict
    data : dict
        Fingerprint of the table: ``sha256, rows, start, end``.
    code_version : str
    libraries : dict of name to version
    attempts : tuple of Attempt, oldest first
    result : dict
        Name, version, digest, alias and metrics of what was registered; empty before.
    """

    key: str
    task: str
    seed: int
    options: dict[str, Any]
    spec: dict[str, Any]
    data: dict[str, Any]
    code_version: str
    libraries: dict[str, str]
    attempts: tuple[Attempt, ...] = ()
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """Status of the last attempt; ``interrupted`` where its process is gone."""
        if not self.attempts:
            return "new"
        last = self.attempts[-1]
        if last.status == "running" and not _alive(last):
            return "interrupted"
        return last.status

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain values, for JSON."""
        return {"schema": SCHEMA, **asdict(self), "status": self.status}

    def begin(self) -> RunRecord:
        """Return the record with a new attempt of this process."""
        earlier = tuple(
            replace(a, status="interrupted") if a.status == "running" else a for a in self.attempts
        )
        attempt = Attempt(now(), pid=os.getpid(), host=socket.gethostname())
        return replace(self, attempts=(*earlier, attempt))

    def end(self, status: str, **values: Any) -> RunRecord:
        """Return the record with its last attempt ended."""
        last = replace(self.attempts[-1], status=status, finished=now(), **values)
        return replace(self, attempts=(*self.attempts[:-1], last))


def _alive(attempt: Attempt) -> bool:
    if attempt.host != socket.gethostname():
        return True  # another machine's process cannot be asked
    try:
        os.kill(attempt.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class RunTracker:
    """The run records of a workspace.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.root = settings.folder("runs")

    def folder(self, key: str) -> Path:
        """Return the folder of a run.

        Raises
        ------
        NotFoundError
            If the key is none; a key is never a path.
        """
        if not key.isalnum():
            raise NotFoundError(f"{key[:60]!r} is no run.", code="run_unknown")
        return self.root / key

    def write(self, record: RunRecord) -> RunRecord:
        """Store a record in place of an earlier one of the same run, and return it."""
        document = json.dumps(record.as_dict(), indent=1, sort_keys=True).encode()
        write_atomic(self.folder(record.key) / RECORD, document)
        return record

    def find(self, key: str) -> RunRecord | None:
        """Return the record of a run, or None where there is none.

        Raises
        ------
        IntegrityError
            If the record is unreadable.
        """
        path = self.folder(key) / RECORD
        if not path.is_file():
            return None
        with explained(path):
            raw = path.read_bytes()
        try:
            values = json.loads(raw)
            values.pop("schema")
            values.pop("status")
            values["attempts"] = tuple(Attempt(**attempt) for attempt in values["attempts"])
            return RunRecord(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(
                "this run record is unreadable.",
                where=str(path),
                remedy="Move the folder away; the run then starts afresh.",
            ) from error

    def list(self) -> list[RunRecord]:
        """Return all records, the latest attempt last."""
        keys = [path.parent.name for path in self.root.glob(f"*/{RECORD}")]
        found = [record for key in keys if (record := self.find(key)) is not None]
        return sorted(found, key=lambda r: r.attempts[-1].started if r.attempts else "")
