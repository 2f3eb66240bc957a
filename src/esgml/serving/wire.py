"""Reading JSON strictly: finite numbers, bounded depth, valid text; nothing else gets in."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from esgml.core.errors import UsageError

#: Deepest nesting of lists and objects that is read.
MAX_DEPTH = 32
#: Most lists and objects that are read.
MAX_BRACKETS = 100_000
#: Longest number, in characters; longer ones cannot be told apart as floats anyway.
_MAX_DIGITS = 64
#: What a number that overflows must hold; without it, numbers need no second look.
_SUSPECT = re.compile(rb"[eE]\+?\d{3}|\d{64}")
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def _bad(message: str, code: str) -> UsageError:
    return UsageError(message, code=code, remedy="Send one JSON object in UTF-8.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _bad(f"the number {text[:20]} is beyond what a float can hold.", "not_finite")
    return value


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise _bad("a number has too many digits.", "not_finite")
    return int(text)


def _constant(text: str) -> float:
    raise _bad(f"{text} is not a JSON number; use null for a missing value.", "not_finite")


_FAST = json.JSONDecoder(parse_constant=_constant)
_CAREFUL = json.JSONDecoder(parse_float=_finite, parse_int=_integer, parse_constant=_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _check_depth(body: bytes, limit: int) -> None:
    brackets = body.count(b"[") + body.count(b"{")
    if brackets <= limit:
        return
    if brackets > MAX_BRACKETS:
        raise _bad(f"more than {MAX_BRACKETS} lists and objects.", "too_complex")
    depth = 0
    for match in _TOKENS.finditer(body):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > limit:
                raise _bad(f"nested deeper than {limit} levels.", "too_deep")
        elif token in (b"]", b"}"):
            depth -= 1


def loads(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the JSON value in `body`.

    Raises
    ------
    UsageError
        If the body is empty, no UTF-8, no JSON, nested deeper than `max_depth`, or holds
        NaN, infinity or a number that a float cannot hold (``1e999``).
    """
    if not body:
        raise _bad("the request body is empty.", "empty_body")
    _check_depth(body, max_depth)
    try:
        return (_CAREFUL if _SUSPECT.search(body) else _FAST).decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _bad("the body is not valid UTF-8.", "bad_encoding") from error
    except (json.JSONDecodeError, RecursionError) as error:
        where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise _bad(f"the body is not valid JSON{where}.", "bad_json") from error


def dumps(value: Any) -> bytes:
    """Return `value` as compact JSON; refuses NaN and infinity."""
    return _ENCODER.encode(value).encode("ascii")
