"""What the forecast page shows, put together for its template."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esgml.core.settings import Settings
from esgml.core.units import factor, is_unit, shown_unit
from esgml.dashboard.axes import number
from esgml.dashboard.forecast.fan_chart import fan_chart, sparkline
from esgml.dashboard.forecast.report import STORED, ForecastReport, SeriesForecast
from esgml.dashboard.forecast.target import TARGETS, TargetReport, target_path
from esgml.dashboard.view import View, picked
from esgml.registry import gate
from esgml.serving.hub import Hub

#: Scores shown for a model, in order: key, heading, whether it is a share, less is better.
SCORES = (
    ("wape", "WAPE", True, True),
    ("mase", "MASE", False, True),
    ("smape", "sMAPE", True, True),
    ("within_10pct", "Within 10 %", True, False),
)
#: Most series listed at once: the block of them in which the chosen one stands.
MAX_LISTED = 200


@dataclass(frozen=True)
class Score:
    """One score of a model beside that of the naive forecast."""

    title: str
    value: str
    naive: str
    gain: str
    better: bool


@dataclass(frozen=True)
class Listed:
    """One series in the list."""

    index: int
    entity: str
    target: str
    last: str
    ahead: str
    change: str
    before_path: str
    after_path: str


def _number(metrics: Mapping[str, Any], key: str) -> float | None:
    value = metrics.get(key)
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good and value is not None else None


def _score(
    metrics: Mapping[str, Any],
    base: Mapping[str, Any],
    key: str,
    title: str,
    share: bool,
    less: bool,
) -> list[Score]:
    """Return one score beside the naive one, or nothing where it is not there."""
    value, other = _number(metrics, key), _number(base, key)
    if value is None:
        return []
    text = f"{value:.1%}" if share else f"{value:.2f}"
    beside = "–" if other is None else (f"{other:.1%}" if share else f"{other:.2f}")
    if not other:
        return [Score(title, text, beside, "", False)]
    ratio = 1 - value / other if less else value / other - 1
    return [Score(title, text, beside, f"{ratio:+.0%}", ratio > 0)]


def scores(metrics: Mapping[str, Any]) -> list[Score]:
    """Return the scores worth showing, each beside the naive forecast's."""
    naive = metrics.get("naive")
    base = naive if isinstance(naive, Mapping) else {}
    found: list[Score] = []
    for key, title, share, less in SCORES:
        found += _score(metrics, base, key, title, share, less)
    first, higher = gate.headline(metrics)
    if first and not any(key == first for key, *_ in SCORES):
        found += _score(metrics, base, first, first.replace("_", " "), False, not higher)
    coverage = metrics.get("coverage")
    if isinstance(coverage, Mapping):
        for level in sorted(coverage):
            held = _number(coverage, level)
            if held is not None:
                found.append(Score(f"{level} % interval held", f"{held:.1%}", "–", "", False))
    return found


def _models(hub: Hub) -> list[dict[str, Any]]:
    return [
        {
            "name": service.name,
            "version": service.version,
            "task": service.bundle.task,
            "model": service.bundle.model_name,
            "digest": service.digest[:12],
            "scores": scores(service.bundle.metrics),
        }
        for service in hub.champions.values()
    ]


def _unit(report: ForecastReport, forecast: SeriesForecast) -> tuple[str, float]:
    """Return the unit a series is shown in and the factor to it."""
    stored = forecast.unit or report.unit
    if not stored or not is_unit(stored):
        return stored, 1.0
    shown = shown_unit(stored)
    return shown, factor(stored, shown)


