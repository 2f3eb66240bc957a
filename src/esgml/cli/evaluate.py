"""``esgml evaluate``: an honest backtest, with the naive baseline in every table."""

from __future__ import annotations

from typing import Annotated

import typer

from esgml.cli import options
from esgml.cli.output import note, table, write_json

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


EXAMPLES = options.examples(
    "esgml evaluate sites.csv --target scope2_kg --known temperature --horizon 7 --windows 12",
    "esgml evaluate sites.csv --target scope2_kg --compare",
)


@app.command(epilog=EXAMPLES)
def evaluate(
    data: options.Data,
    task: Annotated[str, typer.Option(help="What to evaluate: emissions.")] = "emissions",
    horizon: Annotated[int, typer.Option(min=1, help="Periods ahead.")] = 7,
    windows: Annotated[int, typer.Option(min=1, help="Windows that are scored.")] = 8,
    step: Annotated[int | None, typer.Option(min=1, help="Periods between origins.")] = None,
    levels: options.Levels = "80,90",
    model: Annotated[str, typer.Option(help="auto, or the name of one model.")] = "auto",
    compare: Annotated[bool, typer.Option("--compare", help="Run every model there is.")] = False,
    entity: options.Entity = "entity",
    time: options.Time = "timestamp",
    target: options.Target = "",
    known: options.Known = "",
    hierarchy: options.Hierarchy = "",
    only: Annotated[str, typer.Option(help="Entities to use, comma-separated.")] = "",
    seed: options.Seed = 0,
    threads: Annotated[int, typer.Option(min=1, help="Models run at the same time.")] = 2,
    as_json: options.Json = False,
) -> None:
    """Backtest forecasts from rolling origins: accuracy, coverage, the naive baseline."""
    from esgml.core.errors import NotFoundError, UsageError
    from esgml.data.load import load
    from esgml.data.panels import to_panel
    from esgml.forecast.evaluate import evaluate as run

    if task != "emissions":
        raise UsageError(f"task {task!r} is not evaluated by backtest.", remedy="Use emissions.")
    loaded = load(data, options.series_spec(entity, time, target, known, hierarchy))
    for fault in loaded.report.faults:
        note(f"{fault.severity}: {fault.code}: {fault.message}")
    panel, _ = to_panel(loaded.frame, loaded.spec)
    if only:
        wanted = set(options.split(only))
        if missing := wanted - {key.entity for key in panel.keys}:
            raise NotFoundError(f"no entity {', '.join(sorted(missing))}.")
        panel = panel.select([i for i, key in enumerate(panel.keys) if key.entity in wanted])
    chosen = options.levels(levels)
    found = run(
        panel,
        horizon,
        windows,
        step=step,
        levels=chosen,
        model=model,
        compare=compare,
        seed=seed,
        threads=threads,
    ).scores
    if as_json:
        write_json("esgml.evaluation/1", found)
        return
    columns = ["model", "accuracy", "WAPE", "MASE", "total accuracy", "weight", "seconds"]
    rows = [
        [
            name,
            s["accuracy"],
            s["wape"],
            s["mase"],
            1 - s["wape_total"],
            s["weight"],
            s["train_seconds"] + s["predict_seconds"],
        ]
        for name, s in found["models"].items()
    ]
    spent = found["train_seconds"] + found["predict_seconds"]
    name = "combined" if model == "auto" else f"{model}, calibrated"
    rows.append(
        [name, found["accuracy"], found["wape"], found["mase"], 1 - found["wape_total"], "", spent]
    )
    title = (
        f"{found['series']} series, {panel.frequency.code}, horizon {horizon},"
        f" {windows} windows (+{found['calibrating_windows']} to calibrate);"
        " accuracy = 1 - WAPE, mean over series"
    )
    table(title, columns, rows)
    table(
        "intervals",
        ["level", "coverage", "smallest series", "relative width"],
        [
            [f"{k} %", found["coverage"][k], found["coverage_smallest"][k], found["width"][k]]
            for k in found["coverage"]
        ],
    )
    for name, reason in found["left_out"].items():
        note(f"left out: {name}: {reason}")
