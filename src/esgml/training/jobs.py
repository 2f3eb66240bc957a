"""What one training process is told, and what it tells back, as JSON.

The parent writes ``job.json`` into the folder of the run and starts
``python -m esgml.training.worker FOLDER``; the process answers with one JSON object a line
and leaves the trained bundle in ``result/``.
"""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from esgml.core.errors import EsgmlError, IntegrityError
from esgml.core.frames import SeriesSpec
from esgml.core.storage import explained, write_atomic

JOB = "job.json"
RESULT = "result"
STEPS = "steps"
LOG = "log.txt"


@dataclass(frozen=True)
class Job:
    """One task to train in a process of its own.

    Attributes
    ----------
    task : str
    module : str
        Module that defines the task as ``TASK``.
    data : str
        Parquet file of the cleaned table.
    fingerprint : dict
        What the table must hash to.
    spec : dict
        Column roles.
    options : dict
        Model, horizon, levels, seed.
    threads : int
        Most threads; does not change the result, so it is no part of the run's key.
    """

    task: str
    module: str
    data: str
    fingerprint: dict[str, Any]
    spec: dict[str, Any]
    options: dict[str, Any]
    threads: int = 1

    def write(self, folder: Path) -> None:
        """Write the job into the folder of its run."""
        write_atomic(folder / JOB, json.dumps(asdict(self), indent=1, sort_keys=True).encode())

    @classmethod
    def read(cls, folder: Path) -> Job:
        """Read the job of a run.

        Raises
        ------
        IntegrityError
            If it is unreadable.
        """
        with explained(folder / JOB):
            raw = (folder / JOB).read_bytes()
        try:
            return cls(**json.loads(raw))
        except (ValueError, TypeError) as error:
            raise IntegrityError("this training job is unreadable.", where=str(folder)) from error


def spec_to_dict(spec: SeriesSpec) -> dict[str, Any]:
    """Return column roles as plain values."""
    return {
        "entity": spec.entity,
        "time": spec.time,
        "targets": [*spec.targets],
        "known": [*spec.known],
        "hierarchy": [*spec.hierarchy],
        "units": dict(sorted(spec.units.items())),
    }


def spec_from_dict(values: dict[str, Any]) -> SeriesSpec:
    """Return the column roles that `spec_to_dict` described."""
    return SeriesSpec(
        values["entity"],
        values["time"],
        tuple(values["targets"]),
        tuple(values["known"]),
        tuple(values["hierarchy"]),
        dict(values["units"]),
    )


def explain(error: BaseException) -> dict[str, str]:
    """Return an error as plain strings: ``kind, code, message, where, remedy``.

    One that was not foreseen says in which line it was raised.
    """
    if isinstance(error, EsgmlError):
        return {"kind": type(error).__name__, **error.as_dict()}
    if isinstance(error, MemoryError):
        return {
            "kind": "EsgmlError",
            "code": "memory",
            "message": "there was not enough memory to train.",
            "where": "",
            "remedy": "Train fewer tasks at once, or on fewer series.",
        }
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return {
        "kind": "EsgmlError",
        "code": "unexpected",
        "message": f"{type(error).__name__}: {error}",
        "where": f"{Path(last.filename).name}:{last.lineno}" if last else "",
        "remedy": "Please report this with the log of the run.",
    }
