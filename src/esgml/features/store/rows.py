"""From a caller's table to rows the store keeps: typed, in UTC, unambiguous."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from esgml.core.errors import ColumnError, DataError
from esgml.core.frames import require_columns
from esgml.features.store.times import refuse_nulls, utc_column
from esgml.features.store.views import CREATED, EVENT, Feature, FeatureView, polars_type

Infinite = Literal["error", "null"]


@dataclass(frozen=True)
class PreparedRows:
    """Rows fit to be stored.

    Attributes
    ----------
    frame : DataFrame
        Keys (text), event time, created time where `known` says so, features; sorted,
        without repetitions.
    known : bool
        Whether the caller stated when the rows became known.
    duplicates, nan_as_null, infinite_as_null : int
    ignored : tuple of str
    """

    frame: pl.DataFrame
    known: bool
    duplicates: int
    nan_as_null: int
    infinite_as_null: int
    ignored: tuple[str, ...]


def as_frame(table: Any) -> pl.DataFrame:
    """Return a Polars, pandas or Arrow table, a dict of columns or a list of rows as Polars.

    Raises
    ------
    ColumnError
        If it is none of these.
    """
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    try:
        if isinstance(table, dict | list | tuple):
            return pl.DataFrame(table, infer_schema_length=None)
        if type(table).__module__.partition(".")[0] == "pandas":
            return pl.from_pandas(table)
        converted = pl.from_arrow(table)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise ColumnError(
            f"{type(table).__name__} cannot be read as a table: {error}",
            code="not_a_table",
            remedy="Give a Polars, pandas or Arrow table, or a dict of columns.",
        ) from error
    if not isinstance(converted, pl.DataFrame):
        raise ColumnError("a single column is not a table.", code="not_a_table")
    return converted


def key_column(frame: pl.DataFrame, column: str, where: str) -> pl.Series:
    """Return an entity key as text.

    Raises
    ------
    ColumnError
        If it holds neither text nor whole numbers.
    DataError
        If a key is missing.
    """
    values = frame[column]
    dtype = values.dtype
    refuse_nulls(values, column, where)
    text = dtype in (pl.String, pl.Categorical, pl.Enum) or dtype.is_integer()
    if not (text or (dtype == pl.Null and frame.height == 0)):
        raise ColumnError(
            f"entity key {column!r} holds {dtype}, expected text or whole numbers.",
            code="column_kind",
            where=where,
            remedy="Convert the key; keys are compared as text.",
        )
    return values if dtype == pl.String else values.cast(pl.String)


def prepare(frame: pl.DataFrame, view: FeatureView, infinite: Infinite = "error") -> PreparedRows:
    """Check a table against a view and bring it into the stored form.

    NaN is stored as missing and counted. Rows given twice with the same content are kept
    once and counted.

    Raises
    ------
    ColumnError
        If a column is missing or does not fit its declared type.
    DataError
        On missing keys or times, on infinite values unless `infinite` is ``null``, and
        where rows of the same key and times disagree.
    """
    where = f"view {view.label}"
    require_columns(frame, [*view.entities, EVENT, *view.feature_names], where=where)
    known = CREATED in frame.columns
    columns = [key_column(frame, key, where) for key in view.entities]
    columns.append(utc_column(frame, EVENT, where))
    if known:
        columns.append(utc_column(frame, CREATED, where))
    nans = infinities = 0
    for feature in view.features:
        values, nan, infinity = _feature(frame[feature.name], feature, where, infinite)
        columns.append(values)
        nans += nan
        infinities += infinity
    identity = [*view.entities, EVENT, *([CREATED] if known else [])]
    rows = pl.DataFrame(columns)
    unique = rows.unique(maintain_order=True).sort(identity)
    _refuse_contradictions(unique, identity, where)
    used = {*identity, *view.feature_names}
    return PreparedRows(
        frame=unique,
        known=known,
        duplicates=rows.height - unique.height,
        nan_as_null=nans,
        infinite_as_null=infinities,
        ignored=tuple(c for c in frame.columns if c not in used),
    )


def _feature(
    values: pl.Series, feature: Feature, where: str, infinite: Infinite
) -> tuple[pl.Series, int, int]:
    """Return a feature column in its stored type, with the NaN and infinite values replaced."""
    target = polars_type(feature.dtype)
    source = values.dtype
    fits = source == pl.Null or {
        "float64": source.is_numeric(),
        "float32": source.is_numeric(),
        "int64": source.is_integer(),
        "int32": source.is_integer(),
        "bool": source == pl.Boolean,
        "string": source in (pl.String, pl.Categorical, pl.Enum),
        "timestamp": isinstance(source, pl.Datetime) or source == pl.Date,
    }.get(feature.dtype, False)
    error = ColumnError(
        f"feature {feature.name!r} holds {source}, declared as {feature.dtype}.",
        code="wrong_dtype",
        where=where,
        remedy="Convert the column, or register a new version of the view with its type.",
    )
    if not fits:
        raise error
    if isinstance(source, pl.Datetime) and source.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    nan = infinity = 0
    if source.is_float():
        nan = int(values.is_nan().sum())
        infinity = int(values.is_infinite().sum())
        if infinity and infinite == "error":
            row = int(values.is_infinite().fill_null(False).arg_max() or 0)
            raise DataError(
                f"feature {feature.name!r} is infinite in {infinity} rows, first in row {row}.",
                code="infinite",
                where=where,
                remedy='Correct the values, or pass infinite="null" to store them as missing.',
            )
        if nan or infinity:
            values = values.to_frame().select(
                pl.when(pl.col(values.name).is_finite()).then(pl.col(values.name))
            )[values.name]
    try:
        cast = values.cast(target, strict=True)
    except pl.exceptions.PolarsError as cause:
        raise error from cause
    if cast.dtype.is_float() and _changed(values, cast):
        raise error
    return cast, nan, infinity


def _changed(values: pl.Series, cast: pl.Series) -> bool:
    """Whether a cast to float overflowed, or lost digits of a whole number."""
    if bool(cast.is_infinite().any()):
        return True
    if not values.dtype.is_integer():
        return False
    return not bool((cast.cast(values.dtype, strict=False) == values).all())


def _refuse_contradictions(unique: pl.DataFrame, identity: list[str], where: str) -> None:
    """Raise `DataError` if two different rows claim the same key and times."""
    if unique.height < 2:
        return
    same = unique.select(
        pl.all_horizontal(pl.col(c) == pl.col(c).shift(1) for c in identity).fill_null(False)
    ).to_series()
    clashes = int(same.sum())
    if clashes:
        row = unique.row(int(same.arg_max() or 0), named=True)
        raise DataError(
            f"{clashes} rows contradict another row of the same {', '.join(identity)},"
            f" first for {', '.join(str(row[c]) for c in identity)}.",
            code="duplicate_rows",
            where=where,
            remedy=f"Keep one row each, or say in {CREATED} which became known later.",
        )
