"""A table of labelled texts: which columns hold the text, which the labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import ColumnError, HistoryError
from esgml.core.frames import Column, Fault, FrameContract, Kind, Severity
from esgml.regulatory.classifier import FEWEST
from esgml.regulatory.labelled import plain

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

#: Names of columns that hold a text, the first one found is taken; a title is put before it.
_BODY = ("text", "description", "abstract", "summary", "body")
_LABELS = ("labels", "label")
_MOST_LABELS = 200


@dataclass(frozen=True)
class TextTable:
    """Texts and what is said of them.

    Attributes
    ----------
    texts : list of str
    labels : tuple of str
    truth : array, shape (n, labels)
        1, 0, or NaN where the table says nothing.
    columns : list of str
        The columns the texts were made of.
    left_out : tuple of str
        Labels with too few texts, or beyond the `_MOST_LABELS` most frequent of their column.
    """

    texts: list[str]
    labels: tuple[str, ...]
    truth: NDArray[np.float64]
    columns: list[str]
    left_out: tuple[str, ...]


class TextContract(FrameContract):
    """The contract of a table of texts: one column of texts, whatever its usual name."""

    def faults(self, frame: pl.DataFrame) -> list[Fault]:
        """Return the fault of a table without a column of texts."""
        import polars as pl

        body = _named(frame, _BODY)
        if body and frame.schema[body] == pl.String:
            return []
        return [
            Fault(
                "column_missing",
                Severity.ERROR,
                f"no column holds texts; found {list(frame.columns)}.",
                f"Name the column of texts one of {', '.join(_BODY)}.",
                column="text",
                count=frame.height,
            )
        ]


TEXTS = TextContract(
    "texts",
    (Column("text", Kind.TEXT, description="a law, a policy, or a summary of one"),),
)


def read_table(frame: pl.DataFrame, targets: Sequence[str] = ()) -> TextTable:
    """Return the texts and labels of a table.

    Parameters
    ----------
    frame : DataFrame
        With a column of texts (`text`, `description`, `abstract`, ...), perhaps a `title`, and
        labels: columns of 0 and 1, or a column of names parted by ``;`` or ``,``.
    targets : sequence of str
        The label columns; where none is given, `labels`, `label`, or every column of 0 and 1.

    Raises
    ------
    ColumnError
        If a named column is missing, or no column of texts or labels is found.
    HistoryError
        If no label has `FEWEST` texts with and without it.
    """
    body, title = _named(frame, _BODY), _named(frame, ("title",))
    if not body:
        raise ColumnError(TEXTS.faults(frame)[0].message, where="text")
    columns = [title, body] if title else [body]
    texts = [
        ". ".join(plain(str(part)) for part in row if part is not None)
        for row in frame.select(columns).iter_rows()
    ]
    chosen = list(targets) or _found_labels(frame, {*columns})
    missing = [name for name in chosen if name not in frame.columns]
    if missing or not chosen:
        raise ColumnError(
            f"label columns are missing: {', '.join(missing) or 'none was found'}.",
            where="labels",
            remedy="Name them with --target, or call one column 'labels'.",
        )
    named: dict[str, NDArray[np.float64]] = {}
    rarer: set[str] = set()
    for name in chosen:
        found, rest = _labels_of(frame, name, len(chosen) > 1)
        named |= found
        rarer.update(rest)
    enough = {
        label: said
        for label, said in named.items()
        if min(int((said == 1).sum()), int((said == 0).sum())) >= 2 * FEWEST
    }
    if not enough:
        raise HistoryError(
            f"no label has {2 * FEWEST} texts with it and as many without.",
            code="too_few_labelled",
            remedy="Add labelled texts.",
        )
    labels = tuple(sorted(enough))
    truth = np.column_stack([enough[label] for label in labels])
    left_out = tuple(sorted({*named, *rarer} - set(enough)))
    return TextTable(texts, labels, truth, columns, left_out)


def _named(frame: pl.DataFrame, names: Sequence[str]) -> str:
    """Return the first column called one of `names`, in whatever case; empty where none is."""
    by_name = {column.lower(): column for column in frame.columns}
    return next((by_name[name] for name in names if name in by_name), "")


def _found_labels(frame: pl.DataFrame, taken: set[str]) -> list[str]:
    import polars as pl

    named = _named(frame, _LABELS)
    if named:
        return [named]
    flags = []
    for column in frame.columns:
        dtype = frame.schema[column]
        if column in taken or not (dtype == pl.Boolean or dtype.is_integer()):
            continue
        if set(frame[column].drop_nulls().cast(pl.Int64).unique().to_list()) == {0, 1}:
            flags.append(column)
    return flags


def _labels_of(
    frame: pl.DataFrame, column: str, several: bool
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Return, by label, what each row of a label column says, and the labels too rare to hold."""
    values = frame[column].to_list()
    if not isinstance(next((v for v in values if v is not None), None), str):
        said = [np.nan if v is None else float(v) for v in values]
        if any(v not in (0.0, 1.0) for v in said if np.isfinite(v)):
            raise ColumnError(
                "a label column holds 0 and 1, or names.", where=column, remedy="Convert it."
            )
        return {column: np.array(said)}, []
    mark = ";" if any(";" in v for v in values if v) else ","
    rows = [{name.strip() for name in re.split(mark, v or "") if name.strip()} for v in values]
    counts = Counter(name for row in rows for name in row)
    if len(counts) == 2 and all(len(row) <= 1 for row in rows):
        counts.pop(max(counts))  # of two opposites one says it all
    names = {label: f"{column}: {label}" if several else label for label in counts}
    ranked = [label for label, _ in counts.most_common()]
    said_of = {
        names[label]: np.array([np.nan if not row else float(label in row) for row in rows])
        for label in ranked[:_MOST_LABELS]
    }
    return said_of, [names[label] for label in ranked[_MOST_LABELS:]]
