"""The process that trains one task: ``python -m esgml.training.worker FOLDER``.

It answers on its first standard output, one JSON object a line::

    {"step": "backtest", "seconds": 3.2, "reused": false}
    {"done": {"digest": ..., "seconds": ..., "steps": {...}, "damaged": []}}
    {"error": {"code": ..., "message": ..., "where": ..., "remedy": ...}}

Whatever else a library prints goes to standard error. It ends when its parent does: the
parent holds the other end of standard input open for as long as it lives.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esgml.core.errors import (
    IntegrityError,
    NotAllowedError,
    NotFoundError,
    StorageError,
)
from esgml.core.storage import write_folder_atomic
from esgml.core.tasks import Task, TaskOptions
from esgml.training.checkpoints import Checkpoints
from esgml.training.jobs import RESULT, STEPS, Job, explain, spec_from_dict

if TYPE_CHECKING:
    from collections.abc import Callable

    from esgml.registry.bundle import Bundle


def load_task(module: str) -> Task:
    """Import the task a module defines as ``TASK``.

    Raises
    ------
    NotFoundError
        If the module defines none.
    """
    task = getattr(importlib.import_module(module), "TASK", None)
    if not isinstance(task, Task):
        raise NotFoundError(f"module {module!r} defines no task as TASK.", code="task_unknown")
    return task


def train(job: Job, folder: Path, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Train one job and store its bundle in ``result/`` of the run's folder.

    Returns
    -------
    dict
        ``digest`` of the bundle, ``seconds`` of training, ``steps``, ``damaged``, ``timings``.

    Raises
    ------
    IntegrityError
        If the table is not the one the job was made for.
    """
    import polars as pl

    from esgml.registry.bundle import Bundle
    from esgml.registry.fingerprint import Fingerprint, fingerprint

    frame = pl.read_parquet(job.data)
    spec = spec_from_dict(job.spec)
    expected = Fingerprint.from_dict(job.fingerprint)
    started = time.perf_counter()
    kept = _kept(folder / RESULT)
    if kept is not None:
        tell({"step": RESULT, "seconds": 0.0, "reused": True})
        steps = {RESULT: {"seconds": 0.0, "reused": True, "bytes": len(kept.manifest())}}
        seconds = time.perf_counter() - started
        return {
            "digest": kept.digest,
            "seconds": seconds,
            "steps": steps,
            "damaged": [],
            "timings": {},
        }
    if fingerprint(frame, spec.time).sha256 != expected.sha256:
        raise IntegrityError(
            "the stored training table was changed.",
            where=job.data,
            remedy="Remove the file and train again.",
        )
    checkpoints = Checkpoints(
        folder / STEPS,
        lambda name, seconds, reused: tell({"step": name, "seconds": seconds, "reused": reused}),
    )
    options = TaskOptions(
        model=job.options["model"],
        horizon=job.options["horizon"],
        levels=tuple(job.options["levels"]),
        seed=job.options["seed"],
        threads=job.threads,
        checkpoint=checkpoints,
    )
    task = load_task(job.module)
    started = time.perf_counter()
    trained = task.train(frame, spec, options)
    seconds = time.perf_counter() - started
    metrics, timings = without_timings(trained.metrics)
    bundle = Bundle.from_trained(replace(trained, metrics=metrics), expected)
    try:
        write_folder_atomic(folder / RESULT, bundle.to_files())
    except StorageError as error:
        if error.code != "exists":
            raise
        Bundle.read(folder / RESULT, bundle.digest)  # the same run, done by another process
    return {
        "digest": bundle.digest,
        "seconds": seconds,
        "steps": checkpoints.steps,
        "damaged": checkpoints.damaged,
        "timings": timings,
    }


def without_timings(metrics: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take ``seconds`` and ``*_seconds`` out of metrics, at every depth.

    How long a step took belongs to the run; a bundle that kept it would have other bytes
    every time it is made.

    Returns
    -------
    metrics : dict
    timings : dict
        What was taken out, in the same places.
    """
    kept: dict[str, Any] = {}
    timings: dict[str, Any] = {}
    for name, value in metrics.items():
        if name == "seconds" or name.endswith("_seconds"):
            timings[name] = value
        elif isinstance(value, Mapping):
            kept[name], inside = without_timings(value)
            if inside:
                timings[name] = inside
        else:
            kept[name] = value
    return kept, timings


def _kept(folder: Path) -> Bundle | None:
    """Return the bundle of an attempt that was killed between training and registering."""
    from esgml.registry.bundle import Bundle

    if not folder.exists():
        return None
    try:
        return Bundle.read(folder)
    except (IntegrityError, NotFoundError, NotAllowedError):
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _end_with_parent() -> None:
    """End this process when its parent is gone, however it went."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: its lock, held here, breaks the shutdown
            continue
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(folder: Path) -> int:
    """Train the job in `folder`; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _end_with_parent()
    lock = threading.Lock()

    def tell(message: dict[str, Any]) -> None:
        with lock:
            answers.write(json.dumps(message) + "\n")
            answers.flush()

    try:
        tell({"done": train(Job.read(folder), folder, tell)})
    except Exception as error:
        traceback.print_exc()
        tell({"error": explain(error)})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
