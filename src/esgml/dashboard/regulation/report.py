"""What the regulation page shows: a compliance risk, a text that was analyzed, or both."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import pydantic

from esgml.dashboard.stored import Number, Share, Stored


class Cited(pydantic.BaseModel):
    """A sentence beside the fact it rests on."""

    text: str
    evidence: dict[str, Any] | None = None


class Missing(pydantic.BaseModel):
    """A data point that a regulation asks for and nobody has."""

    name: str
    unit: str | None = None
    effort_days: Number | None = None


class Duty(pydantic.BaseModel):
    """One regulation as it concerns the organization."""

    id: str
    title: str = ""
    applies: Literal["yes", "no", "unknown"]
    because: list[Cited] = []
    why_risk: list[Cited] = []
    risk: Share
    deadline: dt.date | None = None
    overdue: bool = False
    missing_data: list[Missing] = []


class Advice(pydantic.BaseModel):
    """What to do, what it takes, and until when."""

    text: str
    effort_days: Number | None = None
    deadline: dt.date | None = None
    gain: Number | None = None


class Risk(pydantic.BaseModel):
    """Compliance risk of one organization, as ``esgml regulation risk`` answers it."""

    organization: str | None = None
    as_of: dt.date | None = None
    overall_risk: Share
    overall_risk_certain: Share | None = None
    by_regulation: list[Duty] = []
    recommendations: list[Advice] = []
    formula: str = ""


class Span(pydantic.BaseModel):
    """A piece of the text."""

    text: str
    start: int = pydantic.Field(ge=0)
    end: int = pydantic.Field(ge=0)


class Dated(pydantic.BaseModel):
    """Something the text sets a date for."""

    what: str
    date: str | None = None
    evidence: Span


class Area(pydantic.BaseModel):
    """An area the text touches."""

    area: str
    probability: Share | None = None
    evidence: Span | None = None


class Analysis(pydantic.BaseModel):
    """A text read closely, as ``esgml regulation analyze`` answers it."""

    impact_score: Share | None = None
    affected_areas: list[Area] = []
    timeline: list[Dated] = []


class RegulationReport(pydantic.BaseModel):
    """The latest risk and the latest analysis of a workspace."""

    title: str = "Regulation"
    text: str = ""
    risk: Risk | None = None
    analysis: Analysis | None = None


#: Where a workspace stores it.
STORED = Stored(
    "regulation",
    RegulationReport,
    "regulatory report",
    "esgml regulation risk ORG.json, or esgml regulation analyze FILE",
)
