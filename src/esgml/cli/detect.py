"""``esgml detect``: judged readings, alarms explained, within a budget per meter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from esgml.cli import options
from esgml.cli.output import for_pages, note, plain, table, write_json
from esgml.core.figures import figure

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_SHOWN = 30
_COMPILING = "compiling for this machine, some ten seconds; kept for the next run where it can be"


@app.command()
def detect(
    data: options.Data,
    alarm_rate: Annotated[
        float, typer.Option(help="Share of ordinary readings that may be alarms, per meter.")
    ] = 0.01,
    fit_until: Annotated[
        str, typer.Option(help="Learn from readings before this moment, judge the others.")
    ] = "",
    output: Annotated[Path | None, typer.Option(help="Write rows to this CSV or Parquet.")] = None,
    events: Annotated[
        str, typer.Option(help="Table of dated events: start, end, perhaps name and entity.")
    ] = "",
    price: Annotated[float | None, typer.Option(help="Money per unit of the target.")] = None,
    carbon: Annotated[float | None, typer.Option(help="kgCO2e per unit of the target.")] = None,
    weather: Annotated[
        str, typer.Option(help="Column of the temperature outside, in Celsius; found if usual.")
    ] = "",
    entity: options.Entity = "entity",
    time: options.Time = "timestamp",
    target: Annotated[str, typer.Option(help="Columns to watch, comma-separated.")] = "",
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Find wrong and wasteful readings of every meter of DATA, each alarm explained."""
    from esgml.anomaly import report
    from esgml.anomaly.alarm import AlarmSettings
    from esgml.anomaly.dated import read_events
    from esgml.anomaly.detect import detect as run
    from esgml.anomaly.detect import series_of
    from esgml.anomaly.explain import Stakes
    from esgml.anomaly.verdicts import read_verdicts
    from esgml.core.compiled import told_when_compiling
    from esgml.core.errors import UsageError
    from esgml.core.settings import Settings
    from esgml.core.storage import write_atomic
    from esgml.dashboard.anomalies.report import STORED
    from esgml.dashboard.anomalies.verdicts import verdicts_path
    from esgml.data.load import load
    from esgml.data.panels import infer_frequency
    from esgml.data.sources import read

    if output is not None and output.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError("--output must end in .csv or .parquet.", where=str(output))
    place, settings = Settings(workspace=workspace), AlarmSettings(rate=alarm_rate)
    until = options.moment(fit_until, "fit_until") if fit_until else None
    loaded = load(data, options.series_spec(entity, time, target, ""))
    for fault in loaded.report.faults:
        note(f"{fault.severity}: {fault.code}: {fault.message}")
    unknown = float("nan")
    stakes = Stakes(unknown if price is None else price, unknown if carbon is None else carbon)
    with told_when_compiling(lambda: note(_COMPILING)):
        found = run(
            series_of(loaded.frame, loaded.spec, weather),
            infer_frequency(loaded.frame, loaded.spec),
            until=until,
            settings=settings,
            dated=read_events(read(events), events) if events else (),
            verdicts=read_verdicts(verdicts_path(place)),
            units={name: loaded.spec.unit_of(name) for name in loaded.spec.targets},
        )
    rows, alarms = report.report_of(found, stakes)
    page = json.dumps(plain(report.page_report(found, alarms)), allow_nan=False)
    with for_pages():
        write_atomic(STORED.path(place), page.encode())
    if output is not None:
        report.write_rows(output, rows)
    document = report.summary(found, alarms)
    for name, why in document["not_judged"].items():
        note(f"{name}: no alarms by score: {why}.")
    if as_json:
        listed = {} if output is not None else {"rows": rows.rows(named=True)}
        write_json("esgml.detection/1", {**document, **listed})
        return
    table(
        f"{len(alarms)} events in {rows.height} readings since {document['fit_until']},"
        f" budget {alarm_rate:g} of ordinary readings a meter",
        ("meter", "kind", "from", "to", "alarms", "excess", "tCO2e", "p"),
        (
            [
                e["entity"],
                e["kind"],
                e["start"],
                e["end"],
                e["readings"],
                *("-" if e[name] is None else figure(e[name]) for name in _NUMBERS),
            ]
            for e in document["events"][:_SHOWN]
        ),
    )
    for event in document["events"][:3]:
        typer.echo(f"{event['entity']} {event['start']}: {event['explanation']}")
    if len(alarms) > _SHOWN:
        note(f"the first {_SHOWN} of {len(alarms)} events; all of them with --json.")


_NUMBERS = ("excess", "tco2e", "p_value")
