"""Time: order, gaps, ends, clock changes, dates that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault
from esgml.data.rules.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Times = NDArray[np.datetime64]

_EARLIEST = np.datetime64("1900-01-01", "us")
_EPOCH = np.datetime64("1970-01-01", "us")
#: Periods an entity may end before the table without a warning.
_LATE = {"YS": 0, "QS": 0, "MS": 0, "W": 1, "D": 2}
#: Share of the table's span at its end in which a target may not be silent.
_SILENT = 0.2


def find(view: View) -> list[Fault]:
    """Return every fault of the time column."""
    found: list[Fault] = []
    for rule in (_unordered, _implausible, _future, _steps, _gaps, _ends, _clock_change, _vanishes):
        found += rule(view)
    return found


def _unordered(view: View) -> list[Fault]:
    """Rows of one entity that go back in time."""
    step_back = np.zeros(len(view), dtype=bool)
    step_back[1:] = (view.rows[1:] < view.rows[:-1]) & ~view.first[1:]
    if not step_back.any():
        return []
    return [
        fault(
            "unordered_timestamps",
            Severity.INFO,
            f"{int(step_back.sum())} rows come before a row that is earlier in time.",
            "Nothing to do; rows are sorted by entity and time.",
            column=view.spec.time,
            rows=view.rows[step_back],
        )
    ]


def _implausible(view: View) -> list[Fault]:
    """Dates that systems write for "no date"."""
    bad = view.time < _EARLIEST
    epoch = view.time == _EPOCH
    if 0 < epoch.sum() <= 0.01 * len(view):
        bad |= epoch
    if not bad.any():
        return []
    return [
        fault(
            "implausible_date",
            Severity.WARNING,
            f"{int(bad.sum())} timestamps look like a code for 'no date',"
            f" e.g. {view.time[bad][0].astype('datetime64[D]')}.",
            "Correct the dates, or remove the rows.",
            column=view.spec.time,
            rows=view.rows[bad],
        )
    ]


def future_rows(view: View) -> Rows:
    """Return the source rows that hold a target value observed a day or more after now."""
    late = view.time > view.now + np.timedelta64(1, "D")
    if not late.any():
        return np.empty(0, dtype=np.int64)
    seen = np.zeros(len(view), dtype=bool)
    for target in view.spec.targets:
        seen |= np.isfinite(view.values(target))
    return np.sort(view.rows[late & seen])


def _future(view: View) -> list[Fault]:
    rows = future_rows(view)
    if not len(rows):
        return []
    last = view.frame[view.spec.time][int(rows[-1])]
    return [
        fault(
            "future_date",
            Severity.ERROR,
            f"{len(rows)} rows hold values observed in the future, e.g. at {last}.",
            "Correct the dates, or leave the target empty where it is a plan; cleaning takes"
            " the rows out.",
            column=view.spec.time,
            rows=rows,
        )
    ]


def _steps(view: View) -> list[Fault]:
    """Find a step that is no usual one, and rows between the steps."""
    if view.frequency is None:
        if len(view) > view.entities:
            return [
                fault(
                    "frequency_unknown",
                    Severity.WARNING,
                    "the usual step between rows is no usual frequency.",
                    "Resample the table to 15 minutes, hours, days, weeks, months or years.",
                    column=view.spec.time,
                    count=len(view),
                )
            ]
        return []
    ordinal = view.frequency.ordinals(view.time)
    same = np.zeros(len(view), dtype=bool)
    same[1:] = (ordinal[1:] == ordinal[:-1]) & ~view.first[1:]
    same[1:] &= view.time[1:] != view.time[:-1]
    if not same.any():
        return []
    return [
        fault(
            "irregular_step",
            Severity.WARNING,
            f"{int(same.sum())} rows lie closer to the row before than the usual step"
            f" ({view.frequency.code}).",
            "Add up or average to one row per period before forecasting.",
            column=view.spec.time,
            rows=view.rows[same],
        )
    ]


def _gaps(view: View) -> list[Fault]:
    """Periods that are absent between two rows of an entity."""
    if view.frequency is None:
        return []
    ordinal = view.frequency.ordinals(view.time)
    absent = np.zeros(len(view), dtype=np.int64)
    absent[1:] = np.where(view.first[1:], 0, np.maximum(np.diff(ordinal) - 1, 0))
    if not absent.any():
        return []
    marked = absent > 0
    worst = int(np.argmax(absent))
    return [
        fault(
            "gap",
            Severity.WARNING,
            f"{int(absent.sum())} periods are absent in {int(marked.sum())} gaps; the longest"
            f" is {int(absent[worst])} before {view.time[worst].astype('datetime64[m]')}"
            f" ({view.name(int(view.codes[worst]))!r}).",
            "Add the missing rows; what stays missing is not invented. Rows named here come"
            " after a gap.",
            column=view.spec.time,
            rows=view.rows[marked],
            count=int(absent.sum()),
        )
    ]


def _ends(view: View) -> list[Fault]:
    """Entities whose rows end before the others' do."""
    if view.frequency is None or view.entities < 2:
        return []
    last = view.frequency.ordinals(view.time[view.starts[1:] - 1])
    # a few wrong dates in the future must not make all others look short
    end = int(np.quantile(last, 0.95, method="higher")) if len(last) >= 20 else int(last.max())
    short = np.maximum(end - last, 0)
    allowed = _LATE.get(view.frequency.code, 24)
    marked = short > allowed
    if not marked.any():
        return []
    worst = int(np.argmax(short))
    return [
        fault(
            "end_gap",
            Severity.WARNING,
            f"{int(marked.sum())} of {view.entities} entities end before the table does;"
            f" {view.name(worst)!r} by {int(short[worst])} periods.",
            "Add the latest periods, or leave out entities that closed.",
            column=view.spec.time,
            rows=view.rows[view.starts[1:][marked] - 1],
            count=int(short[marked].sum()),
        )
    ]


