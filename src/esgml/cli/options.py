"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from esgml.core.frames import SeriesSpec

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


def split(text: str) -> tuple[str, ...]:
    """Split a comma-separated option."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def series_spec(entity: str, time: str, target: str, known: str, hierarchy: str = "") -> SeriesSpec:
    """Build the column roles from the shared options."""
    return SeriesSpec(entity, time, split(target), split(known), split(hierarchy))
