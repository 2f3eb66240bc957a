"""Answers already computed, by bundle digest and request hash; bounded in number."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from esgml.core.canonical import canonical_json


class ResultCache:
    """Keep the most recently used answers.

    An answer depends on the bundle and the request alone, so an entry never grows stale: a
    promoted version has another digest and so other keys. Used from one event loop.

    Parameters
    ----------
    size : int
        Most answers kept; 0 keeps none.
    max_bytes : int
        Answers to requests with more bytes than this are not kept, which bounds memory.
    """

    def __init__(self, size: int = 1024, max_bytes: int = 64_000) -> None:
        self.size = size
        self.max_bytes = max_bytes
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[bytes, dict[str, Any]] = OrderedDict()

    def key(self, digest: str, request: Mapping[str, Any]) -> bytes | None:
        """Return the key of a request to a bundle; None where it is not worth keeping."""
        if not self.size:
            return None
        body = canonical_json(request)
        if len(body) > self.max_bytes:
            return None
        return hashlib.sha256(digest.encode() + b"\0" + body).digest()

    def get(self, key: bytes | None) -> dict[str, Any] | None:
        """Return the stored answer, or None."""
        found = self._entries.get(key) if key is not None else None
        if found is None or key is None:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return found

    def put(self, key: bytes | None, answer: dict[str, Any]) -> None:
        """Keep an answer, dropping the one unused for longest where there are too many."""
        if key is None:
            return
        self._entries[key] = answer
        self._entries.move_to_end(key)
        while len(self._entries) > self.size:
            self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)
