"""The ten-feature table of an entity: three scopes, drivers and calendar, window by window.

Columns: scope1, scope2, scope3, energy, production, temperature, day of week, month, holiday,
economic index - whatever of them the data has; the others are zero. Scopes and drivers are
standardised per entity with the mean and deviation of its history.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.nn.series import LIMIT, forward_fill, hold_season, moments, require_observed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

    Array = NDArray[np.float64]
    Index = NDArray[np.int64]

SCOPES = 3
FEATURES = (
    "scope1",
    "scope2",
    "scope3",
    "energy",
    "production",
    "temperature",
    "day_of_week",
    "month",
    "holiday",
    "economic_index",
)
#: Fragments of covariate names that fill a feature, in order of preference.
_FRAGMENTS = {
    "energy": ("energy", "kwh", "mwh", "generation"),
    "production": ("production", "output"),
    "temperature": ("temp",),
    "holiday": ("holiday",),
    "economic_index": ("econom",),
}


def scope_of(target: str) -> int | None:
    """Return the slot (0, 1, 2) of the scope a target's name states, or None."""
    found = re.search(r"scope[ _-]?([123])(?!\d)", target.lower())
    return int(found.group(1)) - 1 if found else None


def drivers(names: Sequence[str]) -> dict[str, int]:
    """Return which covariate (its number) fills which feature; each is used once."""
    found: dict[str, int] = {}
    for feature, fragments in _FRAGMENTS.items():
        for fragment in fragments:
            hits = [
                i
                for i, name in enumerate(names)
                if fragment in name.lower() and i not in found.values()
            ]
            if hits:
                found[feature] = hits[0]
                break
    return found


def grouped(panel: Panel) -> list[dict[int, int]]:
    """Return groups of series that share one ten-feature table, as slot -> series number.

    Series of one entity that end in the same period share a table, each in the slot its name
    states; a target that names no scope, or whose slot is taken, begins a table of its own.
    """
    last = panel.frequency.ordinals(panel.last_time())
    tables: dict[tuple[str, int], list[dict[int, int]]] = {}
    for i, key in enumerate(panel.keys):
        slot = scope_of(key.target)
        mine = tables.setdefault((key.entity, int(last[i])), [])
        home = next((g for g in mine if slot is not None and slot not in g and -1 not in g), None)
        if home is None:
            # the mark -1 keeps scopes out of the table of a target that names none
            home = {} if slot is not None else {-1: -1}
            mine.append(home)
        home[slot or 0] = i
    return [
        {slot: i for slot, i in group.items() if slot >= 0}
        for groups in tables.values()
        for group in groups
    ]


@dataclass(frozen=True)
class ScopeTable:
    """Ten-feature tables of all entities, one after the other.

    Attributes
    ----------
    groups : list of dict
        Slot -> series number, per table.
    indptr : array of int, shape (tables + 1,)
        Where each table's history begins.
    features : array, shape (rows, 10)
        Standardised, filled from the past; no NaN.
    observed : array of bool, shape (rows, 3)
        Where a scope was really observed.
    mean, std : array, shape (tables, 3)
        Of the scopes, in the unit of the target.
    ahead : array, shape (tables, horizon, 10)
        Features of the periods to forecast; scopes are zero.
    ordinal : array of int, shape (rows,)
        Period number, comparable between tables.
    """

    groups: list[dict[int, int]]
    indptr: Index
    features: Array
    observed: NDArray[np.bool_]
    mean: Array
    std: Array
    ahead: Array
    ordinal: Index

    def windows(self, row: Index, length: int) -> Array:
        """Return the windows that end just before `row`, shape (b, length, 10).

        What lies before the beginning of a table is zero. `row` counts from the table's own
        beginning to one past its last row; give the table's number through `table_of`.
        """
        first = self.indptr[self.table_of(row)]
        back = row[:, None] + np.arange(-length, 0)
        inside = back >= first[:, None]
        picked = self.features[np.maximum(back, first[:, None])]
        return np.where(inside[..., None], picked, 0.0)

    def table_of(self, row: Index) -> Index:
        """Return the number of the table that the row before `row` belongs to."""
        return np.asarray(np.searchsorted(self.indptr, row, side="left") - 1)


def scope_table(panel: Panel, future: Future | None = None) -> ScopeTable:
    """Lay a panel out as ten-feature tables, one per entity.

    Parameters
    ----------
    panel : Panel
    future : Future, optional
        Periods to forecast; covariates unknown there hold their last same-season value.

    Raises
    ------
    HistoryError
        If a series has no observed value.
    """
    require_observed(panel)
    names = [*panel.known_names, *panel.past_names]
    source = drivers(names)
    horizon = 0 if future is None else future.horizon
    groups = grouped(panel)
    tables, seen, means, stds, later, numbers = [], [], [], [], [], []
    for group in groups:
        longest = max(group.values(), key=lambda i: int(panel.lengths[i]))
        rows = panel.rows_of(longest)
        length = rows.stop - rows.start
        raw = np.full((length, SCOPES), np.nan)
        for slot, i in group.items():
            own = panel.series(i)
            raw[length - len(own) :, slot] = own
        mean, std = (m[0] for m in moments(raw, np.array([0, length])))
        covariates = np.column_stack([panel.known[rows], panel.past[rows]])
        covariates = np.where(np.isfinite(covariates), covariates, np.nan)
        time = panel.time[rows]
        coming = np.full((horizon, len(names)), np.nan)
        if future is not None:
            coming[:, : len(panel.known_names)] = future.known[longest]
            time = np.concatenate([time, future.time[longest]])
        full = np.zeros((length + horizon, len(FEATURES)))
        scaled = np.clip((raw - mean) / std, -LIMIT, LIMIT)
        full[:length, :SCOPES] = forward_fill(scaled, np.array([0, length]))[0]
        for feature, i in source.items():
            past = covariates[:, i : i + 1]
            filled = forward_fill(past, np.array([0, length]))[0]
            held = hold_season(filled, coming[:, i : i + 1], panel.frequency.season)
            column = np.concatenate([filled, held])[:, 0]
            if feature != "holiday":
                centre, spread = (float(m[0, 0]) for m in moments(past, np.array([0, length])))
                column = np.clip((column - centre) / spread, -LIMIT, LIMIT)
            full[:, FEATURES.index(feature)] = column
        day = time.astype("datetime64[D]").astype(np.int64)
        month = time.astype("datetime64[M]").astype(np.int64)
        full[:, FEATURES.index("day_of_week")] = ((day + 3) % 7) / 3.0 - 1.0
        full[:, FEATURES.index("month")] = (month % 12) / 5.5 - 1.0
        full = np.where(np.isfinite(full), full, 0.0)
        tables.append(full[:length])
        later.append(full[length:])
        seen.append(np.isfinite(raw))
        means.append(mean)
        stds.append(std)
        numbers.append(panel.frequency.ordinals(time[:length]))
    return ScopeTable(
        groups,
        np.cumsum([0, *(len(t) for t in tables)], dtype=np.int64),
        np.concatenate(tables),
        np.concatenate(seen),
        np.array(means),
        np.array(stds),
        np.array(later).reshape(len(groups), horizon, len(FEATURES)),
        np.concatenate(numbers),
    )
