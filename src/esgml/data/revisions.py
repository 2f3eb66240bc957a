"""Corrections over time: what was known of each period at a given moment.

A corrected value is a new row with a higher revision or a later ``known_at``; the old row
stays. Reading ``as_of`` a moment gives the table as it stood then, so that a model is never
trained on a correction that came after the forecast it is judged by.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from esgml.core.errors import ColumnError
from esgml.core.frames import require_columns
from esgml.data.timestamps import parse_times

_ORDER = "__order__"
_KNOWN = "__known__"
_RANK = "__rank__"


def revision_ranks(column: pl.Series) -> pl.Series:
    """Return the place of every revision among the others, 1 for the lowest.

    Parameters
    ----------
    column : Series
        Numbers, moments, or texts of either (``3``, ``v10``, ``2024-02-01``); other texts
        rank by their letters.

    Returns
    -------
    Series of Int64
        Rows without a revision are the original: 0, below all others.
    """
    values = column
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = column.cast(pl.String).str.strip_chars()
        text = text.set((text == "").fill_null(False), None)
        filled = text.is_not_null()
        numbered = text.str.extract(r"^[^\d]{0,12}(\d{1,15}(?:\.\d+)?)$").cast(pl.Float64)
        values = numbered
        if not numbered.is_not_null().equals(filled):
            moments = parse_times(text.alias(column.name)).values
            values = moments if moments.is_not_null().equals(filled) else text
    elif column.dtype.is_float():
        values = column.fill_nan(None)
    return values.rank("dense").cast(pl.Int64).fill_null(0).alias(column.name)


def as_of(
    frame: pl.DataFrame,
    known_at: dt.datetime | dt.date | str,
    keys: Sequence[str] = ("entity", "timestamp"),
    *,
    column: str = "known_at",
    revision: str = "revision",
) -> pl.DataFrame:
    """Return one row per key: the latest that was known at a moment.

    Parameters
    ----------
    frame : DataFrame
        Rows with all their corrections.
    known_at : datetime, date or text
        The moment, UTC; a row known at exactly this moment counts as known. A date means
        its end.
    keys : sequence of str
        Columns that identify what a row is about.
    column : str
        Column with the moment a row became known; rows without one were always known.
    revision : str
        Column that numbers corrections; decides between rows known at the same moment.
        Among equals the last row counts. May be absent.

    Returns
    -------
    DataFrame
        The columns of `frame`, sorted by `keys`.

    Raises
    ------
    ColumnError
        If a key or `column` is missing, or holds no timestamps.

    Examples
    --------
    >>> table = pl.DataFrame(
    ...     {
    ...         "entity": ["a", "a"],
    ...         "timestamp": ["2024-01-01", "2024-01-01"],
    ...         "known_at": ["2024-02-01", "2024-06-01"],
    ...         "value": [1.0, 2.0],
    ...     }
    ... )
    >>> as_of(table, "2024-03-01")["value"].to_list()
    [1.0]
    """
    require_columns(frame, [*keys, column])
    moment = _moment(known_at)
    times = parse_times(frame[column])
    unreadable = times.values.is_null() & frame[column].is_not_null()
    if unreadable.any():
        raise ColumnError(
            f"column {column!r} holds {frame[column].filter(unreadable)[0]!r}, which is no"
            " timestamp.",
            where=f"row {unreadable.arg_true()[0]}",
            remedy="Write the moment a row became known as 2024-12-31T23:00:00Z.",
        )
    always = dt.datetime.min
    rows = frame.with_columns(times.values.fill_null(always).alias(_KNOWN)).with_row_index(_ORDER)
    ranking = [_KNOWN, _ORDER]
    if revision in frame.columns:
        rows = rows.with_columns(revision_ranks(frame[revision]).alias(_RANK))
        ranking.insert(1, _RANK)
    latest = (
        rows.filter(pl.col(_KNOWN) <= moment)
        .sort(*ranking, nulls_last=False)
        .unique(list(keys), keep="last", maintain_order=True)
    )
    return latest.sort(*keys, maintain_order=True).select(frame.columns)


def _moment(known_at: dt.datetime | dt.date | str) -> dt.datetime:
    if isinstance(known_at, str):
        parsed = parse_times(pl.Series([known_at])).values[0]
        if not isinstance(parsed, dt.datetime):
            raise ColumnError(
                f"{known_at!r} is no timestamp.", remedy="Write it as 2024-12-31T23:00:00Z."
            )
        whole_day = len(known_at.strip()) <= len("2024-12-31")
        return parsed + dt.timedelta(days=1, microseconds=-1) if whole_day else parsed
    if isinstance(known_at, dt.datetime):
        if known_at.tzinfo is not None:
            return known_at.astimezone(dt.UTC).replace(tzinfo=None)
        return known_at
    return dt.datetime.combine(known_at, dt.time.max)
