"""Rows that say the same thing twice, or two things about one period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault
from esgml.data.revisions import revision_ranks
from esgml.data.rules.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

#: Columns that number corrections; the highest is the one that counts.
REVISIONS = ("revision", "version", "known_at", "recorded_at")


@dataclass(frozen=True)
class Repeats:
    """Source rows that would be left out, by reason; what is kept is in none of them."""

    exact: Rows
    superseded: Rows
    conflicting: Rows


def revision_column(columns: list[str]) -> str:
    """Return the column that numbers corrections, or an empty string."""
    names = {c.lower(): c for c in columns}
    return next((names[r] for r in REVISIONS if r in names), "")


def repeats(view: View) -> Repeats:
    """Sort repeated periods into exact copies, superseded revisions and conflicts.

    Of each period one row is kept: of exact copies the first, of revisions the highest, of
    conflicts the last.
    """
    none = np.empty(0, dtype=np.int64)
    same = (view.time[1:] == view.time[:-1]) & ~view.first[1:]
    if not same.any():
        return Repeats(none, none, none)
    involved = np.concatenate([same, [False]]) | np.concatenate([[False], same])
    rows = view.rows[involved]
    part = view.frame[pl.Series(rows).cast(pl.UInt32)].with_columns(pl.Series("__row__", rows))
    columns = view.frame.columns
    whole = part.select(repeated=~pl.struct(columns).is_first_distinct(), row="__row__")
    exact = whole.filter("repeated")["row"]
    part = part.filter(~pl.col("__row__").is_in(exact.implode()))
    key = [view.spec.entity, view.spec.time]
    revision = revision_column(columns)
    superseded = pl.Series([], dtype=pl.Int64)
    if revision and revision not in key:
        part = part.with_columns(__rank__=revision_ranks(part[revision]))
        newest = pl.col("__rank__").max().over(key)
        superseded = part.filter(pl.col("__rank__") < newest)["__row__"]
        part = part.filter(~pl.col("__row__").is_in(superseded.implode()))
    last = pl.col("__row__").max().over(key)
    conflicting = part.filter(pl.col("__row__") < last)["__row__"]
    return Repeats(*(np.sort(s.to_numpy()) for s in (exact, superseded, conflicting)))


def find(view: View) -> list[Fault]:
    """Return faults for repeated rows, and for entities that are copies of each other."""
    found = []
    copies = repeats(view)
    if len(copies.exact):
        found.append(
            fault(
                "duplicate_row",
                Severity.WARNING,
                f"{len(copies.exact)} rows repeat another row exactly.",
                "Remove the repeated rows at the source; cleaning keeps one of each.",
                rows=copies.exact,
            )
        )
    if len(copies.superseded):
        found.append(
            fault(
                "superseded",
                Severity.INFO,
                f"{len(copies.superseded)} rows were corrected by a later revision.",
                "Nothing to do; the corrected values are used.",
                rows=copies.superseded,
            )
        )
    if len(copies.conflicting):
        example = int(copies.conflicting[0])
        spec = view.spec
        found.append(
            fault(
                "duplicate_timestamp",
                Severity.ERROR,
                f"{len(copies.conflicting)} rows give another value for a period already given,"
                f" e.g. {view.frame[spec.entity][example]!r} at {view.frame[spec.time][example]}.",
                "Remove one of the values, or number corrections in a column 'revision';"
                " cleaning keeps the last.",
                column=spec.time,
                rows=copies.conflicting,
            )
        )
    return found + _same_series(view)


def _same_series(view: View) -> list[Fault]:
    """Entities whose readings are the same number for number: one meter booked twice."""
    if view.entities < 2:
        return []
    found = []
    for target in view.spec.targets:
        table = pl.DataFrame(
            {"e": view.codes, "t": view.time.astype(np.int64), "v": view.values(target)}
        ).filter(pl.col("v").is_finite() & (pl.col("v") != 0))
        marks = (
            table.lazy()
            .with_columns(h=pl.struct("t", "v").hash(seed=7) // (1 << 24))
            .group_by("e")
            .agg(h=pl.col("h").sum(), n=pl.len(), kinds=pl.col("v").n_unique())
            .filter((pl.col("n") >= 6) & (pl.col("kinds") > 3))
            .filter(pl.struct("h", "n").is_duplicated())
            .sort("h", "e")
            .collect()
        )
        if not marks.height:
            continue
        numbers = marks["e"].to_numpy()
        found.append(
            fault(
                "duplicate_meter",
                Severity.WARNING,
                f"{len(numbers)} entities have exactly the same {target!r} in every period,"
                f" e.g. {view.name(int(numbers[0]))!r} and {view.name(int(numbers[1]))!r}.",
                "Check whether one meter was booked under two names.",
                column=target,
                rows=view.rows[np.isin(view.codes, numbers)],
            )
        )
    return found
