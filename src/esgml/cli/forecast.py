"""``esgml forecast``: a table of forecasts with intervals, coherent where a hierarchy is given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from esgml.cli import options
from esgml.cli.output import for_pages, note, number, table, write_json

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

#: Interval levels where none are asked for and no trained model has its own.
LEVELS = "80,90"
EXAMPLES = options.examples(
    "esgml forecast sites.csv --target scope2_kg --known temperature --horizon 14",
    "esgml forecast sites.csv --version champion --output forecast.csv",
    "esgml forecast sites.csv --target scope1_kg,scope2_kg --hierarchy company --explain",
)


@app.command(epilog=EXAMPLES)
def forecast(
    data: options.Data,
    horizon: Annotated[int | None, typer.Option(min=1, help="Periods ahead.")] = None,
    levels: Annotated[
        str,
        typer.Option(help="Interval levels in percent; 80,90, or those VERSION was trained for."),
    ] = "",
    version: Annotated[
        str, typer.Option(help="Registered version or alias to use; empty = fit on DATA.")
    ] = "",
    name: Annotated[str, typer.Option(help="Registered model, with --version.")] = "emissions",
    model: Annotated[str, typer.Option(help="auto, or the name of one model.")] = "auto",
    output: Annotated[
        Path | None, typer.Option(help="Write rows to this CSV, Parquet or JSON.")
    ] = None,
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
    """Forecast every series of DATA beyond its end, and the sums of its hierarchy.

    Models are weighed and fitted on DATA, which takes minutes; with --version a trained model
    answers at once, for the targets and covariates it was trained on. The result is also what
    the dashboard of `esgml serve` shows.
    """
    from esgml.core.settings import Settings
    from esgml.data.load import load
    from esgml.data.panels import to_panel
    from esgml.forecast.ensemble import Ensemble
    from esgml.forecast.explain import explain as explain_forecast
    from esgml.forecast.fitting import fit_ensemble
    from esgml.forecast.future import complete_future
    from esgml.forecast.report import check_output, write_rows
    from esgml.forecast.request import encode
    from esgml.training.story import write_forecast

    check_output(output)
    settings = Settings(workspace=workspace)
    spec = options.series_spec(entity, time, target, known, hierarchy)
    wanted = () if version and not levels else options.levels(levels or LEVELS)
    trained = None
    if version:
        from esgml.registry.registry import ModelRegistry

        trained = Ensemble.from_files(ModelRegistry(settings).get(name, version).files)
        spec = trained.roles(spec)
    loaded = load(data, spec)
    for fault in loaded.report.faults:
        note(f"{fault.severity}: {fault.code}: {fault.message}")
    panel, given = to_panel(loaded.frame, loaded.spec)
    scores = None
    if trained is not None:
        ensemble = trained
    else:
        ensemble, evaluation = fit_ensemble(
            panel, horizon=horizon, levels=wanted, model=model, seed=seed, threads=threads
        )
        scores = evaluation.scores
    future, assumed = complete_future(panel, given, horizon or ensemble.horizon)
    if assumed:
        instead = "they are missing" if panel.frequency.code == "D" else "the last season stands in"
        note(f"note: no future values of {', '.join(assumed)}: {instead}.")
    result = ensemble.forecast(panel, future).at(wanted or ensemble.levels)
    if apart := ensemble.apart(panel):
        names = ", ".join(dict.fromkeys(key.entity for key in apart))
        note(f"note: in no sum, for they do not end with the others: {names[:200]}.")
    title = f"Forecast of {', '.join(loaded.spec.targets)}"
    answer = encode(result, result.levels)["forecasts"]
    single = set(panel.keys)
    answer.sort(key=lambda item: (item["entity"], item["target"]) in single)  # sums come first
    with for_pages():
        write_forecast(settings, ensemble.shown(panel), answer, title=title)
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
