"""The point-in-time join: of each entity the newest value known at a moment.

For a key, a moment ``t`` and a moment of knowledge ``c``, the answer is the row with the
greatest ``event_timestamp <= t`` among those with ``created_timestamp <= c``; of several
corrections of one event, the one created last. Rows lie sorted by key, event and created,
so the row that is right when nothing was restated or late is the last one at or before
``t``, found by one merge for all queries. Only where that row was not yet known, the nearest
earlier row that was is looked up in a tree of minima of the created times, ``log2(n)``
vectorised steps for all such queries together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from esgml.features.store.views import CREATED, EVENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_NONE = -1
_LIMIT = 1 << 62
_FAR = np.iinfo(np.int64).max
_UNITS = (1, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000)


class TimeTicks:
    """Maps times to small whole numbers so that ``row <= query`` stays exactly true.

    The tick is the time in the largest unit all rows share, where key and time then fit
    into 64 bits together, and the rank among the row times where they do not.
    """

    def __init__(self, event: Ints, keys: int) -> None:
        self._low = int(event.min()) if len(event) else 0
        span = int(event.max()) - self._low if len(event) else 0
        self._ranks: Ints | None = None
        self._unit = 0
        for unit in _UNITS:
            if (keys + 1) * (span // unit + 3) < _LIMIT and (
                unit == 1 or not ((event - self._low) % unit).any()
            ):
                self._unit = unit
                self.size = span // unit + 2
                return
        self._ranks = np.unique(event)
        self.size = len(self._ranks) + 1

    def __call__(self, time: Ints) -> Ints:
        """Return ticks in ``0 .. size - 1``; 0 = before every row."""
        if self._ranks is not None:
            return np.searchsorted(self._ranks, time, side="right").astype(np.int64)
        ticks = time - (self._low - self._unit)
        np.maximum(ticks, 0, out=ticks)
        if self._unit != 1:
            ticks //= self._unit
        np.minimum(ticks, self.size - 1, out=ticks)
        return ticks


@dataclass(frozen=True)
class SortedRows:
    """The stored rows of a view, ready to be asked.

    Attributes
    ----------
    keys : DataFrame
        The distinct entity keys in order, and their number ``_code``.
    start : array, shape (keys + 1,)
        Where the rows of each key begin.
    event, created : array, shape (rows,)
        Microseconds since 1970.
    place : DataFrame
        Sorted column ``_place`` (key and tick in one number) and row number ``_row``.
    late : bool
        Whether any row became known after its event.
    values : DataFrame
        The feature columns.
    """

    keys: pl.DataFrame
    start: Ints
    event: Ints
    created: Ints
    ticks: TimeTicks
    place: pl.DataFrame
    late: bool
    values: pl.DataFrame

    @classmethod
    def of(cls, frame: pl.DataFrame, entities: tuple[str, ...]) -> SortedRows:
        """Sort the rows of a view as read from the offline store."""
        names = list(entities)
        keys = _numbered(frame, names)
        codes = _codes(frame, keys, names)
        event = frame[EVENT].to_physical().to_numpy()
        created = frame[CREATED].to_physical().to_numpy()
        ticks = TimeTicks(event, keys.height)
        place = codes * ticks.size + ticks(event)
        if not _sorted(place, created):
            order = np.lexsort((created, place))
            place, codes, event, created = place[order], codes[order], event[order], created[order]
            frame = frame[order]
        start = np.searchsorted(codes, np.arange(keys.height + 1)).astype(np.int64)
        return cls(
            keys=keys,
            start=start,
            event=event,
            created=created,
            ticks=ticks,
            place=pl.DataFrame(
                {
                    "_place": pl.Series(place).set_sorted(),
                    "_row": pl.int_range(len(place), dtype=pl.Int32, eager=True),
                }
            ),
            late=bool((created > event).any()),
            values=frame.drop(*names, EVENT, CREATED).rechunk(),  # gathers from one chunk fast
        )

    def nbytes(self) -> int:
        """Return the memory the rows take, in bytes."""
        arrays = self.start.nbytes + self.event.nbytes + self.created.nbytes
        return int(arrays + self.place.estimated_size() + self.values.estimated_size())


class Questions:
    """Rows of an entity table in the order in which answers are found fastest.

    Parameters
    ----------
    frame : DataFrame
        Entity keys as text.
    names : list of str
        The key columns.
    time : array, shape (n,)
        The moment each row asks about, microseconds since 1970.
    known : array, shape (n,), optional
        The moment of knowledge; None = the moment asked about.
    views : sequence of SortedRows
        All that will be asked.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        names: list[str],
        time: Ints,
        known: Ints | None,
        views: Sequence[SortedRows],
    ) -> None:
        self.names = names
        self.keys = _universe(frame, names, views)
        codes = _codes(frame, self.keys, names)
        low = int(time.min()) if len(time) else 0
        span = int(time.max()) - low + 1 if len(time) else 1
        if self.keys.height * span < _LIMIT:
            self.order = np.argsort(codes * span + (time - low))
        else:
            self.order = np.lexsort((time, codes))
        self.codes = codes[self.order]
        self.time = time[self.order]
        self.known = None if known is None else known[self.order]

    def answer(self, rows: SortedRows, ttl: int | None) -> Ints:
        """Return for each row of the entity table the number of its stored row, or -1.

        Parameters
        ----------
        rows : SortedRows
        ttl : int or None
            Oldest event that counts, in microseconds before the moment asked about.
        """
        result = np.full(len(self.time), _NONE, dtype=np.int64)
        if len(rows.event) == 0 or len(self.time) == 0:
            return result
        # the last place stands for keys that no view has (number -1)
        code = np.append(_codes(self.keys, rows.keys, self.names), _NONE)
        # absent keys borrow the place of the key before them, so that the order holds
        borrowed = np.append(np.maximum.accumulate(code[:-1]), _NONE)
        ticks = rows.ticks(self.time)
        ticks += (borrowed * rows.ticks.size)[self.codes]
        found = (
            pl.DataFrame({"_place": pl.Series(ticks).set_sorted()})
            .join_asof(rows.place, on="_place", check_sortedness=False)["_row"]
            .fill_null(_NONE)
            .to_numpy()
            .astype(np.int64)
        )
        start = np.where(code < 0, len(rows.event), rows.start[borrowed])[self.codes]
        found[found < start] = _NONE
        known = self.time if self.known is None else self.known
        if self.known is not None or rows.late:
            unknown = np.flatnonzero((found >= 0) & (rows.created[found] > known))
            if len(unknown):
                found[unknown] = _last_known(
                    rows.created, found[unknown], start[unknown], known[unknown]
                )
        if ttl is not None:
            found[(found >= 0) & (self.time - rows.event[found] > ttl)] = _NONE
        result[self.order] = found
        return result


