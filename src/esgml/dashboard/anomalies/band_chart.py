"""Readings of a meter over the band that was expected, as SVG geometry."""

from __future__ import annotations

from dataclasses import dataclass, field

from esgml.dashboard.anomalies.report import Timeline
from esgml.dashboard.axes import Tick, line_path, nice_ticks, number, tick_text, time_ticks, x_tick


@dataclass(frozen=True)
class BandChart:
    """Everything a template needs to draw the timeline of one event."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick] = field(default_factory=list)
    y_ticks: list[Tick] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    expected: str = ""
    observed: str = ""
    alarms: list[tuple[float, float, str]] = field(default_factory=list)


def band_chart(
    timeline: Timeline, unit: str = "", width: int = 960, height: int = 320
) -> BandChart | None:
    """Draw a timeline; None where there is nothing to draw."""
    columns = (timeline.observed, timeline.expected, timeline.lower, timeline.upper)
    values = [v for column in columns for v in column if v is not None]
    if len(timeline.timestamps) < 2 or not values:
        return None
    y_values = nice_ticks(min(values), max(values), 5 if width > 500 else 4)
    labels = [tick_text(v, y_values) for v in y_values]
    left = 14 + 7.2 * max(map(len, labels))
    right, top, bottom = width - 14.0, 14.0, height - 30.0
    start, end = timeline.timestamps[0], timeline.timestamps[-1]
    span = max((end - start).total_seconds(), 1.0)

    def x(i: int) -> float:
        return left + (timeline.timestamps[i] - start).total_seconds() / span * (right - left)

    def y(value: float) -> float:
        return bottom - (value - y_values[0]) / (y_values[-1] - y_values[0]) * (bottom - top)

    def path(column: list[float | None]) -> str:
        return line_path([None if v is None else (x(i), y(v)) for i, v in enumerate(column)])

    rings = []
    for i, wrong in enumerate(timeline.alarm):
        value = timeline.observed[i]
        if wrong and value is not None:
            text = f"{timeline.timestamps[i]:%Y-%m-%d %H:%M}: {number(value)} {unit}"
            rings.append((round(x(i), 1), round(y(value), 1), text))
    return BandChart(
        width,
        height,
        left,
        right,
        top,
        bottom,
        [
            x_tick(left + (t - start).total_seconds() / span * (right - left), text, width)
            for t, text in time_ticks(start, end, max(3, int((right - left) / 110)))
        ],
        [Tick(round(y(v), 1), s) for v, s in zip(y_values, labels, strict=True)],
        _bands(timeline, x, y),
        path(timeline.expected),
        path(timeline.observed),
        rings,
    )


def _bands(timeline: Timeline, x: object, y: object) -> list[str]:
    """Return one closed area for each run of readings that have both bounds."""
    assert callable(x) and callable(y)
    areas, run = [], []
    pairs = list(zip(timeline.lower, timeline.upper, strict=False))
    for i in range(len(pairs) + 1):
        low, high = pairs[i] if i < len(pairs) else (None, None)
        if low is not None and high is not None:
            run.append((x(i), y(low), y(high)))
        elif run:
            edge = [(a, h) for a, _, h in run] + [(a, lo) for a, lo, _ in run[::-1]]
            areas.append(line_path(edge) + "Z")
            run = []
    return areas
