"""What a task answers at a route of its own, besides rows of numbers.

A task declares its operations; serving makes routes, descriptions and records of them
without knowing any capability by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Version that answers carry which no trained model made; the code's own version is recorded.
BUILT_IN = "built-in"


@dataclass(frozen=True)
class Operation:
    """One question that a task answers.

    Attributes
    ----------
    name : str
        Identifier, such as ``forecast_emissions``.
    path : str
        Route, such as ``/v1/emissions/forecast``.
    summary : str
        One line.
    request, answer : dict
        JSON schemas of both documents, complete in themselves.
    run : callable or None
        Answers a decoded document without a trained model, checking it first. The answer
        depends on the document alone (no clock in it), so that it can be computed again.
    complete : callable or None
        Fills in what a document leaves to the moment it is asked, such as the date, before
        it is answered and recorded. Must not fail on documents that `run` would refuse.
    learned : bool
        Whether the task's champion answers where there is one. At least one of `run` and
        `learned` must be set.
    """

    name: str
    path: str
    summary: str
    request: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    run: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    complete: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    learned: bool = True

    def __post_init__(self) -> None:
        if self.run is None and not self.learned:
            raise ValueError(f"operation {self.name!r} has nothing to answer with")
