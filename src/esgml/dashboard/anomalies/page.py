"""What the page of alarms shows, and the route that takes verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from esgml.core.errors import NotFoundError, UsageError
from esgml.core.settings import Settings
from esgml.dashboard.anomalies import verdicts
from esgml.dashboard.anomalies.band_chart import band_chart
from esgml.dashboard.anomalies.report import STORED, AlarmEvent, AlarmReport
from esgml.dashboard.axes import number
from esgml.dashboard.view import View, picked
from esgml.serving.hub import Hub

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

#: Most events listed.
MAX_LISTED = 200
_MAX_BODY = 2_000
_WORDS = {"true": "confirmed", "false": "dismissed", "explained": "explained", "": ""}


def queue(report: AlarmReport) -> list[AlarmEvent]:
    """Return the events, those with most at stake first."""

    def stake(event: AlarmEvent) -> tuple[float, float, float]:
        return (-abs(event.tco2e or 0.0), -abs(event.cost or 0.0), -abs(event.excess or 0.0))

    return sorted(report.events, key=lambda e: (*stake(e), e.start, e.id))


def _amount(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{number(value)} {unit}".strip()


def _listed(event: AlarmEvent, index: int, said: Mapping[str, str]) -> dict[str, Any]:
    return {
        "index": index,
        "id": event.id,
        "entity": event.entity,
        "kind": event.kind.replace("_", " "),
        "start": f"{event.start:%Y-%m-%d %H:%M}",
        "tco2e": _amount(event.tco2e, "t"),
        "excess": _amount(event.excess, event.unit),
        "verdict": said.get(event.id, ""),
        "word": _WORDS[said.get(event.id, "")],
    }


def _chosen(event: AlarmEvent, index: int, said: Mapping[str, str]) -> dict[str, Any]:
    line = event.timeline
    facts = [
        ("At stake", _amount(event.tco2e, "tCO2e")),
        ("Cost", _amount(event.cost, event.currency)),
        ("Observed", _amount(event.observed, event.unit)),
        ("Expected", _amount(event.expected, event.unit)),
        ("Difference", _amount(event.excess, event.unit)),
        ("p-value", "–" if event.p_value is None else f"{event.p_value:.3g}"),
    ]
    return {
        **_listed(event, index, said),
        "target": event.target,
        "unit": event.unit,
        "end": f"{event.end:%Y-%m-%d %H:%M}",
        "readings": event.readings,
        "explanation": event.explanation,
        "proposed": event.proposed,
        "facts": [(name, text) for name, text in facts if text != "–"],
        "baselines": [(b.name, _amount(b.expected, event.unit)) for b in event.baselines],
        "wide": band_chart(line, event.unit) if line else None,
        "narrow": band_chart(line, event.unit, 420, 260) if line else None,
    }


def show(query: Mapping[str, str], hub: Hub, settings: Settings) -> tuple[dict[str, Any], int]:
    """Show the queue of alarms and one of them closely."""
    report, notice = STORED.found(settings)
    status = 200
    said = verdicts.latest(verdicts.verdicts_path(settings))
    events = queue(report) if report else []
    chosen = None
    if events:
        index = picked(query.get("event", "0"), len(events))
        if index is None:
            status, notice = 404, "There is no such alarm in the stored report."
        else:
            chosen = _chosen(events[index], index, said)
    known = {event.id for event in events}
    right, judged = verdicts.precision({e: v for e, v in said.items() if e in known})
    rates = [r for r in report.alarm_rate.values() if r is not None] if report else []
    context = {
        "title": report.title if report else "Alarms",
        "notice": notice,
        "report": report,
        "chosen": chosen,
        "events": [_listed(e, i, said) for i, e in enumerate(events[:MAX_LISTED])],
        "hidden": max(0, len(events) - MAX_LISTED),
        "stake": sum(abs(e.tco2e or 0.0) for e in events),
        "open": sum(e.id not in said for e in events),
        "precision": right,
        "judged": judged,
        "rate": sum(rates) / len(rates) if rates else None,
        "worst": max(rates) if rates else None,
    }
    return context, status


def routes(hub: Hub, settings: Settings) -> Sequence[BaseRoute]:
    """Return the route that takes verdicts: ``POST /anomalies/verdict``."""
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def verdict(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise UsageError("send application/json.", code="content_type")
        data = b""
        async for part in request.stream():
            data += part
            if len(data) > _MAX_BODY:
                raise UsageError("the verdict is too long.", code="too_large")
        try:
            said = json.loads(data)
            asked, word = said["id"], said["verdict"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError("send the id of an alarm and a verdict.", where="body") from error
        if not isinstance(word, str):
            raise UsageError("this is no verdict.", where="verdict")
        report = STORED.read(STORED.path(settings))
        event = next((e for e in report.events if e.id == asked), None)
        if event is None:
            raise NotFoundError("there is no such alarm in the stored report.", code="not_found")
        path = verdicts.verdicts_path(settings)
        about = {
            "id": event.id,
            "entity": event.entity,
            "target": event.target,
            "start": event.start.isoformat(),
            "end": event.end.isoformat(),
        }
        verdicts.record(path, about, word)
        return JSONResponse({"id": event.id, "verdict": word, "word": _WORDS[word]})

    return [Route("/anomalies/verdict", verdict, methods=["POST"], include_in_schema=False)]


VIEW = View("/anomalies", "Alarms", "anomalies.html", show, routes)