def _weekday_of_month(times: Times, month: int, ordinal: int) -> Mask:
    """Mark days that are the first (1), second (2) or last (-1) Sunday of a month."""
    day = times.astype("datetime64[D]")
    months = day.astype("datetime64[M]")
    sunday = (day.astype(np.int64) + 3) % 7 == 6
    number = (day - months.astype("datetime64[D]")).astype(np.int64) // 7 + 1
    after = day + np.timedelta64(7, "D")
    last = after.astype("datetime64[M]") != months
    placed = last if ordinal < 0 else number == ordinal
    return np.asarray(sunday & (months.astype(np.int64) % 12 + 1 == month) & placed)


def _clock_change(view: View) -> list[Fault]:
    """Find hours absent in spring or repeated in autumn: local time, not UTC."""
    if view.frequency is None or not 0 < view.frequency.seconds <= 3600 or len(view) < 2:
        return []
    hour = np.timedelta64(1, "h")
    step = np.timedelta64(view.frequency.seconds, "s")
    later, apart = view.time[1:], np.diff(view.time)
    # looking at the calendar is slow: only where an hour is absent or repeated
    at = np.flatnonzero(~view.first[1:] & ((apart == hour + step) | (apart == 0 * hour)))
    absent = apart[at] > 0 * hour
    later = later[at]
    time_of_day = (later - later.astype("datetime64[D]")).astype("timedelta64[h]").astype(int)
    change = _weekday_of_month(later, 3, -1) | _weekday_of_month(later, 3, 2)
    spring = absent & change & np.isin(time_of_day, (2, 3))
    change = _weekday_of_month(later, 10, -1) | _weekday_of_month(later, 11, 1)
    autumn = ~absent & change & np.isin(time_of_day, (1, 2))
    marked = spring | autumn
    if not marked.any():
        return []
    parts = []
    if spring.any():
        parts.append(f"{int(spring.sum())} hours are absent in spring")
    if autumn.any():
        parts.append(f"{int(autumn.sum())} rows repeat an hour in autumn")
    return [
        fault(
            "dst_hours",
            Severity.WARNING,
            f"{' and '.join(parts)}, as clocks change: the timestamps look like local time.",
            "Write timestamps in UTC, or with their offset (2024-10-27T02:00+01:00).",
            column=view.spec.time,
            rows=view.rows[1:][at[marked]],
        )
    ]


def _vanishes(view: View) -> list[Fault]:
    """Find targets that stop while their rows go on."""
    if view.frequency is None:
        return []
    found = []
    known = [c for c in view.spec.known if c in view.frame.columns]
    past = view.time <= view.now
    for target in view.spec.targets:
        seen = np.isfinite(view.values(target))
        if not seen.any():
            continue  # that is all_missing
        position = np.where(seen, np.arange(len(view)), -1)
        last_seen = np.maximum.reduceat(position, view.starts[:-1])
        ends = view.starts[1:] - 1
        observed = last_seen >= view.starts[:-1]
        silent = np.where(observed, ends - last_seen, 0)
        long = (silent >= 3) & (silent > _SILENT * view.lengths)
        # rows ahead of now are the future, for which covariates are known
        long &= past[np.minimum(last_seen + 1, len(view) - 1)]
        if not long.any():
            continue
        everywhere = bool(long[observed].all()) and not known
        first = int(np.argmax(long))
        rows = np.concatenate(
            [np.arange(a + 1, b + 1) for a, b in zip(last_seen[long], ends[long], strict=True)]
        )
        found.append(
            fault(
                "target_vanishes",
                Severity.ERROR if everywhere else Severity.WARNING,
                f"{target!r} has no value after"
                f" {view.time[last_seen[first]].astype('datetime64[m]')} while"
                f" {int(silent[first])} more rows follow ({view.name(first)!r};"
                f" {int(long.sum())} of {view.entities} entities).",
                "Restore the missing values, or end the table at the last one; name covariates"
                " whose future is known with --known.",
                column=target,
                rows=view.rows[rows],
            )
        )
    return found
