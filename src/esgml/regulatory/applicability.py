"""Does a regulation apply to an organization? Yes, no or unknown, with the arithmetic shown.

The rules, all of them:

1. A regulation applies if one of its scope facts that are law on the day asked for holds, and no
   exemption does. Law that is published but whose duties begin later counts, and the answer says
   when they begin.
2. A scope fact that is proposed, stayed, repealed or voluntary binds nobody: the answer is no, and
   says that it would apply.
3. What the organization does not say is unknown, and makes the answer unknown unless something
   else already decides it. An exemption counts only where it is claimed or shown; those that were
   not are listed.
4. A fact that is not verified, or that may have changed since it was checked, never makes a plain
   yes or no: the answer is unknown, and says what it would be if the fact holds.
5. Amounts in another currency are converted only with a rate the organization gives.

No model takes part, so the same facts and the same organization always give the same answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from esgml.regulatory.decision import Applicability, Decision, decide
from esgml.regulatory.facts import Fact, Regulation
from esgml.regulatory.organization import Organization
from esgml.regulatory.predicates import Answer
from esgml.regulatory.reasons import missing, reasons


def _history(
    regulation: Regulation, org: Organization, as_of: dt.date
) -> tuple[tuple[dt.date, Answer, str], ...]:
    """Return the days up to `as_of` on which a change of the law changed the answer."""
    facts = [*regulation.of("scope"), *regulation.of("exemption")]
    days = {f.valid_from for f in facts} | {f.valid_to for f in facts if f.valid_to}
    changes: list[tuple[dt.date, Answer, str]] = []
    previous: Answer = "no"  # before there was any law
    for day in sorted(d for d in days if d <= as_of):
        decision = decide(regulation, org, day)
        if decision.answer != previous:
            begun = [f.id for f in facts if f.valid_from == day]
            ended = [f.id for f in facts if f.valid_to == day]
            carrying = [r.fact.id for r in decision.deciding() if r.fact.id in begun]
            changes.append((day, decision.answer, (carrying or begun or ended)[0]))
            previous = decision.answer
    return tuple(changes)


def year_start(org: Organization) -> str:
    """Month and day on which the financial year starts; the calendar year where not given."""
    return org.financial_year_start or "01-01"


def _begin(fact: Fact, org: Organization) -> dt.date:
    """Return the day on which the duties of a scope fact begin for an organization."""
    later = fact.postponed
    if later is not None and later.when.evaluate(org).answer == "yes":
        return later.until
    if fact.first_year_start is not None:
        first = dt.date.fromisoformat(f"{fact.first_year_start.year}-{year_start(org)}")
        return first if first >= fact.first_year_start else first.replace(year=first.year + 1)
    return fact.applies_from or fact.valid_from


def _conditional(regulation: Regulation, org: Organization, decision: Decision) -> str:
    """Say what would be if facts that cannot carry an answer held."""
    held = [r for r in decision.routes if r.why and r.outcome.answer != "no"]
    if decision.answer == "yes" or not held:
        refused = [r for r in decision.routes if r.why and r.answer == "unknown"]
        if decision.answer == "unknown" and refused:
            return f"would not apply if '{refused[0].fact.says}' holds; {refused[0].why}"
        return ""
    route = next((r for r in held if r.outcome.answer == "yes"), held[0])
    begins = _begin(route.fact, org).isoformat()
    would = "would apply" if route.outcome.answer == "yes" else "might apply"
    return f"{would} from {begins} if '{route.fact.says}' held; {route.why}"


def assess(regulation: Regulation, org: Organization, as_of: dt.date) -> Applicability:
    """Say whether a regulation applies to an organization on a day.

    When to use it: to screen which acts touch an organization, before a lawyer reads them.
    Known weakness: it knows what the facts say; national law that transposes a directive, and
    definitions that need judgement, are not in them.

    Parameters
    ----------
    regulation : Regulation
    org : Organization
    as_of : date
        The day whose law is asked for.

    Returns
    -------
    Applicability
    """
    decision = decide(regulation, org, as_of, stale_on=as_of)
    history = _history(regulation, org, as_of)
    open_routes = [r.fact for r in decision.routes if r.answer == decision.answer]
    begins = (
        min((_begin(f, org) for f in open_routes), default=None)
        if decision.answer != "no"
        else None
    )
    return Applicability(
        regulation,
        as_of,
        decision.answer,
        decision,
        begins,
        history,
        _conditional(regulation, org, decision),
        tuple(
            r.fact
            for r in decision.exemptions
            if r.why == "it is not claimed" and any(x.answer != "no" for x in decision.routes)
        ),
    )


def as_dict(result: Applicability) -> dict[str, Any]:
    """Return an answer as plain JSON values."""
    changes = [
        {"date": day.isoformat(), "applies": answer, "fact": name}
        for day, answer, name in result.history
    ]
    answer: dict[str, Any] = {
        "id": result.regulation.id,
        "title": result.regulation.title,
        "applies": result.applies,
        "because": reasons(result),
        "since": changes[-1]["date"]
        if changes and changes[-1]["applies"] == result.applies
        else None,
        "begins": result.begins.isoformat() if result.begins else None,
        "changes": changes,
        "missing_facts": missing(result),
    }
    if result.conditional:
        answer["conditional"] = result.conditional
    return answer


def applicability(
    organization: Organization | Mapping[str, Any],
    regulation: str,
    as_of: dt.date | None = None,
    folder: str | None = None,
) -> dict[str, Any]:
    """Say whether one regulation applies to an organization, as plain JSON values.

    Raises
    ------
    DataError
        If the organization has a field of the wrong kind.
    NotFoundError
        If the regulation is not in the knowledge base.
    """
    from esgml.regulatory.knowledge import knowledge
    from esgml.regulatory.organization import organization as checked

    known = knowledge(folder).regulation(regulation)
    return as_dict(assess(known, checked(organization), as_of or dt.date.today()))
