"""Timestamps of every usual spelling, brought to naive UTC.

Dates without a time of day stay on their day: midnight in Berlin is the same reporting day
as midnight in London, so an offset is applied only where there are times of day to shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault

_OFFSET = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)\s*(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
_STRIP_OFFSET = r"\s*(?:Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
_DATES_FIRST_YEAR = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
_DATES_NAMED = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y")
_TIMES = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_AMBIGUOUS = r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})(?:$|[T ])"
_YEARS = (1800, 2200)
_REMEDY = "Write timestamps as 2024-12-31 or 2024-12-31T23:00:00Z."


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
        ``20241231`` numbers, or Unix epochs in seconds, milliseconds or microseconds.

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
                _REMEDY,
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


def _from_texts(column: pl.Series) -> ParsedTimes:
    name = column.name
    # nearly every table has one ISO spelling throughout: no need to look for anything else
    plain = _try(column, _format_of(column.drop_nulls().head(2000)))
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
    values, ambiguous = _parse_naive(base)
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


def _parse_naive(text: pl.Series) -> tuple[pl.Series, Fault | None]:
    """Parse texts without an offset, each spelling that occurs in turn."""
    name = text.name
    sample = text.drop_nulls().head(2000)
    result = _try(text, _format_of(sample))
    ambiguous: Fault | None = None
    if _open(text, result) and bool(sample.str.contains(_AMBIGUOUS).any()):
        day_first, ambiguous = _day_first(text)
        result = result.zip_with(result.is_not_null(), _try_day_month(text, day_first))
    formats = [
        f"{day}{joint}{time}"
        for day in (*_DATES_FIRST_YEAR, *_DATES_NAMED)
        for joint, time in (("", ""), *((j, t) for j in (" ", "T") for t in _TIMES))
    ]
    for pattern in formats:
        left = _open(text, result)
        if not left:
            return result.alias(name), ambiguous
        rest = result.is_null() & text.is_not_null()
        head = text.filter(rest).head(2000)
        if _try(head, pattern).is_not_null().any():
            result = result.zip_with(result.is_not_null(), _try(text, pattern))
    if _open(text, result):
        result = result.zip_with(result.is_not_null(), _coarse(text))
    return result.alias(name), ambiguous


def _open(text: pl.Series, result: pl.Series) -> int:
    """Return how many texts are still unread."""
    return int((result.is_null() & text.is_not_null() & (text != "")).sum())


def _try(text: pl.Series, pattern: str) -> pl.Series:
    if "%H" not in pattern and "%I" not in pattern:
        return text.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))
    return text.str.to_datetime(pattern, time_unit="us", strict=False, ambiguous="raise")


def _format_of(sample: pl.Series) -> str:
    """Return the ISO spelling that reads most of the sample."""
    candidates = [
        "%Y-%m-%d",
        *(f"%Y-%m-%d{joint}{time}" for joint in (" ", "T") for time in _TIMES[:2]),
    ]
    return max(candidates, key=lambda c: int(_try(sample, c).is_not_null().sum()))


def _day_first(text: pl.Series) -> tuple[bool, Fault | None]:
    """Tell dd/mm from mm/dd by the values that fit only one of the two."""
    parts = text.str.extract_groups(_AMBIGUOUS).struct.unnest()
    first = parts.to_series(0).cast(pl.Int32, strict=False)
    second = parts.to_series(1).cast(pl.Int32, strict=False)
    day_first, month_first = int((first > 12).sum()), int((second > 12).sum())
    if day_first and not month_first:
        return True, None
    if month_first and not day_first:
        return False, None
    if day_first and month_first:
        fewer = (second > 12) if day_first >= month_first else (first > 12)
        return day_first >= month_first, fault(
            "ambiguous_date",
            Severity.ERROR,
            "some dates can only be day/month, others only month/day.",
            _REMEDY,
            column=text.name,
            rows=fewer.fill_null(False),
        )
    # neither occurs: months run 1..12 at a coarser pace than days, so the field that
    # changes more often along the rows is the day
    if (first == second).all():
        return True, None
    changes = [int((field != field.shift(1)).sum()) for field in (first, second)]
    return changes[0] >= changes[1], fault(
        "ambiguous_date",
        Severity.WARNING,
        "dates fit both day/month and month/day; read as "
        + ("day/month." if changes[0] >= changes[1] else "month/day."),
        _REMEDY,
        column=text.name,
        count=len(text),
    )


def _try_day_month(text: pl.Series, day_first: bool) -> pl.Series:
    plain = text.str.replace(r"^(\d{1,2})[/.\-](\d{1,2})[/.\-]", "$1/$2/").str.replace(
        r"^(\d+/\d+/)(\d{2})($|[T ])", "${1}20$2$3"
    )
    head = "%d/%m/%Y" if day_first else "%m/%d/%Y"
    result = _try(plain, head)
    for joint in (" ", "T"):
        for time in _TIMES:
            if not _open(text, result):
                return result
            result = result.zip_with(result.is_not_null(), _try(plain, f"{head}{joint}{time}"))
    return result


def _fiscal_years(text: pl.Series) -> pl.Series:
    """Shorten years such as ``2023/24`` or ``FY2023-2024`` to the year in which they begin.

    Only where every value reads so: ``2011/12`` by itself is a month.
    """
    parts = text.str.extract_groups(r"^(?:FY ?)?(\d{4}) ?[/\-] ?(?:\d{2})?(\d{2})$").struct.unnest()
    first, second = (parts.to_series(i).cast(pl.Int64) for i in (0, 1))
    known = text.is_not_null()
    follows = (((first + 1) % 100) == second).fill_null(value=False)
    no_month = (second > 12) | text.str.contains(r"^FY|\d{4}$")
    if not follows.filter(known).all() or not no_month.filter(known).any():
        return text
    return first.cast(pl.String).alias(text.name)


def _coarse(text: pl.Series) -> pl.Series:
    """Read years, months and quarters: ``2024``, ``FY2023/24``, ``2024-03``, ``2024-Q1``."""
    text = _fiscal_years(text)
    year = text.str.extract(r"^(?:FY\s?|CY\s?)?(\d{4})(?:\.0+)?$", 1)
    month = text.str.extract(r"^(\d{4}[-/]\d{2})$", 1).str.replace("/", "-")
    swapped = text.str.replace(r"^(\d{1,2})/(\d{4})$", "$2-$1").str.extract(r"^(\d{4}-\d{1,2})$", 1)
    quarter = text.str.replace(r"^Q([1-4])[ \-/]?(\d{4})$", "$2-Q$1").str.extract_groups(
        r"^(\d{4})[ \-/]?Q([1-4])$"
    )
    quarters = quarter.struct.unnest()
    first = {"1": "01", "2": "04", "3": "07", "4": "10"}
    quarter_month = quarters.to_series(1).replace_strict(
        first, default=None, return_dtype=pl.String
    )
    texts = pl.DataFrame(
        {
            "year": year + "-01-01",
            "month": month + "-01",
            "swapped": swapped + "-01",
            "quarter": quarters.to_series(0) + "-" + quarter_month + "-01",
        }
    )
    return texts.select(
        pl.coalesce(
            pl.col(c).str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
            for c in texts.columns
        )
    ).to_series()
