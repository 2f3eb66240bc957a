"""Is there a table at all: rows, values, one place in the hierarchy."""

from __future__ import annotations

import numpy as np
import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault
from esgml.data.rules.view import View


def find(view: View) -> list[Fault]:
    """Return what makes the table as a whole unusable, or thin."""
    found = rows(view)
    if not view.frame.height:
        return found
    for rule in (values, hierarchy, identity):
        found += rule(view)
    return found


def rows(view: View) -> list[Fault]:
    """Enough rows to be series."""
    if view.frame.height == 0:
        return [
            Fault(
                "empty",
                Severity.ERROR,
                "the table has no rows.",
                "Export it again with at least two periods per entity.",
            )
        ]
    if len(view) == 0:
        return [
            fault(
                "no_usable_rows",
                Severity.ERROR,
                "no row has both an entity and a readable timestamp.",
                "Check the entity and the time column (--entity, --time).",
                count=view.frame.height,
            )
        ]
    periods = np.add.reduceat(
        np.concatenate([[True], (view.time[1:] != view.time[:-1])]) | view.first,
        view.starts[:-1],
        dtype=np.int64,
    )
    single = periods < 2
    if single.all():
        return [
            fault(
                "too_few_rows",
                Severity.ERROR,
                "every entity has a single period; a series needs at least two.",
                "Give at least two periods per entity.",
                rows=view.rows[view.starts[:-1]],
            )
        ]
    if single.any():
        return [
            fault(
                "single_period",
                Severity.WARNING,
                f"{int(single.sum())} of {view.entities} entities have a single period,"
                f" e.g. {view.name(int(np.argmax(single)))!r}.",
                "Give them more history; a single value only repeats itself as a forecast.",
                rows=view.rows[view.starts[:-1][single]],
            )
        ]
    return []


def values(view: View) -> list[Fault]:
    """Targets that are empty or never change."""
    found = []
    for target in view.spec.targets:
        numbers = view.values(target)
        seen = np.isfinite(numbers)
        missing = len(seen) - int(seen.sum())
        if not seen.any():
            found.append(
                fault(
                    "all_missing",
                    Severity.ERROR,
                    f"{target!r} has no value at all.",
                    "Check the column, or choose another with --target.",
                    column=target,
                    count=view.frame.height,
                )
            )
            continue
        if missing:
            share = missing / len(seen)
            found.append(
                fault(
                    "missing_value",
                    Severity.WARNING if share > 0.05 else Severity.INFO,
                    f"{target!r} is missing in {missing} rows ({share:.1%}).",
                    "Fill in what was measured; what stays missing is not invented.",
                    column=target,
                    rows=view.rows[~seen],
                )
            )
        stats = view.per_entity(
            numbers, pl.col("v").min().alias("a"), pl.col("v").max().alias("b"), pl.len().alias("n")
        )
        flat = ((stats["a"] == stats["b"]) & (stats["n"] >= 3)).fill_null(False).to_numpy()
        if flat.any():
            found.append(
                fault(
                    "constant",
                    Severity.WARNING,
                    f"{target!r} never changes for {int(flat.sum())} of {view.entities}"
                    f" entities, e.g. {view.name(int(np.argmax(flat)))!r}.",
                    "Check whether the meter or the export is stuck.",
                    column=target,
                    rows=view.rows[flat[view.codes]],
                )
            )
    return found


def hierarchy(view: View) -> list[Fault]:
    """Every entity in one place of the hierarchy."""
    spec = view.spec
    if not spec.hierarchy:
        return []
    found = []
    table = view.frame.with_row_index("row").filter(pl.col(spec.entity).is_not_null())
    torn = table.filter(
        pl.any_horizontal(
            pl.col(c).drop_nulls().n_unique().over(spec.entity) > 1 for c in spec.hierarchy
        )
    )
    if torn.height:
        found.append(
            fault(
                "hierarchy_conflict",
                Severity.ERROR,
                f"{torn[spec.entity].n_unique()} entities belong to more than one group,"
                f" e.g. {torn[spec.entity][0]!r}.",
                "Give every entity one place in the hierarchy; cleaning takes the latest.",
                column=spec.hierarchy[0],
                rows=torn["row"],
            )
        )
    for column in spec.hierarchy:
        blank = table.filter(pl.col(column).is_null())["row"]
        if len(blank):
            found.append(
                fault(
                    "hierarchy_missing",
                    Severity.WARNING,
                    f"{len(blank)} rows have no {column!r}.",
                    "Fill it in, so that totals have a place to go.",
                    column=column,
                    rows=blank,
                )
            )
    return found


def identity(view: View) -> list[Fault]:
    """Rows whose entity is not named."""
    missing = view.frame[view.spec.entity].is_null()
    if not missing.any():
        return []
    return [
        fault(
            "missing_entity",
            Severity.ERROR,
            f"{int(missing.sum())} rows name no entity.",
            "Fill in the entity, or remove the rows.",
            column=view.spec.entity,
            rows=missing,
        )
    ]
