"""What to do first: each recommendation closes a gap, says what it takes, and cites its fact.

A data point that several regulations ask for is one recommendation, since it is collected once.
Where it is open whether a regulation applies, the advice is to settle that first, not to collect.
Recommendations are ordered by how much of the overall index they take away for each day of work.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from esgml.regulatory.reasons import missing

if TYPE_CHECKING:
    from esgml.regulatory.risk import Assessed

#: Working days a calendar day holds.
_WORKING = 5 / 7
#: Days of work to look up one fact about the organization.
_LOOK_UP = 0.5


def _without(weighed: Sequence[Assessed], point: str) -> float:
    """Return the overall index if one data point were there."""
    from esgml.regulatory.risk import index, overall

    risks = []
    for one in weighed:
        total = sum(n.point.effort_days for n in one.needs)
        left = sum(n.point.effort_days for n in one.missing if n.point.id != point)
        share = left / total if total else 0.0
        risks.append(index(one.result.applies, one.exposure, share, one.urgency))
    return overall(risks)


def _collect(weighed: Sequence[Assessed], now: float) -> list[dict[str, Any]]:
    """Recommend to collect what is missing, once for all regulations that ask for it."""
    asking: dict[str, list[Assessed]] = {}
    for one in weighed:
        for need in one.missing if one.result.applies == "yes" else ():
            asking.setdefault(need.point.id, []).append(one)
    found = []
    for point, ones in asking.items():
        parts = [next(n for n in one.missing if n.point.id == point) for one in ones]
        days = [one.deadline for one in ones if one.deadline is not None]
        due = min(days, default=None)
        effort = parts[0].point.effort_days
        names = [one.result.regulation.id for one in ones]
        text = f"Collect: {parts[0].point.name} (for {', '.join(names)}), about {effort:g} days"
        if due is not None:
            text += f", due {due.isoformat()}"
        if not any(need.fact.verified for need in parts):
            text += " (not verified)"
        start = due - dt.timedelta(days=round(effort / _WORKING)) if due else None
        found.append(
            {
                "text": text,
                "action": "collect",
                "data_point": point,
                "regulations": names,
                "effort_days": effort,
                "deadline": due.isoformat() if due else None,
                "start_by": start.isoformat() if start else None,
                "gain": round(now - _without(weighed, point), 4),
                "evidence": [need.fact.evidence() for need in parts],
            }
        )
    return found


def _subject(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'apply' if names[1:] else 'applies'}"


def _unless(weighed: Sequence[Assessed], names: Sequence[str]) -> float:
    """Return the overall index if some regulations turned out not to apply."""
    from esgml.regulatory.risk import overall

    return overall(one.risk for one in weighed if one.result.regulation.id not in names)


def _settle(weighed: Sequence[Assessed], now: float) -> list[dict[str, Any]]:
    """Recommend to look up the facts that keep an answer open."""
    fields: dict[str, list[tuple[Assessed, dict[str, str]]]] = {}
    for one in weighed:
        for gap in missing(one.result):
            fields.setdefault(gap["field"], []).append((one, gap))
    found = []
    for field, asked in fields.items():
        names = list(dict.fromkeys(one.result.regulation.id for one, _ in asked))
        facts = {f.id: f for one, _ in asked for f in one.result.regulation.facts}
        cited = dict.fromkeys(gap["fact"] for _, gap in asked)
        found.append(
            {
                "text": f"Settle whether {_subject(names)}: {asked[0][1]['remedy']}",
                "action": "settle",
                "field": field,
                "regulations": names,
                "effort_days": _LOOK_UP,
                "deadline": None,
                "start_by": None,
                "gain": round(now - _unless(weighed, names), 4),
                "evidence": [facts[name].evidence() for name in cited],
            }
        )
    return found


def _check(weighed: Sequence[Assessed], now: float) -> list[dict[str, Any]]:
    """Recommend to read the law again where nothing about the organization is open."""
    found = []
    for one in weighed:
        result = one.result
        if result.applies != "unknown" or missing(result):
            continue
        facts = {route.fact.id: route.fact for route in result.decision.deciding()}
        cited = [fact for fact in facts.values() if fact.kind in ("scope", "exemption", "status")]
        if not cited:
            continue
        checked = min(fact.as_of for fact in cited).isoformat()
        name = result.regulation.id
        found.append(
            {
                "text": f"Settle whether {name} applies: read whether {cited[0].citation} still"
                f" is as it was checked on {checked}, and give the fact anew.",
                "action": "settle",
                "field": None,
                "regulations": [name],
                "effort_days": _LOOK_UP,
                "deadline": None,
                "start_by": None,
                "gain": round(now - _unless(weighed, [name]), 4),
                "evidence": [fact.evidence() for fact in cited],
            }
        )
    return found


def recommendations(weighed: Sequence[Assessed]) -> list[dict[str, Any]]:
    """Return what to do, most of the index taken away for each day of work first."""
    from esgml.regulatory.risk import overall

    now = overall(one.risk for one in weighed)
    found = [*_collect(weighed, now), *_settle(weighed, now), *_check(weighed, now)]
    return sorted(found, key=lambda one: (-one["gain"] / one["effort_days"], one["text"]))
