"""Installation-years of the EU ETS as arrays, and what is known of an installation at a year's end.

A table has the columns ``installation_id``, ``year``, ``free`` (allowances allocated for free, in
tCO2e) and ``emission`` (verified emissions, tCO2e), one row an installation and year. A row
without an emission is a year to come whose allocation is already known. An installation is *short*
in a year where it emitted more than it was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import ColumnError, DataError, HistoryError

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COLUMNS = ("installation_id", "year", "free", "emission")
#: Tonnes added to both sides of a ratio, so that zero has one and small installations are calm.
SOFT = 100.0
#: Ratios are cut off where more or less says nothing new.
FAR = 5.0
#: What is known of an installation, in the order of the columns of `features`.
FEATURES = (
    "log of emissions over free allocation",
    "change of that ratio from the year before",
    "change of that ratio from two years before",
    "distance of that ratio from its mean",
    "share of years short",
    "short now",
    "log emissions",
    "log free allocation",
    "no free allocation",
    "no emissions",
    "deviation of the ratio over the years",
    "years seen",
    "change of free allocation",
    "change of free allocation the year before",
    "change of emissions",
    "change of emissions the year before",
    "ratio if free allocation goes on changing as it did",
    "mean emissions of three years over free allocation",
    "largest emissions over free allocation",
    "least emissions over free allocation",
    "deviation of log emissions over the years",
    "years since the last switch",
)
#: What the allocation of the year to come adds, in the order of the columns of `ahead`.
AHEAD = (
    "change of free allocation to the year to come",
    "log of emissions over the free allocation to come",
    "mean emissions of three years over the free allocation to come",
    "largest emissions over the free allocation to come",
    "least emissions over the free allocation to come",
)


@dataclass(frozen=True)
class Installations:
    """Histories on a common grid of years; what was not reported is NaN.

    Attributes
    ----------
    names : tuple of str, length n
    years : array of int, shape (t,)
        Consecutive years.
    free, emission : array of float, shape (n, t)
        tCO2e.
    """

    names: tuple[str, ...]
    years: NDArray[np.int64]
    free: Array
    emission: Array

    @classmethod
    def read(cls, table: pl.DataFrame) -> Installations:
        """Read and check a table.

        Raises
        ------
        ColumnError
            If a column is missing or no number.
        DataError
            If a row is missing a value, negative, not finite or stands twice.
        HistoryError
            If there is no row.
        """
        import polars as pl

        missing = [name for name in COLUMNS if name not in table.columns]
        if missing:
            raise ColumnError(
                f"the column {missing[0]!r} is missing.",
                where=missing[0],
                remedy=f"Give the columns {', '.join(COLUMNS)}.",
            )
        if table.height == 0:
            raise HistoryError("there is no installation.", code="empty")
        for name in COLUMNS[1:]:
            if not table.schema[name].is_numeric() and table.schema[name] != pl.Null:
                raise ColumnError("this is no number.", where=name)
        ids = table["installation_id"].cast(str)
        year = table["year"].cast(float).to_numpy()
        values = np.array(table.select("free", "emission").cast(pl.Float64).to_numpy())
        # A missing emission is a year to come; anything else that is no amount is a fault.
        values[table["emission"].is_null().to_numpy(), 1] = 0.0
        bad = ~(np.isfinite(values) & (values >= 0)).all(axis=1) | ids.is_null().to_numpy()
        bad |= ~((year >= 1990) & (year <= 2100) & (year == np.round(year)))
        if bad.any():
            raise DataError(
                f"{int(bad.sum())} rows have no name, no year, or no amount from 0.",
                code="row",
                where=f"row {int(np.argmax(bad))}",
                remedy="Mend or leave out those rows.",
            )
        unique, row = np.unique(ids.to_numpy().astype(str), return_inverse=True)
        first = int(year.min())
        column = (year - first).astype(np.int64)
        flat = row * (column.max() + 1) + column
        counts = np.bincount(flat)
        if counts.max() > 1:
            twice = int(np.argmax(counts[flat] > 1))
            raise DataError(
                "an installation and year stands twice.",
                code="duplicate",
                where=f"row {twice}: {ids[twice]}, {int(year[twice])}",
                remedy="Keep one row for each installation and year.",
            )
        shape = (len(unique), int(column.max()) + 1)
        free, emission = np.full(shape, np.nan), np.full(shape, np.nan)
        free[row, column] = values[:, 0]
        emission[row, column] = np.where(table["emission"].is_null(), np.nan, values[:, 1])
        silent = ~np.isfinite(emission).any(axis=1)
        if silent.any():
            raise HistoryError(
                "an installation has reported no emissions at all.",
                code="no_values",
                where=str(unique[silent][0]),
                remedy="Give at least one year with its verified emissions.",
            )
        return cls(tuple(unique.tolist()), first + np.arange(shape[1]), free, emission)

    @property
    def short(self) -> Array:
        """1 where more was emitted than given, 0 where not, NaN where not reported."""
        return np.where(np.isnan(self.emission), np.nan, self.emission > self.free)

    def last(self) -> NDArray[np.int64]:
        """Return the column of the last year that each installation reported."""
        seen = np.isfinite(self.emission)
        back: NDArray[np.int64] = np.argmax(seen[:, ::-1], axis=1)
        last: NDArray[np.int64] = seen.shape[1] - 1 - back
        return last

    def until(self, year: int) -> Installations:
        """Return the histories up to and including a year, of those that reported by then."""
        keep = self.years <= year
        seen = np.isfinite(self.emission[:, keep]).any(axis=1)
        names = tuple(np.array(self.names)[seen].tolist())
        return Installations(
            names, self.years[keep], self.free[seen][:, keep], self.emission[seen][:, keep]
        )


def _at(values: Array, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
    """Return one value a row, NaN left of the first column."""
    found = values[rows, np.maximum(columns, 0)]
    return np.where(columns >= 0, found, np.nan)


def _over_time(values: Array, until: NDArray[np.int64]) -> Array:
    """Return the values with everything after each row's own column left out."""
    later = np.arange(values.shape[1])[None, :] > until[:, None]
    return np.where(later, np.nan, values)


