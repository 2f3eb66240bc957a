"""What the regulation page shows, put together for its template."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esgml.core.settings import Settings
from esgml.dashboard.axes import Tick, x_tick
from esgml.dashboard.regulation.report import STORED, Analysis, Duty, Risk
from esgml.dashboard.view import View
from esgml.serving.hub import Hub

#: Longest text that is shown with its clauses marked.
MAX_TEXT = 100_000
_DAYS = (-365, 0, 365, 730, 1095, 1460)
_NAMES = ("overdue", "today", "1 year", "2 years", "3 years", "4 years")


@dataclass(frozen=True)
class Dot:
    """One duty on the radar."""

    x: float
    y: float
    label: str
    applies: str


@dataclass(frozen=True)
class Radar:
    """Risk over the time that is left, as SVG geometry."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    today: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    dots: list[Dot]


@dataclass(frozen=True)
class Piece:
    """A piece of the text; `kind` is empty where nothing is said of it."""

    text: str
    kind: str
    note: str


def radar(duties: list[Duty], today: dt.date, width: int = 960, height: int = 300) -> Radar:
    """Place every duty with a deadline by the days left and its risk."""
    left, right, top, bottom = 46.0, width - 14.0, 14.0, height - 30.0
    low, high = _DAYS[0], _DAYS[-1]

    def x(days: float) -> float:
        inside = min(max(days, low), high)
        return round(left + (inside - low) / (high - low) * (right - left), 1)

    def y(risk: float) -> float:
        return round(bottom - risk * (bottom - top), 1)

    dots = [
        Dot(x((d.deadline - today).days), y(d.risk), d.title or d.id, d.applies)
        for d in duties
        if d.deadline is not None and d.applies != "no"
    ]
    return Radar(
        width,
        height,
        left,
        right,
        top,
        bottom,
        x(0),
        [x_tick(x(days), name, width) for days, name in zip(_DAYS, _NAMES, strict=True)],
        [Tick(y(v), f"{v:.2g}") for v in (0.0, 0.25, 0.5, 0.75, 1.0)],
        dots,
    )


def marked(text: str, analysis: Analysis) -> list[Piece]:
    """Cut a text at the clauses that something is said of; earlier and longer clauses win."""
    spans = [(d.evidence, "date", f"{d.date or 'no date'}: {d.what}") for d in analysis.timeline]
    spans += [(a.evidence, "area", a.area) for a in analysis.affected_areas if a.evidence]
    spans.sort(key=lambda span: (span[0].start, -span[0].end))
    pieces: list[Piece] = []
    at = 0
    for span, kind, note in spans:
        if span.start < at or span.end > min(len(text), MAX_TEXT) or span.end <= span.start:
            continue
        if span.start > at:
            pieces.append(Piece(text[at : span.start], "", ""))
        pieces.append(Piece(text[span.start : span.end], kind, note))
        at = span.end
    pieces.append(Piece(text[at:MAX_TEXT], "", ""))
    return pieces


def _duty(duty: Duty, today: dt.date) -> dict[str, Any]:
    left = (duty.deadline - today).days if duty.deadline else None
    when = "–"
    if left is not None:
        when = f"{left} days" if left >= 0 else f"{-left} days ago"
    return {
        "id": duty.id,
        "title": duty.title or duty.id,
        "applies": duty.applies,
        "risk": duty.risk,
        "deadline": f"{duty.deadline:%Y-%m-%d}" if duty.deadline else "–",
        "left": when,
        "missing": [m.name for m in duty.missing_data],
        "reasons": [
            {"text": c.text, "source": _source(c.evidence)} for c in duty.because + duty.why_risk
        ],
    }


def _source(evidence: Mapping[str, Any] | None) -> str:
    """Return what a reader can look up: the citation of a fact."""
    if not evidence:
        return ""
    return str(evidence.get("citation") or evidence.get("source") or evidence.get("text") or "")


def _risk(risk: Risk, today: dt.date) -> dict[str, Any]:
    order = {"yes": 0, "unknown": 1, "no": 2}
    duties = sorted(risk.by_regulation, key=lambda d: (order[d.applies], -d.risk, d.id))
    counts = {word: sum(d.applies == word for d in duties) for word in order}
    ahead = [d.deadline for d in duties if d.deadline and d.applies == "yes"]
    coming = min((d for d in ahead if d >= today), default=None)
    return {
        "organization": risk.organization or "the organization",
        "as_of": today.isoformat(),
        "overall": risk.overall_risk,
        "certain": risk.overall_risk_certain,
        "counts": counts,
        "coming": coming.isoformat() if coming else "–",
        "duties": [_duty(d, today) for d in duties],
        "advice": [
            {
                "text": a.text,
                "effort": f"{a.effort_days:g} days" if a.effort_days is not None else "–",
                "deadline": a.deadline.isoformat() if a.deadline else "–",
                "gain": f"{a.gain:.3f}" if a.gain is not None else "–",
            }
            for a in risk.recommendations
        ],
        "formula": risk.formula,
        "wide": radar(duties, today),
        "narrow": radar(duties, today, width=420, height=260),
    }


def show(query: Mapping[str, str], hub: Hub, settings: Settings) -> tuple[dict[str, Any], int]:
    """Show duties by risk and deadline, and the text that was analyzed last."""
    report, notice = STORED.found(settings)
    risk, analysis, pieces = None, None, []
    if report is not None and report.risk is not None:
        risk = _risk(report.risk, report.risk.as_of or dt.date.today())
    if report is not None and report.analysis is not None:
        analysis = report.analysis
        pieces = marked(report.text, analysis)
    context = {
        "title": report.title if report else "Regulation",
        "notice": notice,
        "risk": risk,
        "analysis": analysis,
        "pieces": pieces,
        "cut": len(report.text) > MAX_TEXT if report else False,
    }
    return context, 200


VIEW = View("/regulation", "Regulation", "regulation.html", show)
