"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esgml.core.errors import UsageError
from esgml.core.frames import SeriesSpec

if TYPE_CHECKING:
    import numpy as np

Data = Annotated[str, typer.Argument(help="CSV or Parquet file, or a database URL.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Workspace = Annotated[
    Path,
    typer.Option("--workspace", envvar="ESGML_WORKSPACE", help="Folder that holds everything."),
]
Entity = Annotated[str, typer.Option(help="Column that names the series.")]
Time = Annotated[str, typer.Option(help="Column with the start of the period.")]
Target = Annotated[str, typer.Option(help="Columns to forecast, comma-separated.")]
Known = Annotated[str, typer.Option(help="Covariates known ahead, comma-separated.")]
Hierarchy = Annotated[str, typer.Option(help="Columns above the entity, top first.")]
Levels = Annotated[str, typer.Option(help="Interval levels in percent, comma-separated.")]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]

DEFAULT_WORKSPACE = Path(".esgml")


def examples(*commands: str) -> str:
    """Return the end of a help page: commands as they are typed."""
    return "Examples:\n\n" + "\n\n".join(commands)


def split(text: str) -> tuple[str, ...]:
    """Split a comma-separated option."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def levels(text: str) -> tuple[int, ...]:
    """Read interval levels in percent.

    Raises
    ------
    UsageError
        If a level is no whole number between 1 and 99.
    """
    found = []
    for part in split(text):
        if not part.isdigit() or not 0 < int(part) < 100:
            raise UsageError(
                f"level {part!r} is no percentage.", remedy="Give levels such as 80,90."
            )
        found.append(int(part))
    if not found:
        raise UsageError("no interval level is given.", remedy="Give levels such as 80,90.")
    return tuple(sorted(set(found)))


def moment(text: str, where: str) -> np.datetime64:
    """Read a moment in ISO 8601; without a zone it is UTC.

    Raises
    ------
    UsageError
        If it is none.
    """
    import numpy as np

    from esgml.core.documents import utc

    try:
        return np.datetime64(utc(text), "us")
    except ValueError as error:
        raise UsageError(
            f"{text[:40]!r} is no moment.", where=where, remedy="Give it such as 2016-07-01."
        ) from error


def series_spec(entity: str, time: str, target: str, known: str, hierarchy: str = "") -> SeriesSpec:
    """Build the column roles from the shared options."""
    return SeriesSpec(entity, time, split(target), split(known), split(hierarchy))
