"""Scope as a predicate: a tree of conditions with three answers, that explains itself.

A predicate is written in YAML as one of::

    {field: employees, op: ">", value: 1000}
    {field: net_turnover, op: ">", value: 450000000, unit: EUR}
    {field: jurisdiction, op: in, value: EU}          # also: operates_in, listed_on, legal_form
    {field: public_interest_entity}                   # a flag that must be true
    {all: [...]}  {any: [...]}  {not: ...}  {at_least: 2, of: [...]}  {anyone: true}

Answers follow Kleene's strong logic: ``all`` is no as soon as one part is no, whatever the others
are; unknown remains only where a missing value could still change the answer. ``years: 2`` on a
size condition asks for two consecutive financial years: where the year before is given and says
otherwise, the answer is unknown, and where it is not given, the sentence says that it is assumed.

Reference: S. C. Kleene, Introduction to Metamathematics (1952), section 64.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pydantic

from esgml.regulatory.fields import FIELDS, amount, shown, shown_number, value_of, where
from esgml.regulatory.organization import Figures, Organization
from esgml.regulatory.places import inside, place_name

Answer = Literal["yes", "no", "unknown"]
_ORDER = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@dataclass(frozen=True)
class Line:
    """One condition as a sentence: what was compared with what, and the answer."""

    text: str
    answer: Answer
    field: str
    given: str
    remedy: str = ""
    assumption: str = ""


@dataclass(frozen=True)
class Outcome:
    """Answer of a predicate and the conditions it was made of."""

    answer: Answer
    lines: tuple[Line, ...]

    @property
    def open(self) -> tuple[Line, ...]:
        """The conditions whose missing value keeps the answer open; none once it is decided."""
        if self.answer != "unknown":
            return ()
        return tuple(line for line in self.lines if line.answer == "unknown")


class _Node(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Condition(_Node):
    """One field compared with one value."""

    field: str
    op: Literal[">", ">=", "<", "<=", "in", "is"] = "is"
    value: float | str | bool = True
    unit: str = ""
    years: Literal[1, 2] = 1

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Condition:
        field = FIELDS.get(self.field)
        if field is None:
            raise ValueError(f"no field {self.field!r} of an organization")
        if field.ordered != (self.op in _ORDER):
            raise ValueError(f"{self.field}: {self.op!r} does not compare a {field.kind}")
        number = not isinstance(self.value, bool | str)
        if field.ordered and not number:
            raise ValueError(f"{self.field}: the threshold is no number")
        if field.kind == "money" and (len(self.unit) != 3 or not self.unit.isupper()):
            raise ValueError(f"{self.field}: a threshold of money needs its currency")
        if field.kind not in {"money", "count"} and field.ordered and not self.unit:
            raise ValueError(f"{self.field}: the threshold needs its unit")
        if field.kind == "flag" and not isinstance(self.value, bool):
            raise ValueError(f"{self.field}: compare a flag with true or false")
        if field.kind in {"place", "places", "names", "codes", "choice"} and not isinstance(
            self.value, str
        ):
            raise ValueError(f"{self.field}: compare with a name")
        if self.years == 2 and self._own not in Figures.model_fields:
            raise ValueError(f"{self.field}: only size is asked for two years")
        return self

    def evaluate(self, org: Organization) -> Outcome:
        """Answer for one organization."""
        if FIELDS[self.field].ordered:
            line = self._size(org)
        elif FIELDS[self.field].kind in {"place", "places"}:
            line = self._place(org)
        else:
            line = self._word(org)
        return Outcome(line.answer, (line,))

    def _size(self, org: Organization) -> Line:
        now = amount(org, self.field, self.unit)
        label = FIELDS[self.field].label
        unit = f" {self.unit}" if self.unit else ""
        limit = f"{self.op} {shown_number(float(self.value))}{unit}"
        if now.number is None:
            return Line(
                f"{label} {now.text}, needed {limit}: unknown",
                "unknown",
                self.field,
                now.text,
                now.remedy,
            )
        answer: Answer = "yes" if _ORDER[self.op](now.number, float(self.value)) else "no"
        line = Line(f"{label} {now.text} {limit}: {answer}", answer, self.field, now.text)
        return line if self.years == 1 else self._two_years(org, line)

    @property
    def _own(self) -> str:
        """Return the field of the organization itself, where this is the same one of its group."""
        return self.field.removeprefix("group.")

    def _two_years(self, org: Organization, line: Line) -> Line:
        """Weigh in the year before: a size counts once it holds for two years in a row."""
        before = None if org.group is not None and self.field != self._own else org.previous_year
        then = getattr(before, self._own) if before is not None else None
        if then is None:
            label = FIELDS[self.field].label
            return replace(
                line, assumption=f"{label} of the year before is not given and taken as the same"
            )
        year = amount(org.model_copy(update={self._own: then}), self._own, self.unit)
        if year.number is None:
            return replace(
                line,
                text=f"{line.text} ({year.text} the year before: unknown)",
                answer="unknown",
                remedy=year.remedy,
            )
        was: Answer = "yes" if _ORDER[self.op](year.number, float(self.value)) else "no"
        if was == line.answer:
            return replace(line, text=f"{line.text} (and {year.text} the year before)")
        return replace(
            line,
            text=f"{line.text}, but {year.text} the year before: {was}; two years in a row count:"
            " unknown",
            answer="unknown",
            remedy="Wait for the next balance sheet date, or look one more year back.",
        )

    def _place(self, org: Organization) -> Line:
        area = str(self.value)
        value = value_of(org, self.field)
        # Where an organization is formed it does business, whatever else it says.
        home = org.jurisdiction if self.field == "operates_in" else None
        target = f"in {place_name(area)}"
        label = FIELDS[self.field].label
        if home is not None and inside(home, area):
            return Line(f"{label} {target} (formed there): yes", "yes", self.field, home)
        if value is None:
            return Line(
                f"{label} {target}: unknown",
                "unknown",
                self.field,
                "not given",
                f"Give {self.field}.",
            )
        places = value if isinstance(value, tuple) else (value,)
        answer: Answer = "yes" if any(inside(place, area) for place in places) else "no"
        # A country that holds the area does not say whether its part is meant: US and US-CA.
        if answer == "no" and any(inside(area, p) for p in places):
            return Line(
                f"{where(self.field, value)}, which part is not given, needed {target}: unknown",
                "unknown",
                self.field,
                shown(value),
                f"Give {self.field} with its part, such as {area}.",
            )
        if answer == "no" and self.field == "operates_in" and org.jurisdiction is None:
            return Line(
                f"{where(self.field, value)}, formed where is not given, needed {target}: unknown",
                "unknown",
                self.field,
                shown(value),
                "Give jurisdiction: where it is formed it does business too.",
            )
        relation = "which is" if answer == "yes" else "which is not"
        return Line(
            f"{where(self.field, value)}, {relation} {target}: {answer}",
            answer,
            self.field,
            shown(value),
        )

    def _word(self, org: Organization) -> Line:
        value = value_of(org, self.field)
        field = FIELDS[self.field]
        label = field.label if self.value is not False else f"not: {field.label}"
        what = label if field.kind == "flag" else f"{label} {self.value}"
        if value is None:
            return Line(
                f"{what}: unknown", "unknown", self.field, "not given", f"Give {self.field}."
            )
        if field.kind == "codes":
            holds = any(code.startswith(str(self.value)) for code in value)
        else:
            holds = self.value in value if isinstance(value, tuple) else value == self.value
        answer: Answer = "yes" if holds else "no"
        return Line(f"{what}: {answer}", answer, self.field, shown(value))


class All(_Node):
    """Every part must hold."""

    all: tuple[Predicate, ...] = pydantic.Field(min_length=1)

    def evaluate(self, org: Organization) -> Outcome:
        """Answer for one organization."""
        return _counted(self.all, len(self.all), org)


class Any_(_Node):  # noqa: N801 - typing has taken the name
    """One part must hold."""

    any: tuple[Predicate, ...] = pydantic.Field(min_length=1)

    def evaluate(self, org: Organization) -> Outcome:
        """Answer for one organization."""
        return _counted(self.any, 1, org)


class AtLeast(_Node):
    """A number of the parts must hold, such as two of three sizes."""

    at_least: int = pydantic.Field(ge=1)
    of: tuple[Predicate, ...] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _possible(self) -> AtLeast:
        if self.at_least > len(self.of):
            raise ValueError("asks for more parts than there are")
        return self

    def evaluate(self, org: Organization) -> Outcome:
        """Answer for one organization."""
        return _counted(self.of, self.at_least, org)


class Not(_Node):
    """The part must not hold."""

    not_: Predicate = pydantic.Field(alias="not")

    def evaluate(self, org: Organization) -> Outcome:
        """Answer for one organization."""
        inner = self.not_.evaluate(org)
        return Outcome(_FLIPPED[inner.answer], tuple(_denied(line) for line in inner.lines))


class Anyone(_Node):
    """Everyone is meant, as by a framework that anyone may use."""

    anyone: Literal[True]

    def evaluate(self, org: Organization) -> Outcome:
        """Answer for one organization."""
        return Outcome("yes", ())


_FLIPPED: dict[Answer, Answer] = {"yes": "no", "no": "yes", "unknown": "unknown"}


def _denied(line: Line) -> Line:
    """Return a condition as it reads where it must not hold."""
    answer = _FLIPPED[line.answer]
    said = line.text.removesuffix(f": {line.answer}")
    return replace(line, text=f"{said}, which must not be: {answer}", answer=answer)


def _kind(value: Any) -> str:
    names = value if isinstance(value, dict) else type(value).model_fields
    for key, kind in (("all", "all"), ("any", "any"), ("at_least", "at_least")):
        if key in names:
            return kind
    if "anyone" in names:
        return "anyone"
    return "not" if "not" in names or "not_" in names else "condition"


Predicate = Annotated[
    Annotated[All, pydantic.Tag("all")]
    | Annotated[Any_, pydantic.Tag("any")]
    | Annotated[AtLeast, pydantic.Tag("at_least")]
    | Annotated[Not, pydantic.Tag("not")]
    | Annotated[Anyone, pydantic.Tag("anyone")]
    | Annotated[Condition, pydantic.Tag("condition")],
    pydantic.Discriminator(_kind),
]
for _class in (All, Any_, AtLeast, Not):
    _class.model_rebuild()


def _counted(parts: tuple[Predicate, ...], needed: int, org: Organization) -> Outcome:
    """Answer whether `needed` of the parts hold; lines of parts that matter to the answer."""
    outcomes = [part.evaluate(org) for part in parts]
    yes = sum(o.answer == "yes" for o in outcomes)
    maybe = sum(o.answer == "unknown" for o in outcomes)
    answer: Answer = "yes" if yes >= needed else "unknown" if yes + maybe >= needed else "no"
    # What is unknown but can no longer matter is left out of a decided answer.
    kept = [o for o in outcomes if answer == "unknown" or o.answer != "unknown"]
    return Outcome(answer, tuple(line for o in kept for line in o.lines))
