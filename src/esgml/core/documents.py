"""Values of a JSON document, read with the place they stand at: fields, moments, numbers.

Every capability answers requests as JSON. What they ask differs; what a moment or a list of
numbers looks like does not.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Beyond this a sum of squares overflows, which no reading comes near.
LARGEST = 1e150
_MONTH = re.compile(r"\d{4}-\d{2}")


def check_fields(given: Any, known: Collection[str], where: str = "") -> None:
    """Refuse what is no object, or holds a field nobody reads.

    Raises
    ------
    UsageError
        Naming the fields, and those that are known.
    """
    if not isinstance(given, Mapping):
        raise UsageError(f"{where or 'a request'} is an object.", where=where)
    if unknown := [str(name)[:40] for name in given if name not in known]:
        raise UsageError(
            f"unknown field {', '.join(unknown[:5])}.",
            code="field_unknown",
            where=where,
            remedy=f"Known: {', '.join(sorted(known))}.",
        )


def utc(text: str) -> dt.datetime:
    """Return a moment in ISO 8601 as naive UTC; without a zone it is UTC, a month its first day.

    Raises
    ------
    ValueError
        If the text is no moment, or one that UTC cannot hold.
    """
    found = dt.datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
    if found.tzinfo is None:
        return found
    try:
        return found.astimezone(dt.UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(text) from error


def moment(value: Any, where: str) -> np.datetime64:
    """Return the moment a document gives as ISO 8601 text, in microseconds of UTC.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        return np.datetime64(utc(value if isinstance(value, str) else ""), "us")
    except ValueError as error:
        raise DataError(
            "this is no timestamp.",
            code="timestamp",
            where=where,
            remedy="Give it as ISO 8601, in UTC.",
        ) from error


def numbers(values: Any, where: str) -> NDArray[np.float64]:
    """Return a list of numbers, shape (n,); NaN where the document has null.

    Raises
    ------
    DataError
        Naming the first value that is no number, or is beyond `LARGEST`.
    """
    if not isinstance(values, list):
        raise DataError("expected a list of numbers.", code="number", where=where)
    for i, value in enumerate(values):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(
                f"{str(value)[:40]!r} is no number.", code="number", where=f"{where}[{i}]"
            )
        if not abs(value) <= LARGEST:
            raise DataError(
                "values must be finite, or null where missing.",
                code="not_finite",
                where=f"{where}[{i}]",
            )
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)
