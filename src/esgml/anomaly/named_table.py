"""Tables with named columns as arrays: Polars and pandas frames, columns found by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from esgml.core.errors import ColumnError


def names_of(X: Any) -> tuple[str, ...]:
    """Return the names of a frame's columns; empty for anything else."""
    columns = getattr(X, "columns", None)
    return () if columns is None else tuple(str(name) for name in columns)


def values_of(X: Any, names: Sequence[str] | None = None) -> Any:
    """Return the values of a frame, in the order of `names`; anything else as it is.

    Raises
    ------
    ColumnError
        If a named column is missing, a column is there that was not in training, one is named
        twice, or one holds no numbers.
    """
    found = names_of(X)
    if not found:
        return X
    if len(set(found)) != len(found):
        raise ColumnError("a column name appears twice.", code="column_twice")
    wanted = list(found if names is None else names)
    missing = [name for name in wanted if name not in found]
    added = [name for name in found if name not in wanted]
    if missing or added:
        raise ColumnError(
            f"the columns are not those of training: missing {missing}, not known {added}.",
            code="columns_differ",
            remedy="Give a frame with the columns of training; their order does not matter.",
        )
    by_name = dict(zip(found, X.columns, strict=True))
    columns = []
    for name in wanted:
        column = X[by_name[name]]
        try:
            if hasattr(column, "to_physical"):  # Polars: null becomes NaN
                values = column.cast(float, strict=True).to_numpy()
            else:
                values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        except Exception as error:  # each library has its own exception for this
            raise ColumnError(
                "the column holds something else than numbers.",
                code="not_numeric",
                where=name,
                remedy="Leave the column out, or encode it as numbers.",
            ) from error
        columns.append(np.asarray(values, dtype=np.float64))
    return np.column_stack(columns) if columns else np.empty((len(X), 0))
