"""``esgml check``: is this file fit to use, and if not, which rows say so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esgml.cli import options
from esgml.cli.output import note, table, write_json

if TYPE_CHECKING:
    from esgml.core.frames import CheckReport
    from esgml.data.tables import Standardized

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_DATA_INVALID = 3


@app.command()
def check(
    data: options.Data,
    entity: options.Entity = "entity",
    time: options.Time = "timestamp",
    target: options.Target = "",
    known: options.Known = "",
    hierarchy: options.Hierarchy = "",
    output_quarantine: Annotated[
        Path | None,
        typer.Option(help="Write the rows cleaning would take out here (.csv or .parquet)."),
    ] = None,
    json: options.Json = False,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
) -> None:
    """Find every fault in a table, with its code, its rows and what to do about it.

    Exit code 3 where there are errors; warnings and notes leave it at 0.
    """
    from esgml.core.errors import DataError, NotFoundError
    from esgml.data.checks import check_standardized, refused
    from esgml.data.sources import describe, read
    from esgml.data.tables import standardize

    spec = options.series_spec(entity, time, target, known, hierarchy)
    source = describe(data)
    standardized: Standardized | None = None
    rows = 0
    try:
        frame = read(data)
        rows = frame.height
        standardized = standardize(frame, spec)
        report = check_standardized(standardized)
    except NotFoundError:
        raise
    except DataError as error:
        report = refused(error, rows)
    if output_quarantine is not None and standardized is not None:
        _write_quarantine(standardized, output_quarantine)
    if json:
        write_json("esgml.check/1", {"source": source, **report.as_dict()})
    else:
        _show(source, report)
    if report.errors:
        raise typer.Exit(_DATA_INVALID)


def _show(source: str, report: CheckReport) -> None:
    """Print the faults for people."""
    table(
        f"{source}: {report.rows:,} rows, quality {report.quality:.1f} of 5",
        ("severity", "code", "column", "count", "first rows"),
        (
            (f.severity, f.code, f.column, f.count, ", ".join(map(str, f.rows[:5])))
            for f in report.faults
        ),
    )
    for fault in report.faults:
        typer.echo(f"{fault.severity}: {fault.code}: {fault.message}\n  fix: {fault.remedy}")
    if not report.faults:
        typer.echo("no faults found.")


def _write_quarantine(table_: Standardized, path: Path) -> None:
    """Write the rows that cleaning would take out."""
    import io

    from esgml.core.errors import UsageError
    from esgml.core.storage import write_atomic
    from esgml.data.cleaning import clean_standardized

    aside = clean_standardized(table_).quarantine
    buffer = io.BytesIO()
    if path.suffix == ".parquet":
        aside.write_parquet(buffer)
    elif path.suffix == ".csv":
        aside.write_csv(buffer)
    else:
        raise UsageError(
            f"cannot write {path.suffix or 'a file without an ending'!r}.",
            where=str(path),
            remedy="Use .csv or .parquet.",
        )
    write_atomic(path, buffer.getvalue())
    note(f"{aside.height} rows in {path}")
