"""Where serving and monitoring meet: what happened, told to whoever listens."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar


@dataclass(frozen=True)
class Event:
    """Base of everything that is told."""


@dataclass(frozen=True)
class PredictionMade(Event):
    """A served prediction, with what is needed to compute it again."""

    prediction_id: str
    model: str
    version: str
    request: dict[str, Any]
    response: dict[str, Any]
    seconds: float
    tenant: str = ""
    bundle_digest: str = ""
    data_fingerprint: str = ""
    code_version: str = ""


@dataclass(frozen=True)
class ModelTrained(Event):
    """A task finished training."""

    task: str
    model: str
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class VersionPromoted(Event):
    """An alias of a registered model now points at another version."""

    model: str
    alias: str
    version: str
    previous: str = ""


E = TypeVar("E", bound=Event)


class EventBus:
    """Deliver events to listeners, in the thread that publishes them."""

    def __init__(self) -> None:
        self._listeners: dict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)
        self._lock = threading.Lock()

    def subscribe(self, kind: type[E], listener: Callable[[E], None]) -> Callable[[], None]:
        """Call `listener` with every event of `kind`; returns a function that stops it."""
        with self._lock:
            self._listeners[kind].append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners[kind]:
                    self._listeners[kind].remove(listener)

        return stop

    def publish(self, event: Event) -> None:
        """Tell every listener of the event's kind."""
        with self._lock:
            listeners = list(self._listeners[type(event)])
        for listener in listeners:
            listener(event)
