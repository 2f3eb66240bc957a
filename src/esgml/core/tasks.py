"""What a capability is, to everything above it.

Training, registry, serving and the command line know tasks, never a capability by name. A
task turns a table into what its models learn from, trains one, says how good it is beside
the naive answer, and answers requests with what was trained.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from esgml.core.errors import NotFoundError
from esgml.core.frames import FrameContract, SeriesSpec
from esgml.core.interfaces import BaseModel, Files
from esgml.core.operations import Operation

if TYPE_CHECKING:
    import polars as pl

#: Task name -> module that defines it as ``TASK``.
MODULES = {
    "emissions": "esgml.forecast.task",
    "anomaly": "esgml.anomaly.task",
    "optimization": "esgml.optimization.task",
    "regulatory": "esgml.regulatory.task",
}


@dataclass(frozen=True)
class TaskOptions:
    """How a task is to be trained.

    Attributes
    ----------
    model : str
        Name of the model, or ``auto``.
    horizon : int or None
        Periods ahead, where the task forecasts; None = a default for the frequency.
    levels : tuple of int
        Interval levels in percent.
    seed : int
    threads : int
        Most threads the task may use.
    checkpoint : callable or None
        ``checkpoint(name, compute)`` returns the stored bytes of a finished step, or
        computes and stores them; makes training resume after a kill.
    """

    model: str = "auto"
    horizon: int | None = None
    levels: tuple[int, ...] = (80, 90)
    seed: int = 0
    threads: int = 1
    checkpoint: Callable[[str, Callable[[], bytes]], bytes] | None = None


@dataclass(frozen=True)
class Trained:
    """What training a task yields: all that a bundle keeps.

    Attributes
    ----------
    task, model_name : str
    files : dict of name to bytes
        Weights, calibration and recipe, in formats that carry no code.
    metrics : dict
        Scores on data not learned from, the naive baseline beside them.
    params : dict
        Hyperparameters and options.
    schema : dict
        What a request must hold and what an answer holds.
    card : dict
        Facts for the model card: data, intended use, limits.
    """

    task: str
    model_name: str
    files: Files
    metrics: dict[str, Any]
    params: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)


class Predictor(ABC):
    """A trained task that answers requests: the middle two verbs of a service."""

    @abstractmethod
    def predict(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one decoded request with plain JSON values.

        The answer depends on the request and the bundle alone, so that computing it again
        gives the same bytes.
        """

    def predict_batch(self, requests: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answer several requests; equal to answering each alone."""
        return [self.predict(request) for request in requests]


class Task(ABC):
    """One capability, as the rest of the package sees it.

    ``reads`` says how its training tables come through the door: ``series`` are checked and
    cleaned as measurements over time, a ``table`` is taken row by row as it is.
    """

    name: ClassVar[str]
    capability: ClassVar[str]
    title: ClassVar[str]
    frame: ClassVar[FrameContract]
    default_model: ClassVar[str]
    reads: ClassVar[Literal["series", "table"]] = "series"

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that can serve this task."""
        from esgml.core import catalog

        return catalog.names(self.capability)

    @abstractmethod
    def train(self, frame: pl.DataFrame, spec: SeriesSpec, options: TaskOptions) -> Trained:
        """Learn from a checked and cleaned table."""

    @abstractmethod
    def predictor(self, files: Mapping[str, bytes]) -> Predictor:
        """Build what answers requests from the files of a `Trained`."""

    def operations(self) -> tuple[Operation, ...]:
        """Return what the task answers over HTTP at routes of its own."""
        return ()

    def model_from(self, files: Mapping[str, bytes]) -> BaseModel | None:
        """Return the trained model inside the files, where there is a single one."""
        return None


def task_names() -> tuple[str, ...]:
    """Return the names of the tasks that this installation has."""
    found = []
    for name, module in MODULES.items():
        try:
            if importlib.util.find_spec(module) is not None:
                found.append(name)
        except ModuleNotFoundError:
            continue
    return tuple(found)


def get_task(name: str) -> Task:
    """Return the task called `name`."""
    if name not in task_names():
        raise NotFoundError(
            f"no task {name!r}.", code="task_unknown", remedy=f"Known: {', '.join(task_names())}."
        )
    task = importlib.import_module(MODULES[name]).TASK
    assert isinstance(task, Task)
    return task


def find_operation(name: str) -> Operation:
    """Return the operation called `name`, of whichever installed task has it."""
    for task in map(get_task, task_names()):
        for operation in task.operations():
            if operation.name == name:
                return operation
    raise NotFoundError(f"no operation {name!r}.", code="operation_unknown")
