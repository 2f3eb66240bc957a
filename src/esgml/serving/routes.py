"""Health, descriptions, metrics and documentation: the routes that need not be fast."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pydantic

from esgml import __version__
from esgml.core.errors import MissingExtraError
from esgml.core.settings import Settings
from esgml.serving import docs
from esgml.serving.batching import RetiredError
from esgml.serving.hub import Hub
from esgml.serving.metrics import CONTENT_TYPE, Metrics
from esgml.serving.openapi import error_responses
from esgml.serving.operations import Operations
from esgml.serving.service import Service

try:
    from fastapi import APIRouter, Response
    from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
except ModuleNotFoundError as error:
    raise MissingExtraError.of("fastapi", "serve") from error

_log = logging.getLogger("esgml.serving")
#: How long a worker may take to show that it moves.
PROBE_SECONDS = 2.0


class State:
    """What health depends on.

    Attributes
    ----------
    draining : bool
        Set when the service is about to end: not ready any more, but still serving.
    registry_read : bool
        Whether the registry could be read at all so far.
    """

    def __init__(
        self, settings: Settings, hub: Hub, metrics: Metrics, operations: Operations
    ) -> None:
        self.settings = settings
        self.hub = hub
        self.metrics = metrics
        self.operations = operations
        self.draining = False
        self.registry_read = False

    async def refresh(self) -> None:
        """Put the current champions into service; a registry out of reach changes nothing."""
        try:
            await asyncio.to_thread(self.hub.refresh)
            self.registry_read = True
        except Exception as error:
            _log.error("the registry cannot be read: %s", error)

    async def moves(self, service: Service) -> bool:
        """Whether the worker of a service is alive and moving."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await service.probe()
        except TimeoutError:
            return False
        except RetiredError:
            return True  # replaced this very moment; its successor is asked next time
        return True

    def stuck(self) -> list[str]:
        """Return the models whose worker has been at one batch for far too long."""
        limit = 3 * self.settings.request_timeout
        return [name for name, s in self.hub.champions.items() if s.busy_seconds > limit]

    async def obstacles(self) -> list[str]:
        """Return why the service is not ready; empty where it is."""
        if self.draining:
            return ["draining"]
        services = self.hub.champions
        if not services:
            if self.hub.failures:
                return [f"{name} cannot be served" for name in self.hub.failures]
            if not (self.registry_read and self.operations.any_built_in):
                return ["no model in service"]
        moving = await asyncio.gather(*(self.moves(s) for s in services.values()))
        return [
            f"the worker of {name} does not answer"
            for name, ok in zip(services, moving, strict=True)
            if not ok
        ]


class Live(pydantic.BaseModel):
    """Whether the process works."""

    live: bool
    reason: str = ""


class Ready(pydantic.BaseModel):
    """Whether requests can be answered now."""

    ready: bool
    reason: str = ""


class ModelReady(Ready):
    """Whether one model can answer now."""

    name: str
    version: str


class Tensor(pydantic.BaseModel):
    """An input or output: name, type, and shape with -1 where it varies."""

    name: str
    datatype: str
    shape: list[int]


class ModelDescription(pydantic.BaseModel):
    """A model in service, as the Open Inference Protocol describes it."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    parameters: dict[str, Any]


class ServerDescription(pydantic.BaseModel):
    """The service, as the Open Inference Protocol describes it."""

    name: str
    version: str
    extensions: list[str]
    models: list[str]


class ListedModel(pydantic.BaseModel):
    """A model in service and how good it was when it was trained."""

    name: str
    version: str
    task: str
    model: str
    metrics: dict[str, Any]
    digest: str


class ModelList(pydantic.BaseModel):
    """The models in service, and those whose promoted version could not be loaded."""

    models: list[ListedModel]
    failed: dict[str, str]


def describe(service: Service) -> ModelDescription:
    """Return what a client needs to know to call a model."""
    rows = service.rows
    schema = {k: v for k, v in service.schema.items() if k != "example"}
    return ModelDescription(
        name=service.name,
        versions=[service.version],
        platform=f"esgml_{service.bundle.task}",
        inputs=[Tensor(name=rows.input_name, datatype="FP64", shape=[-1, -1])],
        outputs=[
            Tensor(name=name, datatype="FP64", shape=[-1, width])
            for name, width in rows.outputs().items()
        ],
        parameters={
            "task": service.bundle.task,
            "model": service.bundle.model_name,
            "digest": service.digest,
            "schema": schema,
        },
    )


def headline(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores themselves, without what is kept by series for comparisons."""

    def plain(value: Any) -> bool:
        return value is None or isinstance(value, str | int | float)

    return {
        key: {k: v for k, v in value.items() if plain(v)} if isinstance(value, dict) else value
        for key, value in metrics.items()
        if plain(value) or (isinstance(value, dict) and any(map(plain, value.values())))
    }


