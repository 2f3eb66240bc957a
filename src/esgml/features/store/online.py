"""What every online store can do: keep the latest row of each entity, and read it back."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self

from esgml.core.errors import IntegrityError


class StoredRow(NamedTuple):
    """The latest row of one entity: microseconds since 1970, and packed values."""

    event: int
    created: int
    payload: bytes


class NewRow(NamedTuple):
    """A row to be written for one entity key."""

    key: str
    event: int
    created: int
    payload: bytes


@dataclass(frozen=True)
class Watermark:
    """How far a view was materialized.

    Attributes
    ----------
    end : int
        Events up to here were considered, microseconds since 1970.
    known : int
        Rows that became known up to here were considered.
    partition : str
        The last offline partition that was considered.
    """

    end: int
    known: int
    partition: str

    def to_json(self) -> str:
        """Return the watermark as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Watermark:
        """Read back what `to_json` wrote."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise IntegrityError("the record of the last materialization is damaged.") from error


class OnlineStore(ABC):
    """Base of the online stores.

    A row replaces the one before only if its event is later, or is the same event and
    became known no earlier; so rows may come in any order and any number of times.
    ``view`` is always the label of a registered view (``name@version``).
    """

    @abstractmethod
    def read(self, view: str, key: str) -> StoredRow | None:
        """Return the latest row of an entity, None where there is none.

        Raises
        ------
        StorageError
            If the store cannot be read.
        """

    def read_many(self, view: str, keys: Sequence[str]) -> list[StoredRow | None]:
        """Return the latest row of each entity, in order."""
        return [self.read(view, key) for key in keys]

    @abstractmethod
    def write(self, view: str, rows: Iterable[NewRow], watermark: Watermark | None) -> int:
        """Write rows and then the watermark; a kill in the middle never moves the watermark.

        Returns
        -------
        int
            Number of entities whose row was added or replaced.

        Raises
        ------
        StorageError
            If the store cannot be written.
        """

    @abstractmethod
    def watermark(self, view: str) -> Watermark | None:
        """Return how far a view was materialized, None = never."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
