"""What commands print: one JSON document, or a table for people."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from esgml.core.errors import StorageError

#: Widest column that may hold figures, and least width of the names before them, in characters.
MOST_FIGURES, LEAST_NAME = 20, 10
#: Widest line of a table where no terminal limits it: programs get every value whole.
MOST_PLAIN = 1000


def plain(value: Any) -> Any:
    """Return `value` as strict JSON values: arrays as lists, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(schema: str, document: dict[str, Any]) -> None:
    """Write one JSON document with its schema name to standard output."""
    json.dump({"schema": schema, **plain(document)}, sys.stdout, allow_nan=False, default=str)
    sys.stdout.write("\n")


def note(text: str) -> None:
    """Write a line for the person watching to standard error."""
    sys.stderr.write(text + "\n")


@contextlib.contextmanager
def for_pages() -> Iterator[None]:
    """Store what a page shows; where the disk refuses, say so: the answer itself is not lost."""
    try:
        yield
    except StorageError as error:
        note(f"warning: not kept for the dashboard: {error}")


def number(value: float) -> str:
    """Return a number for people; a dash where there is none."""
    return f"{value:.3f}" if math.isfinite(value) else "-"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table to standard output; plain where that is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    terminal = sys.stdout.isatty()
    shown = [[number(v) if isinstance(v, float) else str(v) for v in row] for row in rows]
    longest = [max(map(len, cells)) for cells in zip(columns, *shown, strict=True)]
    size = shutil.get_terminal_size() if terminal else os.terminal_size((MOST_PLAIN, 25))
    wide, names = size.columns, None
    if max(longest[1:], default=0) <= MOST_FIGURES:
        # on a narrow terminal the names are cut, never a number: its lines go on in the next
        rest = sum(longest[1:]) + 3 * len(longest) + 1
        names = max(LEAST_NAME, wide - rest)
        wide = max(wide, rest + min(names, longest[0]))
    view = Table(title=title, title_justify="left", box=box.SIMPLE if terminal else box.ASCII2)
    for i, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if i else "left"
        view.add_column(column, justify=justify, no_wrap=True, max_width=None if i else names)
    for row in shown:
        view.add_row(*row)
    Console(file=sys.stdout, width=wide, height=size.lines).print(view)
