"""Repairing a table without inventing anything, and keeping what was taken out.

Only what makes rows unusable is repaired: rows without entity or timestamp, repeated rows,
values that are no finite number. Suspicious values stay as they are unless their repair is
asked for by name. Every removed row is in the quarantine, every altered cell on record:
rows in = rows out + rows in quarantine (+ rows merged, for a long table).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from esgml.core.errors import UsageError
from esgml.core.frames import SeriesSpec
from esgml.data.faults import CELLS_SCHEMA, LogEntry, cells, row_numbers, set_aside
from esgml.data.repairs import REPAIRS, Repair
from esgml.data.rules.duplicates import repeats
from esgml.data.rules.timeline import future_rows
from esgml.data.rules.view import View
from esgml.data.tables import Standardized, standardize

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Group of entities that name none.
UNASSIGNED = "unassigned"
#: Codes of faults that cleaning mends by itself.
MENDED = frozenset(
    {
        "unparseable_timestamp",
        "missing_timestamp",
        "missing_entity",
        "metric_missing",
        "metric_name",
        "period_reversed",
        "unit_unknown",
        "unit_ambiguous",
        "unit_incompatible",
        "duplicate_row",
        "duplicate_timestamp",
        "superseded",
        "non_finite",
        "not_a_number",
        "future_date",
        "hierarchy_conflict",
    }
)


@dataclass(frozen=True)
class Cleaned:
    """A repaired table with the record of every repair.

    Attributes
    ----------
    frame : DataFrame
        Canonical wide table, sorted by entity and time, one row per entity and period.
    spec : SeriesSpec
    log : tuple of LogEntry
    quarantine : DataFrame
        Rows taken out: ``row`` (0 = first data row of the source), ``reason``, and the row
        as it was.
    cells : DataFrame
        Cells altered: ``row, column, before, after, reason``.
    rows_in : int
        Rows of the source.
    merged : int
        Rows of a long table that share a row of the wide one with others.
    """

    frame: pl.DataFrame
    spec: SeriesSpec
    log: tuple[LogEntry, ...]
    quarantine: pl.DataFrame
    rows_in: int
    cells: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CELLS_SCHEMA))
    merged: int = 0

    def as_standardized(self) -> Standardized:
        """Return the repaired table in the form the checks take."""
        return Standardized(self.frame, self.spec, self.frame.height)


def clean(
    frame: pl.DataFrame,
    spec: SeriesSpec | None = None,
    *,
    repair: Collection[str] = (),
    now: dt.datetime | None = None,
) -> Cleaned:
    """Repair what makes rows unusable; alter suspicious values only where asked to.

    Parameters
    ----------
    frame : DataFrame
        A wide or long table, as it came or canonical.
    spec : SeriesSpec, optional
        Column roles; detected where left at their defaults.
    repair : collection of str
        Codes of suspicious values to repair too: ``unit_x1000`` (scaled back),
        ``negative_value``, ``placeholder_value``, ``stuck_run``, ``zero_run``,
        ``beyond_capacity`` (made missing).
    now : datetime, optional
        Naive UTC; rows with values observed after it go to the quarantine.

    Returns
    -------
    Cleaned
        A missing stretch stays missing: nothing is interpolated.

    Raises
    ------
    UsageError
        If `repair` names something that cannot be repaired.
    ColumnError, DataError
        If a named column is missing, or the target cannot be decided.
    """
    return clean_standardized(standardize(frame, spec or SeriesSpec()), repair=repair, now=now)


def clean_standardized(
    table: Standardized, *, repair: Collection[str] = (), now: dt.datetime | None = None
) -> Cleaned:
    """Repair a table that is canonical already."""
    unknown = sorted(set(repair) - set(REPAIRS))
    if unknown:
        raise UsageError(
            f"cannot repair {', '.join(unknown)}.", remedy=f"Choose from {', '.join(REPAIRS)}."
        )
    spec, frame = table.spec, table.frame
    view = View.of(frame, spec, now)
    log = [*table.log, *_cells_log(table.cells)]
    altered = [table.cells]
    asides: list[pl.DataFrame] = []
    keep = np.ones(frame.height, dtype=bool)
    for reason, rows in _rows_to_remove(view):
        rows = rows[keep[rows]]
        if not len(rows):
            continue
        keep[rows] = False
        asides.append(_aside(table, rows, reason))
        first, count = row_numbers(asides[-1]["row"])
        log.append(LogEntry(f"quarantine:{reason}", "", first, count))
    changed: list[pl.DataFrame] = []
    for mend in (_finite, _one_place):
        frame, done = mend(frame, spec)
        changed += done
    for code in REPAIRS:
        if code in repair:
            with np.errstate(all="ignore"):
                frame, done = _apply(REPAIRS[code], View.of(frame, spec, now), code)
            changed += done
    if table.origin is not None:
        changed = [c.with_columns(row=table.origin.gather(c["row"])) for c in changed]
    log += _cells_log(*changed)
    altered += changed
    order = view.rows[keep[view.rows]]
    if (np.diff(order) < 0).any():
        log.append(LogEntry("sort", spec.time, (), len(order), "source order", "entity, time"))
    as_it_is = len(order) == frame.height and bool((np.diff(order) == 1).all())
    ordered = frame if as_it_is else frame[pl.Series(order)]
    asides = [a for a in (table.quarantine, *asides) if a.width]
    quarantine = (
        pl.concat(asides, how="diagonal_relaxed").sort("row", maintain_order=True)
        if asides
        else _aside(table, np.empty(0, dtype=np.int64), "")
    )
    return Cleaned(
        ordered,
        spec,
        tuple(log),
        quarantine,
        table.rows_in,
        pl.concat(altered),
        table.merged,
    )


def _rows_to_remove(view: View) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield the source rows that cannot be used, with the reason."""
    frame, spec = view.frame, view.spec
    for name, reason in ((spec.entity, "missing_entity"), (spec.time, "unparseable_timestamp")):
        yield reason, frame[name].is_null().arg_true().to_numpy().astype(np.int64)
    yield "future_date", future_rows(view)
    copies = repeats(view)
    yield "duplicate_row", copies.exact
    yield "superseded", copies.superseded
    yield "duplicate_timestamp", copies.conflicting


