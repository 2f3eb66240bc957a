"""Bringing the latest offline rows online, only what is new, never backwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from esgml.features.store.keys import key_texts
from esgml.features.store.offline import OfflineStore
from esgml.features.store.online import NewRow, OnlineStore, Watermark
from esgml.features.store.packing import RowCodec
from esgml.features.store.times import from_micros, micros
from esgml.features.store.views import CREATED, EVENT, FeatureView


@dataclass(frozen=True)
class Materialized:
    """What a materialization of one view did.

    Attributes
    ----------
    view : str
        Name and version.
    rows : int
        Offline rows considered.
    entities : int
        Entities whose online row was added or replaced.
    end : datetime
        Events up to here were considered.
    """

    view: str
    rows: int
    entities: int
    end: datetime


def materialize(
    view: FeatureView,
    offline: OfflineStore,
    online: OnlineStore,
    *,
    start: datetime | None,
    end: datetime,
    now: datetime,
) -> Materialized:
    """Write the newest row of every entity whose rows are new since the last time.

    Without `start` these are the rows of new partitions, late ones included, and the rows
    of old partitions that lay ahead of the last materialization. With `start` all rows of
    the interval are considered again, and the record of the last materialization is left
    alone.
    """
    names = offline.partitions(view)
    known = max(now, end)
    before = online.watermark(view.label) if start is None else None
    condition = (pl.col(EVENT) <= _literal(end)) & (pl.col(CREATED) <= _literal(known))
    if start is not None:
        parts = [offline.read(view, names, condition & (pl.col(EVENT) >= _literal(start)))]
    elif before is None:
        parts = [offline.read(view, names, condition)]
    else:
        ahead = (pl.col(EVENT) > _literal(from_micros(before.end))) | (
            pl.col(CREATED) > _literal(from_micros(before.known))
        )
        old = [name for name in names if name <= before.partition]
        new = [name for name in names if name > before.partition]
        parts = [
            offline.read(view, old, condition & ahead),
            offline.read(view, new, condition),
        ]
    rows = pl.concat(parts)
    latest = rows.sort(EVENT, CREATED).unique(list(view.entities), keep="last", maintain_order=True)
    changed = online.write(
        view.label, _packed(latest, view), _next(before, start, end, known, names)
    )
    return Materialized(view.label, rows.height, changed, end)


def _next(
    before: Watermark | None,
    start: datetime | None,
    end: datetime,
    known: datetime,
    names: tuple[str, ...],
) -> Watermark | None:
    """Return the new watermark, None where the old one must stay.

    It never moves back: an earlier `end` leaves rows of new partitions unconsidered, so
    they must stay new.
    """
    if start is not None:
        return None
    mark = Watermark(micros(end), micros(known), names[-1] if names else "")
    if before is not None and (mark.end < before.end or mark.known < before.known):
        return None
    return mark


def _packed(latest: pl.DataFrame, view: FeatureView) -> list[NewRow]:
    codec = RowCodec(view)
    keys = key_texts(latest, view.entities)
    event = latest[EVENT].to_physical().to_list()
    created = latest[CREATED].to_physical().to_list()
    values = latest.select(view.feature_names).iter_rows()
    return [
        NewRow(key, e, c, codec.pack(row))
        for key, e, c, row in zip(keys, event, created, values, strict=True)
    ]


def _literal(moment: datetime) -> pl.Expr:
    return pl.lit(moment, pl.Datetime("us"))
