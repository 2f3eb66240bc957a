"""Names of entities and groups: one thing under two spellings, and cells that are formulas."""

from __future__ import annotations

import re

import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault
from esgml.data.look_alikes import alike, told
from esgml.data.rules.view import View

#: How a spreadsheet recognises a formula; a sign before a digit is a number.
_FORMULA = re.compile(r"[=@]|[+-](?![\d.,\s]|$)")


def find(view: View) -> list[Fault]:
    """Return faults for labels that look the same, and for labels a spreadsheet would run."""
    found: list[Fault] = []
    for column in (view.spec.entity, *view.spec.hierarchy):
        labels = view.frame[column]
        names = labels.drop_nulls().unique().sort().to_list()
        groups = alike(names)
        if groups:
            doubtful = pl.Series([name for group in groups for name in group])
            found.append(
                fault(
                    "similar_names",
                    Severity.WARNING,
                    f"{len(groups)} labels of {column!r} are spelled in several ways that look"
                    f" the same: {told(groups)}; each is an entity of its own.",
                    "Give every entity one spelling.",
                    column=column,
                    rows=labels.is_in(doubtful.implode()).fill_null(False),
                )
            )
        formulas = [name for name in names if _FORMULA.match(name)]
        if formulas:
            found.append(
                fault(
                    "formula_cell",
                    Severity.WARNING,
                    f"{len(formulas)} labels of {column!r} begin like a formula, e.g."
                    f" {formulas[0][:60]!r}: a spreadsheet that opens an export would run them.",
                    "Rename them; open exports of foreign data as text.",
                    column=column,
                    rows=labels.is_in(pl.Series(formulas).implode()).fill_null(False),
                )
            )
    return found
