"""Dated events: closures, holidays and the like, which explain strange readings beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from esgml.core.errors import ColumnError, DataError

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


class DatedEvent(NamedTuple):
    """What is known to have happened: from `start` to before `end`.

    An empty `entity` means every meter.
    """

    start: np.datetime64
    end: np.datetime64
    name: str
    entity: str = ""


def excused(
    events: Sequence[DatedEvent], entity: str, time: NDArray[np.datetime64]
) -> NDArray[np.bool_]:
    """Return which of the times of a meter fall on one of its dated events."""
    mask = np.zeros(len(time), dtype=bool)
    for event in events:
        if event.entity in ("", entity):
            mask |= (time >= event.start) & (time < event.end)
    return mask


def read_events(frame: pl.DataFrame, where: str = "") -> tuple[DatedEvent, ...]:
    """Return the dated events of a table with ``start, end`` and perhaps ``name, entity``.

    Raises
    ------
    ColumnError
        If `start` or `end` is missing.
    DataError
        If one is no timestamp, or an event ends before it begins.
    """
    if missing := [c for c in ("start", "end") if c not in frame.columns]:
        raise ColumnError(
            f"no column {', '.join(map(repr, missing))} among {list(frame.columns)}.",
            code="column_missing",
            where=where,
            remedy="Dated events need start and end, and may have name and entity.",
        )
    found = []
    for number, row in enumerate(frame.iter_rows(named=True)):
        place = f"{where}: row {number}" if where else f"row {number}"
        start, end = _moment(row["start"], place), _moment(row["end"], place)
        if end <= start:
            raise DataError(f"the event ends at {end}, before it begins.", where=place)
        name, entity = row.get("name"), row.get("entity")
        found.append(DatedEvent(start, end, str(name or ""), str(entity or "")))
    return tuple(found)


def _moment(value: Any, where: str) -> np.datetime64:
    try:
        moment = np.datetime64(value, "us")
    except (TypeError, ValueError):
        moment = np.datetime64("NaT")
    if np.isnat(moment):
        raise DataError(
            f"{str(value)[:40]!r} is no timestamp.",
            code="timestamp",
            where=where,
            remedy="Give start and end as ISO 8601, such as 2016-07-04.",
        )
    return moment
