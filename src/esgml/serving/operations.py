"""The routes that tasks declare, and what answers each: a champion, or the code alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esgml.core.errors import DataError, NotFoundError
from esgml.core.events import EventBus, PredictionMade
from esgml.core.operations import BUILT_IN, Operation
from esgml.core.tasks import Task
from esgml.registry.fingerprint import code_version
from esgml.serving.batching import Batcher
from esgml.serving.hub import Hub
from esgml.serving.service import Answered, Service


class BuiltIn:
    """An operation that needs no trained model, with the verbs of a `Service`.

    One worker answers one request at a time, so that long computations queue up behind each
    other and never in front of models.

    Parameters
    ----------
    operation : Operation
        With a `run`.
    bus : EventBus, optional
        Told of every answer.
    observe : callable, optional
        Told the size of every batch.
    max_waiting : int
        Requests beyond this many waiting are refused at once.
    """

    def __init__(
        self,
        operation: Operation,
        *,
        bus: EventBus | None = None,
        observe: Callable[[int], None] | None = None,
        max_waiting: int = 64,
    ) -> None:
        assert operation.run is not None
        self.name = operation.name
        self.version = BUILT_IN
        self._run = operation.run
        self._complete = operation.complete or dict
        self._bus = bus
        self._code = code_version()
        self._batcher = Batcher(
            self.predict,
            name=operation.name,
            max_batch=1,
            max_waiting=max_waiting,
            observe=observe,
        )

    def decode(self, document: Any) -> dict[str, Any]:
        """Return the completed document; the operation checks the rest itself."""
        if not isinstance(document, dict):
            raise DataError("the body must be a JSON object.", where="body")
        return self._complete(document)

    def predict(self, requests: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answer each request."""
        return [self._run(request) for request in requests]

    async def answer(self, request: dict[str, Any]) -> Answered:
        """Answer one decoded document and tell of it."""
        started = time.perf_counter()
        answer = await self._batcher.submit(request)
        return self.tell(request, answer, time.perf_counter() - started)

    def tell(self, request: dict[str, Any], answer: dict[str, Any], seconds: float) -> Answered:
        """Give an answer its id and tell of it."""
        answered = Answered(os.urandom(16).hex(), answer)
        if self._bus is not None:
            self._bus.publish(
                PredictionMade(
                    prediction_id=answered.prediction_id,
                    model=self.name,
                    version=self.version,
                    request=request,
                    response=answer,
                    seconds=seconds,
                    code_version=self._code,
                )
            )
        return answered

    def encode(self, answered: Answered) -> dict[str, Any]:
        """Return the answer as the caller gets it, with its id and what made it."""
        return {
            **answered.answer,
            "model_version": self.version,
            "prediction_id": answered.prediction_id,
        }

    def close(self) -> None:
        """Take no more requests."""
        self._batcher.close()


class Operations:
    """The operations of the installed tasks, by route.

    Parameters
    ----------
    hub : Hub
        Holds the champions.
    tasks : sequence of Task
    bus : EventBus, optional
        Told of what no model answers; models tell of their own answers.
    """

    def __init__(self, hub: Hub, tasks: Sequence[Task], bus: EventBus | None = None) -> None:
        self._hub = hub
        self._known = {op.path: (task.name, op) for task in tasks for op in task.operations()}
        self._bus = bus
        self._built_in: dict[str, BuiltIn] = {}

    def __iter__(self) -> Any:
        """Go through pairs of task name and operation."""
        return iter(self._known.values())

    def __contains__(self, path: str) -> bool:
        """Whether a path is the route of an operation."""
        return path in self._known

    @property
    def any_built_in(self) -> bool:
        """Whether something can be answered without any model."""
        return any(operation.run is not None for _, operation in self._known.values())

    def path_of(self, name: str) -> str:
        """Return the route of the operation called `name`.

        Raises
        ------
        NotFoundError
            If no installed task has it.
        """
        for path, (_, operation) in self._known.items():
            if operation.name == name:
                return path
        known = ", ".join(operation.name for _, operation in self._known.values())
        raise NotFoundError(
            f"no operation {name!r}.", code="operation_unknown", remedy=f"Known: {known}."
        )

    def answering(self, path: str) -> Service | BuiltIn:
        """Return what answers a route now: the champion of its task, else the code alone.

        Raises
        ------
        NotFoundError
            If only a model could answer and none is in service.
        """
        task, operation = self._known[path]
        if operation.learned:
            try:
                return self._hub.for_task(task)
            except NotFoundError:
                if operation.run is None:
                    raise
        if path not in self._built_in:
            sizes = self._hub.metrics.batches
            self._built_in[path] = BuiltIn(
                operation,
                bus=self._bus,
                observe=lambda size: sizes.observe(size, operation.name),
            )
        return self._built_in[path]

    def close(self) -> None:
        """End the workers; one that is asked again starts anew."""
        for built_in in self._built_in.values():
            built_in.close()
        self._built_in.clear()
