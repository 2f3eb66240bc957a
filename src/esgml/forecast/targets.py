"""The probability of hitting a reduction target, of every series and of their sums.

A target says that emissions of the target year are at most (1 - reduction) times those of
the base year. Annual totals are projected as a random walk with shrunk drift
(`esgml.forecast.drift`); the probability for one series follows from Student's t, that for
a sum from seeded simulation in which the series' innovations are correlated. Sums are
sums of simulated totals, never of bounds. The same method is asked the same question in
the past (`esgml.forecast.target_calibration`), and its record stands beside the answer.

Known weakness: it knows the history, and no plan. A closure or a purchase of renewable
power that is decided but not yet in the data does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError, HistoryError, UsageError
from esgml.core.panel import Panel, SeriesKey
from esgml.forecast.annual import AnnualHistory, annual_histories
from esgml.forecast.drift import Drift, estimate_drift
from esgml.forecast.hierarchy import Hierarchy
from esgml.forecast.projection import project, simulate, start_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = (80, 90)
#: Years ahead beyond which no probability is given.
FARTHEST = 50


@dataclass(frozen=True)
class Question:
    """A reduction target.

    Attributes
    ----------
    base_year, target_year : int
    reduction : float
        In percent of the base year, above 0 up to 100.
    """

    base_year: int
    target_year: int
    reduction: float

    def __post_init__(self) -> None:
        if not 0 < self.reduction <= 100:
            raise UsageError(
                f"a reduction of {self.reduction:g} % is not possible.",
                code="reduction_range",
                remedy="Give percent of the base year, above 0 and up to 100.",
            )
        if self.target_year <= self.base_year:
            raise UsageError(
                f"the target year {self.target_year} is not after the base year {self.base_year}.",
                code="target_year",
                remedy="Give a later --target-year.",
            )

    def goal(self, base: float) -> float:
        """Return the most that may be emitted in the target year."""
        return base * (1 - self.reduction / 100)

    def path(self, base: float, year: int) -> float:
        """Return the linear path from the base year to the goal."""
        passed = (year - self.base_year) / (self.target_year - self.base_year)
        return base * (1 - self.reduction / 100 * passed)


@dataclass(frozen=True)
class TargetReport:
    """The answer for every series and sum.

    Attributes
    ----------
    question : Question
    results : tuple of dict
        Sums first, then series: ``entity, target, unit, status`` (open, met, missed),
        ``probability, base, goal, latest, required_annual_rate, expected, interval, path``.
        ``expected`` is the median.
    left_out : tuple of dict
        Series without an answer and why: ``entity, target, reason``.
    calibration : dict
        The record of the method on past questions of this kind.
    notes : tuple of str
        Assumptions that were made.
    """

    question: Question
    results: tuple[dict[str, Any], ...]
    left_out: tuple[dict[str, str], ...] = ()
    calibration: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "base_year": self.question.base_year,
            "target_year": self.question.target_year,
            "reduction": self.question.reduction,
            "results": list(self.results),
            "left_out": list(self.left_out),
            "calibration": self.calibration,
            "notes": list(self.notes),
        }


def assess_target(panel: Panel, question: Question, *, seed: int = 0) -> TargetReport:
    """Say how likely a reduction target is hit.

    Parameters
    ----------
    panel : Panel
        Series of any frequency; with ``groups``, sums of groups are answered too.
    question : Question
    seed : int
        Of the simulation of sums.

    Raises
    ------
    HistoryError
        If no series has two complete years.
    DataError
        If no series has the base year, or what is needed of it is not positive.
    UsageError
        If the target year is more than 50 years after the data.
    """
    from esgml.forecast.target_calibration import calibrate_target

    histories = annual_histories(panel)
    able, left_out = _able(panel, histories, question)
    latest = max(history.last for history in histories)
    if question.target_year - latest > FARTHEST:
        raise UsageError(
            f"the target year is {question.target_year - latest} years after the data.",
            remedy=f"Give a target year up to {latest + FARTHEST}.",
        )
    results: list[dict[str, Any]] = []
    sums: list[dict[str, Any]] = []
    present = dict.fromkeys(history.key.target for history in able)
    for target in sorted(present, key=[*panel.units, *present].index):
        members = [history for history in able if history.key.target == target]
        pool = [h for h in histories if h.key.target == target]
        drift = _select(estimate_drift(pool), [pool.index(h) for h in members])
        unit = panel.units.get(target, "")
        results += [_series(h, drift, i, question, unit) for i, h in enumerate(members)]
        hierarchy = Hierarchy.from_groups([h.key for h in members], panel.groups)
        sums += _sums(hierarchy, members, drift, question, unit, seed)
    calibration = calibrate_target(histories, question)
    notes = _notes(panel, histories, able, left_out)
    return TargetReport(question, (*sums, *results), tuple(left_out), calibration, notes)


def _able(
    panel: Panel, histories: Sequence[AnnualHistory], question: Question
) -> tuple[list[AnnualHistory], list[dict[str, str]]]:
    """Return the series that can be answered, and the others with the reason."""
    if not any(len(history.totals) >= 2 for history in histories):
        raise HistoryError(
            "no series has two complete years.",
            remedy="Give at least two full calendar years of data.",
        )
    years = sorted({year for history in histories for year in history.totals})
    if question.base_year not in years:
        raise DataError(
            f"no series has a complete base year {question.base_year};"
            f" complete are {years[0]} to {years[-1]}.",
            code="base_year",
            remedy="Choose a base year in the data, or add its data.",
        )
    found = {history.key: history for history in histories}
    able, left_out = [], []
    for key in panel.keys:
        reason = _reason(found.get(key), question, years[-1])
        if reason:
            left_out.append({"entity": key.entity, "target": key.target, "reason": reason})
        else:
            able.append(found[key])
    if not able:
        raise DataError(
            f"no series can be assessed; the first: {left_out[0]['reason']}.",
            code="no_series",
            where=left_out[0]["entity"],
            remedy="Give positive totals of the base year and of the latest years.",
        )
    return able, left_out


def _reason(history: AnnualHistory | None, question: Question, latest: int) -> str:
    if history is None or len(history.totals) < 2:
        return "less than two complete years"
    base = history.totals.get(question.base_year)
    if base is None:
        slipped = question.base_year in history.slips
        return f"no {'usable' if slipped else 'complete'} base year {question.base_year}"
    if base <= 0:
        return f"its base year total is {base:g}, nothing to reduce"
    if question.target_year in history.totals:
        return ""
    if question.target_year < history.last:
        return f"no complete year {question.target_year}"
    if history.last < latest - 1:
        return f"its last complete year is {history.last}, the data ends in {latest}"
    if start_of(history).total < 0:
        return "its latest total is negative"
    return ""


def _select(drift: Drift, which: Sequence[int]) -> Drift:
    index = list(which)
    return Drift(
        drift.mean[index],
        drift.common_error,
        drift.own_error[index],
        drift.innovation[index],
        drift.freedom[index],
        drift.correlation,
    )


def _series(
    history: AnnualHistory, drift: Drift, i: int, question: Question, unit: str
) -> dict[str, Any]:
    start = start_of(history)
    ahead: dict[int, dict[str, float]] = {}
    probability = 1.0
    for year in range(history.last + 1, question.target_year + 1):
        if start.total <= 0:  # what emits nothing is expected to go on so
            ahead[year] = _band(np.zeros(1))
            continue
        projection = project(history, drift, i, year)
        ahead[year] = {"expected": projection.quantile(0.5)}
        for level in LEVELS:
            ahead[year][f"lo-{level}"] = projection.quantile((1 - level / 100) / 2)
            ahead[year][f"hi-{level}"] = projection.quantile((1 + level / 100) / 2)
        probability = projection.probability(question.goal(history.totals[question.base_year]))
    latest = {"year": start.year, "value": start.total, "observed_share": 1 - start.unseen}
    result = _result(history.key, unit, question, history.totals, ahead, latest, probability)
    if result["status"] == "open":
        result["annual_growth"] = float(np.expm1(drift.mean[i]))
        result["annual_volatility"] = float(drift.innovation[i])
    return result


def _sums(
    hierarchy: Hierarchy,
    members: Sequence[AnnualHistory],
    drift: Drift,
    question: Question,
    unit: str,
    seed: int,
) -> list[dict[str, Any]]:
    """Answer for every aggregate of one target."""
    rows = hierarchy.summing[len(members) :]
    if len(rows) == 0:
        return []
    first = min(history.last for history in members) + 1
    years = list(range(first, question.target_year + 1))
    futures = simulate(members, drift, years, rows, seed)
    results = []
    for k, (key, row) in enumerate(zip(hierarchy.aggregates, rows, strict=True)):
        inside = [members[i] for i in np.flatnonzero(row).tolist()]
        complete = set.intersection(*(set(history.totals) for history in inside))
        totals = {year: sum(h.totals[year] for h in inside) for year in sorted(complete)}
        starts = [start_of(history) for history in inside]
        now = max(start.year for start in starts)
        ahead = {
            year: _band(futures[t, k])
            for t, year in enumerate(years)
            if year not in totals and (year >= now or year == question.target_year)
        }
        reached = futures[-1, k] <= question.goal(totals[question.base_year]) if years else []
        # members that have not reported the latest year stand there with their projection
        seen = sum((1 - s.unseen) * s.total for s in starts if s.year == now)
        value = totals[now] if now in totals else ahead.get(now, {"expected": np.nan})["expected"]
        share = min(seen / value, 1.0) if value > 0 else 1.0
        latest = {"year": now, "value": value, "observed_share": share}
        probability = float(np.mean(reached)) if len(reached) else 1.0
        result = _result(key, unit, question, totals, ahead, latest, probability)
        results.append({**result, "members": len(inside)})
    return results


def _band(values: NDArray[np.float64]) -> dict[str, float]:
    band = {"expected": float(np.median(values))}
    for level in LEVELS:
        low, high = np.quantile(values, [(1 - level / 100) / 2, (1 + level / 100) / 2])
        band[f"lo-{level}"], band[f"hi-{level}"] = float(low), float(high)
    return band


def _result(
    key: SeriesKey,
    unit: str,
    question: Question,
    totals: dict[int, float],
    ahead: dict[int, dict[str, float]],
    latest: dict[str, float],
    probability: float,
) -> dict[str, Any]:
    """Lay out the answer of one node; `ahead` holds the bands of years not complete."""
    base = totals[question.base_year]
    goal = question.goal(base)
    end = question.target_year
    path = []
    for year in range(question.base_year, end + 1):
        row: dict[str, Any] = {"year": year, "path": question.path(base, year)}
        if year in totals:
            row["actual"] = totals[year]
        elif year in ahead:
            row.update(ahead[year])
        path.append(row)
    common = {
        "entity": key.entity,
        "target": key.target,
        "unit": unit,
        "base": base,
        "goal": goal,
    }
    if end in totals:
        status = "met" if totals[end] <= goal else "missed"
        known = {"status": status, "probability": float(status == "met"), "actual": totals[end]}
        return {**common, **known, "path": path}
    left = end - latest["year"]
    rate = None
    if left > 0 and latest["value"] > 0:
        rate = float((goal / latest["value"]) ** (1 / left) - 1)
    band = ahead[end]
    return {
        **common,
        "status": "open",
        "probability": probability,
        "latest": latest,
        "required_annual_rate": rate,
        "expected": band["expected"],
        "interval": {name: value for name, value in band.items() if name != "expected"},
        "path": path,
    }


def _notes(
    panel: Panel,
    histories: Sequence[AnnualHistory],
    able: Sequence[AnnualHistory],
    left_out: Sequence[dict[str, str]],
) -> tuple[str, ...]:
    notes = ["expected values are medians; the projection knows the history and no plans"]
    if panel.frequency.code != "YS":
        notes.append("annual totals are sums of complete calendar years")
    running = sorted({h.running.year for h in able if h.running})
    if running:
        notes.append(
            f"{', '.join(map(str, running))} is not over: completed with the pattern of the"
            " same part of the year before"
        )
    closed = [h.key.entity for h in able if start_of(h).total == 0]
    if closed:
        more = f" and {len(closed) - 3} more" if len(closed) > 3 else ""
        notes.append(f"emitted nothing last, taken as closed: {', '.join(closed[:3])}{more}")
    slipped = [f"{h.key.entity} {year}" for h in histories for year in h.slips]
    if slipped:
        more = f" and {len(slipped) - 3} more" if len(slipped) > 3 else ""
        notes.append(
            f"about 1000 times off its other years, not counted: {', '.join(slipped[:3])}{more}"
        )
    if left_out:
        notes.append(f"{len(left_out)} series are in no sum: see left_out")
    return tuple(notes)
