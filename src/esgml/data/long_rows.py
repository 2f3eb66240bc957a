"""The rows of a long table on their way: still in use, or set aside with a reason."""

from __future__ import annotations

import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import LogEntry, fault, row_numbers, set_aside

#: Column with the number of each row in the source.
ROW = "__row__"


class LongRows:
    """The rows still in use, and those set aside with a reason."""

    def __init__(self, source: pl.DataFrame, work: pl.DataFrame) -> None:
        self.source = source
        self.work = work
        self.aside: list[pl.DataFrame] = []
        self.faults: list[Fault] = []
        self.log: list[LogEntry] = []

    def set_aside(
        self,
        condition: pl.Expr,
        code: str,
        message: str,
        remedy: str,
        severity: Severity = Severity.ERROR,
        column: str = "",
    ) -> None:
        """Move the rows that fulfil `condition` to the quarantine, with a fault."""
        marked = self.work.select(condition.fill_null(False)).to_series()
        if not marked.any():
            return
        rows = self.work[ROW].filter(marked)
        self.aside.append(set_aside(self.source[rows.cast(pl.UInt32)], rows, code))
        self.work = self.work.filter(~marked)
        first, count = row_numbers(rows)
        self.faults.append(
            fault(
                code,
                severity,
                message.replace("{count}", str(count)),
                remedy,
                column=column,
                rows=rows,
            )
        )
        self.log.append(LogEntry(f"quarantine:{code}", column, first, count))

    def tell(
        self,
        condition: pl.Expr,
        code: str,
        message: str,
        remedy: str,
        column: str,
        severity: Severity = Severity.WARNING,
    ) -> None:
        """Add a fault for the rows that fulfil `condition`; they stay in use."""
        rows = self.work.filter(condition.fill_null(False))[ROW]
        if len(rows):
            text = message.replace("{count}", str(len(rows)))
            self.faults.append(fault(code, severity, text, remedy, column=column, rows=rows))
