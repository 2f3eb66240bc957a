"""Timestamps of every usual spelling, brought to naive UTC.

Dates without a time of day stay on their day: midnight in Berlin is the same reporting day
as midnight in London, so an offset is applied only where there are times of day to shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault
from esgml.data.spellings import REMEDY, as_iso, read_texts

_OFFSET = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)\s*(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
_STRIP_OFFSET = r"\s*(?:Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
_YEARS = (1800, 2200)
#: Day numbers of spreadsheets from 1954 to 2119, counted from the last day but one of 1899.
_SHEET_DAYS = (20_000, 80_000)
_SHEET_START = "1899-12-30"


@dataclass(frozen=True)
class ParsedTimes:
    """Timestamps as naive UTC (null where unreadable or missing), and what was noticed."""

    values: pl.Series
    faults: tuple[Fault, ...] = ()


def parse_times(column: pl.Series) -> ParsedTimes:
    """Bring a column of dates, times, texts or years to naive UTC timestamps.

    Parameters
    ----------
    column : Series
        Dates, datetimes with or without a zone, texts of the usual spellings, years,
        ``20241231`` numbers, Unix epochs in seconds, milliseconds or microseconds, or the
        day numbers of spreadsheets (45292 = 2024-01-01).

    Returns
    -------
    ParsedTimes
        ``values`` is as long as the column.
    """
    name, dtype = column.name, column.dtype
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return ParsedTimes(column.cast(pl.Datetime("us")))
        return _from_zone(column, dtype.time_zone)
    if dtype == pl.Date:
        return ParsedTimes(column.cast(pl.Datetime("us")))
    if dtype.is_numeric():
        return _from_numbers(column)
    if dtype in (pl.String, pl.Categorical) or isinstance(dtype, pl.Enum):
        return _from_texts(column.cast(pl.String))
    values = pl.Series(name, [None], dtype=pl.Datetime("us")).new_from_index(0, len(column))
    if dtype == pl.Null:
        return ParsedTimes(values, _unreadable(column.cast(pl.String), values))
    found = fault(
        "column_kind",
        Severity.ERROR,
        f"column {name!r} holds {dtype}, not timestamps.",
        "Name the time column with --time.",
        column=name,
        count=len(column),
    )
    return ParsedTimes(values, (found,))


def _from_zone(column: pl.Series, zone: str) -> ParsedTimes:
    wall = column.dt.replace_time_zone(None).cast(pl.Datetime("us"))
    if _all_midnight(wall):
        return ParsedTimes(wall)
    utc = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us"))
    if zone == "UTC":
        return ParsedTimes(utc)
    return ParsedTimes(utc, (_converted(column.name, len(column), zone),))


def _converted(name: str, count: int, zone: str) -> Fault:
    return fault(
        "time_zone_converted",
        Severity.INFO,
        f"column {name!r} is in {zone}; converted to UTC.",
        "Nothing to do; results are in UTC.",
        column=name,
        count=count,
    )


def _all_midnight(wall: pl.Series) -> bool:
    seen = wall.drop_nulls()
    return len(seen) > 0 and bool((seen == seen.dt.truncate("1d")).all())


def _unreadable(texts: pl.Series, values: pl.Series) -> tuple[Fault, ...]:
    """Return a fault for cells that are no timestamp, and one for cells that are empty."""
    name = texts.name
    found: list[Fault] = []
    blank = texts.is_null() | (texts.str.strip_chars() == "")
    bad = values.is_null() & ~blank
    if bad.any():
        example = texts.filter(bad)[0]
        found.append(
            fault(
                "unparseable_timestamp",
                Severity.ERROR,
                f"{int(bad.sum())} values of {name!r} are no timestamp, e.g. {example!r}.",
                REMEDY,
                column=name,
                rows=bad,
            )
        )
    if blank.any():
        found.append(
            fault(
                "missing_timestamp",
                Severity.ERROR,
                f"{int(blank.sum())} rows have no value in {name!r}.",
                "Fill in the timestamp, or remove the row.",
                column=name,
                rows=blank,
            )
        )
    return tuple(found)


def _from_numbers(column: pl.Series) -> ParsedTimes:
    numbers = column.cast(pl.Float64, strict=False).fill_nan(None)
    whole = numbers.drop_nulls()
    us = pl.Datetime("us")
    frame = pl.DataFrame({"n": numbers})
    n = pl.col("n")
    low, high = (whole.min(), whole.max()) if len(whole) else (None, None)
    scale = None
    if isinstance(low, float) and isinstance(high, float):
        for unit, factor in (("s", 1_000_000), ("ms", 1_000), ("us", 1)):
            if 3e8 * 1_000_000 / factor <= low and high <= 5e9 * 1_000_000 / factor:
                scale = (unit, factor)
    if scale is not None:
        values = frame.select((n * scale[1]).cast(pl.Int64).cast(us)).to_series()
        return ParsedTimes(values.alias(column.name), ())
    first, last = _SHEET_DAYS
    if isinstance(low, float) and isinstance(high, float) and first <= low <= high <= last:
        return _from_sheet(numbers.alias(column.name))
    text = n.cast(pl.Int64, strict=False).cast(pl.String)
    is_whole = n == n.floor()
    years = is_whole & n.is_between(*_YEARS)
    months = is_whole & n.is_between(_YEARS[0] * 100 + 1, _YEARS[1] * 100 + 12)
    days = is_whole & n.is_between(_YEARS[0] * 10_000 + 101, _YEARS[1] * 10_000 + 1231)
    values = frame.select(
        pl.when(years)
        .then((text + "0101").str.to_datetime("%Y%m%d", time_unit="us", strict=False))
        .when(months)
        .then((text + "01").str.to_datetime("%Y%m%d", time_unit="us", strict=False))
        .when(days)
        .then(text.str.to_datetime("%Y%m%d", time_unit="us", strict=False))
    ).to_series()
    texts = numbers.cast(pl.String).alias(column.name)
    return ParsedTimes(values.alias(column.name), _unreadable(texts, values))


def _from_sheet(days: pl.Series) -> ParsedTimes:
    """Read day numbers of a spreadsheet, to the nearest second: their fractions are rounded."""
    start = pl.lit(_SHEET_START).str.to_datetime("%Y-%m-%d", time_unit="us")
    seconds = (pl.col("n") * 86_400).round().cast(pl.Int64)
    values = (
        pl.DataFrame({"n": days})
        .select((start + pl.duration(seconds=seconds)).cast(pl.Datetime("us")))
        .to_series()
        .alias(days.name)
    )
    found = fault(
        "sheet_dates",
        Severity.INFO,
        f"column {days.name!r} holds day numbers of a spreadsheet; read as"
        f" {values.min()!s} to {values.max()!s}.",
        "Format the column as a date before exporting, to be sure.",
        column=days.name,
        count=len(days),
    )
    return ParsedTimes(values, (found, *_unreadable(days.cast(pl.String), values)))


def _from_texts(column: pl.Series) -> ParsedTimes:
    name = column.name
    # nearly every table has one ISO spelling throughout: no need to look for anything else
    plain = as_iso(column)
    if len(column) and plain.null_count() == 0:
        return ParsedTimes(plain.alias(name))
    text = column.str.strip_chars()
    faults: list[Fault] = []
    offset = text.str.extract(_OFFSET, 1)
    aware = offset.is_not_null()
    any_aware = bool(aware.any())
    if any_aware:
        base = (
            pl.DataFrame({"t": text, "aware": aware})
            .select(
                pl.when("aware")
                .then(pl.col("t").str.replace(_STRIP_OFFSET, ""))
                .otherwise(pl.col("t"))
            )
            .to_series()
        )
    else:
        base = text
    values, ambiguous = read_texts(base)
    if ambiguous is not None:
        faults.append(ambiguous)
    if any_aware:
        values, zone_faults = _apply_offsets(values, offset, name)
        faults += zone_faults
    values = values.alias(name)
    faults += _unreadable(column, values)
    return ParsedTimes(values, tuple(faults))


def _apply_offsets(wall: pl.Series, offset: pl.Series, name: str) -> tuple[pl.Series, list[Fault]]:
    seen = wall.is_not_null()
    aware = offset.is_not_null() & seen
    naive = offset.is_null() & seen
    distinct = sorted(offset.filter(aware).unique().to_list())
    if _all_midnight(wall):
        return wall, []
    minutes = offset.replace_strict(
        {o: _minutes(o) for o in distinct}, default=0, return_dtype=pl.Int64
    )
    utc = wall - (minutes * 60_000_000).cast(pl.Duration("us"))
    faults: list[Fault] = []
    zones = {_minutes(o) for o in distinct}
    if naive.any():
        faults.append(
            fault(
                "mixed_time_zones",
                Severity.ERROR,
                f"{int(naive.sum())} timestamps state no zone, {int(aware.sum())} do"
                f" ({', '.join(distinct[:4])}): which hour they mean is unknown.",
                "Give every timestamp an offset, or none of them.",
                column=name,
                rows=naive,
            )
        )
    elif len(zones) > 2 or (len(zones) == 2 and max(zones) - min(zones) != 60):
        faults.append(
            fault(
                "mixed_time_zones",
                Severity.WARNING,
                f"timestamps have {len(zones)} different offsets ({', '.join(distinct[:4])});"
                " all were converted to UTC.",
                "Check that the offsets are meant; write UTC (Z) to be sure.",
                column=name,
                rows=(offset != distinct[0]).fill_null(False),
            )
        )
    elif zones != {0}:
        faults.append(_converted(name, len(wall), " and ".join(distinct)))
    return utc, faults


def _minutes(offset: str) -> int:
    if offset in ("Z", "z", "UTC", "GMT"):
        return 0
    digits = offset[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:4] or 0)
    return -minutes if offset[0] == "-" else minutes
