"""Settings of deep Q-learning, with default, bounds and search range written once."""

from __future__ import annotations

from typing import Any

import pydantic

from esgml.core.interfaces import Hyperparameters, tunable


def _search(low: float, high: float, *, log: bool = False) -> dict[str, Any]:
    return {"search": {"low": low, "high": high} | ({"log": True} if log else {})}


class DqnParams(Hyperparameters):
    """Settings of deep Q-learning."""

    hidden: tuple[pydantic.PositiveInt, ...] = pydantic.Field((64, 64), min_length=1, max_length=4)
    learning_rate: float = pydantic.Field(
        1e-3, gt=0, le=1, json_schema_extra=_search(1e-4, 1e-2, log=True)
    )
    final_rate: float = pydantic.Field(
        0.1, gt=0, le=1, description="learning rate at the end, as a share of that at the start"
    )
    gamma: float = pydantic.Field(0.99, ge=0, le=1, json_schema_extra=_search(0.9, 0.999))
    batch: int = pydantic.Field(64, ge=1, json_schema_extra={"search": {"choices": [32, 64, 128]}})
    buffer: int = pydantic.Field(50_000, ge=100, description="transitions remembered")
    warm_up: int = pydantic.Field(500, ge=1, description="random steps before learning")
    steps: int = pydantic.Field(
        50_000, ge=1, description="most environment steps, whatever the number of episodes"
    )
    updates_per_step: float = pydantic.Field(0.5, gt=0, le=16, json_schema_extra=_search(0.1, 1.0))
    updates_at_once: int = pydantic.Field(
        8, ge=1, description="updates that are made in one go, once so many are due"
    )
    target_every: int = pydantic.Field(
        1, ge=1, description="updates between moves of the target network"
    )
    tau: float = pydantic.Field(
        0.01, gt=0, le=1, description="how far the target moves towards the online one; 1 = copy"
    )
    exploration: float = pydantic.Field(
        0.1,
        gt=0,
        le=1,
        description="share of the steps over which random actions become rare",
        json_schema_extra=_search(0.05, 0.8),
    )
    final_epsilon: float = pydantic.Field(
        0.02, ge=0, le=1, description="share of random actions after that"
    )
    n_step: int = pydantic.Field(
        5,
        ge=1,
        le=100,
        description="steps a return is summed over before it is estimated",
        json_schema_extra={"search": {"choices": [1, 2, 3, 5, 8]}},
    )
    double: bool = tunable(True, choices=[True, False])
    dueling: bool = tunable(False, choices=[True, False])
    gap: float = pydantic.Field(
        0.0,
        ge=0,
        lt=1,
        description="advantage learning: actions other than the best are valued lower by this share"
        " of what they lack, so that errors of the network change fewer decisions",
    )
    clip: float = pydantic.Field(10.0, gt=0, description="largest norm of a gradient")
    stop_at: float | None = pydantic.Field(
        None, description="mean return of the last 100 episodes at which learning stops"
    )
    every_action: bool = pydantic.Field(
        True, description="learn from actions not taken, where the environment tells their outcome"
    )
    average: float = pydantic.Field(
        0.0, ge=0, lt=1, description="last share of the steps whose weights are averaged"
    )