def listed(service: Service) -> ListedModel:
    """Return how a model in service is listed."""
    bundle = service.bundle
    return ListedModel(
        name=service.name,
        version=service.version,
        task=bundle.task,
        model=bundle.model_name,
        metrics=headline(bundle.metrics),
        digest=service.digest,
    )


def build_router(state: State, openapi: Callable[[], dict[str, Any]]) -> APIRouter:
    """Build the routes of one service."""
    router = APIRouter()
    missing: dict[int | str, Any] = error_responses("401", "403", "404", "405", "503")
    common: dict[int | str, Any] = error_responses("401", "403", "405", "503")
    unready: dict[int | str, Any] = {503: {"model": Ready, "description": "Not ready."}}

    @router.get("/v2/health/live", tags=["health"], response_model_exclude_defaults=True)
    async def live(response: Response) -> Live:
        """Tell whether the process works: its loop answers and no worker is stuck."""
        stuck = state.stuck()
        if stuck:
            response.status_code = 503
            return Live(live=False, reason=f"stuck: {', '.join(stuck)}")
        return Live(live=True)

    @router.get(
        "/v2/health/ready",
        tags=["health"],
        responses=unready,
        response_model_exclude_defaults=True,
    )
    async def ready(response: Response) -> Ready:
        """Tell whether requests can be answered now; passes through every worker."""
        obstacles = await state.obstacles()
        if obstacles:
            response.status_code = 503
        return Ready(ready=not obstacles, reason="; ".join(obstacles))

    @router.get("/v2", tags=["inference protocol"], responses=common)
    async def server() -> ServerDescription:
        """Describe the service."""
        return ServerDescription(
            name="esgml",
            version=__version__,
            extensions=["binary_tensor_data"],
            models=list(state.hub.champions),
        )

    async def found(name: str, version: str | None) -> Service:
        service = state.hub.loaded(name, version)
        if service is None:
            service = await asyncio.to_thread(state.hub.service, name, version)
        return service

    @router.get("/v2/models/{model}", tags=["inference protocol"], responses=missing)
    async def model(model: str) -> ModelDescription:
        """Describe a model in service."""
        return describe(await found(model, None))

    @router.get(
        "/v2/models/{model}/versions/{version}", tags=["inference protocol"], responses=missing
    )
    async def model_version(model: str, version: str) -> ModelDescription:
        """Describe a version of a model."""
        return describe(await found(model, version))

    async def is_ready(response: Response, name: str, version: str | None) -> ModelReady:
        service = await found(name, version)
        ok = not state.draining and await state.moves(service)
        if not ok:
            response.status_code = 503
        return ModelReady(ready=ok, name=name, version=service.version)

    @router.get(
        "/v2/models/{model}/ready",
        tags=["health"],
        responses=missing,
        response_model_exclude_defaults=True,
    )
    async def model_ready(model: str, response: Response) -> ModelReady:
        """Tell whether a model can answer now."""
        return await is_ready(response, model, None)

    @router.get(
        "/v2/models/{model}/versions/{version}/ready",
        tags=["health"],
        responses=missing,
        response_model_exclude_defaults=True,
    )
    async def version_ready(model: str, version: str, response: Response) -> ModelReady:
        """Tell whether a version of a model can answer now."""
        return await is_ready(response, model, version)

    @router.get("/v1/models", tags=["models"], responses=common)
    async def models() -> ModelList:
        """List the models in service with their metrics beside the naive baseline."""
        return ModelList(
            models=[listed(s) for s in state.hub.champions.values()], failed=state.hub.failures
        )

    @router.get("/metrics", tags=["monitoring"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Return the numbers of the service in the Prometheus text format."""
        return Response(state.metrics.render(), media_type=CONTENT_TYPE)

    @router.get("/openapi.json", include_in_schema=False)
    async def description() -> Response:
        """Return the OpenAPI description."""
        return JSONResponse(openapi())

    @router.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        """Return the OpenAPI description as a page."""
        return HTMLResponse(docs.page(openapi()))

    @router.get("/docs/style.css", include_in_schema=False)
    async def style() -> Response:
        """Return the style of the page."""
        return Response(docs.STYLE, media_type="text/css")

    return router
