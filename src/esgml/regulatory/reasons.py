"""An answer in sentences: why a regulation applies or not, and what is missing to say so."""

from __future__ import annotations

from typing import Any

from esgml.regulatory.decision import Applicability, Route
from esgml.regulatory.facts import Fact
from esgml.regulatory.fields import FIELDS
from esgml.regulatory.predicates import Line


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
