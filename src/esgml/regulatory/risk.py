"""Compliance risk as an index with a stated formula: what is open, how much, and until when.

For each regulation::

    risk = applicability x exposure x gap x urgency

    applicability  1 where it applies, 0.5 where that is unknown, 0 where it does not
    exposure       weight of the gravest sanction the facts know of (`facts.SANCTIONS`)
    gap            effort of the data points that are missing / effort of all it asks for
    urgency        0.5 to the power of the years left until the deadline; 1 once it is due

    overall = 1 - product of (1 - risk) over all regulations; `overall_risk_certain` counts only
              those that apply for certain

Each factor lies between 0 and 1. The overall index rises with every open duty, is never below the
largest risk and never above 1. It orders what to do first. It is **no probability**: nobody has
labelled which organizations were found in breach, so nothing could calibrate one. Where outcomes
exist, as for emission allowances, `models/ets_shortfall` learns a calibrated probability.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from esgml.core.errors import UsageError
from esgml.regulatory.applicability import as_dict, assess, year_start
from esgml.regulatory.decision import Applicability
from esgml.regulatory.facts import SANCTIONS, Fact
from esgml.regulatory.knowledge import Knowledge, knowledge
from esgml.regulatory.organization import Organization
from esgml.regulatory.organization import organization as checked
from esgml.regulatory.readiness import Held, Need, held, needs
from esgml.regulatory.recommend import recommendations

FORMULA = (
    "risk = applicability x exposure x gap x urgency; overall = 1 - product of (1 - risk)."
    " An index from 0 to 1, not a probability."
)
NOTICE = "A model estimate from dated facts, not legal advice."
APPLICABILITY = {"yes": 1.0, "unknown": 0.5, "no": 0.0}
#: Exposure where no sanction is among the facts.
NO_SANCTION = SANCTIONS["none"][0]
#: Urgency halves with each year that is left.
HALVING_DAYS = 365.0


@dataclass(frozen=True)
class Assessed:
    """One regulation weighed: the answer, the factors of its risk, and the facts behind them."""

    result: Applicability
    exposure: float
    gap: float
    urgency: float
    needs: tuple[Need, ...]
    sanction: Fact | None
    deadline: dt.date | None
    deadline_fact: Fact | None

    @property
    def risk(self) -> float:
        """The index of this regulation."""
        return index(self.result.applies, self.exposure, self.gap, self.urgency)

    @property
    def missing(self) -> tuple[Need, ...]:
        """What it asks for and the organization lacks."""
        return tuple(n for n in self.needs if n.missing) if self.result.applies != "no" else ()


def index(applies: str, exposure: float, gap: float, urgency: float) -> float:
    """Return the risk index of one regulation, from 0 to 1."""
    return APPLICABILITY[applies] * exposure * gap * urgency


def overall(risks: Iterable[float]) -> float:
    """Return the index of all regulations together: at least the largest, at most 1."""
    product = 1.0
    for risk in risks:
        product *= 1.0 - risk
    return 1.0 - product


def gap(found: Iterable[Need]) -> float:
    """Return the share of effort that is still open; 0 where nothing is asked for."""
    asked = list(found)
    total = sum(n.point.effort_days for n in asked)
    return sum(n.point.effort_days for n in asked if n.missing) / total if total else 0.0


def urgency(deadline: dt.date | None, as_of: dt.date) -> float:
    """Return 1 where it is due, half of it for each year that is left."""
    days = 0 if deadline is None else max((deadline - as_of).days, 0)
    return float(0.5 ** (days / HALVING_DAYS))


def _deadline(result: Applicability, org: Organization) -> tuple[dt.date | None, Fact | None]:
    """Return the next day something is due, else the last day that has passed, and its fact."""
    ahead: list[tuple[dt.date, Fact]] = []
    past: list[tuple[dt.date, Fact]] = []
    begins = result.begins or result.as_of
    for fact in result.regulation.of("deadline", result.as_of):
        assert fact.deadline is not None
        if fact.when is not None and fact.when.evaluate(org).answer == "no":
            continue
        day = fact.deadline.next(result.as_of, year_start(org), begins)
        if day is not None:
            ahead.append((day, fact))
        elif fact.deadline.date is not None:
            past.append((fact.deadline.date, fact))
    # A day that is verified comes before one that is not, whichever is earlier.
    for days, choose in ((ahead, min), (past, max)):
        if days:
            sure = [pair for pair in days if pair[1].verified]
            return choose(sure or days, key=lambda pair: pair[0])
    carrying = result.binding
    if result.begins and result.begins > result.as_of and carrying:
        return result.begins, carrying[0]
    return None, None


def weigh(result: Applicability, org: Organization, known: Knowledge, has: Held) -> Assessed:
    """Weigh one regulation for one organization."""
    day = result.as_of
    sanctions = result.regulation.of("sanction", day)
    sure = [f for f in sanctions if f.verified] or sanctions
    gravest = max(sure, key=lambda f: SANCTIONS[str(f.sanction)][0], default=None)
    exposure = SANCTIONS[str(gravest.sanction)][0] if gravest else NO_SANCTION
    if result.applies == "no":
        return Assessed(result, exposure, 0.0, 0.0, (), gravest, None, None)
    asked = needs(result.regulation, org, day, known, has)
    deadline, fact = _deadline(result, org)
    return Assessed(
        result, exposure, gap(asked), urgency(deadline, day), asked, gravest, deadline, fact
    )


def _factors(one: Assessed, has: Held) -> list[dict[str, Any]]:
    """Return the factors of the index as sentences, each with its evidence."""
    if one.result.applies == "no":
        return []
    sentences: list[dict[str, Any]] = []
    if one.sanction is not None:
        what = SANCTIONS[str(one.sanction.sanction)][1]
        sentences.append(one.sanction.sentence(f"exposure {one.exposure:g}: {what}"))
    if one.needs:
        lacking = len(one.missing)
        how = "" if has.stated else "; the organization does not say what it has"
        text = f"gap {one.gap:.2f}: {lacking} of {len(one.needs)} data points are missing{how}"
        sentences.append(one.needs[0].fact.sentence(text))
    if one.deadline is not None and one.deadline_fact is not None:
        left = (one.deadline - one.result.as_of).days
        when = f"{left} days left" if left >= 0 else f"{-left} days overdue"
        text = f"urgency {one.urgency:.2f}: due {one.deadline.isoformat()}, {when}"
        sentences.append(one.deadline_fact.sentence(text))
    return sentences


def _missing(need: Need, has: Held) -> dict[str, Any]:
    return {
        "id": need.point.id,
        "name": need.point.name,
        "unit": need.point.unit,
        "effort_days": need.point.effort_days,
        "state": "missing" if has.stated else "not stated",
        "evidence": need.fact.evidence(),
    }


def _entry(one: Assessed, has: Held) -> dict[str, Any]:
    overdue = one.deadline is not None and one.deadline < one.result.as_of
    return {
        **as_dict(one.result),
        "risk": round(one.risk, 4),
        "factors": {
            "applicability": APPLICABILITY[one.result.applies],
            "exposure": one.exposure,
            "gap": round(one.gap, 4),
            "urgency": round(one.urgency, 4),
        },
        "why_risk": _factors(one, has),
        "deadline": one.deadline.isoformat() if one.deadline else None,
        "deadline_verified": one.deadline_fact.verified if one.deadline_fact else None,
        "overdue": overdue and bool(one.missing),
        "missing_data": [_missing(need, has) for need in one.missing],
    }


def _related(result: Applicability, org: Organization, facts: Knowledge) -> dict[str, str]:
    """Return the answers of what is laid down apart for the same act."""
    return {
        name: assess(facts.regulation(name), org, result.as_of).applies
        for name in result.regulation.related
        if name in facts.regulations
    }


def compliance_risk(
    organization: Organization | Mapping[str, Any],
    regulations: Iterable[str] | None = None,
    as_of: dt.date | None = None,
    *,
    known: Knowledge | None = None,
) -> dict[str, Any]:
    """Say which regulations apply to an organization, what is open, and what to do first.

    When to use it: to order the work on many regulations, and to show what an answer rests on.
    Known weakness: efforts and severities are published weights, not measurements; the index
    compares regulations and states over time, its level means nothing by itself.

    Parameters
    ----------
    organization : Organization or mapping
        What is known; see `organization.Organization`.
    regulations : iterable of str, optional
        Ids of regulations; all of the knowledge base where not given.
    as_of : date, optional
        The day whose law is asked for; today where not given.
    known : Knowledge, optional
        Facts to use instead of the shipped ones.

    Returns
    -------
    dict
        ``overall_risk``, ``by_regulation`` (largest risk first), ``recommendations``, the formula,
        the data points at hand and the names that stand for none; plain JSON values. Every
        sentence (``text``) stands beside
        its ``evidence``.

    Raises
    ------
    DataError
        If a field of the organization is of the wrong kind.
    NotFoundError
        If a regulation is not in the knowledge base.
    """
    facts = known or knowledge()
    org = checked(organization)
    day = as_of or dt.date.today()
    if isinstance(regulations, str):
        raise UsageError("regulations is a list of ids.", where="regulations")
    names = (
        list(dict.fromkeys(regulations)) if regulations is not None else sorted(facts.regulations)
    )
    has = held(org, facts)
    weighed = [weigh(assess(facts.regulation(name), org, day), org, facts, has) for name in names]
    weighed.sort(key=lambda one: (-one.risk, one.result.regulation.id))
    return {
        "schema": "esgml.compliance_risk/1",
        "organization": org.name,
        "as_of": day.isoformat(),
        "overall_risk": round(overall(one.risk for one in weighed), 4),
        "overall_risk_certain": round(
            overall(one.risk for one in weighed if one.result.applies == "yes"), 4
        ),
        "by_regulation": [
            {**_entry(one, has), "related": _related(one.result, org, facts)} for one in weighed
        ],
        "recommendations": recommendations(weighed),
        "formula": FORMULA,
        "notice": NOTICE,
        "available_data": sorted(has.points),
        "unrecognized_data": list(has.unrecognized),
    }
