"""Training processes side by side: as many as there are cores, each on its own."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import spawn
from pathlib import Path
from typing import Any

from esgml.core.errors import UsageError
from esgml.core.storage import explained
from esgml.training.jobs import LOG, explain

#: Libraries that would take all cores in every process; tasks use threads of their own.
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_OUR_THREADS = ("NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")
_TAIL_BYTES = 2_000

Notice = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Outcome:
    """How the training process of a run ended.

    Attributes
    ----------
    folder : Path
        Of the run.
    done : dict
        ``digest, seconds, steps, damaged``; empty where it failed.
    error : dict
        ``code, message, where, remedy``; empty where it did not.
    """

    folder: Path
    done: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] = field(default_factory=dict)


def cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def child_environment(threads: int) -> dict[str, str]:
    """Return the environment of a training process.

    The numeric libraries read it when they are imported, so it must be there before.
    """
    paths = [path or os.getcwd() for path in sys.path]
    return {
        **os.environ,
        **dict.fromkeys(_ONE_THREAD, "1"),
        **dict.fromkeys(_OUR_THREADS, str(threads)),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONHASHSEED": "0",
    }


def run_jobs(
    folders: Sequence[Path], *, workers: int, threads: int = 1, notice: Notice | None = None
) -> Generator[Outcome]:
    """Train the jobs in `folders`, each in a fresh process, and yield outcomes as they come.

    Parameters
    ----------
    folders : sequence of Path
        Folders of runs, each with its ``job.json``.
    workers : int
        Most processes at once.
    threads : int
        Threads of each process.
    notice : callable, optional
        Called with the name of a folder and each message of its process, from one thread
        at a time.

    Raises
    ------
    UsageError
        If `workers` is below 1.
    """
    if workers < 1:
        raise UsageError(f"at least one training process is needed, got {workers}.")
    # Bars of several processes would write over each other; their words go to a log then.
    to_log = min(workers, len(folders)) > 1 or not sys.stderr.isatty()
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    running: set[subprocess.Popen[bytes]] = set()
    lock, stop = threading.Lock(), threading.Event()

    def tell(folder: Path, message: dict[str, Any]) -> None:
        if notice is not None:
            with lock:
                notice(folder.name, message)

    def work(folder: Path) -> None:
        if stop.is_set():
            return
        try:
            outcomes.put(_run(folder, threads, to_log, tell, running, stop))
        except Exception as error:  # whatever it is, it is this run's alone
            outcomes.put(Outcome(folder, error=explain(error)))

    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        for folder in folders:
            pool.submit(work, folder)
        for _ in folders:
            yield outcomes.get()
    finally:
        stop.set()
        for process in list(running):
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


def _run(
    folder: Path,
    threads: int,
    to_log: bool,
    tell: Callable[[Path, dict[str, Any]], None],
    running: set[subprocess.Popen[bytes]],
    stop: threading.Event,
) -> Outcome:
    program = spawn.get_executable()
    command = [os.fsdecode(program) if program else sys.executable]
    # -P: nothing is imported from the folder the command happens to run in.
    command += ["-P", "-m", "esgml.training.worker", str(folder)]
    done: dict[str, Any] = {}
    error: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        log = None
        if to_log:
            with explained(folder / LOG):
                log = stack.enter_context(open(folder / LOG, "wb"))
        process = stack.enter_context(
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=child_environment(threads),
            )
        )
        running.add(process)
        if stop.is_set():  # the list of what to end may have been read just before
            process.kill()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                message = json.loads(line)
                done = message.get("done", done)
                error = message.get("error", error)
                if "step" in message:
                    tell(folder, message)
            code = process.wait()
        finally:
            running.discard(process)
    if not done and not error:
        error = _died(code, folder / LOG if to_log else None)
    return Outcome(folder, {} if error else done, error)


def _died(code: int, log: Path | None) -> dict[str, str]:
    """Say what is known of a process that ended without a word."""
    how = f"ended with code {code}"
    remedy = "Run the same command again: it goes on with the steps that were finished."
    if code < 0:
        how = f"was killed by {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            remedy = "If memory ran out, train on fewer series or tasks at once. " + remedy
    words = ""
    if log is not None and log.is_file():
        last = log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").strip().splitlines()
        words = f" Its last words: {last[-1][:300]}" if last else ""
    return {
        "kind": "EsgmlError",
        "code": "process_died",
        "message": f"the training process {how}.{words}",
        "where": "",
        "remedy": remedy,
    }