def features(data: Installations, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
    """Return what is known of installations at the end of the given years, and nothing later.

    Parameters
    ----------
    data : Installations
    rows, columns : array of int, shape (m,)
        Installation and year; each must have been reported.

    Returns
    -------
    array of float, shape (m, 22)
        See `FEATURES`; NaN where a year before is not reported.
    """
    free, emission = (_over_time(v[rows], columns) for v in (data.free, data.emission))
    ratio = np.clip(np.log((emission + SOFT) / (free + SOFT)), -FAR, FAR)
    short = np.where(np.isnan(emission), np.nan, emission > free)
    log_free, log_emission = np.log1p(free), np.log1p(emission)
    each = np.arange(len(rows))
    now, given, used = (_at(v, each, columns) for v in (ratio, free, emission))

    def change(values: Array, back: int = 0) -> Array:
        return _at(values, each, columns - back) - _at(values, each, columns - back - 1)

    recent = np.where(np.arange(ratio.shape[1])[None, :] > columns[:, None] - 3, emission, np.nan)
    denominator = np.log(given + SOFT)
    moved = change(log_free)
    state = _at(short, each, columns)
    # Years since the last switch: how far back the answer has been what it is now.
    same = np.where(np.isnan(short), False, short == state[:, None])
    back = np.arange(ratio.shape[1])[None, :]
    differs = np.where(~same & (back <= columns[:, None]), back, -1).max(axis=1)
    return np.column_stack(
        [
            now,
            _at(ratio, each, columns - 1) - now,
            _at(ratio, each, columns - 2) - now,
            np.nanmean(ratio, axis=1) - now,
            np.nanmean(short, axis=1),
            state,
            np.log1p(used),
            np.log1p(given),
            given == 0,
            used == 0,
            np.nanstd(ratio, axis=1),
            np.isfinite(ratio).sum(axis=1),
            moved,
            change(log_free, 1),
            change(log_emission),
            change(log_emission, 1),
            now - np.clip(np.nan_to_num(moved), -0.5, 0.5),
            np.log(np.nanmean(recent, axis=1) + SOFT) - denominator,
            np.log(np.nanmax(emission, axis=1) + SOFT) - denominator,
            np.log(np.nanmin(emission, axis=1) + SOFT) - denominator,
            np.nanstd(log_emission, axis=1),
            columns - differs,
        ]
    )


def ahead(data: Installations, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
    """Return what the allocation of the next year adds to `features`; NaN where it is not known.

    Allowances are allocated at the start of a year, its emissions are known after its end.

    Returns
    -------
    array of float, shape (m, 5)
        See `AHEAD`.
    """
    next_column = columns + 1
    inside = next_column < data.free.shape[1]
    coming = data.free[rows, np.minimum(next_column, data.free.shape[1] - 1)]
    coming = np.where(inside, coming, np.nan)
    emission = _over_time(data.emission[rows], columns)
    now, given = data.emission[rows, columns], data.free[rows, columns]
    recent = np.where(
        np.arange(emission.shape[1])[None, :] > columns[:, None] - 3, emission, np.nan
    )
    denominator = np.log(coming + SOFT)
    return np.column_stack(
        [
            np.log1p(coming) - np.log1p(given),
            np.clip(np.log(now + SOFT) - denominator, -FAR, FAR),
            np.log(np.nanmean(recent, axis=1) + SOFT) - denominator,
            np.log(np.nanmax(emission, axis=1) + SOFT) - denominator,
            np.log(np.nanmin(emission, axis=1) + SOFT) - denominator,
        ]
    )


def transitions(
    data: Installations, into: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Return all pairs of consecutive reported years: row, column of the first, short in the next.

    `into` keeps only the pairs whose second year is among those columns.
    """
    seen = np.isfinite(data.emission)
    both = seen[:, :-1] & seen[:, 1:]
    if into is not None:
        both &= np.isin(np.arange(1, seen.shape[1]), into)[None, :]
    rows, columns = np.nonzero(both)
    return rows, columns, data.short[rows, columns + 1]
