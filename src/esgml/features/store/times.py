"""Times in the store: naive UTC, whole microseconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl

from esgml.core.errors import ColumnError, DataError, UsageError

EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment as naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def to_utc(moment: datetime | date, what: str) -> datetime:
    """Return `moment` as naive UTC; a naive time is taken as UTC, a date as its midnight.

    Raises
    ------
    UsageError
        If it is not a time.
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            return moment
        return moment.astimezone(UTC).replace(tzinfo=None)
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day)
    raise UsageError(
        f"{what} must be a datetime, got {type(moment).__name__}.",
        code="bad_time",
        remedy="Give a datetime; without a time zone it is read as UTC.",
    )


def micros(moment: datetime) -> int:
    """Return a naive UTC time as microseconds since 1970."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """Return microseconds since 1970 as a naive UTC time."""
    return EPOCH + timedelta(microseconds=value)


def utc_column(frame: pl.DataFrame, column: str, where: str = "") -> pl.Series:
    """Return a time column as naive UTC microseconds.

    Raises
    ------
    ColumnError
        If the column does not hold times.
    DataError
        If a time is missing.
    """
    values = frame[column]
    dtype = values.dtype
    refuse_nulls(values, column, where)
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is not None:
            values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        values = values.dt.cast_time_unit("us")
    elif dtype == pl.Date:
        values = values.cast(pl.Datetime("us"))
    elif not (dtype == pl.Null and frame.height == 0):
        raise ColumnError(
            f"column {column!r} holds {dtype}, expected times.",
            code="column_kind",
            where=where,
            remedy="Parse it into datetimes first; without a time zone they are read as UTC.",
        )
    return values.cast(pl.Datetime("us"))


def refuse_nulls(values: pl.Series, column: str, where: str = "") -> None:
    """Raise `DataError` naming the first missing row of a column that must be complete."""
    missing = values.null_count()
    if missing:
        row = int(values.is_null().arg_max() or 0)
        raise DataError(
            f"column {column!r} is empty in {missing} rows, first in row {row}.",
            code="missing_key",
            where=where,
            remedy="Fill it in or remove those rows.",
        )
