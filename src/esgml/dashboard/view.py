"""What a page is: a path, a name in the navigation, a template, and what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from esgml.core.settings import Settings
from esgml.serving.hub import Hub

#: Query of the request, models in service, settings -> what the template needs, and a status.
Show = Callable[[Mapping[str, str], Hub, Settings], tuple[dict[str, Any], int]]


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
    """

    path: str
    label: str
    template: str
    show: Show


def picked(text: str, count: int) -> int | None:
    """Return the index that a query asks for, or None where there is no such item."""
    index = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
    return index if 0 <= index < count else None
