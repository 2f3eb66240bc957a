"""From a wide or long table to the canonical wide one, losing nothing on the way.

The canonical table has one row per entity and period: the entity as text, the timestamp as
naive UTC, targets and covariates as numbers. Rows keep their order and their number; cells
that cannot be read become missing, are named in a fault, and are kept as they were written
in the record of altered cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from esgml.core.errors import ColumnError, DataError
from esgml.core.frames import Fault, SeriesSpec, Severity
from esgml.data.faults import CELLS_SCHEMA, LogEntry, cells, fault
from esgml.data.long_table import is_long, widen
from esgml.data.numeric import is_mostly_numeric, parse_numbers, two_readings
from esgml.data.roles import resolve_entity, resolve_targets, resolve_time
from esgml.data.timestamps import parse_times

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The entity of a table that names none.
ONE_ENTITY = "all"


@dataclass(frozen=True)
class Standardized:
    """A canonical table and everything noticed while making it.

    Attributes
    ----------
    frame : DataFrame
        Canonical wide table, rows in the order of the source (a long table: sorted).
    spec : SeriesSpec
        With every column found.
    faults : tuple of Fault
    quarantine : DataFrame
        Rows of a long table that could not be placed, with `row` and `reason`.
    cells : DataFrame
        Cells that were altered: ``row, column, before, after, reason``.
    log : tuple of LogEntry
    rows_in : int
        Rows of the source.
    origin : Series or None
        For each row of `frame` the first source row it was made from; None where they are
        the same.
    merged : int
        Rows of a long table that share a row of `frame` with others.
    """

    frame: pl.DataFrame
    spec: SeriesSpec
    rows_in: int
    faults: tuple[Fault, ...] = ()
    quarantine: pl.DataFrame = field(default_factory=pl.DataFrame)
    cells: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CELLS_SCHEMA))
    log: tuple[LogEntry, ...] = ()
    origin: pl.Series | None = None
    merged: int = 0


def canonical(frame: pl.DataFrame, spec: SeriesSpec) -> tuple[pl.DataFrame, SeriesSpec]:
    """Return the canonical wide table of `frame`, and `spec` with every role filled in.

    Raises
    ------
    ColumnError, DataError
        If a column is missing, or a role cannot be decided.
    """
    result = standardize(frame, spec)
    return result.frame, result.spec


def standardize(frame: pl.DataFrame, spec: SeriesSpec) -> Standardized:
    """Return the canonical wide table with everything noticed on the way.

    Parameters
    ----------
    frame : DataFrame
        Wide (``entity, timestamp, <targets>, <covariates>``) or long
        (``facility_id, metric, period_start, quantity, unit``).
    spec : SeriesSpec
        Roles that are left at their defaults are detected.

    Raises
    ------
    ColumnError, DataError
        If a column is missing, or a role cannot be decided.
    """
    rows_in = frame.height
    faults: list[Fault] = []
    log: list[LogEntry] = []
    quarantine, origin, merged = pl.DataFrame(), None, 0
    if not rows_in:
        raise DataError(
            f"the table has no rows; its columns are {list(frame.columns)}.",
            code="empty",
            remedy="Export it again with at least two periods per entity.",
        )
    altered = [pl.DataFrame(schema=CELLS_SCHEMA)]
    if is_long(frame, spec):
        wide = widen(frame, spec)
        frame, spec = wide.frame, wide.spec
        faults += wide.faults
        log += wide.log
        quarantine, origin = wide.quarantine, wide.origin
        merged = wide.merged
        altered.append(wide.cells)
    for resolve in (resolve_time, resolve_entity, resolve_targets):
        spec, noticed = resolve(frame, spec)
        faults += [noticed] if noticed else []
    if spec.entity not in frame.columns:
        faults += _refuse_one_entity(frame, spec)
        frame = frame.with_columns(pl.lit(ONE_ENTITY).alias(spec.entity))
    columns: list[pl.Series] = [_entity(frame[spec.entity])]
    times = parse_times(frame[spec.time])
    faults += times.faults
    unread = times.values.is_null() & frame[spec.time].is_not_null()
    if unread.any():
        altered.append(_altered(frame[spec.time], unread, "unparseable_timestamp"))
    columns.append(times.values.alias(spec.time))
    texts = {spec.entity, spec.time, *spec.hierarchy}
    unused: list[str] = []
    for name in frame.columns:
        if name in (spec.entity, spec.time):
            continue
        column = frame[name]
        if _is_row_number(column) and name not in (*spec.targets, *spec.known, *spec.hierarchy):
            unused.append(name)
        elif name in spec.hierarchy:
            columns.append(_entity(column))
        elif name in spec.targets or (name not in texts and is_mostly_numeric(column)):
            numbers, found, changed = _number_column(column, name in spec.targets)
            columns.append(numbers)
            faults += found
            altered += changed
        else:
            columns.append(column)
            if name not in spec.known and column.dtype != pl.Boolean:
                unused.append(name)
    if unused:
        faults.append(_unused(unused))
    return Standardized(
        pl.DataFrame(columns),
        spec,
        rows_in,
        tuple(faults),
        quarantine,
        pl.concat(altered),
        tuple(log),
        origin,
        merged,
    )


def _entity(column: pl.Series) -> pl.Series:
    """Return labels as texts, whole numbers without their ``.0``; blank ones as null."""
    if column.dtype.is_float():
        whole = column.drop_nulls().drop_nans()
        if bool((whole == whole.floor()).all()):
            column = column.fill_nan(None).cast(pl.Int64, strict=False)
    text = column.cast(pl.String, strict=False).str.strip_chars()
    return text.set((text == "").fill_null(False), None)


def _is_row_number(column: pl.Series) -> bool:
    """Whether a column is the index another program wrote before the first named column."""
    if column.name and not re.fullmatch(r"Unnamed: \d+", column.name):
        return False
    if not column.name or not len(column):
        return True
    return column.dtype.is_integer() and bool((column.diff().drop_nulls() == 1).all())


def _altered(column: pl.Series, mask: pl.Series, reason: str) -> pl.DataFrame:
    rows = mask.arg_true()
    return cells(rows, column.name, column.gather(rows), reason)


def _number_column(
    column: pl.Series, is_target: bool
) -> tuple[pl.Series, list[Fault], list[pl.DataFrame]]:
    name = column.name
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise ColumnError(
            f"column {name!r} holds {column.dtype}, not numbers.",
            code="column_kind",
            remedy="Choose another column with --target.",
        )
    parsed = parse_numbers(column)
    found: list[Fault] = []
    changed: list[pl.DataFrame] = []
    if parsed.unreadable.any():
        count = int(parsed.unreadable.sum())
        found.append(
            fault(
                "not_a_number",
                Severity.ERROR if is_target else Severity.WARNING,
                f"{count} cells of {name!r} are no number, e.g."
                f" {column.filter(parsed.unreadable)[0]!r}.",
                "Correct the cells, or leave them empty where there is no value.",
                column=name,
                rows=parsed.unreadable,
            )
        )
        changed.append(_altered(column, parsed.unreadable, "not_a_number"))
    if parsed.missing_words.any():
        changed.append(_altered(column, parsed.missing_words, "missing_word"))
    found += two_readings(name, parsed, len(column))
    return parsed.values.alias(name), found, changed


def _unused(names: Sequence[str]) -> Fault:
    shown = ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")
    return Fault(
        "unused_column",
        Severity.INFO,
        f"{len(names)} columns are not used, being neither amounts nor named in a role: {shown}.",
        "Nothing to do, or name them with --known or --hierarchy.",
        column=names[0],
        count=len(names),
    )


def _refuse_one_entity(frame: pl.DataFrame, spec: SeriesSpec) -> list[Fault]:
    """Tell about a table without entities whose timestamps repeat: it has several series."""
    times = frame[spec.time]
    if frame.height < 2 or times.n_unique() > 0.5 * frame.height:
        return []
    likely = [
        c
        for c in frame.columns
        if c != spec.time
        and c not in (*spec.targets, *spec.known)
        and not frame.schema[c].is_float()
        and 1 < frame[c].n_unique() <= frame.height // 2
    ]
    return [
        fault(
            "entity_missing",
            Severity.ERROR,
            f"the table names no entity, yet most timestamps repeat: it holds several series."
            f" Columns that could name them: {likely or list(frame.columns)}.",
            "Name the column that tells them apart with --entity.",
            column=spec.entity,
            count=frame.height,
        )
    ]
