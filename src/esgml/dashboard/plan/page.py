"""What the plan page shows, put together for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from esgml.core.settings import Settings
from esgml.dashboard.axes import Tick, line_path, nice_ticks, number, tick_text, x_tick
from esgml.dashboard.plan.report import STORED, PlanReport
from esgml.dashboard.view import View
from esgml.serving.hub import Hub

#: Variables drawn over time, and the fewest steps that make a curve.
MAX_LINES = 4
FEWEST_STEPS = 8
MAX_STEPS = 8_760


@dataclass(frozen=True)
class Figure:
    """Axes with lines and dots on them, as SVG geometry."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[str] = field(default_factory=list)
    dots: list[tuple[float, float, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Curve:
    """One variable of the plan over its steps."""

    name: str
    figure: Figure


def _figure(
    xs: Sequence[float],
    ys: Sequence[float],
    width: int,
    height: int,
    *,
    joined: bool,
    kinds: Sequence[str] = (),
) -> Figure:
    x_values = nice_ticks(min(xs), max(xs), 6 if width > 500 else 3)
    y_values = nice_ticks(min(ys), max(ys), 4)
    labels = [tick_text(v, y_values) for v in y_values]
    left = 14 + 7.2 * max(map(len, labels))
    right, top, bottom = width - 14.0, 12.0, height - 28.0

    def x(value: float) -> float:
        span = x_values[-1] - x_values[0]
        return round(left + (value - x_values[0]) / span * (right - left), 1)

    def y(value: float) -> float:
        span = y_values[-1] - y_values[0]
        return round(bottom - (value - y_values[0]) / span * (bottom - top), 1)

    places = [(x(a), y(b)) for a, b in zip(xs, ys, strict=True)]
    return Figure(
        width,
        height,
        left,
        right,
        top,
        bottom,
        [x_tick(x(v), tick_text(v, x_values), width) for v in x_values],
        [Tick(y(v), s) for v, s in zip(y_values, labels, strict=True)],
        [line_path(places)] if joined else [],
        [] if joined else [(a, b, k) for (a, b), k in zip(places, kinds, strict=True)],
    )


def steps(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the corners of a line that holds each value for one step."""
    xs: list[float] = []
    ys: list[float] = []
    for i, value in enumerate(values):
        xs += [float(i), float(i + 1)]
        ys += [value, value]
    return xs, ys


def curves(report: PlanReport, width: int, height: int) -> list[Curve]:
    """Draw the variables of a plan that go over time, those that move most first."""
    found = []
    for name, value in report.solution.items():
        if not isinstance(value, list) or not FEWEST_STEPS <= len(value) <= MAX_STEPS:
            continue
        numbers = [float(v) for v in value if not isinstance(v, str)]
        if len(numbers) == len(value):
            found.append((max(numbers) - min(numbers), name, numbers))
    found.sort(key=lambda item: (-item[0], item[1]))
    return [
        Curve(name, _figure(*steps(numbers), width, height, joined=True))
        for _, name, numbers in found[:MAX_LINES]
    ]


def pareto(report: PlanReport, width: int, height: int) -> dict[str, Any] | None:
    """Draw the front in its first two objectives, with the chosen plan and the plan of today."""
    names = list(report.objective)[:2]
    if len(names) < 2 or not report.front:
        return None
    rows = [(p.objective, "point") for p in report.front if set(names) <= set(p.objective)]
    today = report.comparison.get("baseline", {})
    if all(isinstance(today.get(name), int | float) for name in names):
        rows.append((today, "today"))
    rows.append((report.objective, "chosen"))
    xs = [float(row[names[0]]) for row, _ in rows]
    ys = [float(row[names[1]]) for row, _ in rows]
    labels = [f"{name}{f' ({unit})' if (unit := report.units.get(name)) else ''}" for name in names]
    figure = _figure(xs, ys, width, height, joined=False, kinds=[kind for _, kind in rows])
    return {"x": labels[0], "y": labels[1], "figure": figure}


def _compared(report: PlanReport) -> list[dict[str, str]]:
    """Return the plan, the plan of today, every rule and the limit, each with all objectives."""
    names = list(report.objective)

    def row(label: str, values: Mapping[str, Any], feasible: bool | None) -> dict[str, Any]:
        cells = [
            number(float(values[n])) if isinstance(values.get(n), int | float) else "–"
            for n in names
        ]
        return {"label": label, "cells": cells, "feasible": feasible}

    rows = [row("this plan", report.objective, report.feasible)]
    for label, values in report.comparison.items():
        rows.append(row(label, values, bool(values.get("feasible", True))))
    if report.bound is not None:
        rows.append(row("limit", {names[0]: report.bound}, None))
    return rows


def show(query: Mapping[str, str], hub: Hub, settings: Settings) -> tuple[dict[str, Any], int]:
    """Show the plan that was made last."""
    report, notice = STORED.found(settings)
    context: dict[str, Any] = {"title": "Plan", "notice": notice, "plan": report}
    if report is not None:
        unit = report.units.get(next(iter(report.objective)), "")
        gain = None
        if report.baseline:
            gain = (report.baseline - report.value) / abs(report.baseline)
        context |= {
            "unit": unit,
            "value": number(report.value),
            "baseline": number(report.baseline) if report.baseline is not None else "–",
            "gain": gain,
            "names": [
                f"{n}{f', {report.units[n]}' if report.units.get(n) else ''}"
                for n in report.objective
            ],
            "rows": _compared(report),
            "curves": [(curves(report, 960, 190), "wide"), (curves(report, 420, 170), "narrow")],
            "fronts": [
                (pareto(report, 960, 320), "wide"),
                (pareto(report, 420, 280), "narrow"),
            ],
        }
    return context, 200


VIEW = View("/plan", "Plan", "plan.html", show)
