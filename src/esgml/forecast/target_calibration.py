"""How probabilities of hitting targets turned out in the past, on the same kind of question.

The question is moved back in time: as many years from the base year to the origin, and
from the origin to the target year, the same reduction, for every series and every origin
at which its answer is known by now. At each origin the method sees what was known then.
The record is that of single series; sums have too few pasts for a record of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.forecast.drift import estimate_drift
from esgml.forecast.metrics import binomial_interval
from esgml.forecast.projection import project

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.forecast.annual import AnnualHistory
    from esgml.forecast.targets import Question

#: Fewer past cases, or origins, than these give no number.
LEAST_CASES, LEAST_ORIGINS = 30, 3
BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


@dataclass(frozen=True)
class Shape:
    """A question without a date: years from base to origin, origin to target, share kept."""

    elapsed: int
    ahead: int
    kept: float

    def fits(self, history: AnnualHistory, origin: int) -> bool:
        """Say whether the question can be asked at `origin` and its answer is known."""
        totals = history.totals
        needed = (origin - self.elapsed, origin, origin + self.ahead)
        if not all(year in totals for year in needed):
            return False
        known = sum(year <= origin for year in totals)
        return known >= 2 and totals[needed[0]] > 0 and totals[origin] > 0


def calibrate_target(histories: Sequence[AnnualHistory], question: Question) -> dict[str, Any]:
    """Return the record of the method on past questions like `question`.

    Where the past is too short for the very question, one over fewer years is asked, with
    the reduction in proportion; ``asked`` says which.

    Returns
    -------
    dict
        ``status`` ``ok`` with ``brier`` (mean squared error of the probability, lower is
        better), ``base_rate_brier`` (that of always saying how often it happened, known
        only afterwards), ``skill`` (1 - their ratio), ``reliability`` (per range of
        probability: cases, mean probability, share that happened and its 95 % interval)
        and the same per target;
        or ``not_enough_history`` with the number of ``cases`` found.
    """
    latest = max(history.last for history in histories)
    shape, cases = _shape(histories, question, latest)
    asked = {
        "years_since_base": shape.elapsed,
        "years_ahead": shape.ahead,
        "reduction": 100 * (1 - shape.kept),
    }
    if shape.ahead == 0 or not cases:
        return {"status": "not_enough_history", "cases": 0}
    origins = {origin for origin, _ in cases}
    if len(cases) < LEAST_CASES or len(origins) < LEAST_ORIGINS:
        return {"status": "not_enough_history", "cases": len(cases)}
    probability, happened, target = _ask(histories, shape, cases)
    scores = _scores(probability, happened)
    names = sorted(set(target.tolist()))
    if len(names) > 1:
        scores["by_target"] = {
            name: _scores(probability[target == name], happened[target == name]) for name in names
        }
    return {
        "status": "ok",
        "of": "single series",
        "asked": asked,
        "origins": len(origins),
        **scores,
    }


def record(
    histories: Sequence[AnnualHistory], shape: Shape, origins: Sequence[int]
) -> dict[str, Any] | None:
    """Return how one question turned out at the given origins; None where it never could.

    The scores are those of `calibrate_target`.
    """
    cases = _cases(histories, shape, origins)
    return _scores(*_ask(histories, shape, cases)[:2]) if cases else None


def _cases(
    histories: Sequence[AnnualHistory], shape: Shape, origins: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the (origin, series) at which a question can be asked."""
    return [
        (origin, i)
        for origin in origins
        for i, history in enumerate(histories)
        if shape.fits(history, origin)
    ]


def _shape(
    histories: Sequence[AnnualHistory], question: Question, latest: int
) -> tuple[Shape, list[tuple[int, int]]]:
    """Return the longest question with enough past cases, and its (origin, series)."""
    elapsed = max(latest - question.base_year, 0)
    ahead = max(question.target_year - latest, 0)
    span = question.target_year - question.base_year
    if ahead == 0:  # the target year is in the data: the record of a question one year ahead
        elapsed, ahead = max(elapsed - 1, 0), 1
    years = range(min(min(h.totals) for h in histories), latest + 1)
    best: tuple[Shape, list[tuple[int, int]]] = (Shape(0, 0, 1.0), [])
    for h in range(min(ahead, len(years)), 0, -1):
        for e in range(min(elapsed, len(years)), -1, -1):
            shape = Shape(e, h, 1 - question.reduction / 100 * min((e + h) / span, 1.0))
            cases = _cases(histories, shape, years)
            origins = len({origin for origin, _ in cases})
            if len(cases) >= LEAST_CASES and origins >= LEAST_ORIGINS:
                return shape, cases
            if len(cases) > len(best[1]):
                best = (shape, cases)
    return best


def _ask(
    histories: Sequence[AnnualHistory], shape: Shape, cases: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]:
    probability, happened, target = [], [], []
    for origin in sorted({origin for origin, _ in cases}):
        for name in dict.fromkeys(history.key.target for history in histories):
            asked = [i for o, i in cases if o == origin and histories[i].key.target == name]
            if not asked:
                continue
            pool = {
                i: past
                for i, history in enumerate(histories)
                if history.key.target == name and (past := history.until(origin)) is not None
            }
            drift = estimate_drift(list(pool.values()))
            place = {i: k for k, i in enumerate(pool)}
            for i in asked:
                totals = histories[i].totals
                goal = shape.kept * totals[origin - shape.elapsed]
                projection = project(pool[i], drift, place[i], origin + shape.ahead)
                probability.append(projection.probability(goal))
                happened.append(totals[origin + shape.ahead] <= goal)
                target.append(name)
    return np.array(probability), np.array(happened), np.array(target)


def _scores(probability: NDArray[np.float64], happened: NDArray[np.bool_]) -> dict[str, Any]:
    rate = float(happened.mean())
    brier = float(((probability - happened) ** 2).mean())
    base = rate * (1 - rate)
    table = []
    which = np.clip(np.digitize(probability, BINS[1:-1]), 0, len(BINS) - 2)
    for b in range(len(BINS) - 1):
        inside = which == b
        if inside.any():
            table.append(
                {
                    "from": BINS[b],
                    "to": BINS[b + 1],
                    "cases": int(inside.sum()),
                    "mean_probability": float(probability[inside].mean()),
                    "share_that_happened": float(happened[inside].mean()),
                    "interval": binomial_interval(
                        float(happened[inside].mean()), int(inside.sum())
                    ),
                }
            )
    return {
        "cases": len(happened),
        "brier": brier,
        "base_rate": rate,
        "base_rate_brier": base,
        "skill": 1 - brier / base if base > 0 else None,
        "reliability": table,
    }