def _aside(table: Standardized, rows: NDArray[np.int64], reason: str) -> pl.DataFrame:
    """Return rows for the quarantine; a timestamp that could not be read as it was written."""
    time = table.spec.time
    part = table.frame[pl.Series(rows).cast(pl.UInt32)]
    source = table.origin.gather(rows) if table.origin is not None else pl.Series(rows)
    written = table.cells.filter(pl.col("column") == time).select("row", "before")
    result = set_aside(part.with_columns(pl.col(time).cast(pl.String)), source, reason)
    if not written.height:
        return result
    result = result.join(written, on="row", how="left", maintain_order="left")
    return result.with_columns(pl.coalesce(time, "before").alias(time)).drop("before")


def _finite(frame: pl.DataFrame, spec: SeriesSpec) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Make NaN and infinity missing, on record."""
    changed = []
    for name, dtype in frame.schema.items():
        if not dtype.is_float():
            continue
        bad = ~frame[name].is_finite().fill_null(True)
        if bad.any():
            rows = bad.arg_true()
            changed.append(cells(rows, name, frame[name].gather(rows), "non_finite"))
            frame = frame.with_columns(pl.when(~bad).then(pl.col(name)).alias(name))
    return frame, changed


def _one_place(frame: pl.DataFrame, spec: SeriesSpec) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Give every entity the place in the hierarchy it had last, on record."""
    changed = []
    for column in spec.hierarchy:
        latest = (pl.col(column).sort_by(spec.time, nulls_last=False).drop_nulls().last()).over(
            spec.entity
        )
        now = frame.select(latest.fill_null(UNASSIGNED)).to_series()
        differs = (now != frame[column]).fill_null(True) & frame[spec.entity].is_not_null()
        if differs.any():
            blank = frame[column].is_null()
            for mask, reason in (
                (differs & blank, "hierarchy_missing"),
                (differs & ~blank, "hierarchy_conflict"),
            ):
                rows = mask.arg_true()
                before, after = frame[column].gather(rows), now.gather(rows)
                changed.append(cells(rows, column, before, reason, after))
            frame = frame.with_columns(now.alias(column))
    return frame, changed


def _cells_log(*changes: pl.DataFrame) -> list[LogEntry]:
    """Return one entry per column and reason."""
    entries = []
    for change in changes:
        for (column, reason), part in change.group_by("column", "reason", maintain_order=True):
            first, count = row_numbers(part["row"])
            before, after = part["before"][0], part["after"][0]
            entries.append(
                LogEntry(f"set:{reason}", str(column), first, count, before or "", after or "")
            )
    return entries


def _apply(mend: Repair, view: View, code: str) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Run one repair over every amount column."""
    frame, changed = view.frame, []
    for column in view.amounts:
        before = view.values(column)
        after = mend(view, column, before)
        differs = ~((after == before) | (np.isnan(after) & np.isnan(before)))
        if not differs.any():
            continue
        rows = view.rows[differs]
        full = frame[column].cast(pl.Float64).to_numpy().copy()
        full[rows] = after[differs]
        new = pl.Series(column, full).fill_nan(None)
        index = pl.Series(rows).cast(pl.UInt32)
        changed.append(cells(rows, column, frame[column].gather(index), code, new.gather(index)))
        frame = frame.with_columns(new)
    return frame, changed
