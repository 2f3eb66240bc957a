"""A canonical table laid out for the rules: sorted once, as flat arrays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from esgml.core.errors import DataError, UnitError
from esgml.core.frames import SeriesSpec
from esgml.core.frequency import Frequency
from esgml.core.units import compatible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]
    Mask = NDArray[np.bool_]


#: Kinds of the usual units, so that the unit library is loaded for unusual ones only.
_KINDS = {
    **dict.fromkeys(("kWh", "MWh", "GWh", "GJ"), "energy"),
    **dict.fromkeys(("kgCO2e", "tCO2e", "MtCO2e"), "emission"),
    **dict.fromkeys(("USD", "EUR", "GBP", "SEK", "JPY"), "money"),
    "m^3": "volume",
    **dict.fromkeys(("", "kW", "m^2", "degC", "kg"), ""),
}


def _ranks(names: pl.Series) -> Rows:
    """Return the place of each name among the sorted names, 0 where it is missing."""
    # numbers sort ten times as fast as texts
    codes = names.cast(pl.Categorical).to_physical().fill_null(0).alias("code")
    known = pl.DataFrame({"name": names, "code": codes}).drop_nulls("name").unique("code")
    known = known.sort("name")
    ranks = np.zeros(int(known["code"].max() or 0) + 1, dtype=np.int64)  # type: ignore[arg-type]
    ranks[known["code"].to_numpy()] = np.arange(known.height)
    return np.asarray(ranks[codes.to_numpy()])


def _order(entity: Rows, time: Rows) -> Rows:
    """Return the stable order by entity, then time."""
    earliest = int(time.min())
    span = int(time.max()) - earliest + 1
    if (int(entity.max()) + 1) * span < 2**62:  # one key sorts faster than two
        return np.argsort(entity * span + (time - earliest), kind="stable")
    return np.lexsort((time, entity))


@dataclass(frozen=True)
class View:
    """Rows with an entity and a timestamp, sorted by both; ties stay in source order.

    Attributes
    ----------
    frame : DataFrame
        The canonical table, in source order.
    spec : SeriesSpec
    rows : array of int, shape (n,)
        Source row of each sorted row.
    starts : array of int, shape (entities + 1,)
        Where each entity begins, as ``indptr`` of a panel.
    time : array of datetime64[us], shape (n,)
    now : datetime64[us]
        Values after this moment cannot have been observed.
    """

    frame: pl.DataFrame
    spec: SeriesSpec
    rows: Rows
    starts: Rows
    time: NDArray[np.datetime64]
    now: np.datetime64

    @classmethod
    def of(cls, frame: pl.DataFrame, spec: SeriesSpec, now: dt.datetime | None = None) -> View:
        """Sort the usable rows of a canonical table."""
        now = now or dt.datetime.now(dt.UTC).replace(tzinfo=None)
        usable = frame[spec.entity].is_not_null() & frame[spec.time].is_not_null()
        rows = usable.arg_true().to_numpy().astype(np.int64)
        e = _ranks(frame[spec.entity])[rows]
        t = frame[spec.time].cast(pl.Datetime("us")).to_physical().to_numpy()[rows]
        ordered = bool(((e[1:] > e[:-1]) | ((e[1:] == e[:-1]) & (t[1:] >= t[:-1]))).all())
        if not ordered:
            order = _order(e, t)
            rows, e, t = rows[order], e[order], t[order]
        change = np.flatnonzero(e[1:] != e[:-1]) + 1
        bounds = [0, *change.tolist(), len(e)] if len(e) else [0]
        return cls(
            frame,
            spec,
            rows,
            np.array(bounds, dtype=np.int64),
            t.astype(np.int64).view("datetime64[us]"),
            np.datetime64(now, "us"),
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def entities(self) -> int:
        """Number of entities."""
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> Rows:
        """Rows of each entity, shape (entities,)."""
        return np.diff(self.starts)

    @cached_property
    def codes(self) -> Rows:
        """Number of the entity of each row, shape (n,)."""
        return np.repeat(np.arange(self.entities), self.lengths)

    @cached_property
    def first(self) -> Mask:
        """Whether a row is the first of its entity, shape (n,)."""
        mask = np.zeros(len(self), dtype=bool)
        mask[self.starts[:-1]] = True
        return mask

    def name(self, entity: int) -> str:
        """Return the name of an entity by its number, for messages: at most 80 letters."""
        name = str(self.frame[self.spec.entity][int(self.rows[self.starts[entity]])])
        return name if len(name) <= 80 else name[:79] + "…"

    def values(self, column: str) -> Floats:
        """Return a numeric column in sorted order; missing is NaN, shape (n,)."""
        numbers = self.frame[column].cast(pl.Float64).to_numpy()
        if len(self.rows) == len(numbers) and (len(self) == 0 or self._in_order):
            return np.asarray(numbers)
        return np.asarray(numbers[self.rows])

    @cached_property
    def _in_order(self) -> bool:
        return bool((np.diff(self.rows) == 1).all())

    @cached_property
    def frequency(self) -> Frequency | None:
        """Step of the longest series, None where it is no usual one."""
        if not len(self):
            return None
        longest = int(np.argmax(self.lengths))
        try:
            return Frequency.infer(self.time[self.starts[longest] : self.starts[longest + 1]])
        except DataError:
            return None

    @cached_property
    def amounts(self) -> tuple[str, ...]:
        """Columns of amounts (targets, energy, emissions, volumes, money), not known ahead."""
        spec = self.spec
        apart = {spec.entity, spec.time, *spec.known, *spec.hierarchy, *spec.targets}
        found = [
            c
            for c, dtype in self.frame.schema.items()
            if c not in apart and dtype.is_numeric() and self.kind(c)
        ]
        return (*spec.targets, *found)

    def kind(self, column: str) -> str:
        """Return ``energy``, ``emission``, ``volume`` or ``money``, empty where unknown."""
        unit = self.spec.unit_of(column)
        if not unit or unit in _KINDS:
            return _KINDS.get(unit, "")
        try:
            for kind, like in (("energy", "kWh"), ("emission", "kgCO2e"), ("volume", "m^3")):
                if compatible(unit, like):
                    return kind
        except UnitError:
            return ""
        return ""

    def per_entity(self, values: Floats, *statistics: pl.Expr) -> pl.DataFrame:
        """Aggregate finite values (column ``v``) by entity; one row per entity, in order."""
        return (
            pl.DataFrame({"e": self.codes, "v": values})
            .filter(pl.col("v").is_finite())
            .group_by("e")
            .agg(*statistics)
            .join(pl.DataFrame({"e": np.arange(self.entities)}), on="e", how="right")
            .sort("e")
        )
