"""What training yields: registered versions beside naive baselines, and what failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from esgml.core.errors import EsgmlError
from esgml.registry import gate

#: Metrics that are long lists, kept in the bundle and left out of reports.
_LONG = ("errors", "actuals")
#: Metrics that are no errors: more is better.
HIGHER = ("accuracy", "within_10pct")


@dataclass(frozen=True)
class TrainedModel:
    """One task, trained and registered.

    Attributes
    ----------
    task, name, version, model : str
        `name` and `version` as registered, `model` what serves the task.
    metrics : dict
        With ``naive`` beside them; long lists of errors are left out.
    seconds : float
        Time the training itself took.
    run : str
        Key of the run record.
    champion : bool
        Whether it is the released version now.
    reason : str
        Why, or why not.
    reused : tuple of str
        Steps taken over from an earlier attempt that was interrupted.
    """

    task: str
    name: str
    version: str
    model: str
    metrics: dict[str, Any]
    seconds: float
    run: str = ""
    champion: bool = False
    reason: str = ""
    reused: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the model as plain values, for JSON."""
        return {
            "task": self.task,
            "name": self.name,
            "version": self.version,
            "model": self.model,
            "metrics": self.metrics,
            "seconds": self.seconds,
            "run": self.run,
            "champion": self.champion,
            "reason": self.reason,
            "reused": [*self.reused],
        }

    def beside_naive(self) -> list[tuple[str, float, float | None]]:
        """Return metric, value and naive value of every scalar metric, the headline first."""
        naive = self.metrics.get("naive")
        naive = naive if isinstance(naive, dict) else {}
        first, _ = gate.headline(self.metrics)
        names = [n for n, v in self.metrics.items() if gate.number(v) is not None]
        names.sort(key=lambda n: (n != first, n not in naive))
        rows = []
        for name in names:
            value = gate.number(self.metrics[name])
            if value is not None:
                rows.append((name, value, gate.number(naive.get(name))))
        return rows

    def better_by(self, metric: str) -> float | None:
        """Return by what share a metric is better than the naive one; None = not told.

        Errors are better where they are lower; `HIGHER` and the headline metric, if the
        metrics say so, where they are higher.
        """
        naive = self.metrics.get("naive")
        base = gate.number(naive.get(metric)) if isinstance(naive, dict) else None
        value = gate.number(self.metrics.get(metric))
        if value is None or not base:
            return None
        first, higher = gate.headline(self.metrics)
        gain = (value - base) / abs(base)
        return gain if metric in HIGHER or (metric == first and higher) else -gain


@dataclass(frozen=True)
class Failure:
    """One task that could not be trained.

    Attributes
    ----------
    task : str
    error : dict
        ``code, message, where, remedy``.
    run : str
        Key of the run record, empty where it did not begin.
    """

    task: str
    error: dict[str, str]
    run: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the failure as plain values, for JSON."""
        return {"task": self.task, "run": self.run, "error": self.error}

    def as_error(self) -> EsgmlError:
        """Return the failure as an error of the class its code names."""
        found = self.error
        kind = _kinds().get(found.get("kind", ""), EsgmlError)
        return kind(
            found["message"],
            code=found["code"],
            where=found["where"] or self.task,
            remedy=found["remedy"],
        )


def _kinds() -> dict[str, type[EsgmlError]]:
    found: dict[str, type[EsgmlError]] = {}
    waiting = [EsgmlError]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return found


@dataclass(frozen=True)
class TrainingReport:
    """What came of `ModelTrainingPipeline.train_all_models`.

    Attributes
    ----------
    models : tuple of TrainedModel
    failures : tuple of Failure
    skipped : dict of task to reason
        Tasks that the table is not meant for.
    data : dict
        Fingerprint of the cleaned table: ``sha256, rows, start, end``.
    """

    models: tuple[TrainedModel, ...] = ()
    failures: tuple[Failure, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, as `esgml train --json` prints it."""
        return {
            "models": [model.as_dict() for model in self.models],
            "failures": [failure.as_dict() for failure in self.failures],
            "skipped": self.skipped,
            "data": self.data,
        }

    def raise_on_failures(self) -> None:
        """Raise the first failure if nothing at all was trained."""
        if self.failures and not self.models:
            raise self.failures[0].as_error()


def short(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return metrics without the long lists that only a bundle keeps."""
    return {name: value for name, value in metrics.items() if name not in _LONG}
