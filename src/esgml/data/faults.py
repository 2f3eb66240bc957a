"""Building faults from the rows they concern, and the record of every altered cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from esgml.core.frames import Fault, Severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Columns of the table of altered cells.
CELLS_SCHEMA = {
    "row": pl.Int64,
    "column": pl.String,
    "before": pl.String,
    "after": pl.String,
    "reason": pl.String,
}


@dataclass(frozen=True)
class LogEntry:
    """One thing that was done to a table.

    Attributes
    ----------
    action : str
        What was done, e.g. ``quarantine:duplicate_row`` or ``set_missing:non_finite``.
    column : str
        Column concerned, empty for whole rows.
    rows : tuple of int
        The first affected row numbers (0 = first data row), at most `Fault.MAX_ROWS`.
    count : int
        Number of all affected rows or cells.
    before, after : str
        The first affected value, and what became of it.
    """

    action: str
    column: str = ""
    rows: tuple[int, ...] = ()
    count: int = 0
    before: str = ""
    after: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as plain values, for JSON."""
        return {
            "action": self.action,
            "column": self.column,
            "rows": list(self.rows),
            "count": self.count,
            "before": self.before,
            "after": self.after,
        }


def row_numbers(rows: NDArray[Any] | pl.Series) -> tuple[tuple[int, ...], int]:
    """Return the first row numbers of a mask or an index, ascending, and how many there are."""
    found = rows.to_numpy() if isinstance(rows, pl.Series) else np.asarray(rows)
    if found.dtype == np.bool_:
        found = np.flatnonzero(found)
    count = len(found)
    if count > Fault.MAX_ROWS:
        found = np.partition(found, Fault.MAX_ROWS)[: Fault.MAX_ROWS]
    return tuple(int(r) for r in np.sort(found)), count


def fault(
    code: str,
    severity: Severity,
    message: str,
    remedy: str,
    *,
    column: str = "",
    rows: NDArray[Any] | pl.Series | None = None,
    count: int | None = None,
) -> Fault:
    """Build a fault; `rows` is a mask over the rows or an array of row numbers."""
    first, total = row_numbers(rows) if rows is not None else ((), 0)
    return Fault(code, severity, message, remedy, column, first, total if count is None else count)


def set_aside(frame: pl.DataFrame, rows: pl.Series, reason: str) -> pl.DataFrame:
    """Return rows for the quarantine, led by their number in the source and the reason.

    `frame` holds the rows in question only; columns of its own called ``row`` or ``reason``
    get an underscore.
    """
    own: dict[str, str] = {c: f"{c}_" for c in ("row", "reason") if c in frame.columns}
    return frame.rename(own).select(
        rows.alias("row").cast(pl.Int64), pl.lit(reason).alias("reason"), pl.all()
    )


def cells(
    rows: NDArray[Any] | pl.Series,
    column: str,
    before: pl.Series,
    reason: str,
    after: pl.Series | None = None,
) -> pl.DataFrame:
    """Return the record of altered cells: one row each, values as texts."""
    size = len(before)
    return pl.DataFrame(
        {
            "row": pl.Series(rows).cast(pl.Int64),
            "column": pl.Series([column], dtype=pl.String).new_from_index(0, size),
            "before": before.cast(pl.String),
            "after": (
                pl.Series([None], dtype=pl.String).new_from_index(0, size)
                if after is None
                else after.cast(pl.String)
            ),
            "reason": pl.Series([reason], dtype=pl.String).new_from_index(0, size),
        },
        schema=CELLS_SCHEMA,
    )
