"""Facts about regulations: dated, cited, and marked by how they were verified.

A regulation is one YAML file: what it is, and a list of facts. A fact says one thing that the law
lays down (who is in scope, who is exempt, what is due when, which data it asks for, what a breach
costs), from when to when it was law, and on what it rests. Nothing here is general knowledge: a
fact that could not be held against a text or against independent sources says so, and the
applicability engine does not turn it into a plain yes or no.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import pydantic

from esgml.regulatory.predicates import Predicate

#: What a fact says.
Kind = Literal["scope", "exemption", "deadline", "duty", "sanction", "status"]
#: Where the law stands; ``adopted`` is published law whose application lies ahead.
Status = Literal["in_force", "adopted", "proposed", "stayed", "repealed", "voluntary"]
#: A status under which the fact binds nobody.
NOT_BINDING: dict[str, str] = {
    "proposed": "it is a proposal, not law",
    "stayed": "its application is stayed",
    "repealed": "it is repealed",
    "voluntary": "it is a voluntary framework that obliges nobody by itself",
}
#: How severe a sanction is, as the exposure that the risk index multiplies by.
SANCTIONS: dict[str, tuple[float, str]] = {
    "turnover_share": (1.0, "fines set as a share of turnover"),
    "market_exclusion": (0.9, "goods may not be placed on the market or imported"),
    "per_unit": (0.8, "a penalty for each tonne or unit"),
    "national": (0.6, "penalties that each state lays down"),
    "fixed_fine": (0.5, "a fine with a fixed maximum"),
    "reputational": (0.3, "publication, or trust in the market"),
    "none": (0.2, "no sanction of its own"),
}
#: A status that courts or rule-making may change is not relied on longer than this.
STALE_AFTER = dt.timedelta(days=270)

_Id = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
_Text = Annotated[str, pydantic.Field(min_length=3, max_length=2000)]


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Verification(_Record):
    """How a fact was held against its source.

    ``text`` the quote stands in the article of the published act named by `celex` and `article`;
    ``law_text`` the quote was read in a publication of the law or rule, consolidated or official;
    ``secondary`` independent professional publications agree and no text was at hand;
    ``none`` not verified.
    """

    method: Literal["text", "law_text", "secondary", "none"]
    sources: tuple[_Text, ...] = ()
    note: str = ""

    @pydantic.model_validator(mode="after")
    def _sourced(self) -> Verification:
        needed = {"text": 0, "law_text": 1, "secondary": 2, "none": 0}[self.method]
        if len(self.sources) < needed:
            raise ValueError(f"{self.method} verification names at least {needed} source(s)")
        return self


class Deadline(_Record):
    """When something is due: once, every year, or after the end of a financial year.

    Attributes
    ----------
    date : date, optional
        The one day it is due.
    every : str, optional
        Month and day on which it is due each year, such as ``09-30``.
    first : date, optional
        The first day it is due, with `every`.
    months_after_year_end : int, optional
        Due so many months after a financial year ends.
    what : str
        What is due.
    """

    what: _Text
    date: dt.date | None = None
    every: str | None = pydantic.Field(None, pattern=r"^\d{2}-\d{2}$")
    first: dt.date | None = None
    months_after_year_end: int | None = pydantic.Field(None, ge=0, le=36)

    @pydantic.model_validator(mode="after")
    def _one_rule(self) -> Deadline:
        rules = [
            self.date is not None,
            self.every is not None,
            self.months_after_year_end is not None,
        ]
        if sum(rules) != 1:
            raise ValueError("a deadline is one of date, every, months_after_year_end")
        if (self.every is None) != (self.first is None):
            raise ValueError("a yearly deadline says its first day")
        if self.every is not None:
            dt.date.fromisoformat(f"2023-{self.every}")
        return self

    def next(self, as_of: dt.date, year_start: str, begins: dt.date) -> dt.date | None:
        """Return the next day it is due on or after `as_of`; None where that is past.

        `year_start` is the month and day on which financial years start, and `begins` the start
        of the first one that is meant.
        """
        if self.date is not None:
            return self.date if self.date >= as_of else None
        if self.every is not None and self.first is not None:
            from_day = max(as_of, self.first)
            for year in (from_day.year, from_day.year + 1):
                day = dt.date.fromisoformat(f"{year}-{self.every}")
                if day >= from_day:
                    return day
        assert self.months_after_year_end is not None
        start = dt.date.fromisoformat(f"{begins.year - 1}-{year_start}")
        while start < begins or months_later(start, 12 + self.months_after_year_end) < as_of:
            start = start.replace(year=start.year + 1)
        return months_later(start, 12 + self.months_after_year_end)


def months_later(start: dt.date, months: int) -> dt.date:
    """Return the last day of the period of `months` that begins on `start`."""
    years, month = divmod(start.month - 1 + months, 12)
    day = start.day
    while True:
        try:
            return dt.date(start.year + years, month + 1, day) - dt.timedelta(days=1)
        except ValueError:
            day -= 1


class Postponed(_Record):
    """Some of those who are meant begin later."""

    until: dt.date
    when: Predicate


class Fact(_Record):
    """One thing the law lays down.

    Attributes
    ----------
    id : str
        Unique over all regulations.
    kind, status
        See `Kind` and `Status`.
    says : str
        The fact in one sentence.
    citation : str
        Act and article.
    quote : str, optional
        Words of the text, verbatim up to blanks.
    celex, article : str, optional
        Which article of which published act holds the quote, for ``text`` verification.
    as_of : date
        The day to which it was checked.
    valid_from, valid_to : date
        Law from this day, and until the day before that one.
    when : predicate, optional
        Who is meant; needed for scope and exemptions.
    at_most : predicate, optional
        Who can be meant at all: certain even where the rest of the fact is not verified.
    postponed : Postponed, optional
        For whom the duties of a scope begin later, and when.
    applies_from, first_year_start : date, optional
        When the duties of a scope begin: on a day, or with financial years from a day on.
    claim : bool
        Whether an exemption counts only where the organization claims it; `when`, if given, then
        says who may.
    if_missing : str
        What an exemption is where the organization does not say enough: ``no`` or ``unknown``.
    changes_soon : bool
        Whether courts or rule-making may change it, so that it goes stale.
    """

    id: _Id
    kind: Kind
    status: Status = "in_force"
    says: _Text
    citation: _Text
    quote: str | None = pydantic.Field(None, min_length=8, max_length=1200)
    celex: str | None = pydantic.Field(None, pattern=r"^3\d{4}[A-Z]\d{4}$")
    article: str | None = None
    as_of: dt.date
    valid_from: dt.date
    valid_to: dt.date | None = None
    verified: bool
    verification: Verification
    supersedes: tuple[_Id, ...] = ()
    when: Predicate | None = None
    at_most: Predicate | None = None
    postponed: Postponed | None = None
    applies_from: dt.date | None = None
    first_year_start: dt.date | None = None
    if_missing: Literal["no", "unknown"] = "no"
    claim: bool = False
    deadline: Deadline | None = None
    data_points: tuple[str, ...] = ()
    sanction: str | None = None
    changes_soon: bool = False

    @pydantic.model_validator(mode="after")
    def _whole(self) -> Fact:
        if self.verified != (self.verification.method != "none"):
            raise ValueError("verified and the method of verification contradict each other")
        if self.verification.method == "text" and not (self.quote and self.celex and self.article):
            raise ValueError("text verification needs quote, celex and article")
        if self.verification.method == "law_text" and not self.quote:
            raise ValueError("law_text verification needs the quote that was read")
        if self.kind == "scope" and self.when is None:
            raise ValueError("scope needs 'when': who is meant")
        if self.kind == "exemption" and self.when is None and not self.claim:
            raise ValueError("an exemption needs 'when', or 'claim: true'")
        if (self.kind == "deadline") != (self.deadline is not None):
            raise ValueError("a fact with a deadline is of kind deadline, and only that")
        if (self.kind == "sanction") != (self.sanction is not None):
            raise ValueError("a fact with a sanction is of kind sanction, and only that")
        if self.sanction is not None and self.sanction not in SANCTIONS:
            raise ValueError(f"sanction is one of {', '.join(SANCTIONS)}")
        if (self.kind == "duty") != bool(self.data_points):
            raise ValueError("a fact with data points is of kind duty, and only that")
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to is not after valid_from")
        return self

    def valid(self, day: dt.date) -> bool:
        """Whether the fact is law on a day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def stale(self, day: dt.date) -> bool:
        """Whether it may have changed since it was checked."""
        return self.changes_soon and day > self.as_of + STALE_AFTER

    def sentence(self, text: str) -> dict[str, object]:
        """Return a sentence beside its evidence; it says where the fact is not verified."""
        said = text if self.verified else f"{text} (not verified)"
        return {"text": said, "evidence": self.evidence()}

    def evidence(self) -> dict[str, object]:
        """Return what a sentence about this fact points at."""
        found: dict[str, object] = {
            "fact": self.id,
            "citation": self.citation,
            "says": self.says,
            "as_of": self.as_of.isoformat(),
            "status": self.status,
            "verified": self.verified,
            "verified_by": self.verification.method,
        }
        if self.quote:
            found["quote"] = self.quote
        if self.verification.sources:
            found["sources"] = list(self.verification.sources)
        return found


class DataPoint(_Record):
    """A figure or a statement that regulations ask for."""

    id: str = pydantic.Field(pattern=r"^[a-z0-9_]+$")
    name: _Text
    unit: str = ""
    effort_days: float = pydantic.Field(gt=0, le=400)
    metrics: tuple[str, ...] = ()


class Regulation(_Record):
    """An act or framework, with its facts."""

    id: str = pydantic.Field(pattern=r"^[a-z0-9_]+$", max_length=40)
    title: _Text
    jurisdiction: str
    authority: str
    topics: tuple[str, ...] = pydantic.Field(min_length=1)
    related: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = pydantic.Field(min_length=1)

    def of(self, kind: Kind, day: dt.date | None = None) -> tuple[Fact, ...]:
        """Return the facts of a kind, those valid on a day where one is given."""
        return tuple(f for f in self.facts if f.kind == kind and (day is None or f.valid(day)))
