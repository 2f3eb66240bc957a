"""What the store answers with: what an ingest did, and online values with their age."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import polars as pl


class Status(enum.StrEnum):
    """Whether an online value may be used, and if not, why.

    ``present``: known and young enough; ``null``: the newest row says there is no value;
    ``stale``: the newest row is older than the time to live; ``missing``: the entity was
    never materialized.
    """

    PRESENT = "present"
    NULL = "null"
    STALE = "stale"
    MISSING = "missing"


class OnlineValue(NamedTuple):
    """One feature value of one entity, as served.

    Attributes
    ----------
    value : object
        None unless the status is ``present``.
    status : Status
    event_timestamp : datetime or None
        When the value was true, naive UTC; None where missing.
    age : timedelta or None
        Time since the event.
    """

    value: Any
    status: Status
    event_timestamp: datetime | None
    age: timedelta | None

    @property
    def stale(self) -> bool:
        """Whether the newest known value is older than its time to live."""
        return self.status is Status.STALE


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """Online values of the asked entities, in the order asked.

    Attributes
    ----------
    entities : list of dict
        The entity keys of each row, as given.
    rows : list of dict of feature name to OnlineValue
    """

    entities: list[dict[str, Any]]
    rows: list[dict[str, OnlineValue]]

    def to_dict(self) -> dict[str, list[Any]]:
        """Return columns: keys, values, and ``<feature>__status`` / ``__age_seconds``."""
        columns: dict[str, list[Any]] = {}
        for key in self.entities[0] if self.entities else ():
            columns[key] = [entity[key] for entity in self.entities]
        for name in self.rows[0] if self.rows else ():
            values = [row[name] for row in self.rows]
            columns[name] = [v.value for v in values]
            columns[f"{name}__status"] = [str(v.status) for v in values]
            columns[f"{name}__event_timestamp"] = [v.event_timestamp for v in values]
            columns[f"{name}__age_seconds"] = [
                None if v.age is None else v.age.total_seconds() for v in values
            ]
        return columns

    def to_frame(self) -> pl.DataFrame:
        """Return the columns of `to_dict` as a table."""
        import polars as pl

        return pl.DataFrame(self.to_dict(), infer_schema_length=None)


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did with the rows it was given.

    Attributes
    ----------
    view : str
        Name and version.
    rows : int
        Rows given.
    stored : int
        Rows newly stored.
    duplicates : int
        Rows that were given twice or already stored with the same content.
    corrections : int
        Stored rows that restate an event already stored.
    nan_as_null : int
        Values that were NaN and are stored as missing.
    infinite_as_null : int
        Infinite values stored as missing, because that was asked for.
    ignored : tuple of str
        Columns of the table that are no part of the view.
    partition : str
        Name of the written partition, empty where nothing was new.
    """

    view: str
    rows: int
    stored: int = 0
    duplicates: int = 0
    corrections: int = 0
    nan_as_null: int = 0
    infinite_as_null: int = 0
    ignored: tuple[str, ...] = ()
    partition: str = ""
