"""In front of everything: who may come in, how much at once, and what every answer carries.

A plain ASGI layer, so that the hot routes run through no framework. Load is shed per group
of routes, and never on health or metrics: a service under load must still say that it is
alive, or it is restarted when it is needed most.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from esgml.core.settings import Settings
from esgml.serving import wire
from esgml.serving.calls import (
    Call,
    ClientGone,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
    read_body,
    read_headers,
)
from esgml.serving.handlers import Handlers
from esgml.serving.metrics import Metrics
from esgml.serving.problems import HttpError, as_http, body, wants_text
from esgml.serving.security import HEADERS, Guard

_log = logging.getLogger("esgml.serving")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
Handler = Callable[[Call], Awaitable[Reply]]
Inner = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """How many requests may be in progress, by group of routes.

    Attributes
    ----------
    predict : int
        On the routes that ask a model.
    other : int
        On pages and descriptions. Health and metrics are never limited.
    """

    predict: int = 512
    other: int = 64


@dataclass(frozen=True, slots=True)
class _Hot:
    handler: Handler
    route: str
    model: str = ""
    version: str | None = None


class Gateway:
    """Check, limit, route and time every request.

    Parameters
    ----------
    inner : ASGI application
        Answers what is not a hot route.
    handlers : Handlers
    settings : Settings
    metrics : Metrics
    limits : Limits
    """

    def __init__(
        self,
        inner: Inner,
        handlers: Handlers,
        settings: Settings,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        self._inner = inner
        self._handlers = handlers
        self._settings = settings
        self._metrics = metrics
        self._guard = Guard(settings.api_token.get_secret_value() if settings.api_token else "")
        self._limits = {"predict": limits.predict, "other": limits.other}
        self.in_progress = {"predict": 0, "other": 0}

    def _hot(self, path: str) -> _Hot | None:
        """Return the hot route a path belongs to."""
        h = self._handlers
        if path in h.operations:
            return _Hot(functools.partial(h.operate, path), path)
        match path.split("/"):
            case ["", "v1", "predict", model] if model:
                return _Hot(h.predict, "/v1/predict/{model}", model)
            case ["", "v2", "models", model, "infer"] if model:
                return _Hot(h.infer, "/v2/models/{model}/infer", model)
            case ["", "v2", "models", model, "versions", version, "infer"] if model:
                route = "/v2/models/{model}/versions/{version}/infer"
                return _Hot(h.infer, route, model, version)
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection as ASGI asks."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._inner(scope, receive, send)
            return
        started = time.perf_counter()
        headers = read_headers(scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
        text = wants_text(scope["path"], headers.get("user-agent", ""))
        scope["esgml.request_id"] = request_id
        scope["esgml.text_errors"] = text
        answer = _Answer(send, request_id, text)
        hot = self._hot(scope["path"])
        try:
            await self._serve(scope, headers, receive, answer, hot)
        except ClientGone:
            answer.status = 499
        except Exception as error:
            await self._fail(answer, error)
        route = hot.route if hot else _route(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.add(route, method, str(answer.status))
        self._metrics.seconds.observe(time.perf_counter() - started, route)

    async def _serve(
        self,
        scope: Scope,
        headers: dict[str, str],
        receive: Receive,
        answer: _Answer,
        hot: _Hot | None,
    ) -> None:
        path = scope["path"]
        if path.startswith("/v2/health/"):
            await self._inner(scope, receive, answer.pass_on)
            return
        self._admit(scope, headers, hot)
        if path == "/metrics":
            await self._inner(scope, receive, answer.pass_on)
            return
        group = "predict" if hot else "other"
        if self.in_progress[group] >= self._limits[group]:
            self._metrics.shed.add(group)
            raise HttpError(
                503, "overloaded", "Too many requests at once.", (("Retry-After", "1"),)
            )
        self.in_progress[group] += 1
        try:
            if hot is None:
                await self._inner(scope, receive, answer.pass_on)
                return
            if scope["method"] != "POST":
                raise HttpError(
                    405, "method_not_allowed", "This route takes POST.", (("Allow", "POST"),)
                )
            await answer.reply(await self._ask(hot, headers, receive))
        finally:
            self.in_progress[group] -= 1

    async def _ask(self, hot: _Hot, headers: dict[str, str], receive: Receive) -> Reply:
        """Read the body and have the route answer it, both within the time allowed."""
        reading = True
        try:
            async with asyncio.timeout(self._settings.request_timeout):
                data = await read_body(headers, receive, self._settings.max_body_bytes)
                reading = False
                return await hot.handler(Call(hot.model, hot.version, headers, data))
        except TimeoutError as error:
            if reading:
                raise HttpError(408, "body_too_slow", "The body did not arrive in time.") from error
            raise

    def _admit(self, scope: Scope, headers: dict[str, str], hot: _Hot | None) -> None:
        """Refuse callers without the token and pages of other sites."""
        host = headers.get("host", "")
        if not self._guard.allows_host(host):
            raise HttpError(
                403, "host_refused", "This service is not reached under that host name."
            )
        origin = headers.get("origin", "")
        same = bool(origin) and _netloc(origin) == host
        reading = scope["method"] in ("GET", "HEAD")
        browser = hot is None and (reading or same)
        if not self._guard.allows(headers.get("authorization", ""), browser=browser):
            kinds = 'Basic realm="esgml"' if browser else "Bearer"
            raise HttpError(
                401,
                "unauthorized",
                "Send the token as: Authorization: Bearer TOKEN.",
                (("WWW-Authenticate", kinds),),
            )
        if not (hot is None and reading) and origin and not same:
            raise HttpError(403, "origin_refused", "Pages of other sites may not call this.")

    async def _fail(self, answer: _Answer, error: Exception) -> None:
        told = as_http(error)
        if told.status >= 500 and not isinstance(error, HttpError):
            _log.error("request %s failed", answer.request_id, exc_info=error)
        if answer.started:
            return
        extra = tuple((k.lower().encode(), v.encode("latin-1")) for k, v in told.headers)
        if told.status in (408, 413):
            extra += ((b"connection", b"close"),)  # what is left of the body is not read
        await answer.reply(
            Reply(
                wire.dumps(body(told, answer.request_id, text=answer.text_errors)),
                ((b"content-type", b"application/json"), *extra),
                told.status,
            )
        )


class _Answer:
    """Sends an answer once, with the headers that every answer carries."""

    def __init__(self, send: Send, request_id: str, text_errors: bool) -> None:
        self._send = send
        self.text_errors = text_errors
        self.request_id = request_id
        self.started = False
        self.status = 500
        self._common = [*HEADERS, (b"x-request-id", request_id.encode())]

    async def pass_on(self, message: Message) -> None:
        """Send a message of the inner application."""
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers: list[Any] = [*message.get("headers", ()), *self._common]
            message = {**message, "headers": headers}
        await self._send(message)

    async def reply(self, reply: Reply) -> None:
        """Send a whole reply."""
        self.started = True
        self.status = reply.status
        length = (b"content-length", str(len(reply.body)).encode())
        with contextlib.suppress(OSError):  # the caller hung up meanwhile
            await self._send(
                {
                    "type": "http.response.start",
                    "status": reply.status,
                    "headers": [*reply.headers, length, *self._common],
                }
            )
            await self._send({"type": "http.response.body", "body": reply.body})


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _route(scope: Scope) -> str:
    """Return the template of the route, so that paths callers make up add no series."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    if path is None:
        return "unmatched"
    return str(path)
