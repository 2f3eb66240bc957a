"""A panel: many time series side by side, stored flat.

Series of unequal length lie one after the other in one array; ``indptr`` says where each
begins, as in a compressed sparse row. Inside a series the rows are one frequency step
apart, in time order; what was missing is NaN. One series is one entity and one target, so
a site with three scopes is three series.

::

    values    [ a0 a1 a2 a3 | b0 b1 | c0 c1 c2 ]      indptr [0, 4, 6, 9]
    known     same rows, one column per covariate known ahead
    past      same rows, one column per covariate known only afterwards
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from esgml.core.errors import DataError, HistoryError
from esgml.core.frequency import Frequency

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SeriesKey(NamedTuple):
    """Identifies one series: whose it is and what it measures."""

    entity: str
    target: str


@dataclass(frozen=True)
class Panel:
    """Many regular time series.

    Attributes
    ----------
    keys : tuple of SeriesKey, length n
    indptr : array of int, shape (n + 1,)
    time : array of datetime64[us], shape (rows,)
    values : array of float, shape (rows,)
        The target; NaN where missing.
    known, past : array of float, shape (rows, k) and (rows, p)
        Covariates known ahead, and those known only for the past.
    known_names, past_names : tuple of str
    frequency : Frequency
    units : dict of target name to unit
    groups : dict of entity to its labels from the top of the hierarchy down
    """

    keys: tuple[SeriesKey, ...]
    indptr: NDArray[np.int64]
    time: NDArray[np.datetime64]
    values: NDArray[np.float64]
    frequency: Frequency
    known: NDArray[np.float64]
    past: NDArray[np.float64]
    known_names: tuple[str, ...] = ()
    past_names: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = len(self.values)
        if len(self.indptr) != len(self.keys) + 1 or self.indptr[-1] != rows:
            raise DataError("panel: indptr does not fit the keys and rows.", code="panel_shape")
        if self.known.shape != (rows, len(self.known_names)):
            raise DataError("panel: known covariates do not fit.", code="panel_shape")
        if self.past.shape != (rows, len(self.past_names)):
            raise DataError("panel: past covariates do not fit.", code="panel_shape")

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def rows(self) -> int:
        """Number of rows of all series together."""
        return len(self.values)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of rows of each series, shape (n,)."""
        return np.diff(self.indptr)

    def rows_of(self, i: int) -> slice:
        """Return the slice of rows of series `i`."""
        return slice(int(self.indptr[i]), int(self.indptr[i + 1]))

    def series(self, i: int) -> NDArray[np.float64]:
        """Return the target values of series `i`."""
        return self.values[self.rows_of(i)]

    def last_time(self) -> NDArray[np.datetime64]:
        """Return the last timestamp of each series, shape (n,)."""
        return self.time[self.indptr[1:] - 1]

    def take(self, rows: Sequence[slice], keys: Sequence[SeriesKey] | None = None) -> Panel:
        """Return the panel made of the given slices of rows, one series each.

        `keys` names the series of the new panel; left out, they are those of this one.
        """
        index = np.concatenate([np.arange(0), *(np.arange(r.start, r.stop) for r in rows)])
        lengths = [0, *(r.stop - r.start for r in rows)]
        return replace(
            self,
            keys=self.keys if keys is None else tuple(keys),
            indptr=np.cumsum(lengths, dtype=np.int64),
            time=self.time[index],
            values=self.values[index],
            known=self.known[index],
            past=self.past[index],
        )

    def select(self, which: Sequence[int]) -> Panel:
        """Return the panel of the series numbered `which`, in that order."""
        return self.take([self.rows_of(i) for i in which], [self.keys[i] for i in which])

    def until(self, moment: np.datetime64) -> Panel:
        """Return the rows up to and including `moment`; series that begin later are left out."""
        keep, slices = [], []
        for i in range(len(self)):
            rows = self.rows_of(i)
            stop = rows.start + int(np.searchsorted(self.time[rows], moment, side="right"))
            if stop > rows.start:
                keep.append(self.keys[i])
                slices.append(slice(rows.start, stop))
        return self.take(slices, keep)

    def before(self, back: int) -> Panel:
        """Return the panel without the last `back` rows of each series."""
        starts, ends = self.indptr[:-1], self.indptr[1:]
        return self.take(
            [slice(int(s), max(int(s), int(e) - back)) for s, e in zip(starts, ends, strict=True)]
        )

    def window(self, back: int, horizon: int) -> tuple[Panel, Future, NDArray[np.float64]]:
        """Split at the origin `back` rows before each end.

        Returns
        -------
        history : Panel
            All rows before the origin.
        future : Future
            Timestamps and known covariates of the next `horizon` rows.
        actual : array, shape (n, horizon)
            What really happened in them.
        """
        if back < horizon:
            raise DataError("the origin is closer to the end than the horizon.", code="window")
        history = self.before(back)
        starts = self.indptr[1:] - back
        if (starts - self.indptr[:-1] < 1).any():
            short = self.keys[int(np.argmin(self.lengths))]
            raise HistoryError(
                f"series {short.entity!r} is too short for an origin {back} rows before its end.",
                remedy="Use fewer windows, a shorter horizon, or drop the series.",
            )
        index = starts[:, None] + np.arange(horizon)
        future = Future(self.time[index], self.known[index], self.known_names)
        return history, future, self.values[index]

    def future(self, horizon: int) -> Future:
        """Return the next `horizon` timestamps of every series, covariates still NaN."""
        time = np.stack(
            [self.frequency.advance(t, np.arange(1, horizon + 1)) for t in self.last_time()]
        )
        known = np.full((len(self), horizon, len(self.known_names)), np.nan)
        return Future(time, known, self.known_names)


@dataclass(frozen=True)
class Future:
    """What is known of the periods to forecast.

    Attributes
    ----------
    time : array of datetime64[us], shape (n, horizon)
    known : array of float, shape (n, horizon, k)
        Covariates known ahead; NaN where not given.
    known_names : tuple of str
    """

    time: NDArray[np.datetime64]
    known: NDArray[np.float64]
    known_names: tuple[str, ...] = ()

    @property
    def horizon(self) -> int:
        """Number of periods to forecast."""
        return int(self.time.shape[1])
