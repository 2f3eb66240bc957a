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
from dataclasses import dataclass, field
from typing import Any

from esgml.regulatory.facts import NOT_BINDING, Fact, Regulation
from esgml.regulatory.fields import FIELDS
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


def reasons(result: Applicability) -> list[dict[str, Any]]:
    """Return every sentence of the answer, each with the fact it rests on."""
    found: list[dict[str, Any]] = []
    decision = result.decision
    if not decision.routes:
        found.append(_unborn(result))
    deciding = decision.deciding()
    said: set[str] = set()
    for route in deciding or decision.routes:
        lines = _decisive(route)
        if route.why and route.answer != route.outcome.answer:
            found.append(_sentence(f"decides nothing: {route.why}", route.answer, route.fact))
        # Figures of a group that are those of the organization itself were said before.
        plain = {line.text.removeprefix("group ") for line in lines}
        if plain <= said and plain != {line.text for line in lines}:
            continue
        said |= plain
        for line in dict.fromkeys(lines):
            one = _sentence(line.text, line.answer, route.fact)
            one["given"] = {line.field: line.given}
            if line.assumption:
                one["assumption"] = line.assumption
            if one not in found:
                found.append(one)
    if result.conditional:
        route = next(r for r in decision.routes if r.why)
        found.append(_sentence(result.conditional, "unknown", route.fact))
    found += [_sentence(f"exempt only if claimed: {f.says}", "no", f) for f in result.not_claimed]
    for day, answer, name in result.history[-2:] if len(result.history) > 1 else ():
        fact = next(f for f in result.regulation.facts if f.id == name)
        found.append(
            _sentence(f"since {day.isoformat()} the answer is {answer}: {fact.says}", answer, fact)
        )
    return found


def _decisive(route: Route) -> tuple[Line, ...]:
    """Return the conditions of a route, those that decide it first and places last."""
    places = {"place", "places"}

    def weight(line: Line) -> tuple[bool, bool]:
        field = FIELDS.get(line.field)
        return line.answer != route.outcome.answer, field is not None and field.kind in places

    return tuple(sorted(route.outcome.open or route.outcome.lines, key=weight))


def _sentence(text: str, answer: str, fact: Fact) -> dict[str, Any]:
    return {**fact.sentence(text), "answer": answer}


def _unborn(result: Applicability) -> dict[str, Any]:
    """Say why no scope fact is law on the day."""
    facts = result.regulation.of("scope")
    first = min(facts, key=lambda f: f.valid_from, default=None)
    if first is None:
        return _sentence("no scope is laid down", "no", result.regulation.facts[0])
    if result.as_of < first.valid_from:
        text = (
            f"not yet law on {result.as_of.isoformat()}: it is from {first.valid_from.isoformat()}"
        )
        return _sentence(text, "no", first)
    last = max(facts, key=lambda f: f.valid_to or f.valid_from)
    return _sentence(f"no longer law since {last.valid_to}", "no", last)


def missing(result: Applicability) -> list[dict[str, str]]:
    """Return the fields that would settle an open answer, and how to give them."""
    found: dict[str, dict[str, str]] = {}
    for route in result.decision.deciding() if result.applies == "unknown" else ():
        for line in route.outcome.open:
            found.setdefault(
                line.field, {"field": line.field, "remedy": line.remedy, "fact": route.fact.id}
            )
    return list(found.values())


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
