"""One spelling of a JSON value, so that equal values have equal bytes and equal hashes."""

from __future__ import annotations

import json
from typing import Any

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
)


def canonical_json(value: Any) -> bytes:
    """Return `value` as JSON bytes: keys sorted, no spaces, ASCII, shortest exact floats.

    Two values are equal bit for bit if and only if these bytes are equal.

    Raises
    ------
    ValueError
        If the value holds NaN or infinity, which JSON has no spelling for.
    """
    return _ENCODER.encode(value).encode("ascii")
