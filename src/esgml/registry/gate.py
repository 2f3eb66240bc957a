"""The gate before release: a champion must beat the naive answer on data it never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Metrics a gate looks at where the bundle names none, best first; lower is better in all.
ERRORS = ("wape", "mase", "smape", "rmse", "mae", "logloss")


@dataclass(frozen=True)
class Verdict:
    """Whether a model beats its baseline.

    Attributes
    ----------
    passed : bool
    metric : str
        Metric that was compared; empty where the bundle states no baseline.
    value, naive : float or None
    reason : str
        One sentence.
    """

    passed: bool
    metric: str
    value: float | None
    naive: float | None
    reason: str


def headline(metrics: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the metric a model is judged by, and whether higher is better.

    It is the one the metrics name under ``primary`` (with ``higher_is_better``), else the
    first usual error measure they hold, else an empty name.
    """
    named = metrics.get("primary")
    if isinstance(named, str) and named in metrics:
        return named, bool(metrics.get("higher_is_better", False))
    return next((name for name in ERRORS if name in metrics), ""), False


def number(value: object) -> float | None:
    """Return `value` as a finite float, or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # a whole number beyond what a float holds
        return None
    return found if math.isfinite(found) else None


def judge(metrics: Mapping[str, Any]) -> Verdict:
    """Say whether a model with these metrics may be released.

    A model passes if its headline metric is strictly better than that of the naive
    baseline under ``naive``. One that states no baseline passes and says so; one whose
    own score is missing or not finite does not.
    """
    name, higher = headline(metrics)
    naive = metrics.get("naive")
    if not name or not isinstance(naive, Mapping) or name not in naive:
        return Verdict(True, "", None, None, "the metrics state no naive baseline to beat.")
    value, base = number(metrics[name]), number(naive[name])
    if value is None or base is None:
        return Verdict(False, name, value, base, f"{name} is not a finite number.")
    passed = value > base if higher else value < base
    relation = "beats" if passed else "does not beat"
    return Verdict(
        passed, name, value, base, f"{name} {value:.4g} {relation} the naive baseline's {base:.4g}."
    )


@dataclass(frozen=True)
class Refusal:
    """Why a version may not become the champion, and the code of that."""

    code: str
    reason: str


def refusal(verdict: Verdict, worse: str) -> Refusal | None:
    """Return why a champion is refused, None where it is not.

    Parameters
    ----------
    verdict : Verdict
        Against the naive baseline.
    worse : str
        How it is worse than the champion before it; empty where it is not.
    """
    if not verdict.passed:
        return Refusal("not_better_than_naive", verdict.reason)
    return Refusal("worse_than_champion", worse) if worse else None
