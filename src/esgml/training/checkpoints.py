"""Finished steps of a run, kept so that a killed run goes on where it was."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from esgml.core.errors import NotFoundError, UsageError
from esgml.core.storage import explained, sha256, write_atomic

_DIGEST_BYTES = 64
_MOST_NAME = 120


class Checkpoints:
    """Results of steps as files, each behind the hash of its content.

    A step is on disk whole or not at all, and one whose bytes no longer match their hash
    is computed again. An instance is what `esgml.core.tasks.TaskOptions.checkpoint` takes;
    several threads may call it at once.

    Parameters
    ----------
    folder : Path
        Made when the first step is stored.
    notice : callable, optional
        Told after every step: its name, the seconds it took, and whether it was reused.

    Attributes
    ----------
    steps : dict of name to dict
        ``{"seconds", "reused", "bytes"}`` of every step asked for.
    damaged : list of str
        Steps that were computed again because their stored bytes were wrong.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> checkpoint = Checkpoints(Path(tempfile.mkdtemp()))
    >>> checkpoint("fit", lambda: b"weights"), checkpoint("fit", lambda: b"never called")
    (b'weights', b'weights')
    """

    def __init__(
        self, folder: Path, notice: Callable[[str, float, bool], None] | None = None
    ) -> None:
        self.folder = folder
        self.steps: dict[str, dict[str, float | int | bool]] = {}
        self.damaged: list[str] = []
        self._notice = notice
        self._lock = threading.Lock()

    def __call__(self, name: str, compute: Callable[[], bytes]) -> bytes:
        """Return the stored bytes of step `name`, or compute and store them.

        Raises
        ------
        UsageError
            If the name is empty or too long, or the step does not give bytes.
        StorageError
            If the result cannot be stored.
        """
        path = self._path(name)
        started = time.perf_counter()
        found = self._stored(path, name)
        data = compute() if found is None else found
        if found is None:
            if not isinstance(data, bytes):
                raise UsageError(
                    f"step {name!r} gave {type(data).__name__}, a checkpoint keeps bytes."
                )
            write_atomic(path, sha256(data).encode() + b"\n" + data)
        seconds = time.perf_counter() - started
        with self._lock:
            reused = found is not None
            self.steps[name] = {"seconds": seconds, "reused": reused, "bytes": len(data)}
        if self._notice is not None:
            self._notice(name, seconds, found is not None)
        return data

    def clear(self) -> None:
        """Remove all stored steps, and what a killed writer left behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        """Return where a step is kept; the name is quoted, so it never leaves the folder."""
        if not name or len(name) > _MOST_NAME:
            raise UsageError(f"a step needs a name of 1 to {_MOST_NAME} characters, got {name!r}.")
        return self.folder / ("step-" + quote(name, safe=" "))

    def _stored(self, path: Path, name: str) -> bytes | None:
        try:
            with explained(path):
                raw = path.read_bytes()
        except NotFoundError:
            return None
        head, data = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES + 1 :]
        if raw[_DIGEST_BYTES : _DIGEST_BYTES + 1] == b"\n" and head == sha256(data).encode():
            return data
        with self._lock:
            self.damaged.append(name)
        return None
