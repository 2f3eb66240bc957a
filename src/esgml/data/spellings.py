"""How dates and times are spelled: texts without an offset, each usual spelling in turn.

Day and month are told apart by the values that fit only one order; years, months and quarters
stand for their first day.
"""

from __future__ import annotations

import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault

_DATES_FIRST_YEAR = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
_DATES_NAMED = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y")
_TIMES = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_AMBIGUOUS = r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})(?:$|[T ])"
#: How many texts say which spelling a column has.
_SAMPLE = 2000
REMEDY = "Write timestamps as 2024-12-31 or 2024-12-31T23:00:00Z."


def as_iso(text: pl.Series) -> pl.Series:
    """Read texts by the ISO spelling that reads most of them; null where it does not."""
    sample = text.drop_nulls().head(_SAMPLE)
    formats = [
        "%Y-%m-%d",
        *(f"%Y-%m-%d{joint}{time}" for joint in (" ", "T") for time in _TIMES[:2]),
    ]
    return _try(text, max(formats, key=lambda f: int(_try(sample, f).is_not_null().sum())))


def read_texts(text: pl.Series) -> tuple[pl.Series, Fault | None]:
    """Parse texts without an offset, each spelling that occurs in turn."""
    name = text.name
    sample = text.drop_nulls().head(_SAMPLE)
    result = as_iso(text)
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
        head = text.filter(rest).head(_SAMPLE)
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
            REMEDY,
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
        REMEDY,
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
