"""Sorted views kept in memory between joins, up to a limit."""

from __future__ import annotations

import threading
from collections import OrderedDict

from esgml.features.store.asof import SortedRows
from esgml.features.store.offline import OfflineStore
from esgml.features.store.views import FeatureView

_Key = tuple[str, tuple[str, ...]]


class SortedCache:
    """Least-recently-used sorted rows of view versions.

    An entry is good as long as the view has the same partitions, which are never changed;
    so what another process appends is seen by the next join.

    Parameters
    ----------
    limit : int
        Most bytes to keep; 0 keeps nothing.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[_Key, SortedRows, int]] = OrderedDict()

    def rows(self, view: FeatureView, offline: OfflineStore) -> SortedRows:
        """Return the sorted rows of a view, read again only if there is something new."""
        partitions = offline.partitions(view)
        key = (view.label, partitions)
        with self._lock:
            entry = self._entries.get(view.label)
            if entry is not None and entry[0] == key:
                self._entries.move_to_end(view.label)
                return entry[1]
        rows = SortedRows.of(offline.read(view, partitions), view.entities)
        size = rows.nbytes()
        with self._lock:
            self._entries.pop(view.label, None)
            if size <= self._limit:
                self._entries[view.label] = (key, rows, size)
                while sum(e[2] for e in self._entries.values()) > self._limit:
                    self._entries.popitem(last=False)
        return rows
