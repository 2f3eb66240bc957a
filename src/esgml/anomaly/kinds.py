"""What an alarm looks like: spike, drop, level shift, schedule and the like, from its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.anomaly.rules import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.anomaly.context import MeterState
    from esgml.anomaly.watch import Watched

    Floats = NDArray[np.float64]

#: Kinds of readings that are wrong, so that what was expected is the better number.
WRONG = ("spike", "zero", "stuck", "negative", "unit_x1000", "duplicate", "swap")
#: Standard deviations within which a reading is as usual for another hour.
_USUAL = 1.5
_FAR = 2.5


def classify(watched: Watched, rows: NDArray[np.int64], state: MeterState) -> list[str]:
    """Name the kind of each of the readings `rows`.

    Broken rules come first. Then: ``schedule`` where the value is usual for the same hour of
    another weekday (a workday run like a Sunday); ``level_shift`` where the last hours as a
    whole left their usual level for longer than half a day; ``drift`` where only the slow
    baseline disagrees; otherwise ``spike`` or ``drop`` by its sign, and ``shape`` where the
    value itself is usual but the course of the day is not.
    """
    clock = state.clock
    z, value = watched.context.z, watched.value
    alarm = watched.decisions.alarm
    slots = clock.slots(watched.time[rows]) if len(rows) else np.empty(0, dtype=np.int64)
    found = []
    for row, slot in zip(rows.tolist(), slots.tolist(), strict=True):
        if watched.rule[row]:
            found.append(KINDS[int(watched.rule[row])])
            continue
        slow, fast, hours = z[row, 0], z[row, 1], z[row, 2]
        # how long alarms have gone on, through gaps shorter than the short window
        back = alarm[max(0, row - 2 * clock.long) : row + 1][::-1]
        on = np.flatnonzero(back)
        breaks = np.flatnonzero(np.diff(on) > clock.short)
        length = int(on[breaks[0]] if len(breaks) else on[-1]) + 1 if len(on) else 1
        if not np.isfinite(slow):
            found.append("spike" if z[row, np.isfinite(z[row])].sum() >= 0 else "drop")
        elif abs(slow) < _FAR and abs(fast) < _FAR:
            found.append("shape")
        elif _other_day(state, int(slot), value[row]):
            found.append("schedule")
        elif length > clock.long // 2 and np.isfinite(hours) and abs(hours) > _FAR:
            found.append("level_shift")
        elif abs(slow) >= _FAR and abs(fast) < 0.5 * abs(slow):
            found.append("drift")
        else:
            found.append("spike" if slow > 0 else "drop")
    return found


def _other_day(state: MeterState, slot: int, value: float) -> bool:
    """Return whether the value is usual for the same hour of another weekday."""
    week, day = state.clock.week, state.clock.day
    if week == day or week < 7:
        return False
    others = [(slot + k * day) % week for k in range(1, 7)]
    mean, spread, count = (a[:week] for a in (state.mean, state.spread, state.count))
    return any(
        count[o] >= 3 and abs(value - mean[o]) <= _USUAL * 1.2533 * max(spread[o], 1e-12)
        for o in others
    )
