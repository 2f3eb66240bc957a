"""``esgml trace``: where a served prediction comes from, and the same computed again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esgml.cli.options import DEFAULT_WORKSPACE, Json, Workspace, examples
from esgml.cli.output import write_json

if TYPE_CHECKING:
    from esgml.monitoring.records import Record
    from esgml.monitoring.trace import Trace

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _print(found: Trace) -> None:
    record, bundle = found.record, found.bundle
    lines = [
        ("prediction", f"{record.id}, {record.at}, {record.seconds * 1000:.1f} ms"),
        ("record", f"number {record.seq}, {'intact' if record.intact else 'CHANGED'}"),
        ("request", _asked(record)),
    ]
    if bundle is None:
        lines += [
            ("operation", f"{record.model}, answered by the code alone"),
            ("code", record.code_version),
        ]
    else:
        data = bundle.data_fingerprint
        span = f", {data.rows} rows, {data.start} to {data.end}" if data else ""
        lines += [
            ("features", ", ".join(sorted(bundle.files))),
            ("model", f"{record.model} version {record.version} ({bundle.model_name})"),
            ("bundle", bundle.digest),
            ("data", f"{data.sha256}{span}" if data else "no fingerprint was recorded"),
            ("code", f"trained {bundle.code_version}, served {record.code_version}"),
        ]
    lines.append(("recomputed", "identical bit for bit" if found.identical else "NOT IDENTICAL"))
    for name, text in lines:
        typer.echo(f"{name:<11} {text}")
    for text in (*found.problems, *found.differences):
        typer.echo(f"{'':<11} {text}")


def _asked(record: Record) -> str:
    """Say in a few words what was asked."""
    asked = record.asked()
    series = asked.get("series")
    if isinstance(series, list) and all(isinstance(s, dict) for s in series):
        rows = sum(len(s.get("values", [])) for s in series)
        return f"{len(series)} series, {rows} values"
    if "inputs" in asked:
        return "rows of numbers"
    return f"{', '.join(sorted(asked))} ({len(record.request):,} bytes)"


EXAMPLES = examples(
    "esgml trace f24db4cb9a335257c3cd9f57c7b42e38",
    "esgml trace ID --bundle emissions-1 --json",
)


@app.command(epilog=EXAMPLES)
def trace(
    prediction: Annotated[str, typer.Argument(metavar="ID", help="The prediction_id.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a bundle; the registry's where omitted.")
    ] = None,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Tell the lineage of a prediction and compute it again; exit 1 if it differs."""
    from esgml.core.settings import Settings
    from esgml.monitoring.records import find
    from esgml.monitoring.trace import is_built_in, log_path
    from esgml.monitoring.trace import trace as run
    from esgml.registry.bundle import Bundle

    settings = Settings(workspace=workspace)
    record = find(log_path(settings), prediction)
    used: Bundle | None
    if bundle is not None:
        used = Bundle.read(bundle)
    elif is_built_in(record):
        used = None
    else:
        from esgml.registry.registry import ModelRegistry

        used = ModelRegistry(settings).get(record.model, record.version)
    found = run(record, used)
    if as_json:
        write_json("esgml.trace/1", found.as_dict())
    else:
        _print(found)
    if not found.sound:
        raise typer.Exit(1)
