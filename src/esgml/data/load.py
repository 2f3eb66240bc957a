"""One call from a source to clean series: read, make canonical, check, clean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from esgml.core.errors import DataError
from esgml.core.frames import CheckReport, SeriesSpec
from esgml.data.checks import check_standardized, structure_errors
from esgml.data.cleaning import MENDED, clean_standardized
from esgml.data.sources import describe, read
from esgml.data.tables import standardize

if TYPE_CHECKING:
    from esgml.data.faults import LogEntry


@dataclass(frozen=True)
class Loaded:
    """A table ready for features and models, and the story of how it got there.

    Attributes
    ----------
    frame : DataFrame
        Canonical wide table, sorted by entity and time, one row per entity and period.
    spec : SeriesSpec
        With every role filled in.
    report : CheckReport
        What was found in the table as it came.
    log : tuple of LogEntry
        What was done to it.
    quarantine : DataFrame
        Rows that were taken out, with ``row`` (0 = first data row) and ``reason``.
    cells : DataFrame
        Cells that were altered: ``row, column, before, after, reason``.
    rows_in : int
        Rows of the source.
    """

    frame: pl.DataFrame
    spec: SeriesSpec
    report: CheckReport
    log: tuple[LogEntry, ...]
    quarantine: pl.DataFrame
    cells: pl.DataFrame
    rows_in: int


def load(
    source: Any,
    spec: SeriesSpec | None = None,
    *,
    repair: tuple[str, ...] = (),
    max_bytes: int | None = None,
) -> Loaded:
    """Read a table, check it, clean it, and refuse it only for what cleaning cannot mend.

    Parameters
    ----------
    source : path, URL or data frame
        As `esgml.data.sources.read` takes it.
    spec : SeriesSpec, optional
        Column roles; detected where left at their defaults.
    repair : tuple of str
        Suspicious values to mend as well, as in `esgml.data.cleaning.clean`.
    max_bytes : int, optional
        Refuse larger files.

    Raises
    ------
    NotFoundError, ReadError
        If the source cannot be read.
    DataError
        If the table has an error that cleaning cannot mend; the message names them all.
    """
    where = describe(source)
    frame = read(source, max_bytes=max_bytes)
    try:
        table = standardize(frame, spec or SeriesSpec())
    except DataError as error:
        error.where = f"{where}: {error.where}" if error.where else where
        raise
    report = check_standardized(table)
    mendable = MENDED | set(repair)
    CheckReport(
        report.rows, tuple(f for f in report.errors if f.code not in mendable), report.quality
    ).raise_on_errors(where)
    cleaned = clean_standardized(table, repair=repair)
    left = structure_errors(cleaned.as_standardized())
    CheckReport(cleaned.frame.height, left).raise_on_errors(where)
    return Loaded(
        cleaned.frame,
        cleaned.spec,
        report,
        cleaned.log,
        cleaned.quarantine,
        cleaned.cells,
        table.rows_in,
    )


def load_table(source: Any, *, max_bytes: int | None = None) -> Loaded:
    """Read a table that is no series, such as labelled texts, row by row as it is.

    Nothing is checked but that there are rows, and nothing is changed; what a row must hold
    is up to who asked for it.

    Raises
    ------
    NotFoundError, ReadError
        If the source cannot be read.
    DataError
        If there is no row.
    """
    frame = read(source, max_bytes=max_bytes)
    if not frame.height:
        raise DataError(
            "the table has no rows.",
            code="empty",
            where=describe(source),
            remedy="Give at least one row below the header.",
        )
    report = CheckReport(frame.height)
    return Loaded(frame, SeriesSpec(), report, (), frame.clear(), frame.clear(), frame.height)
