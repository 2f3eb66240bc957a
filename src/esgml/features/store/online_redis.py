"""The shared online store: Redis by URL, one packed value per entity."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from esgml.core.errors import IntegrityError, MissingExtraError, StorageError, UsageError
from esgml.features.store.online import NewRow, OnlineStore, StoredRow, Watermark

_TIMES = struct.Struct(">QQ")
_BIAS = 1 << 63  # makes signed times compare as unsigned ones
_BATCH = 500

# One atomic call per batch. Lua numbers are doubles, so times are compared in 32-bit halves.
_UPSERT = """
local changed = 0
for i, key in ipairs(KEYS) do
  local new = ARGV[i]
  local old = redis.call('GET', key)
  local take = 1
  if old then
    take = 0
    local a = {struct.unpack('>I4I4I4I4', new)}
    local b = {struct.unpack('>I4I4I4I4', old)}
    local order = 0
    for j = 1, 4 do
      if order == 0 then
        if a[j] > b[j] then order = 1 elseif a[j] < b[j] then order = -1 end
      end
    end
    if order > 0 or (order == 0 and new ~= old) then take = 1 end
  end
  if take == 1 then
    redis.call('SET', key, new)
    changed = changed + 1
  end
end
return changed
"""


class RedisOnlineStore(OnlineStore):
    """Online rows in Redis, shared by any number of servers.

    Keys never expire: an old row must be reported as stale, not as missing.

    Parameters
    ----------
    url : str
        ``redis://``, ``rediss://`` or ``unix://`` URL; a password in it is never shown.
    namespace : str
        Start of every key, so that several workspaces can share a server.
    timeout : float
        Seconds after which a call gives up.

    Raises
    ------
    MissingExtraError
        If the library ``redis`` is not installed.
    UsageError
        If the URL is not a Redis URL.
    StorageError
        From every method, if the server cannot be reached.
    """

    def __init__(self, url: str, *, namespace: str = "esgml", timeout: float = 2.0) -> None:
        try:
            import redis
        except ImportError as error:
            raise MissingExtraError.of("redis", "serve") from error
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise UsageError(
                f"{parts.scheme or 'this'} is not a scheme of a Redis URL.",
                code="bad_url",
                remedy="Write redis://host:port/0.",
            )
        self._where = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        self._space = namespace
        self._errors = redis.RedisError
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout
        )
        self._upsert: Any = self._redis.register_script(_UPSERT)

    def read(self, view: str, key: str) -> StoredRow | None:
        """Return the latest row of an entity, None where there is none."""
        with self._explained():
            data = self._redis.get(self._key(view, key))
        return self._row(data)

    def read_many(self, view: str, keys: Sequence[str]) -> list[StoredRow | None]:
        """Return the latest row of each entity, in order, in one round trip."""
        if not keys:
            return []
        with self._explained():
            found = self._redis.mget([self._key(view, key) for key in keys])
        return [self._row(data) for data in found]

    def write(self, view: str, rows: Iterable[NewRow], watermark: Watermark | None) -> int:
        """Write rows in atomic batches, then the watermark."""
        changed = 0
        remaining = iter(rows)
        with self._explained():
            while batch := list(islice(remaining, _BATCH)):
                keys = [self._key(view, row.key) for row in batch]
                data = [
                    _TIMES.pack(row.event + _BIAS, row.created + _BIAS) + row.payload
                    for row in batch
                ]
                changed += int(self._upsert(keys=keys, args=data))
            if watermark is not None:
                self._redis.set(self._mark(view), watermark.to_json())
        return changed

    def watermark(self, view: str) -> Watermark | None:
        """Return how far a view was materialized, None = never."""
        with self._explained():
            text = self._redis.get(self._mark(view))
        return None if text is None else Watermark.from_json(text.decode())

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _key(self, view: str, key: str) -> str:
        return f"{self._space}:online:{view}:{key}"

    def _mark(self, view: str) -> str:
        return f"{self._space}:materialized:{view}"

    def _row(self, data: bytes | None) -> StoredRow | None:
        if data is None:
            return None
        if len(data) < _TIMES.size:
            raise IntegrityError("an online row is cut off.", where=self._where)
        event, created = _TIMES.unpack_from(data)
        return StoredRow(event - _BIAS, created - _BIAS, data[_TIMES.size :])

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise StorageError(
                f"Redis failed: {type(error).__name__}.",
                code="redis",
                where=self._where,
                remedy="Check that the server of ESGML_REDIS_URL runs and can be reached.",
            ) from error
