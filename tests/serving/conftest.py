import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

# Test files are no package: the doubles are loaded by path, once, under a plain name.
if "serving_doubles" not in sys.modules:
    _spec = importlib.util.spec_from_file_location(
        "serving_doubles", Path(__file__).with_name("doubles.py")
    )
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["serving_doubles"] = _module
    _spec.loader.exec_module(_module)

import httpx
import serving_doubles as doubles

from esgml.core.events import EventBus, PredictionMade
from esgml.core.settings import Settings
from esgml.serving.app import create_app


class Running:
    """An application started in this loop, with a client on it."""

    def __init__(self, app, registry, task, client, events):
        self.app, self.registry, self.task = app, registry, task
        self.client, self.events = client, events
        self.hub = app.hub


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def start():
    """Return a context manager that runs an application on the test's event loop."""
    import contextlib

    @contextlib.asynccontextmanager
    async def run(registry=None, *, base_url="http://127.0.0.1:8080", headers=None, **options):
        settings = Settings(**options.pop("settings", {}))
        task = options.pop("task", None) or doubles.SeasonalMeanTask()
        if registry is None:
            registry = doubles.Registry()
            registry.register(doubles.trained())
            registry.promote("emissions", "1")
        bus = EventBus()
        events = []
        bus.subscribe(PredictionMade, events.append)
        app = create_app(
            settings,
            registry,
            bus=bus,
            task_of=lambda name: task,
            tasks=("emissions",),
            poll_seconds=0.05,
            **options,
        )
        app.bus = bus
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers) as client,
        ):
            yield Running(app, registry, task, client, events)

    return run
