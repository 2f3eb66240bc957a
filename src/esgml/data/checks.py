"""Every fault of a table at once, each with a code, the rows, and what to do about it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError
from esgml.core.frames import CheckReport, Fault, SeriesSpec, Severity
from esgml.data.quality import score
from esgml.data.rules import annual, duplicates, names, physics, structure, timeline, values
from esgml.data.rules.view import View
from esgml.data.tables import Standardized, standardize

if TYPE_CHECKING:
    import polars as pl

_RULES = (
    *(structure.find, names.find, duplicates.find, timeline.find),
    *(values.find, physics.find, annual.find),
)
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def check(
    frame: pl.DataFrame, spec: SeriesSpec | None = None, *, now: dt.datetime | None = None
) -> CheckReport:
    """Return every fault of a table and its data-quality score.

    Parameters
    ----------
    frame : DataFrame
        A wide or long table, as it came or canonical.
    spec : SeriesSpec, optional
        Column roles; detected where left at their defaults.
    now : datetime, optional
        Naive UTC; values observed after it are faults. The clock where omitted.

    Returns
    -------
    CheckReport
        Faults with errors first. Nothing is altered. A table without rows, without a named
        column, or with no decidable target has that as its one error.

    """
    try:
        table = standardize(frame, spec or SeriesSpec())
    except DataError as error:
        return refused(error, frame.height)
    return check_standardized(table, now=now)


def refused(error: DataError, rows: int = 0) -> CheckReport:
    """Return the report of a table that cannot be looked at row by row."""
    message = f"{error.where}: {error.message}" if error.where else error.message
    fault = Fault(error.code, Severity.ERROR, message, error.remedy, count=rows)
    return CheckReport(rows, (fault,), 1.0)


def check_standardized(table: Standardized, *, now: dt.datetime | None = None) -> CheckReport:
    """Return every fault of a table that is canonical already."""
    view = View.of(table.frame, table.spec, now)
    found: list[Fault] = []
    with np.errstate(all="ignore"):  # readings near the end of the number range
        for rule in _RULES:
            if len(view) or rule is structure.find:
                found += rule(view)
    if table.origin is not None:
        found = [_at_source(f, table) for f in found]
    faults = [*table.faults, *found]
    faults.sort(key=lambda f: _ORDER[f.severity])
    report = CheckReport(table.rows_in, tuple(faults))
    return replace(report, quality=score(report, table.frame, table.spec))


def _at_source(fault: Fault, table: Standardized) -> Fault:
    """Return the fault with the row numbers of the source table."""
    if table.origin is None:
        return fault
    return replace(fault, rows=tuple(sorted(int(table.origin[r]) for r in fault.rows)))


def structure_errors(table: Standardized) -> tuple[Fault, ...]:
    """Return what makes a cleaned table unusable after all."""
    view = View.of(table.frame, table.spec)
    return tuple(f for f in structure.find(view) if f.severity is Severity.ERROR)
