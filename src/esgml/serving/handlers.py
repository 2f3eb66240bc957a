"""The hot routes: operations of tasks, predict, infer. Read strictly, answer, write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from esgml.core.errors import UsageError
from esgml.core.settings import Settings
from esgml.serving import protocol, wire
from esgml.serving.batching import RetiredError
from esgml.serving.calls import JSON, Call, Reply
from esgml.serving.hub import Hub
from esgml.serving.operations import BuiltIn, Operations
from esgml.serving.problems import HttpError
from esgml.serving.rows import Row
from esgml.serving.series_request import check_numbers
from esgml.serving.service import Answered, Service

#: How often a request moves on to the next version when its own is replaced under it.
_MOVES = 5
#: Bodies of more bytes are read beside the event loop.
_LARGE = 200_000
T = TypeVar("T")


class Handlers:
    """Answer the hot routes from the services of a hub.

    Parameters
    ----------
    hub : Hub
    settings : Settings
    operations : Operations
        Routes that tasks declare.
    """

    def __init__(self, hub: Hub, settings: Settings, operations: Operations) -> None:
        self._hub = hub
        self._settings = settings
        self.operations = operations

    async def find(self, name: str, version: str | None) -> Service:
        """Return the service a path names; only what is not in memory costs a thread."""
        found = self._hub.loaded(name, version)
        if found is None:
            found = await asyncio.to_thread(self._hub.service, name, version)
        return found

    async def operate(self, path: str, call: Call) -> Reply:
        """Answer a route that a task declares."""
        _require_json(call.headers)
        document = await _aside(call.body, wire.loads, call.body)
        for _ in range(_MOVES):
            service = self.operations.answering(path)
            request = service.decode(document)
            try:
                answered = await service.answer(request)
            except RetiredError:
                continue
            self._count(service, 1)
            return Reply(wire.dumps(service.encode(answered)))
        raise _moving()

    async def predict(self, call: Call) -> Reply:
        """Answer ``POST /v1/predict/{model}``: rows in, rows out."""
        _require_json(call.headers)
        rows, parameters = _rows(await _aside(call.body, wire.loads, call.body))
        service, answered = await self._answer_rows(call, rows, parameters)
        main = service.rows.main_output
        return Reply(
            wire.dumps(
                {
                    "outputs": [service.rows.answer(a.answer)[main] for a in answered],
                    "model_version": service.version,
                    "prediction_ids": [a.prediction_id for a in answered],
                }
            )
        )

    async def infer(self, call: Call) -> Reply:
        """Answer ``POST /v2/models/{name}[/versions/{v}]/infer``."""
        kind = _media_type(call.headers)
        if kind.startswith(("text/", "multipart/")) or "form" in kind:
            raise HttpError(415, "content_type", "Send application/json.")
        length = call.headers.get(protocol.BINARY_HEADER)
        inference = await _aside(
            call.body, protocol.decode, call.body, length, self._settings.max_rows
        )
        service, answered = await self._answer_rows(call, inference.rows, inference.parameters)
        each = [service.rows.answer(a.answer) for a in answered]
        outputs = {name: [row[name] for row in each] for name in each[0]}
        ids = ",".join(a.prediction_id for a in answered)
        body, cut = protocol.encode(
            inference, call.model, service.version, outputs, {"prediction_ids": ids}
        )
        if cut is None:
            return Reply(body)
        header = (protocol.BINARY_HEADER.encode(), str(cut).encode())
        return Reply(body, ((b"content-type", b"application/octet-stream"), header))

    async def _answer_rows(
        self, call: Call, rows: list[Row], parameters: Mapping[str, Any]
    ) -> tuple[Service, list[Answered]]:
        """Answer every row by the same version; rows join the batches of other callers."""
        for _ in range(_MOVES):
            service = await self.find(call.model, call.version)
            requests = service.decode_rows(rows, parameters)
            try:
                if len(requests) == 1:
                    answered = [await service.answer(requests[0])]
                else:
                    answered = await _all([service.answer(request) for request in requests])
            except RetiredError:
                continue
            self._count(service, len(rows))
            return service, answered
        raise _moving()

    def _count(self, service: Service | BuiltIn, rows: int) -> None:
        self._hub.metrics.predictions.add(service.name, service.version, amount=rows)


async def _aside(body: bytes, read: Callable[..., T], *arguments: Any) -> T:
    """Read a body; a large one in a thread, so that health and small requests go on."""
    if len(body) <= _LARGE:
        return read(*arguments)
    return await asyncio.to_thread(read, *arguments)


async def _all(answers: list[Any]) -> list[Answered]:
    """Wait for all answers; on the first error the rest is cancelled, not left running."""
    tasks = [asyncio.ensure_future(answer) for answer in answers]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _moving() -> HttpError:
    return HttpError(
        503, "swapping", "The model is being replaced; try again.", (("Retry-After", "1"),)
    )


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _require_json(headers: Mapping[str, str]) -> None:
    if _media_type(headers) != JSON.decode():
        raise HttpError(415, "content_type", "Send Content-Type: application/json.")


def _rows(document: Any) -> tuple[list[Row], dict[str, Any]]:
    if not isinstance(document, dict):
        raise UsageError("the body must be a JSON object.", code="bad_request", where="body")
    unknown = set(document) - {"inputs", "parameters"}
    if unknown:
        raise UsageError(f"unknown fields {sorted(unknown)[:5]}.", code="bad_request", where="body")
    rows = document.get("inputs")
    parameters = document.get("parameters", {})
    if not isinstance(rows, list) or not rows:
        raise UsageError(
            "must be a list of rows, each a list of numbers.", code="bad_request", where="inputs"
        )
    if not isinstance(parameters, dict):
        raise UsageError("must be an object.", code="bad_request", where="parameters")
    return [check_numbers(row, f"inputs[{i}]") for i, row in enumerate(rows)], parameters
