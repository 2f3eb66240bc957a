"""``esgml forecast``: a table of forecasts with intervals, coherent where a hierarchy is given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from esgml.cli import options
from esgml.cli.output import note, number, table, write_json

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def forecast(
    data: options.Data,
    horizon: Annotated[int | None, typer.Option(min=1, help="Periods ahead.")] = None,
    levels: options.Levels = "80,90",
    version: Annotated[
        str, typer.Option(help="Registered version or alias to use; empty = fit on DATA.")
    ] = "",
    name: Annotated[str, typer.Option(help="Registered model, with --version.")] = "emissions",
    model: Annotated[str, typer.Option(help="auto, or the name of one model.")] = "auto",
    output: Annotated[Path | None, typer.Option(help="Write rows to this CSV or Parquet.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="What moved each forecast.")] = False,
    entity: options.Entity = "entity",
    time: options.Time = "timestamp",
    target: options.Target = "",
    known: options.Known = "",
    hierarchy: options.Hierarchy = "",
    seed: options.Seed = 0,
    threads: Annotated[int, typer.Option(min=1, help="Models run at the same time.")] = 2,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Forecast every series of DATA beyond its end, and the sums of its hierarchy."""
    from esgml.core.errors import UsageError
    from esgml.core.settings import Settings
    from esgml.data.load import load
    from esgml.data.panels import to_panel
    from esgml.forecast.ensemble import Ensemble, fit_ensemble
    from esgml.forecast.explain import explain as explain_forecast
    from esgml.forecast.future import complete_future
    from esgml.forecast.report import write_report, write_rows

    if output is not None and output.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError("--output must end in .csv or .parquet.", where=str(output))
    loaded = load(data, options.series_spec(entity, time, target, known, hierarchy))
    for fault in loaded.report.faults:
        note(f"{fault.severity}: {fault.code}: {fault.message}")
    panel, given = to_panel(loaded.frame, loaded.spec)
    scores = None
    if version:
        from esgml.registry.registry import ModelRegistry

        settings = Settings(workspace=workspace)
        ensemble = Ensemble.from_files(ModelRegistry(settings).get(name, version).files)
    else:
        ensemble, evaluation = fit_ensemble(
            panel,
            horizon=horizon,
            levels=options.levels(levels),
            model=model,
            seed=seed,
            threads=threads,
        )
        scores = evaluation.scores
    future, assumed = complete_future(panel, given, horizon or ensemble.horizon)
    if assumed:
        instead = "they are missing" if panel.frequency.code == "D" else "the last season stands in"
        note(f"note: no future values of {', '.join(assumed)}: {instead}.")
    result = ensemble.forecast(panel, future)
    write_report(workspace / "reports" / "forecast.json", panel, result)
    rows = result.to_frame()
    if output is not None:
        write_rows(output, rows)
    explanation = explain_forecast(ensemble, panel, future) if explain else None
    if as_json:
        document = {
            "rows": rows.rows(named=True),
            "model": result.model,
            "backtest": scores and {k: scores[k] for k in ("wape", "naive", "coverage")},
            "assumed": list(assumed),
        }
        if explanation is not None:
            document["explanation"] = explanation.to_frame().rows(named=True)
        write_json("esgml.forecast/1", document)
        return
    table(
        f"{result.model}, {len(result.keys)} series, {result.horizon} periods",
        rows.columns,
        (
            [str(v) if i < 3 else float(v) for i, v in enumerate(row)]
            for row in rows.head(200).iter_rows()
        ),
    )
    if rows.height > 200:
        note(f"the first 200 of {rows.height} rows; all of them with --output or --json.")
    if scores is not None:
        held = ", ".join(
            f"the {level} % band held {100 * share:.0f} %"
            for level, share in scores["coverage"].items()
            if share is not None
        )
        note(
            f"backtest, {scores['windows']} windows: accuracy {number(scores['accuracy'])}"
            f" (seasonal naive {number(scores['naive']['accuracy'])}); {held}"
        )
    if explanation is not None:
        for sentence in explanation.sentences().values():
            note(sentence)
