"""The HTTP application: descriptions, health and metrics through FastAPI, answers past it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from esgml import __version__
from esgml.core.errors import EsgmlError, MissingExtraError
from esgml.core.events import EventBus
from esgml.core.settings import Settings
from esgml.core.tasks import Task, get_task, task_names
from esgml.serving import openapi
from esgml.serving.gateway import Gateway, Limits
from esgml.serving.handlers import Handlers
from esgml.serving.hub import Hub, Registry
from esgml.serving.metrics import Gauge, Metrics
from esgml.serving.operations import Operations
from esgml.serving.problems import HttpError, as_http, body
from esgml.serving.routes import State, build_router

try:
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException
    from starlette.routing import BaseRoute
except ModuleNotFoundError as error:
    raise MissingExtraError.of("fastapi", "serve") from error

#: Builds the pages that stand above the service, given what it serves.
Pages = Callable[[Hub, Settings], Sequence[BaseRoute]]
_CODES = {404: "not_found", 405: "method_not_allowed"}


class App(FastAPI):
    """The service as an ASGI application.

    Attributes
    ----------
    hub : Hub
        The models in service.
    serving : State
        Whether it is draining.
    """

    hub: Hub
    serving: State
    gateway: Gateway

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection: through the gateway, then the hot routes or FastAPI."""
        await self.gateway(scope, receive, send)

    async def behind(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve what the gateway lets through to FastAPI."""
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the description of all routes, the hot ones included."""
        if not self.openapi_schema:
            secured = self.serving.settings.api_token is not None
            self.openapi_schema = openapi.extend(
                super().openapi(), self.serving.operations, secured
            )
        return self.openapi_schema


def _gauges(metrics: Metrics, hub: Hub, app: App) -> None:
    def waiting() -> dict[tuple[str, ...], float]:
        return {(name,): float(s.waiting) for name, s in hub.champions.items()}

    def in_progress() -> dict[tuple[str, ...], float]:
        return {(group,): float(n) for group, n in app.gateway.in_progress.items()}

    def info() -> dict[tuple[str, ...], float]:
        return {(s.name, s.version, s.digest): 1.0 for s in hub.champions.values()}

    def cache() -> dict[tuple[str, ...], float]:
        return {("hit",): float(hub.cache.hits), ("miss",): float(hub.cache.misses)}

    add = metrics.add
    add(Gauge("esgml_queue_length", "Requests waiting for a worker.", waiting, ("model",)))
    add(Gauge("esgml_in_progress", "Requests in progress.", in_progress, ("group",)))
    add(Gauge("esgml_model_info", "In service.", info, ("model", "version", "digest")))
    add(Gauge("esgml_cache_lookups", "Lookups of known answers.", cache, ("result",)))


def _error(request: Request, status: int, code: str, message: str, headers: Any = None) -> Any:
    told = HttpError(status, code, message)
    request_id = str(request.scope.get("esgml.request_id", ""))
    text = bool(request.scope.get("esgml.text_errors"))
    return JSONResponse(body(told, request_id, text=text), status_code=status, headers=headers)


def create_app(
    settings: Settings,
    registry: Registry,
    *,
    bus: EventBus | None = None,
    pages: Pages | None = None,
    task_of: Callable[[str], Task] = get_task,
    tasks: Sequence[str] | None = None,
    limits: Limits | None = None,
    poll_seconds: float = 5.0,
    cache_size: int = 1024,
) -> App:
    """Build the service.

    Parameters
    ----------
    settings : Settings
        Token, limits and time-outs.
    registry : Registry
        Where models come from; its ``champion`` alias says which version answers.
    bus : EventBus, optional
        Told of every prediction; promotions told on it take effect at once.
    pages : callable, optional
        Builds the routes of the dashboard.
    task_of : callable
        Finds a task by its name.
    tasks : sequence of str, optional
        Names of the tasks whose operations get routes; all installed ones where omitted.
    limits : Limits, optional
        Requests in progress before load is shed.
    poll_seconds : float
        How often the registry is asked whether an alias moved.
    cache_size : int
        Most answers kept; 0 keeps none.

    Returns
    -------
    App
        An ASGI application; models are loaded when it starts.
    """
    metrics = Metrics()
    limits = limits or Limits()
    hub = Hub(
        registry,
        task_of=task_of,
        bus=bus,
        max_rows=settings.max_rows,
        cache_size=cache_size,
        max_waiting=2 * limits.predict,
        metrics=metrics,
    )
    names = task_names() if tasks is None else tasks
    operations = Operations(hub, [task_of(name) for name in names], bus)
    state = State(settings, hub, metrics, operations)

    async def poll() -> None:
        while True:
            await asyncio.sleep(poll_seconds)
            await state.refresh()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await state.refresh()
        poller = asyncio.create_task(poll())
        try:
            yield
        finally:
            poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await poller
            operations.close()
            await asyncio.to_thread(hub.close, settings.request_timeout)

    app = App(
        title="esgml",
        description="Answers about sustainability data that can be traced and recomputed.",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.hub = hub
    app.serving = state
    app.gateway = Gateway(
        app.behind, Handlers(hub, settings, operations), settings, metrics, limits
    )
    _gauges(metrics, hub, app)
    app.include_router(build_router(state, app.openapi))
    if pages is not None:
        app.router.routes.extend(pages(hub, settings))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Any:
        code = _CODES.get(error.status_code, "refused")
        return _error(request, error.status_code, code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Any:
        return _error(request, 400, "bad_request", "The request is not formed as it must be.")

    @app.exception_handler(EsgmlError)
    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Any:
        told = as_http(error)
        return _error(request, told.status, told.code, told.message, dict(told.headers))

    return app
