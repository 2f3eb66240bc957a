"""Batches formed from what is already waiting: no linger, so a single caller never waits.

One worker thread per model takes everything that waits the moment it is free. Under load
the batch grows by itself; without load each request runs alone at once.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from esgml.core.errors import EsgmlError

Request = Mapping[str, Any]
Answer = dict[str, Any]


class OverloadedError(EsgmlError):
    """More is waiting than can be answered in time."""

    default_code = "overloaded"


class RetiredError(EsgmlError):
    """The version no longer takes requests; its successor does."""

    default_code = "retired"


@dataclass(slots=True)
class _Job:
    item: Request | None  # None = a health probe that only passes through the worker
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answer]


def _deliver(pairs: list[tuple[_Job, Answer | Exception]]) -> None:
    for job, outcome in pairs:
        if job.future.done():
            continue  # the caller gave up waiting
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)


class Batcher:
    """Answer requests in batches on a worker thread of its own.

    Parameters
    ----------
    predict_batch : callable
        Answers a list of requests, in order. Where it fails, each request is tried alone,
        so that one bad request spoils no other.
    max_batch : int
        Most requests in one batch.
    max_waiting : int
        Requests beyond this many waiting are refused at once with `OverloadedError`.
    observe : callable, optional
        Told the size of every batch.
    """

    def __init__(
        self,
        predict_batch: Callable[[list[Request]], list[Answer]],
        *,
        name: str = "model",
        max_batch: int = 64,
        max_waiting: int = 1024,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._predict_batch = predict_batch
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._observe = observe
        self._name = name
        self._waiting: deque[_Job] = deque()
        self._ready = threading.Condition()
        self._waking: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._busy_since = 0.0
        self._thread = self._start()

    def _start(self) -> threading.Thread:
        # A daemon, so that a model that never returns cannot keep the process from ending.
        thread = threading.Thread(target=self._work, name=f"esgml-{self._name}", daemon=True)
        thread.start()
        return thread

    @property
    def waiting(self) -> int:
        """Number of requests not yet taken by the worker."""
        return len(self._waiting)

    @property
    def busy_seconds(self) -> float:
        """How long the worker has been at its current batch; 0 when it is free."""
        since = self._busy_since
        return time.monotonic() - since if since else 0.0

    def submit(self, item: Request) -> asyncio.Future[Answer]:
        """Queue a request; the future holds its answer or error.

        Raises
        ------
        OverloadedError
            If too many requests wait already.
        RetiredError
            If `close` was called.
        """
        return self._put(item)

    def probe(self) -> asyncio.Future[Answer]:
        """Pass through the worker without a request: proof that it is alive and moving."""
        return self._put(None)

    def _put(self, item: Request | None) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        job = _Job(item, loop, loop.create_future())
        with self._ready:
            if self._closed:
                raise RetiredError("this version was replaced.")
            if item is not None and len(self._waiting) >= self._max_waiting:
                raise OverloadedError(
                    "too many requests are waiting for this model.", remedy="Try again shortly."
                )
            if not self._thread.is_alive():
                self._thread = self._start()
            self._waiting.append(job)
            # The worker is woken once per pass of the loop, after every request that came
            # in with this pass has queued: no time is waited, and the threads switch less.
            if self._waking is not loop:
                self._waking = loop
                loop.call_soon(self._wake)
        return job.future

    def _wake(self) -> None:
        with self._ready:
            self._waking = None
            self._ready.notify()

    def close(self) -> None:
        """Take no more requests; those waiting are still answered."""
        with self._ready:
            self._closed = True
            self._ready.notify()

    def join(self, seconds: float) -> bool:
        """Wait until everything is answered; returns whether it was in time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._waiting:
                    if self._closed:
                        return
                    self._ready.wait()
                count = min(len(self._waiting), self._max_batch)
                jobs = [self._waiting.popleft() for _ in range(count)]
            jobs = [job for job in jobs if not job.future.cancelled()]
            self._busy_since = time.monotonic()
            outcomes = self._answer([job.item for job in jobs if job.item is not None])
            self._busy_since = 0.0
            results = iter(outcomes)
            done: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Answer | Exception]]] = {}
            for job in jobs:
                outcome: Answer | Exception = {} if job.item is None else next(results)
                done.setdefault(job.loop, []).append((job, outcome))
            for loop, pairs in done.items():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_deliver, pairs)

    def _answer(self, items: list[Request]) -> list[Answer | Exception]:
        if not items:
            return []
        if self._observe is not None:
            self._observe(len(items))
        outcomes = self._try(items)
        if len(items) > 1 and isinstance(outcomes[0], Exception):
            return [self._try([item])[0] for item in items]
        return outcomes

    def _try(self, items: list[Request]) -> list[Answer | Exception]:
        try:
            answers = self._predict_batch(items)
            if len(answers) != len(items):
                raise ValueError(f"{len(items)} requests, {len(answers)} answers")
            return list(answers)
        except Exception as error:
            return [error] * len(items)
