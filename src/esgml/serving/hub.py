"""Which version answers now: loaded from the registry, swapped without dropping a request.

A request takes the service it finds and keeps it to the end. When an alias moves, the new
version is loaded and exercised beside the old one, then takes its place; the old one
answers what still waits and ends.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from esgml.core.errors import EsgmlError, NotFoundError
from esgml.core.events import EventBus, VersionPromoted
from esgml.core.tasks import Task, get_task
from esgml.registry.bundle import Bundle
from esgml.registry.versions import VersionInfo
from esgml.serving.cache import ResultCache
from esgml.serving.metrics import Metrics
from esgml.serving.service import Service

_log = logging.getLogger("esgml.serving")
#: Names and versions are identifiers, never paths.
_IDENTIFIER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
ALIAS = "champion"


class Registry(Protocol):
    """What serving needs of a registry."""

    def get(self, name: str, version_or_alias: str = ...) -> Bundle:
        """Return the bundle of a version, or of what an alias points at."""

    def list(self) -> Iterable[VersionInfo]:
        """Return all registered versions with their aliases, without reading bundles."""


def is_identifier(text: str) -> bool:
    """Whether `text` may name a model or a version."""
    return _IDENTIFIER.fullmatch(text) is not None


def _unknown(name: str, version: str | None) -> NotFoundError:
    what = f"version {version!r} of model {name!r}" if version else f"model {name!r}"
    return NotFoundError(
        f"there is no {what[:300]}.",
        code="model_unknown",
        remedy="GET /v2 lists the models that are served.",
    )


class Hub:
    """The services that are loaded, by model and version.

    Parameters
    ----------
    registry : Registry
    task_of : callable
        Finds a task by its name.
    bus : EventBus, optional
        Told of predictions; listened to for promotions.
    max_rows : int
        Most rows in one request.
    cache_size : int
        Most answers kept.
    max_pinned : int
        Most versions kept loaded besides the champions, for callers that name a version.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        task_of: Callable[[str], Task] = get_task,
        bus: EventBus | None = None,
        max_rows: int = 10_000,
        cache_size: int = 1024,
        max_pinned: int = 4,
        max_waiting: int = 1024,
        metrics: Metrics | None = None,
    ) -> None:
        self.registry = registry
        self.metrics = metrics or Metrics()
        self.cache = ResultCache(cache_size)
        self._task_of = task_of
        self._bus = bus
        self._max_rows = max_rows
        self._max_pinned = max_pinned
        self._max_waiting = max_waiting
        self._champions: dict[str, Service] = {}
        self._pinned: OrderedDict[tuple[str, str], Service] = OrderedDict()
        self._failed: dict[str, str] = {}
        self._lock = threading.RLock()
        self._stop_listening = (
            bus.subscribe(VersionPromoted, self._promoted) if bus is not None else lambda: None
        )

    # Finding ----------------------------------------------------------------------------

    @property
    def champions(self) -> dict[str, Service]:
        """The services that answer by model name, sorted."""
        return dict(sorted(self._champions.items()))

    @property
    def failures(self) -> dict[str, str]:
        """Models whose current champion could not be put into service, and why."""
        return dict(self._failed)

    def loaded(self, name: str, version: str | None = None) -> Service | None:
        """Return a service that is in memory, without touching the registry."""
        champion = self._champions.get(name)
        if version is None or (champion is not None and champion.version == version):
            return champion
        return self._pinned.get((name, version))

    def service(self, name: str, version: str | None = None) -> Service:
        """Return a service, loading it from the registry where needed (blocks).

        Raises
        ------
        NotFoundError
            If there is no such model or version.
        """
        if not is_identifier(name) or (version is not None and not is_identifier(version)):
            raise _unknown(name, version)
        found = self.loaded(name, version)
        if found is not None:
            return found
        with self._lock:
            found = self.loaded(name, version)
            if found is not None:
                return found
            if version is None:
                self.refresh_model(name, strict=True)
                champion = self._champions.get(name)
                if champion is None:
                    raise _unknown(name, None)
                return champion
            return self._pin(name, version)

    def for_task(self, task: str) -> Service:
        """Return the champion that answers a task; the model named like it comes first."""
        named = self._champions.get(task)
        if named is not None and named.bundle.task == task:
            return named
        for service in self.champions.values():
            if service.bundle.task == task:
                return service
        raise NotFoundError(
            f"no model for the task {task!r} is in service.",
            code="model_unknown",
            remedy=f"Train one with: esgml train DATA --task {task}; then promote it.",
        )

    # Loading ----------------------------------------------------------------------------

    def _build(self, bundle: Bundle) -> Service:
        sizes = self.metrics.batches
        return Service(
            bundle,
            task_of=self._task_of,
            max_rows=self._max_rows,
            cache=self.cache,
            bus=self._bus,
            observe=lambda size: sizes.observe(size, bundle.name),
            max_waiting=self._max_waiting,
        )

    def _pin(self, name: str, version: str) -> Service:
        bundle = self.registry.get(name, version)
        if str(bundle.version) != version:  # an alias is not a version
            raise _unknown(name, version)
        service = self._build(bundle)
        self._pinned[name, version] = service
        while len(self._pinned) > self._max_pinned:
            self._pinned.popitem(last=False)[1].retire()
        return service

    def refresh(self) -> list[str]:
        """Put the current champion of every model into service; returns what changed.

        A version that fails to load leaves the one before in place.
        """
        changed = []
        for item in self.registry.list():
            if ALIAS not in item.aliases:
                continue
            current = self._champions.get(item.name)
            if current is not None and current.version == item.version:
                self._failed.pop(item.name, None)
            elif self.refresh_model(item.name):
                changed.append(item.name)
        return changed

    def refresh_model(self, name: str, *, strict: bool = False) -> bool:
        """Put the current champion of one model into service; returns whether it changed.

        With `strict`, errors are raised instead of noted.
        """
        with self._lock:
            current = self._champions.get(name)
            try:
                bundle = self.registry.get(name, ALIAS)
                if current is not None and current.version == str(bundle.version):
                    self._failed.pop(name, None)
                    return False
                started = time.perf_counter()
                service = self._build(bundle)
            except NotFoundError as error:
                if strict:
                    raise _unknown(name, None) from error
                return False  # registered, but nothing is promoted yet
            except Exception as error:
                self._note_failure(name, error)
                if strict:
                    raise
                return False
            self._champions[name] = service
            self._failed.pop(name, None)
            self.metrics.swaps.add(name)
            _log.info(
                "%s version %s in service after %.2f s",
                name,
                service.version,
                time.perf_counter() - started,
            )
        if current is not None:
            current.retire()
        return True

    def _note_failure(self, name: str, error: Exception) -> None:
        reason = error.message if isinstance(error, EsgmlError) else type(error).__name__
        if self._failed.get(name) != reason:
            _log.error("%s: the promoted version cannot be served: %s", name, error)
            self.metrics.load_failures.add(name)
        self._failed[name] = reason

    def _promoted(self, event: VersionPromoted) -> None:
        if event.alias == ALIAS:
            self.refresh_model(event.model)

    # Ending -----------------------------------------------------------------------------

    def close(self, seconds: float = 10.0) -> bool:
        """Answer what waits, then end; returns whether everything was answered in time."""
        self._stop_listening()
        with self._lock:
            services = [*self._champions.values(), *self._pinned.values()]
            self._champions.clear()
            self._pinned.clear()
        for service in services:
            service.retire()
        deadline = time.monotonic() + seconds
        ended = [s.join(max(0.0, deadline - time.monotonic())) for s in services]
        return all(ended)
