"""How much a text matters, 0 to 1, by a formula that is part of every answer.

The score is a weighted mean of parts between 0 and 1. A part that cannot be measured (no date, no
learned head, no day to count from) is left out and the weights of the others are scaled up; the
answer says so. It orders texts by how much work they bring; it is no probability.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from esgml.regulatory.document import Evidence

#: Part -> weight.
WEIGHTS = {
    "bindingness": 0.25,
    "sanctions": 0.20,
    "breadth": 0.20,
    "urgency": 0.15,
    "significance": 0.20,
}
FORMULA = (
    "impact = sum(weight x part) / sum(weight), over the parts that can be measured;"
    " bindingness (0.25) = share of binding clauses x (1 - 0.5^(binding clauses / 3));"
    " sanctions (0.20) = gravity of the gravest sanction;"
    " breadth (0.20) = 1 - 0.5^((addressees + areas) / 4);"
    " urgency (0.15) = 0.5^(years until the next date that binds), 1 where the last has passed;"
    " significance (0.20) = learned probability that a rule is significant."
)
_BINDS = ("application", "entry_into_force", "transposition", "reporting", "deadline", "repeal")
_SHOWN = 3


def score(
    obligations: list[dict[str, Any]],
    sanctions: list[dict[str, Any]],
    entities: list[dict[str, Any]],
    areas: list[dict[str, Any]],
    timeline: list[dict[str, Any]],
    significance: dict[str, Any] | None,
    as_of: dt.date,
) -> tuple[float | None, list[dict[str, Any]]]:
    """Return the impact score and its parts.

    Returns
    -------
    score : float or None
        0-1, rounded to four digits; None where no part can be measured.
    parts : list of dict
        ``part``, ``value`` (0-1 or None), ``weight`` (after scaling), ``contribution``, ``why``,
        ``evidence`` (list; empty only where the part adds nothing).
    """
    raw = (
        _bindingness(obligations),
        _sanctions(sanctions),
        _breadth(entities, areas),
        _urgency(timeline, as_of),
        _significance(significance),
    )
    measured = sum(WEIGHTS[name] for name, value, *_ in raw if value is not None)
    parts, total = [], 0.0
    for name, value, why, evidence in raw:
        weight = WEIGHTS[name] / measured if value is not None and measured else 0.0
        contribution = weight * (value or 0.0)
        total += contribution
        parts.append(
            {
                "part": name,
                "value": None if value is None else round(value, 4),
                "weight": round(weight, 4),
                "contribution": round(contribution, 4),
                "why": why,
                "evidence": evidence,
            }
        )
    return (round(min(1.0, total), 4) if measured else None), parts


Part = tuple[str, float | None, str, list[Evidence]]


def _bindingness(obligations: list[dict[str, Any]]) -> Part:
    binding = [one for one in obligations if one["bindingness"] == "binding"]
    if not binding:
        return "bindingness", 0.0, "no clause binds anybody", []
    share = len(binding) / len(obligations)
    value = share * (1 - 0.5 ** (len(binding) / 3))
    why = f"{len(binding)} of {len(obligations)} clauses bind"
    return "bindingness", value, why, [one["evidence"] for one in binding[:_SHOWN]]


def _sanctions(sanctions: list[dict[str, Any]]) -> Part:
    if not sanctions:
        return "sanctions", 0.0, "no sanction is named", []
    gravest = max(sanctions, key=lambda one: one["gravity"])
    return "sanctions", gravest["gravity"], f"gravest: {gravest['what']}", [gravest["evidence"]]


def _breadth(entities: list[dict[str, Any]], areas: list[dict[str, Any]]) -> Part:
    addressees = [one for one in entities if one["what"] == "addressee"]
    found = addressees + areas
    if not found:
        return "breadth", 0.0, "no addressee or area is named", []
    value = 1 - 0.5 ** (len(found) / 4)
    why = f"{len(addressees)} kinds of addressee, {len(areas)} areas"
    return "breadth", value, why, [one["evidence"] for one in found[:_SHOWN]]


def _urgency(timeline: list[dict[str, Any]], as_of: dt.date) -> Part:
    dated = [
        (_last_day(one["date"]), one)
        for one in timeline
        if one["date"] and one["what"] in _BINDS and not one["date"].startswith("--")
    ]
    if not dated:
        return "urgency", None, "no date that binds is given or can be worked out", []
    ahead = sorted((pair for pair in dated if pair[0] >= as_of), key=lambda pair: pair[0])
    if not ahead:
        day, item = max(dated, key=lambda pair: pair[0])
        return "urgency", 1.0, f"every date has passed, the last on {day}", [item["evidence"]]
    day, item = ahead[0]
    years = (day - as_of).days / 365.25
    why = f"next date {day}, {years:.1f} years after {as_of}"
    return "urgency", 0.5**years, why, [item["evidence"]]


def _significance(significance: dict[str, Any] | None) -> Part:
    if significance is None or significance.get("probability") is None:
        return "significance", None, "the learned head does not judge this text", []
    value = float(significance["probability"])
    why = f"a learned model gives {value:.2f} that a rule like this is significant"
    return "significance", value, why, [significance["evidence"]]


def _last_day(date: str) -> dt.date:
    """Return the last day a date can mean: of a month or year where it names no day."""
    numbers = [int(part) for part in date.split("-")]
    year, month = numbers[0], numbers[1] if len(numbers) > 1 else 12
    if len(numbers) == 3:
        return dt.date(year, month, numbers[2])
    return dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)
