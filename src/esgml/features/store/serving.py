"""Online reads: from entity keys to values with age and status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from esgml.core.errors import DataError
from esgml.features.store.keys import key_of
from esgml.features.store.online import OnlineStore, StoredRow
from esgml.features.store.packing import RowCodec
from esgml.features.store.results import OnlineFeatures, OnlineValue, Status
from esgml.features.store.times import EPOCH
from esgml.features.store.views import FeatureView

_MISSING = OnlineValue(None, Status.MISSING, None, None)
_PRESENT, _NULL, _STALE = Status.PRESENT, Status.NULL, Status.STALE


@dataclass(frozen=True)
class OnlinePlan:
    """What one kind of online read asks of one view, worked out once."""

    view: FeatureView
    label: str
    codec: RowCodec
    columns: tuple[tuple[str, int], ...]  # name in the answer, position in the stored row

    def values(self, row: StoredRow | None, now: datetime, answer: dict[str, OnlineValue]) -> None:
        """Add the values of one entity to its `answer`."""
        if row is None:
            for name, _ in self.columns:
                answer[name] = _MISSING
            return
        event = EPOCH + timedelta(microseconds=row.event)
        age = now - event
        ttl = self.view.ttl
        if ttl is not None and age > ttl:
            stale = OnlineValue(None, _STALE, event, age)
            for name, _ in self.columns:
                answer[name] = stale
            return
        values = self.codec.unpack(row.payload)
        for name, position in self.columns:
            value = values[position]
            answer[name] = OnlineValue(value, _NULL if value is None else _PRESENT, event, age)


def read_online(
    online: OnlineStore,
    plans: Sequence[OnlinePlan],
    entity_rows: Sequence[Mapping[str, Any]],
    now: datetime,
) -> OnlineFeatures:
    """Return the values of every entity row.

    Raises
    ------
    DataError
        If an entity row lacks a key, or a key is no valid text or whole number.
    """
    answers: list[dict[str, OnlineValue]] = [{} for _ in entity_rows]
    try:
        for plan in plans:
            entities = plan.view.entities
            if len(entity_rows) == 1:
                key = key_of(entity_rows[0], entities, "entity row 0")
                plan.values(online.read(plan.label, key), now, answers[0])
                continue
            keys = [key_of(row, entities, f"entity row {i}") for i, row in enumerate(entity_rows)]
            found = online.read_many(plan.label, keys)
            for row, answer in zip(found, answers, strict=True):
                plan.values(row, now, answer)
    except UnicodeEncodeError as error:
        raise DataError(
            "an entity key is not valid text.", code="bad_key", remedy="Send keys as UTF-8."
        ) from error
    return OnlineFeatures([dict(row) for row in entity_rows], answers)
