"""What a page is: a path, a name in the navigation, a template, and what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esgml.core.settings import Settings
from esgml.serving.hub import Hub

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

#: Query of the request, models in service, settings -> what the template needs, and a status.
Show = Callable[[Mapping[str, str], Hub, Settings], tuple[dict[str, Any], int]]
#: Models in service, settings -> further routes of a page.
Routes = Callable[[Hub, Settings], "Sequence[BaseRoute]"]


def no_routes(hub: Hub, settings: Settings) -> Sequence[BaseRoute]:
    """Return no further routes."""
    return ()


@dataclass(frozen=True)
class View:
    """One page.

    Attributes
    ----------
    path : str
    label : str
        In the navigation.
    template : str
    show : callable
        Returns the template's context and the HTTP status.
    routes : callable
        Returns what the page needs besides itself.
    """

    path: str
    label: str
    template: str
    show: Show
    routes: Routes = no_routes


def picked(text: str, count: int) -> int | None:
    """Return the index that a query asks for, or None where there is no such item."""
    index = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
    return index if 0 <= index < count else None