def _numbered(keys: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return the distinct keys in order, with their numbers."""
    distinct = keys.select(names).unique().sort(names)
    return distinct.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("_code"))


def _universe(frame: pl.DataFrame, names: list[str], views: Sequence[SortedRows]) -> pl.DataFrame:
    """Return the distinct keys that can have an answer, from whichever side has fewer rows."""
    if frame.height <= sum(rows.keys.height for rows in views):
        return _numbered(frame, names)
    first = views[0].keys
    if all(rows.keys is first or rows.keys.equals(first) for rows in views):
        return first
    return _numbered(pl.concat(rows.keys for rows in views), names)


def _codes(frame: pl.DataFrame, keys: pl.DataFrame, names: list[str]) -> Ints:
    """Return the number of each row's key among the distinct `keys`, -1 where absent."""
    joined = frame.select(names).join(keys, on=names, how="left", maintain_order="left")
    return joined["_code"].fill_null(_NONE).to_numpy()


def _sorted(place: Ints, created: Ints) -> bool:
    step = np.diff(place)
    return bool((step >= 0).all() and (np.diff(created)[step == 0] >= 0).all())


def _last_known(created: Ints, last: Ints, first: Ints, known: Ints) -> Ints:
    """Return the greatest row in ``first .. last`` with ``created <= known``, or -1."""
    levels = [created]
    while len(levels[-1]) > 1:
        level = levels[-1]
        if len(level) % 2:
            level = np.append(level, _FAR)
        levels.append(level.reshape(-1, 2).min(axis=1))
    node = last.copy()  # the rightmost block not looked at yet
    height = np.full(len(node), _NONE, dtype=np.int64)  # level of the block that has it
    for depth, level in enumerate(levels):
        # a left block's neighbour on the right is done, so it is looked at alone; a right
        # block goes up to its parent together with its left neighbour
        single = np.flatnonzero((height < 0) & (node >= 0) & ((node & 1) == 0))
        hit = level[node[single]] <= known[single]
        height[single[hit]] = depth
        node[single[~hit]] -= 1
        still = height < 0
        node[still] >>= 1
    for depth in range(len(levels) - 1, 0, -1):
        inside = np.flatnonzero(height >= depth)
        right = 2 * node[inside] + 1
        below = levels[depth - 1]
        there = right < len(below)
        good = there & (below[np.minimum(right, len(below) - 1)] <= known[inside])
        node[inside] = np.where(good, right, right - 1)
    node[(height < 0) | (node < first)] = _NONE
    return node
