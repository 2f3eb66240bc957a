"""The pages of a service: their routes, templates and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from esgml import __version__
from esgml.core.errors import MissingExtraError, NotFoundError
from esgml.core.settings import Settings
from esgml.dashboard.anomalies.page import VIEW as ANOMALIES
from esgml.dashboard.forecast.page import VIEW as FORECAST
from esgml.dashboard.plan.page import VIEW as PLAN
from esgml.dashboard.regulation.page import VIEW as REGULATION
from esgml.dashboard.view import View
from esgml.serving.hub import Hub

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from starlette.requests import Request
    from starlette.responses import FileResponse, HTMLResponse, Response
    from starlette.routing import BaseRoute, Route
except ModuleNotFoundError as error:
    raise MissingExtraError.of(error.name or "jinja2", "serve") from error

#: In the order of the navigation.
VIEWS: tuple[View, ...] = (FORECAST, ANOMALIES, PLAN, REGULATION)
STATIC = Path(__file__).parent / "static"
_MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Site:
    """The pages of one service.

    Parameters
    ----------
    hub : Hub
    settings : Settings
    """

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self._hub = hub
        self._settings = settings
        self._templates = Environment(
            loader=PackageLoader("esgml.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, view: View, request: Request) -> Response:
        """Answer with one page."""
        context, status = view.show(request.query_params, self._hub, self._settings)
        page = self._templates.get_template(view.template).render(
            version=__version__, views=VIEWS, here=view, **context
        )
        return HTMLResponse(page, status)

    def static(self, request: Request) -> Response:
        """Return a style, script or drawing of ours."""
        name = request.path_params["name"]
        path = STATIC / name
        if name not in {p.name for p in STATIC.iterdir()} or path.suffix not in _MEDIA:
            raise NotFoundError("there is no such file.", code="not_found")
        headers = {"cache-control": "public, max-age=3600"}
        return FileResponse(path, media_type=_MEDIA[path.suffix], headers=headers)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of all pages and their files."""

        def endpoint(view: View) -> Route:
            def answer(request: Request) -> Response:
                return self.page(view, request)

            return Route(view.path, answer, methods=["GET"], include_in_schema=False)

        static = Route("/static/{name}", self.static, methods=["GET"], include_in_schema=False)
        further = [r for view in VIEWS for r in view.routes(self._hub, self._settings)]
        return [*(endpoint(view) for view in VIEWS), *further, static]


def pages(hub: Hub, settings: Settings) -> Sequence[BaseRoute]:
    """Return the routes of the dashboard, to stand above a service."""
    return Site(hub, settings).routes()
