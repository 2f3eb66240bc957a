"""``esgml serve``: the HTTP service, wired to its registry, log and pages."""

from __future__ import annotations

import logging
import socket
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from esgml.cli.options import DEFAULT_WORKSPACE, Json, Workspace, examples
from esgml.cli.output import note, write_json

if TYPE_CHECKING:
    from esgml.core.settings import Settings
    from esgml.monitoring.log import PredictionLog
    from esgml.serving.app import App

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def build(settings: Settings) -> tuple[App, PredictionLog]:
    """Build the service of a workspace: models, pages, and the log of predictions.

    Serving and monitoring do not know each other; here they meet on one event bus.
    """
    from esgml.core.events import EventBus, PredictionMade
    from esgml.dashboard.site import pages
    from esgml.monitoring.log import PredictionLog
    from esgml.monitoring.trace import log_path
    from esgml.registry.registry import ModelRegistry
    from esgml.serving.app import create_app

    bus = EventBus()
    log = PredictionLog(log_path(settings))
    bus.subscribe(PredictionMade, log.record)
    registry = ModelRegistry(settings, bus)
    return create_app(settings, registry, bus=bus, pages=pages), log


def _log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("esgml").setLevel(logging.INFO)


def work(settings: Settings, listener: socket.socket, drain: float, on_ready: Any = None) -> None:
    """Serve on a listening socket until a signal ends it; one process of possibly several."""
    from esgml.serving.server import serve as run

    _log_to_stderr()
    application, log = build(settings)
    try:
        run(
            application,
            listener,
            drain_seconds=drain,
            on_ready=(lambda: on_ready(application)) if on_ready else None,
        )
    finally:
        log.close()


EXAMPLES = examples(
    "esgml serve --port 8080",
    "ESGML_API_TOKEN=... esgml serve --host 0.0.0.0 --workers 2",
)


@app.command(epilog=EXAMPLES)
def serve(
    host: Annotated[str, typer.Option(help="Address; loopback where omitted.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes to serve with.")] = 1,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds to go on serving, not ready, after SIGTERM.")
    ] = 5.0,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Serve the promoted models, the dashboard and the documentation over HTTP.

    Reads ESGML_API_TOKEN; without it only this machine is served.
    """
    from esgml.core.settings import Settings
    from esgml.serving.server import open_socket, serve_many, url_of

    given: dict[str, Any] = {"workspace": workspace}
    if host:
        given["host"] = host
    if port is not None:
        given["port"] = port
    settings = Settings(**given)
    listener = open_socket(settings)
    url = url_of(listener)

    def tell(models: list[dict[str, str]]) -> None:
        if as_json:
            write_json("esgml.serve/1", {"url": url, "workers": workers, "models": models})
            sys.stdout.flush()
        note(f"serving {url} (dashboard), {url}/docs (interface); Ctrl-C ends it")
        for model in models:
            note(f"  {model['name']} version {model['version']} ({model['model']})")
        if not models:
            note("  no model is promoted yet; train one and it will be picked up")

    if workers == 1:
        work(settings, listener, drain, lambda application: tell(_in_service(application)))
    else:
        tell(_promoted(settings))
        serve_many(work, (settings, listener, drain), workers, stop_seconds=drain + 15)
    listener.close()


def _in_service(application: App) -> list[dict[str, str]]:
    return [
        {"name": s.name, "version": s.version, "model": s.bundle.model_name}
        for s in application.hub.champions.values()
    ]


def _promoted(settings: Settings) -> list[dict[str, str]]:
    from esgml.registry.registry import ModelRegistry
    from esgml.serving.hub import ALIAS

    return [
        {"name": v.name, "version": v.version, "model": v.model_name}
        for v in ModelRegistry(settings).list()
        if ALIAS in v.aliases
    ]
