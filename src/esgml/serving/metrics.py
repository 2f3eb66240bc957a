"""Counters, gauges and histograms in the Prometheus text format, without a dependency."""

from __future__ import annotations

import bisect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Upper edges of latency buckets in seconds.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Upper edges of batch-size buckets.
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _labels(names: Sequence[str], values: Sequence[str], extra: str = "") -> str:
    parts = [f'{n}="{_escape(v)}"' for n, v in zip(names, values, strict=True)]
    if extra:
        parts.append(extra)
    return "{" + ",".join(parts) + "}" if parts else ""


class Metric(ABC):
    """A family of numbers with one name and fixed label names."""

    kind = "untyped"

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.help_text = help_text
        self.labels = tuple(labels)
        self._lock = threading.Lock()

    @abstractmethod
    def lines(self) -> list[str]:
        """Return the samples in text format."""


class Counter(Metric):
    """A number that only grows."""

    kind = "counter"

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, help_text, labels)
        self._values: dict[tuple[str, ...], float] = {}

    def add(self, *labels: str, amount: float = 1.0) -> None:
        """Add `amount` to the counter with these label values."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0.0) + amount

    def value(self, *labels: str) -> float:
        """Return the count so far."""
        return self._values.get(labels, 0.0)

    def lines(self) -> list[str]:
        """Return the samples in text format."""
        with self._lock:
            items = sorted(self._values.items())
        return [f"{self.name}{_labels(self.labels, k)} {v:g}" for k, v in items]


class Gauge(Metric):
    """A number read at the moment it is asked for."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        help_text: str,
        read: Callable[[], dict[tuple[str, ...], float]],
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__(name, help_text, labels)
        self._read = read

    def lines(self) -> list[str]:
        """Return the samples in text format."""
        return [f"{self.name}{_labels(self.labels, k)} {v:g}" for k, v in self._read().items()]


class Histogram(Metric):
    """How often values fell under each of several edges."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        help_text: str,
        edges: Sequence[float] = SECONDS,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__(name, help_text, labels)
        self.edges = tuple(edges)
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Count one value."""
        with self._lock:
            counts = self._counts.setdefault(labels, [0] * (len(self.edges) + 1))
            counts[bisect.bisect_left(self.edges, value)] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + value

    def lines(self) -> list[str]:
        """Return the samples in text format."""
        out = []
        with self._lock:
            items = sorted((k, list(c), self._sums[k]) for k, c in self._counts.items())
        for key, counts, total in items:
            running = 0
            for edge, count in zip((*self.edges, float("inf")), counts, strict=True):
                running += count
                text = "+Inf" if edge == float("inf") else f"{edge:g}"
                bucket = _labels(self.labels, key, f'le="{text}"')
                out.append(f"{self.name}_bucket{bucket} {running}")
            out.append(f"{self.name}_sum{_labels(self.labels, key)} {total:.9g}")
            out.append(f"{self.name}_count{_labels(self.labels, key)} {running}")
        return out


M = TypeVar("M", bound=Metric)


class Metrics:
    """All numbers of one service."""

    def __init__(self) -> None:
        self._metrics: list[Metric] = []
        self.requests = self.add(
            Counter("esgml_requests_total", "Requests answered.", ("route", "method", "status"))
        )
        self.seconds = self.add(
            Histogram("esgml_request_seconds", "Time to answer.", labels=("route",))
        )
        self.shed = self.add(
            Counter("esgml_shed_total", "Requests refused for lack of room.", ("route",))
        )
        self.predictions = self.add(
            Counter("esgml_predictions_total", "Predictions made.", ("model", "version"))
        )
        self.batches = self.add(
            Histogram("esgml_batch_size", "Requests per batch.", SIZES, ("model",))
        )
        self.swaps = self.add(
            Counter("esgml_model_swaps_total", "Versions put into service.", ("model",))
        )
        self.load_failures = self.add(
            Counter("esgml_model_load_failures_total", "Versions that failed to load.", ("model",))
        )

    def add(self, metric: M) -> M:
        """Add a metric to what `render` writes."""
        self._metrics.append(metric)
        return metric

    def render(self) -> str:
        """Return everything in the Prometheus text format."""
        out = []
        for metric in self._metrics:
            out.append(f"# HELP {metric.name} {metric.help_text}")
            out.append(f"# TYPE {metric.name} {metric.kind}")
            out.extend(metric.lines())
        return "\n".join(out) + "\n"
