"""A SHA-256 of what a table says, whatever the file format and library version."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl


def content_digest(frame: pl.DataFrame) -> str:
    """Return 64 hexadecimal digits that change with any name, type, value or row order."""
    state = hashlib.sha256()
    for column in frame:
        state.update(f"{column.name}\x1f{column.dtype}\x1f{len(column)}\x1e".encode())
        state.update(np.packbits(column.is_null().to_numpy()).tobytes())
        if column.dtype == pl.String:
            text = column.fill_null("")
            state.update(text.str.len_bytes().cast(pl.Int64).to_numpy().tobytes())
            state.update("".join(text.to_list()).encode())
        elif column.dtype == pl.Boolean:
            state.update(np.packbits(column.fill_null(False).to_numpy()).tobytes())
        else:
            numbers = column.to_physical()
            state.update(np.ascontiguousarray(numbers.fill_null(0).to_numpy()).tobytes())
    return state.hexdigest()
