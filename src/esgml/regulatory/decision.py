"""What is decided for one organization on one day, and by which facts.

The rules stand in `esgml.regulatory.applicability`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from esgml.regulatory.facts import NOT_BINDING, Fact, Regulation
from esgml.regulatory.organization import Organization
from esgml.regulatory.predicates import Answer, Line, Outcome


@dataclass(frozen=True)
class Route:
    """One scope fact or exemption, weighed for one organization.

    Attributes
    ----------
    fact : Fact
    outcome : Outcome
        What the arithmetic says by itself.
    answer : str
        What may be said: the arithmetic, unless the fact is unverified, stale or not binding.
    why : str
        Why `answer` differs from the arithmetic; empty where it does not.
    """

    fact: Fact
    outcome: Outcome
    answer: Answer
    why: str = ""


@dataclass(frozen=True)
class Decision:
    """The answer on one day and the routes that lead to it."""

    answer: Answer
    routes: tuple[Route, ...]
    exemptions: tuple[Route, ...]

    def deciding(self) -> tuple[Route, ...]:
        """Return the routes that carry the answer; exemptions where they decide."""
        if self.answer == "no" and any(r.answer == "yes" for r in self.exemptions):
            return tuple(r for r in self.exemptions if r.answer == "yes")
        same = tuple(r for r in self.routes if r.answer == self.answer)
        if self.answer == "unknown":
            return same + tuple(r for r in self.exemptions if r.answer == "unknown")
        return same


@dataclass(frozen=True)
class Applicability:
    """Whether a regulation applies, why, since when, and what would settle it.

    Attributes
    ----------
    regulation : Regulation
    applies : str
        ``yes``, ``no`` or ``unknown`` on `as_of`.
    decision : Decision
    begins : date or None
        When the duties begin or began, where it applies or may apply.
    history : tuple of (date, answer, fact id)
        Days on which the answer became another one because the law changed.
    conditional : str
        What the answer would be if an unverified, stayed or proposed fact held; may be empty.
    """

    regulation: Regulation
    as_of: dt.date
    applies: Answer
    decision: Decision
    begins: dt.date | None
    history: tuple[tuple[dt.date, Answer, str], ...]
    conditional: str = ""
    not_claimed: tuple[Fact, ...] = field(default=())

    @property
    def binding(self) -> tuple[Fact, ...]:
        """Scope facts through which it applies or may apply."""
        return tuple(r.fact for r in self.decision.routes if r.answer == self.applies != "no")


def _claimed(fact: Fact, org: Organization) -> Outcome:
    """Say whether an organization may claim an exemption and does."""
    may = fact.when.evaluate(org) if fact.when is not None else Outcome("yes", ())
    if may.answer == "no":
        return may
    claim, name = (org.claims or {}).get(fact.id), f"claims.{fact.id}"
    if claim is None:
        remedy = f"Say under {name} whether the exemption is used."
        line = Line("whether the exemption is used: unknown", "unknown", name, "not given", remedy)
        return Outcome("unknown", (line,))
    line = Line(
        "the exemption is claimed: yes" if claim else "the exemption is claimed: no",
        "yes" if claim else "no",
        name,
        "yes" if claim else "no",
    )
    return Outcome(may.answer if claim else "no", (*may.lines, line))


def _weigh(fact: Fact, org: Organization, stale_on: dt.date | None) -> Route:
    """Say what a fact means for an organization, no more than it can carry."""
    if fact.claim:
        outcome = _claimed(fact, org)
    else:
        assert fact.when is not None  # scope and unclaimed exemptions have one
        outcome = fact.when.evaluate(org)
    if fact.kind == "exemption" and outcome.answer == "unknown" and fact.if_missing == "no":
        return Route(fact, outcome, "no", "it is not claimed")
    if fact.at_most is not None and (bound := fact.at_most.evaluate(org)).answer == "no":
        return Route(fact, bound, "no")
    if outcome.answer != "unknown" and not fact.verified:
        return Route(fact, outcome, "unknown", "the fact is not verified")
    if outcome.answer != "unknown" and stale_on is not None and fact.stale(stale_on):
        return Route(
            fact,
            outcome,
            "unknown",
            f"it may have changed since it was checked on {fact.as_of.isoformat()}",
        )
    if fact.status in NOT_BINDING:
        return Route(fact, outcome, "no", NOT_BINDING[fact.status])
    return Route(fact, outcome, outcome.answer)


def decide(
    regulation: Regulation, org: Organization, day: dt.date, stale_on: dt.date | None = None
) -> Decision:
    """Answer for one day; `stale_on` is the day on which facts must still be fresh."""
    routes = tuple(_weigh(f, org, stale_on) for f in regulation.of("scope", day))
    exemptions = tuple(_weigh(f, org, stale_on) for f in regulation.of("exemption", day))
    answers = {r.answer for r in routes}
    answer: Answer = "yes" if "yes" in answers else "unknown" if "unknown" in answers else "no"
    exempt = {r.answer for r in exemptions}
    if answer != "no" and "yes" in exempt:
        answer = "no"
    elif answer == "yes" and "unknown" in exempt:
        answer = "unknown"
    return Decision(answer, routes, exemptions)
