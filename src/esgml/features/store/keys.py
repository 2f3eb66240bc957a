"""Entity keys as one text: the key itself, or a JSON list where there are several."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from esgml.core.errors import DataError


def key_of(row: Mapping[str, Any], entities: Sequence[str], where: str) -> str:
    """Return the key text of one entity row.

    Raises
    ------
    DataError
        If a key is missing, or is neither text nor a whole number.
    """
    if len(entities) == 1:
        return _part(row, entities[0], where)
    return json.dumps([_part(row, name, where) for name in entities])


def key_texts(frame: pl.DataFrame, entities: Sequence[str]) -> list[str]:
    """Return the key text of every row of a table whose keys are text."""
    if len(entities) == 1:
        return frame[entities[0]].to_list()
    return [json.dumps(row) for row in frame.select(entities).iter_rows()]


def _part(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    raise DataError(
        f"entity key {name!r} is missing."
        if value is None
        else f"entity key {name!r} is {type(value).__name__}, expected text or a whole number.",
        code="missing_key" if value is None else "bad_key",
        where=where,
        remedy="Give every entity row all its keys.",
    )
