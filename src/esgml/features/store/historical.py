"""Training tables: every row joined with what was known at its moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from esgml.core.errors import UsageError
from esgml.core.frames import require_columns
from esgml.features.store.asof import Questions, SortedRows
from esgml.features.store.requests import Wanted, output_names
from esgml.features.store.rows import key_column
from esgml.features.store.times import micros, to_utc, utc_column
from esgml.features.store.views import EVENT, JOINER, FeatureView, polars_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

AS_OF = "as_of"


def join_historical(
    entities: pl.DataFrame,
    wanted: Sequence[Wanted],
    rows_of: Callable[[FeatureView], SortedRows],
    *,
    as_of: datetime | date | None,
    full_feature_names: bool,
    with_event_timestamps: bool,
) -> pl.DataFrame:
    """Return `entities` with one column per asked feature, as known then; row order kept."""
    names = output_names(wanted, full_feature_names, entities.columns)
    keys = list(dict.fromkeys(key for w in wanted for key in w.view.entities))
    where = "entity table"
    require_columns(entities, [*keys, EVENT], where=where)
    texts = pl.DataFrame([key_column(entities, key, where) for key in keys])
    time = utc_column(entities, EVENT, where).to_physical().to_numpy()
    known = _known(entities, as_of, where)
    stored = [rows_of(w.view) for w in wanted]
    asked: dict[tuple[str, ...], Questions] = {}
    columns: list[pl.Series] = []
    for want, output, rows in zip(wanted, names, stored, strict=True):
        view = want.view
        questions = asked.get(view.entities)
        if questions is None:
            alike = [
                r for w, r in zip(wanted, stored, strict=True) if w.view.entities == view.entities
            ]
            questions = Questions(texts, list(view.entities), time, known, alike)
            asked[view.entities] = questions
        found = questions.answer(rows, view.ttl_us)
        columns += _values(rows, want, output, found)
        if with_event_timestamps:
            columns.append(_event_column(rows, found, f"{view.name}{JOINER}{EVENT}"))
    return entities.with_columns(columns)


def _known(
    entities: pl.DataFrame, as_of: datetime | date | None, where: str
) -> NDArray[np.int64] | None:
    if AS_OF in entities.columns:
        if as_of is not None:
            raise UsageError(
                "as_of is given both as a column and as an argument.",
                code="two_as_of",
                remedy="Give one of them.",
            )
        return utc_column(entities, AS_OF, where).to_physical().to_numpy()
    if as_of is None:
        return None
    return np.full(entities.height, micros(to_utc(as_of, AS_OF)), dtype=np.int64)


def _values(
    rows: SortedRows, want: Wanted, output: list[str], found: NDArray[np.int64]
) -> list[pl.Series]:
    dtypes = [polars_type(want.view.feature(f).dtype) for f in want.features]
    if rows.values.height == 0 or len(found) == 0:
        return [
            pl.Series(name, [None] * len(found), dtype=dtype)
            for name, dtype in zip(output, dtypes, strict=True)
        ]
    index = _index(found)
    values = rows.values.select(want.features)
    # without nulls in the index Polars gathers more than twice as fast
    answer = values.select(pl.all().gather(index)) if index.null_count() else values[index]
    return [column.alias(name) for column, name in zip(answer, output, strict=True)]


def _index(found: NDArray[np.int64]) -> pl.Series:
    """Return row numbers with null where nothing was found."""
    index = pl.Series("row", found)
    if not len(found) or found.min() >= 0:
        return index.cast(pl.UInt32)
    return index.to_frame().select(pl.when(pl.col("row") >= 0).then(pl.col("row")).cast(pl.UInt32))[
        "row"
    ]


def _event_column(rows: SortedRows, found: NDArray[np.int64], name: str) -> pl.Series:
    if len(rows.event) == 0:
        return pl.Series(name, [None] * len(found), dtype=pl.Datetime("us"))
    events = pl.Series(name, rows.event).cast(pl.Datetime("us"))
    return events.gather(_index(found)).alias(name)
