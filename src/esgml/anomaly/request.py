"""Detection requests and answers as plain JSON values."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.anomaly import report
from esgml.anomaly.alarm import AlarmSettings
from esgml.anomaly.dated import DatedEvent
from esgml.anomaly.detect import Detection, Series
from esgml.core.documents import check_fields, moment, numbers
from esgml.core.errors import DataError, UsageError
from esgml.core.frequency import Frequency
from esgml.core.panel import SeriesKey

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Most series and readings of one request.
MOST_SERIES, MOST_READINGS = 1_000, 200_000
#: What a request may hold, and what one of its series.
FIELDS = frozenset({"series", "alarm_rate", "fit_until", "frequency", "events"})
SERIES_FIELDS = frozenset({"entity", "target", "unit", "start", "timestamps", "values"})
EVENT_FIELDS = frozenset({"start", "end", "name", "entity"})


def decode_series(request: Mapping[str, Any], frequency: Frequency) -> list[Series]:
    """Return the series of a request.

    A series is ``{"entity", "target"?, "unit"?, "start", "values"}`` on the regular grid, or
    ``{"entity", ..., "timestamps", "values"}``; values are null where missing.

    Raises
    ------
    DataError, UsageError
        Naming the series and field at fault.
    """
    check_fields(request, FIELDS)
    given = request.get("series")
    if not isinstance(given, list) or not given:
        raise DataError("a request needs at least one series.", code="empty", where="series")
    if len(given) > MOST_SERIES:
        raise UsageError(f"more than {MOST_SERIES} series at once.", where="series")
    found: list[Series] = []
    total = 0
    for number, one in enumerate(given):
        where = f"series[{number}]"
        check_fields(one, SERIES_FIELDS, where)
        key = SeriesKey(_name(one, "entity", where), _name(one, "target", where, "value"))
        values = numbers(one.get("values"), f"{where}.values")
        if not len(values):
            raise DataError("there is no value.", code="empty", where=f"{where}.values")
        total += len(values)
        if total > MOST_READINGS:
            raise UsageError(f"more than {MOST_READINGS} readings at once.", where=where)
        found.append(Series(key, _times(one, values, frequency, where), values))
    if len({one.key for one in found}) != len(found):
        raise DataError("a series appears twice.", code="duplicate_series", where="series")
    return found


def _name(one: Mapping[str, Any], name: str, where: str, default: Any = None) -> str:
    value = one.get(name, default)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise DataError(f"{name} is no name.", code=name, where=f"{where}.{name}")
    return value


def _times(
    one: Mapping[str, Any], values: NDArray[np.float64], frequency: Frequency, where: str
) -> NDArray[np.datetime64]:
    if "timestamps" in one:
        given = one["timestamps"]
        if not isinstance(given, list) or len(given) != len(values):
            raise DataError(
                "timestamps must be a list as long as values.",
                code="timestamp",
                where=f"{where}.timestamps",
            )
        times = np.array([moment(t, f"{where}.timestamps") for t in given], dtype="datetime64[us]")
        if (np.diff(times).astype(np.int64) < 0).any():
            raise DataError("timestamps must ascend.", code="order", where=f"{where}.timestamps")
        return times
    start = moment(one.get("start"), f"{where}.start")
    return frequency.advance(start, np.arange(len(values))).astype("datetime64[us]")


def settings_of(request: Mapping[str, Any]) -> AlarmSettings:
    """Return the budget a request asks for."""
    rate = request.get("alarm_rate", AlarmSettings().rate)
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise UsageError("alarm_rate must be a number.", where="alarm_rate")
    return AlarmSettings(rate=float(rate))


def frequency_of(request: Mapping[str, Any]) -> Frequency:
    """Return the frequency a request names: hourly where it names none."""
    code = request.get("frequency", "h")
    if not isinstance(code, str):
        raise UsageError("frequency must be a code such as h or 15min.", where="frequency")
    return Frequency(code)


def events_of(request: Mapping[str, Any]) -> tuple[DatedEvent, ...]:
    """Return the dated events of a request: ``{"start", "end", "name"?, "entity"?}``."""
    given = request.get("events", [])
    if not isinstance(given, list) or len(given) > MOST_SERIES:
        raise UsageError("events must be a list.", where="events")
    found = []
    for number, one in enumerate(given):
        where = f"events[{number}]"
        check_fields(one, EVENT_FIELDS, where)
        start, end = moment(one.get("start"), where), moment(one.get("end"), where)
        if end <= start:
            raise DataError("the event ends before it begins.", code="event", where=where)
        name, entity = one.get("name", ""), one.get("entity", "")
        if not isinstance(name, str) or not isinstance(entity, str):
            raise UsageError("name and entity must be texts.", where=where)
        found.append(DatedEvent(start, end, name, entity))
    return tuple(found)


def encode(detection: Detection) -> dict[str, Any]:
    """Return what was found as plain JSON values: readings by column, and the events."""
    rows, events = report.report_of(detection)
    summary = report.summary(detection, events)
    return {
        "columns": list(rows.columns),
        "rows": [
            [v.isoformat() if isinstance(v, dt.datetime) else _plain(v) for v in row]
            for row in rows.iter_rows()
        ],
        **{name: summary[name] for name in ("fit_until", "alarm_rate", "not_judged", "events")},
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