def _listed(report: ForecastReport, start: int) -> list[Listed]:
    found = []
    for i, forecast in enumerate(report.forecasts[start : start + MAX_LISTED], start):
        unit, scale = _unit(report, forecast)
        history = report.history_of(forecast)
        horizon = len(forecast.mean)
        ahead = sum(forecast.mean) * scale
        seen = [v for v in (history.values[-horizon:] if history else []) if v is not None]
        last = sum(seen) * scale if len(seen) == horizon else None
        before, after = sparkline(forecast, history)
        found.append(
            Listed(
                i,
                forecast.entity,
                forecast.target,
                f"{number(last)} {unit}" if last is not None else "–",
                f"{number(ahead)} {unit}",
                f"{ahead / last - 1:+.1%}" if last else "–",
                before,
                after,
            )
        )
    return found


def _rows(forecast: SeriesForecast, scale: float) -> list[dict[str, Any]]:
    daily = all((t.hour, t.minute) == (0, 0) for t in forecast.timestamps)
    return [
        {
            "time": f"{t:%Y-%m-%d}" if daily else f"{t:%Y-%m-%d %H:%M}",
            "mean": number(forecast.mean[i] * scale),
            "bounds": [
                (
                    number(forecast.lower[str(level)][i] * scale),
                    number(forecast.upper[str(level)][i] * scale),
                )
                for level in reversed(forecast.levels)
            ],
        }
        for i, t in enumerate(forecast.timestamps)
    ]


def _chosen(report: ForecastReport, targets: TargetReport | None, index: int) -> dict[str, Any]:
    forecast = report.forecasts[index]
    unit, scale = _unit(report, forecast)
    history = report.history_of(forecast)
    aim = targets.of(forecast) if targets else None
    path = target_path(aim, forecast, history) if aim else None
    options = {"factor": scale, "unit": unit}
    first, last = forecast.timestamps[0], forecast.timestamps[-1]
    levels = list(reversed(forecast.levels))
    band = ""
    if levels:
        low, high = (side[str(levels[0])][-1] * scale for side in (forecast.lower, forecast.upper))
        band = f"{levels[0]} % between {number(low)} and {number(high)}"
    return {
        "index": index,
        "entity": forecast.entity,
        "target": forecast.target,
        "unit": unit,
        "levels": levels,
        "count": f"{len(forecast.mean)} period{'s' if len(forecast.mean) > 1 else ''}",
        "first": f"{first:%Y-%m-%d}",
        "last": f"{last:%Y-%m-%d}",
        "final": f"{number(forecast.mean[-1] * scale)} {unit}",
        "total": f"{number(sum(forecast.mean) * scale)} {unit}",
        "band": band,
        "probability": aim.probability if aim else None,
        "aim": targets.words if aim and targets else "",
        "wide": fan_chart(forecast, history, path, **options),  # type: ignore[arg-type]
        "narrow": fan_chart(forecast, history, path, width=420, height=300, **options),  # type: ignore[arg-type]
        "rows": _rows(forecast, scale),
    }


def show(query: Mapping[str, str], hub: Hub, settings: Settings) -> tuple[dict[str, Any], int]:
    """Show the latest forecast, the way to its target, and the models in service."""
    report, notice = STORED.found(settings)
    targets, broken = TARGETS.found(settings)
    if not notice and TARGETS.path(settings).exists():
        notice = broken
    status = 200
    chosen, start = None, 0
    if report is not None and report.forecasts:
        index = picked(query.get("series", "0"), len(report.forecasts))
        if index is not None:
            chosen = _chosen(report, targets, index)
            start = index // MAX_LISTED * MAX_LISTED
        else:
            status, notice = 404, "There is no such series in the stored forecast."
    elif report is not None:
        notice = "The stored forecast holds no series."
    context = {
        "title": report.title if report else "Emissions forecast",
        "notice": notice,
        "chosen": chosen,
        "series": _listed(report, start) if report else [],
        "count": len(report.forecasts) if report else 0,
        "earlier": start - MAX_LISTED if start else None,
        "later": start + MAX_LISTED,
        "models": _models(hub),
        "failures": hub.failures,
    }
    return context, status


VIEW = View("/", "Forecast", "forecast.html", show)
