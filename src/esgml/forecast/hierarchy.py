"""Which series add up to which: sites to groups to the total, for each target by itself.

Targets are never added to each other, so two scopes are two hierarchies side by side.

::

    nodes   [ bottom 1 ... bottom m | aggregates, widest first ]
    S       (nodes x bottom), identity on top, then one row of 0 and 1 per aggregate
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError, HistoryError
from esgml.core.panel import Future, Panel, SeriesKey

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOTAL = "total"


@dataclass(frozen=True)
class Hierarchy:
    """Which series add up to which.

    Attributes
    ----------
    bottom : tuple of SeriesKey, length m
        The series that are not sums.
    aggregates : tuple of SeriesKey
        Sums of bottom series of one target, widest first.
    summing : array of 0 and 1, shape (nodes, m)
        The matrix S; its first m rows are the identity.
    """

    bottom: tuple[SeriesKey, ...]
    aggregates: tuple[SeriesKey, ...]
    summing: NDArray[np.float64]

    @classmethod
    def from_groups(
        cls,
        keys: Sequence[SeriesKey],
        groups: Mapping[str, tuple[str, ...]] | None = None,
        total: bool = True,
        apart: Collection[SeriesKey] = (),
    ) -> Hierarchy:
        """Build the hierarchy from the labels of each entity.

        Parameters
        ----------
        keys : sequence of SeriesKey
            The bottom series.
        groups : mapping of entity to its labels, from the top down, optional
            Entities with the same first labels form a group; an empty label, or an entity
            without labels, belongs to no group below the total.
        total : bool
            Add the sum of all entities of each target that more than one entity has.
        apart : collection of SeriesKey
            Bottom series that belong to no sum.

        Raises
        ------
        DataError
            If there is no series, or a key appears twice.

        Examples
        --------
        >>> keys = [SeriesKey("a", "co2"), SeriesKey("b", "co2"), SeriesKey("c", "co2")]
        >>> h = Hierarchy.from_groups(keys, {"a": ("north",), "b": ("north",), "c": ("south",)})
        >>> [key.entity for key in h.aggregates]
        ['total', 'north', 'south']
        """
        bottom = tuple(SeriesKey(*key) for key in keys)
        if not bottom:
            raise DataError("a hierarchy needs at least one series.", code="empty")
        if len(set(bottom)) != len(bottom):
            raise DataError("a series appears twice in the hierarchy.", code="duplicate_series")
        paths = _paths(bottom, groups or {})
        names = _names(paths, {key.entity for key in bottom})
        targets = tuple(dict.fromkeys(key.target for key in bottom))
        aggregates: list[SeriesKey] = []
        rows: list[NDArray[np.float64]] = [np.eye(len(bottom))]
        for path, members in paths.items():
            for target in targets:
                inside = [
                    k.target == target and k.entity in members and k not in apart for k in bottom
                ]
                count = sum(inside)
                if count == 0 or (not path and (count == 1 or not total)):
                    continue
                aggregates.append(SeriesKey(names[path], target))
                rows.append(np.array([inside], dtype=np.float64))
        return cls(bottom, tuple(aggregates), np.vstack(rows))

    @property
    def nodes(self) -> tuple[SeriesKey, ...]:
        """All series: the bottom ones, then the aggregates."""
        return self.bottom + self.aggregates

    def __len__(self) -> int:
        return len(self.bottom) + len(self.aggregates)

    def blocks(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return, for each target, the numbers of its bottom series and of its nodes."""
        found = []
        for target in dict.fromkeys(key.target for key in self.bottom):
            nodes = np.flatnonzero([key.target == target for key in self.nodes])
            found.append((nodes[nodes < len(self.bottom)], nodes))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the hierarchy as JSON values."""
        return {
            "bottom": [list(key) for key in self.bottom],
            "aggregates": [list(key) for key in self.aggregates],
            "members": [np.flatnonzero(row).tolist() for row in self.summing[len(self.bottom) :]],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Hierarchy:
        """Read what `to_dict` wrote."""
        bottom = tuple(SeriesKey(*key) for key in value["bottom"])
        rows = np.zeros((len(value["members"]), len(bottom)))
        for row, members in zip(rows, value["members"], strict=True):
            row[members] = 1.0
        aggregates = tuple(SeriesKey(*key) for key in value["aggregates"])
        return cls(bottom, aggregates, np.vstack([np.eye(len(bottom)), rows]))


def _paths(
    bottom: Sequence[SeriesKey], groups: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, ...], set[str]]:
    """Return the entities below each path of labels, the total () first, widest first."""
    members: dict[tuple[str, ...], set[str]] = {(): set()}
    for entity in dict.fromkeys(key.entity for key in bottom):
        members[()].add(entity)
        labels = tuple(label for label in groups.get(entity, ()) if label)
        for depth in range(1, len(labels) + 1):
            members.setdefault(labels[:depth], set()).add(entity)
    return dict(sorted(members.items(), key=lambda item: len(item[0])))


def _names(paths: Mapping[tuple[str, ...], set[str]], taken: set[str]) -> dict[Any, str]:
    """Name each path by its last label, else by the whole path, else with a number."""
    taken = set(taken)
    labels = [path[-1] if path else TOTAL for path in paths]
    names = {}
    for path, label in zip(paths, labels, strict=True):
        options = [label, "/".join(path), f"{label} (sum)"]
        if labels.count(label) > 1 and path:
            options = options[1:]
        options += [f"{label} (sum {i})" for i in range(2, len(paths) + 3)]
        names[path] = next(name for name in options if name and name not in taken)
        taken.add(names[path])
    return names


def aggregate(panel: Panel, hierarchy: Hierarchy) -> Panel:
    """Append the aggregates of a hierarchy to a panel.

    An aggregate covers the time its members have in common. It is their sum where every
    member is observed, NaN elsewhere: a sum with a member missing would be a false drop.
    Its covariates are the mean over the members that have a value.

    Returns
    -------
    Panel
        The series in the order of ``hierarchy.nodes``.

    Raises
    ------
    DataError
        If the panel lacks a series of the hierarchy.
    HistoryError
        If the members of an aggregate are never all observed in one period.
    """
    place = {key: i for i, key in enumerate(panel.keys)}
    missing = [key for key in hierarchy.bottom if key not in place]
    if missing:
        raise DataError(f"the panel has no series {missing[0]!r}.", code="series_missing")
    panel = panel.select([place[key] for key in hierarchy.bottom])
    ordinal = panel.frequency.ordinals(panel.time)
    first, last = ordinal[panel.indptr[:-1]], ordinal[panel.indptr[1:] - 1]
    parts = [(panel.time, panel.values, panel.known, panel.past)]
    lengths = panel.lengths.tolist()
    for key, row in zip(
        hierarchy.aggregates, hierarchy.summing[len(hierarchy.bottom) :], strict=True
    ):
        members = np.flatnonzero(row)
        start, stop = int(first[members].max()), int(last[members].min()) + 1
        offset = panel.indptr[members] + start - first[members]
        index = offset[:, None] + np.arange(max(stop - start, 0))
        values = panel.values[index].sum(axis=0)
        if not np.isfinite(values).any():
            raise HistoryError(
                f"the members of {key.entity!r} ({key.target}) are never all observed at once.",
                code="no_common_time",
                remedy="Leave out the hierarchy, or the series that ended or began apart.",
            )
        parts.append(
            (
                panel.time[index[0]],
                values,
                finite_mean(panel.known[index]),
                finite_mean(panel.past[index]),
            )
        )
        lengths.append(len(values))
    return replace(
        panel,
        keys=hierarchy.nodes,
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        time=np.concatenate([part[0] for part in parts]),
        values=np.concatenate([part[1] for part in parts]),
        known=np.concatenate([part[2] for part in parts]),
        past=np.concatenate([part[3] for part in parts]),
    )


def aggregate_future(future: Future, hierarchy: Hierarchy) -> Future:
    """Append the known future of the aggregates, the mean over their members.

    `future` holds the bottom series in the order of ``hierarchy.bottom``; the timestamps
    of an aggregate are those of the member that ends first.
    """
    times, known = [future.time], [future.known]
    for row in hierarchy.summing[len(hierarchy.bottom) :]:
        members = np.flatnonzero(row)
        earliest = members[np.argmin(future.time[members, 0])]
        times.append(future.time[earliest][None])
        known.append(finite_mean(future.known[members])[None])
    return Future(np.concatenate(times), np.concatenate(known), future.known_names)


def finite_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis of the finite values; NaN where there is none."""
    seen = np.isfinite(values)
    count = seen.sum(axis=0)
    total = np.where(seen, values, 0.0).sum(axis=0)
    result: NDArray[np.float64] = np.divide(
        total, count, out=np.full(total.shape, np.nan), where=count > 0
    )
    return result
