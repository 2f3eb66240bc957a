"""What every fact of a knowledge base keeps, as checks that anyone can run over a folder of facts.

::

    from esgml.checks.knowledge import knowledge_checks
    knowledge_checks("my_facts")

Reading a folder already checks the form of each fact (`regulatory.facts`). These checks hold the
facts against each other, against the sources they cite where those are at hand, and against what
the applicability engine does with them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from esgml.checks.battery import BrokenError, Checks
from esgml.core.errors import GateError
from esgml.regulatory.applicability import assess
from esgml.regulatory.facts import Fact, Regulation
from esgml.regulatory.fields import FIELDS
from esgml.regulatory.knowledge import Knowledge, knowledge
from esgml.regulatory.organization import organization
from esgml.regulatory.predicates import Condition, Predicate
from esgml.regulatory.reasons import reasons

#: An organization that says nothing.
NOTHING = organization({})
#: Returns the text of an article of an act, or None where it is not at hand.
Library = Callable[[str, str], str | None]


def _fail_if(found: list[str]) -> None:
    if found:
        raise BrokenError("; ".join(found[:5]) + (" ..." if len(found) > 5 else ""))


def conditions(predicate: Predicate) -> list[Condition]:
    """Return every condition of a predicate, in order."""
    if isinstance(predicate, Condition):
        return [predicate]
    parts: list[Condition] = []
    for name in type(predicate).model_fields:
        value = getattr(predicate, name)
        for one in value if isinstance(value, tuple) else (value,):
            if not isinstance(one, int):  # how many of at_least, or anyone
                parts += conditions(one)
    return parts


class KnowledgeBattery(Checks):
    """The checks on a knowledge base; every method ``check_*`` is one.

    Parameters
    ----------
    known : Knowledge
    library : callable, optional
        Where quotes are looked up; quotes are not looked up without one.
    today : date, optional
        The day on which facts are read.
    """

    def __init__(
        self, known: Knowledge, library: Library | None = None, today: dt.date | None = None
    ) -> None:
        self.known = known
        self.library = library
        self.today = today or dt.date.today()
        self.facts: list[tuple[Regulation, Fact]] = [
            (r, f) for r in known.regulations.values() for f in r.facts
        ]

    def check_ids_are_unique(self) -> None:
        """Have no two facts with one id, in any regulation."""
        counts = Counter(f.id for _, f in self.facts)
        _fail_if([f"{name} stands {n} times" for name, n in counts.items() if n > 1])

    def check_every_regulation_has_a_scope(self) -> None:
        """Say who is meant."""
        _fail_if([r.id for r in self.known.regulations.values() if not r.of("scope")])

    def check_references(self) -> None:
        """Name only facts, regulations and data points that are there."""
        ids = {f.id for _, f in self.facts}
        found = [
            f"{f.id} supersedes {s}" for _, f in self.facts for s in f.supersedes if s not in ids
        ]
        found += [
            f"{f.id} asks for {p}"
            for _, f in self.facts
            for p in f.data_points
            if p not in self.known.data_points
        ]
        regulations = self.known.regulations
        found += [
            f"{r.id} names {n}"
            for r in regulations.values()
            for n in r.related
            if n not in regulations
        ]
        _fail_if(found)

    def check_superseded_facts_end(self) -> None:
        """End a fact that another one supersedes."""
        by_id = {f.id: f for _, f in self.facts}
        found = []
        for _, fact in self.facts:
            for name in fact.supersedes:
                old = by_id.get(name)
                if old is None:
                    continue  # found by check_references
                if old.valid_to is None or old.valid_from >= fact.valid_from:
                    found.append(f"{name} goes on beside {fact.id}")
        _fail_if(found)

    def check_dates(self) -> None:
        """Be checked neither in the future nor before the fact was law."""
        found = [
            f"{f.id}: as_of {f.as_of} is in the future"
            for _, f in self.facts
            if f.as_of > self.today
        ]
        found += [
            f"{f.id}: as_of {f.as_of} is before it was law"
            for _, f in self.facts
            if f.verified and f.as_of < f.valid_from and f.status != "adopted"
        ]
        _fail_if(found)

    def check_unverified_says_why(self) -> None:
        """Say of an unverified fact what was lacking."""
        _fail_if([f.id for _, f in self.facts if not f.verified and not f.verification.note])

    def check_quotes_stand_in_their_source(self) -> None:
        """Quote an article at hand word for word."""
        if self.library is None:
            return
        found = []
        for _, fact in self.facts:
            if fact.verification.method != "text":
                continue
            text = self.library(str(fact.celex), str(fact.article))
            if text is None:
                found.append(f"{fact.id}: {fact.celex} article {fact.article} is not at hand")
            elif " ".join(str(fact.quote).split()) not in " ".join(text.split()):
                found.append(f"{fact.id}: the quote is not in {fact.celex} article {fact.article}")
        _fail_if(found)

    def check_nothing_known_is_never_yes(self) -> None:
        """Answer unknown or no, never yes, for an organization that says nothing."""
        found = [
            r.id
            for r in self.known.regulations.values()
            if assess(r, NOTHING, self.today).applies == "yes"
        ]
        _fail_if(found)

    def check_unverified_never_decides(self) -> None:
        """Give no plain yes that rests on unverified scope alone."""
        found = []
        for regulation in self.known.regulations.values():
            result = assess(regulation, NOTHING, self.today)
            found += [
                r.fact.id
                for r in (*result.decision.routes, *result.decision.exemptions)
                if not r.fact.verified and r.answer == "yes"
            ]
        _fail_if(found)

    def check_answers_cite(self) -> None:
        """Point every sentence of an answer at a fact with a citation."""
        found = []
        for regulation in self.known.regulations.values():
            sentences = reasons(assess(regulation, NOTHING, self.today))
            if not sentences:
                found.append(f"{regulation.id}: no reason is given")
            found += [
                f"{regulation.id}: {one['text']}"
                for one in sentences
                if not one["evidence"].get("citation")
            ]
        _fail_if(found)

    def check_thresholds_are_sane(self) -> None:
        """Have no negative threshold."""
        found = [
            f"{fact.id}: {c.field} {c.op} {c.value}"
            for _, fact in self.facts
            if fact.when is not None
            for c in conditions(fact.when)
            if FIELDS[c.field].ordered and float(c.value) < 0
        ]
        _fail_if(found)


def knowledge_checks(
    folder: str | Path | None = None,
    library: Library | None = None,
    excused: Mapping[str, str] | None = None,
) -> list[str]:
    """Run every check over the knowledge base, with a folder of one's own added.

    Parameters
    ----------
    folder : path, optional
        Facts to check beside the shipped ones.
    library : callable, optional
        ``library(celex, article)`` returns the text of an article, for checking quotes.
    excused : mapping, optional
        Names of checks that are not kept, and why.

    Returns
    -------
    list of str
        The names of the checks that ran.

    Raises
    ------
    DataError
        If a file is not of the right form.
    GateError
        Naming every check that failed.
    """
    battery = KnowledgeBattery(knowledge(folder), library)
    found = []
    for name in battery.names():
        try:
            getattr(battery, f"check_{name}")()
        except BrokenError as error:
            if name not in (excused or {}):
                found.append(f"{name}: {error}")
    if found:
        raise GateError(
            "the knowledge base breaks its contract: " + "; ".join(found),
            code="contract",
            remedy="Mend the facts; the page on the knowledge base shows the form.",
        )
    return battery.names()
