"""Axes of charts drawn as SVG: round ticks, numbers for people, paths."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """A place on an axis, what it says, and where the words stand."""

    at: float
    text: str
    text_at: float = 0.0


def x_tick(at: float, text: str, width: float) -> Tick:
    """Return a tick of the horizontal axis, its words moved in from the picture's edges."""
    half = 3.6 * len(text)
    return Tick(round(at, 1), text, round(max(half + 2, min(at, width - 2 - half)), 1))


def number(value: float) -> str:
    """Return a number for people: three significant digits or whole, with separators."""
    size = abs(value)
    if size >= 100 or value == 0:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:,.1f}"
    if size >= 1:
        return f"{value:,.2f}"
    return f"{value:.3g}"


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round numbers that span `low` to `high`."""
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        spread = max(abs(low), abs(high)) * 0.1 or 1.0
        low, high = low - spread, high + spread
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= raw), 10 * power)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [k * step for k in range(first, last + 1)]


def time_ticks(start: dt.datetime, end: dt.datetime, count: int) -> list[tuple[dt.datetime, str]]:
    """Return at most `count` round moments between two, with labels."""
    days = (end - start).total_seconds() / 86_400
    moments: list[dt.datetime] = []
    if days > 1100:
        style = "%Y"
        moments = [dt.datetime(y, 1, 1) for y in range(start.year, end.year + 2)]
    elif days > 100:
        style = "%b %Y"
        first = start.year * 12 + start.month - 1
        moments = [dt.datetime(m // 12, m % 12 + 1, 1) for m in range(first, first + 40)]
    elif days > 3:
        style = "%-d %b"
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        moments = [day + dt.timedelta(days=k) for k in range(int(days) + 2)]
    else:
        style = "%-d %b %H:%M"
        hour = start.replace(minute=0, second=0, microsecond=0)
        moments = [hour + dt.timedelta(hours=k) for k in range(int(days * 24) + 2)]
    inside = [m for m in moments if start <= m <= end]
    thin = max(1, math.ceil(len(inside) / count))
    chosen = inside[::thin]
    return [(m, f"{m:{style.replace('%-d', '%d')}}".lstrip("0")) for m in chosen]


def line_path(points: Sequence[tuple[float, float] | None]) -> str:
    """Return a line through the points, broken where there is none."""
    parts = []
    pen_down = False
    for point in points:
        if point is None:
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        pen_down = True
    return "".join(parts)


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """Return a tick with as many digits as tell it from its neighbours."""
    step = ticks[1] - ticks[0]
    digits = max(0, min(8, -math.floor(math.log10(step) + 1e-9)))
    if digits and round(step * 10**digits) / 10**digits != round(step, 10):
        digits += 1
    return f"{value:,.{digits}f}"
