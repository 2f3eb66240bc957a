"""What the benchmarks kept, and how pages write it.

``benchmarks/results/NAME.json`` is what ``bench_NAME.py`` printed on standard output. A number
in it is named by its path: ``dispatch/cost/attainable`` is ``["cost"]["attainable"]`` of
``dispatch.json``. Numbers are written by Python's format specifications.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


@cache
def document(name: str) -> Any:
    """Return what a benchmark kept."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise LookupError(f"{path} is not there: run the benchmark and keep what it prints")
    return json.loads(path.read_text(encoding="utf-8"))


def kept(path: str) -> Any:
    """Return the value at a path, such as ``dispatch/cost/rows``."""
    name, *keys = path.split("/")
    value = document(name)
    for key in keys:
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (LookupError, TypeError, ValueError):
            there = list(value) if isinstance(value, Mapping) else type(value).__name__
            raise LookupError(f"{path}: no {key!r} among {there}") from None
    return value


def written(value: Any, form: str = "") -> str:
    """Return a number as pages write it: what is missing is ``-``, and ``%`` stands apart."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return format(value, form).replace("%", " %")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: bool = True) -> str:
    """Return a table; all columns but the first stand to the right, unless they are words."""
    lines = [head, ["---", *["---:" if right else "---"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rows_of(
    found: Mapping[str, Any],
    columns: Mapping[str, tuple[str, str]],
    corner: str = "",
    named: Mapping[str, str] | None = None,
) -> str:
    """Return a table with a row for each entry that has any of the values.

    Parameters
    ----------
    found : mapping
        Entries by name, each a mapping.
    columns : mapping
        Head of a column: path of its value in an entry, and how it is written.
    corner : str
        Head of the first column.
    named : mapping, optional
        Names of entries on the page, where other than in the results.
    """
    rows = []
    for name, entry in found.items():
        values = [_within(entry, path) for path, _ in columns.values()]
        if any(value is not None for value in values):
            cells = [
                written(v, form) for v, (_, form) in zip(values, columns.values(), strict=True)
            ]
            rows.append([(named or {}).get(name, name), *cells])
    return markdown([corner, *columns], rows)


def _within(entry: Any, path: str) -> Any:
    for key in path.split("/"):
        entry = entry.get(key) if isinstance(entry, Mapping) else None
    return entry
