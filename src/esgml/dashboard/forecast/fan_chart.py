"""A fan chart as SVG geometry: scales, ticks and paths; the template only writes them."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from dataclasses import dataclass, field

from esgml.dashboard.axes import Tick, line_path, nice_ticks, number, tick_text, time_ticks, x_tick
from esgml.dashboard.forecast.report import History, SeriesForecast
from esgml.dashboard.forecast.target import TargetPath

#: Periods of history drawn for each period forecast, and at least.
HISTORY_PER_STEP = 4
MIN_HISTORY = 60
MAX_POINTS = 600


@dataclass(frozen=True)
class Band:
    """The area between two bounds."""

    level: int
    path: str


@dataclass(frozen=True)
class Chart:
    """Everything a template needs to draw one fan chart.

    All places are in the units of the view box.

    Attributes
    ----------
    width, height : int
    left, right, top, bottom : float
        Edges of the plotting area.
    x_ticks, y_ticks : list of Tick
    history, mean, target : str
        SVG paths; empty where there is nothing to draw.
    bands : list of Band
        Widest first.
    origin : float
        Where the forecast begins.
    points : str
        JSON of what a pointer can ask for: ``[x, y, time, text, kind]``.
    """

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick] = field(default_factory=list)
    y_ticks: list[Tick] = field(default_factory=list)
    history: str = ""
    mean: str = ""
    target: str = ""
    bands: list[Band] = field(default_factory=list)
    origin: float = 0.0
    points: str = "[]"


def recent(history: History | None, horizon: int) -> list[tuple[dt.datetime, float | None]]:
    """Return the end of the history that is worth drawing beside the forecast."""
    if history is None:
        return []
    count = min(MAX_POINTS, max(MIN_HISTORY, HISTORY_PER_STEP * horizon))
    return list(zip(history.timestamps[-count:], history.values[-count:], strict=True))


def fan_chart(
    forecast: SeriesForecast,
    history: History | None = None,
    path: TargetPath | None = None,
    *,
    factor: float = 1.0,
    unit: str = "",
    width: int = 960,
    height: int = 380,
) -> Chart:
    """Draw history, forecast with its bands, and the way to a target.

    Parameters
    ----------
    forecast : SeriesForecast
    history : History, optional
    path : TargetPath, optional
    factor : float
        From the stored unit to the one shown.
    unit : str
        The one shown.
    width, height : int
        Of the view box.
    """
    past = [(t, None if v is None else v * factor) for t, v in recent(history, len(forecast.mean))]
    ahead = [(t, v * factor) for t, v in zip(forecast.timestamps, forecast.mean, strict=True)]
    start = past[0][0] if past else ahead[0][0]
    end = ahead[-1][0] if ahead[-1][0] > start else start + dt.timedelta(hours=1)
    aim = [
        (t, v * factor) for t, v in (zip(path.timestamps, path.values, strict=True) if path else ())
    ]
    aim = _clip(aim, start, end)
    bounds = {
        level: (
            [v * factor for v in forecast.lower[str(level)]],
            [v * factor for v in forecast.upper[str(level)]],
        )
        for level in forecast.levels
    }
    values = [v for _, v in past if v is not None] + [v for _, v in ahead] + [v for _, v in aim]
    values += [v for pair in bounds.values() for side in pair for v in side]
    y_values = nice_ticks(min(values), max(values), 5 if height > 330 else 4)
    labels = [tick_text(v, y_values) for v in y_values]
    left = 14 + 7.2 * max(map(len, labels))
    right, top, bottom = width - 14.0, 16.0, height - 30.0
    span = (end - start).total_seconds()
    low, high = y_values[0], y_values[-1]

    def x(time: dt.datetime) -> float:
        return left + (time - start).total_seconds() / span * (right - left)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    # The line of the forecast begins at the last observed value, so that nothing jumps.
    joint = next(((t, v) for t, v in reversed(past) if v is not None), None)
    line = [(joint[0], joint[1])] if joint else []
    bands = []
    for level, (lower, upper) in bounds.items():
        pairs = list(zip(forecast.timestamps, lower, upper, strict=True))
        if joint:
            pairs.insert(0, (joint[0], joint[1], joint[1]))
        edge = [(x(t), y(u)) for t, _, u in pairs] + [(x(t), y(lo)) for t, lo, _ in pairs[::-1]]
        bands.append(Band(level, line_path(edge) + "Z"))
    points: list[tuple[float, float, str, str, str]] = []
    stamp = "%Y-%m-%d" if span > 3 * 86_400 else "%Y-%m-%d %H:%M"
    for t, v in past:
        if v is not None:
            points.append((x(t), y(v), f"{t:{stamp}}", f"{number(v)} {unit}", "observed"))
    for i, (t, v) in enumerate(ahead):
        text = f"{number(v)} {unit}"
        if bounds:
            level = min(bounds)
            lower, upper = bounds[level]
            text += f" ({level} %: {number(lower[i])} to {number(upper[i])})"
        points.append((x(t), y(v), f"{t:{stamp}}", text, "forecast"))
    count = max(3, int((right - left) / 110))
    return Chart(
        width=width,
        height=height,
        left=round(left, 1),
        right=right,
        top=top,
        bottom=bottom,
        x_ticks=[x_tick(x(t), s, width) for t, s in time_ticks(start, end, count)],
        y_ticks=[Tick(round(y(v), 1), s) for v, s in zip(y_values, labels, strict=True)],
        history=line_path([None if v is None else (x(t), y(v)) for t, v in past]),
        mean=line_path([(x(t), y(v)) for t, v in [*line, *ahead]]),
        target=line_path([(x(t), y(v)) for t, v in aim]),
        bands=bands,
        origin=round(x(joint[0] if joint else ahead[0][0]), 1),
        points=json.dumps([[round(p[0], 1), round(p[1], 1), *p[2:]] for p in points]),
    )


def _clip(
    line: list[tuple[dt.datetime, float]], start: dt.datetime, end: dt.datetime
) -> list[tuple[dt.datetime, float]]:
    """Return the part of a line between two moments, cut by interpolation."""

    def at(moment: dt.datetime) -> float | None:
        for (t0, v0), (t1, v1) in itertools.pairwise(line):
            if t0 <= moment <= t1 and t1 > t0:
                return v0 + (v1 - v0) * ((moment - t0) / (t1 - t0))
        return None

    inside = [(t, v) for t, v in line if start < t < end]
    edges = [(m, at(m)) for m in (start, end)]
    found = [(m, v) for m, v in edges if v is not None] + inside
    return sorted(found)


def sparkline(
    forecast: SeriesForecast, history: History | None, width: int = 120, height: int = 28
) -> tuple[str, str]:
    """Return the paths of history and forecast in a box of the given size."""
    past = [v for _, v in recent(history, len(forecast.mean))][-max(30, 2 * len(forecast.mean)) :]
    seen = [v for v in past if v is not None]
    values = [*seen, *forecast.mean]
    low, high = min(values), max(values)
    count = max(1, len(past) + len(forecast.mean) - 1)

    def place(i: int, value: float) -> tuple[float, float]:
        share = (value - low) / (high - low) if high > low else 0.5
        return 1 + i / count * (width - 2), height - 2 - share * (height - 4)

    before = line_path([None if v is None else place(i, v) for i, v in enumerate(past)])
    tail = [place(len(past) - 1, past[-1])] if past and past[-1] is not None else []
    after = line_path(tail + [place(len(past) + i, v) for i, v in enumerate(forecast.mean)])
    return before, after
