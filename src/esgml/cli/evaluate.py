"""``esgml evaluate``: an honest backtest, with the naive baseline in every table."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from esgml.cli import options
from esgml.cli.output import note, table, write_json

#: Periods ahead and windows where none are asked for; annual data has too few years for them.
DEFAULT_HORIZON, DEFAULT_WINDOWS = 7, 8
#: With more series than this it is told who makes up half of the error, at most so many names.
FEW, SHOWN = 5, 5

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


EXAMPLES = options.examples(
    "esgml evaluate sites.csv --target scope2_kg --known temperature --horizon 7 --windows 12",
    "esgml evaluate sites.csv --target scope2_kg --compare",
)


@app.command(epilog=EXAMPLES)
def evaluate(
    data: options.Data,
    task: Annotated[str, typer.Option(help="What to evaluate: emissions.")] = "emissions",
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Periods ahead; 7, with annual data 1.")
    ] = None,
    windows: Annotated[
        int | None,
        typer.Option(min=1, help="Windows that are scored; 8, with annual data half the years."),
    ] = None,
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
    annual = panel.frequency.season == 1
    chosen = options.levels(levels)
    horizon = horizon or (1 if annual else DEFAULT_HORIZON)
    most = max((int(panel.lengths.max()) - horizon + 1) // 2, 1) if annual else DEFAULT_WINDOWS
    found = run(
        panel,
        horizon,
        windows or min(DEFAULT_WINDOWS, most),
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
    _show_models(found, panel.frequency.code, annual)
    table(
        "intervals",
        ["level", "coverage", "smallest series", "relative width"],
        [
            [f"{k} %", found["coverage"][k], found["coverage_smallest"][k], found["width"][k]]
            for k in found["coverage"]
        ],
    )
    if annual or len(found["by_target"]) > 1:
        _show_targets(found["by_target"])
    for name, reason in found["left_out"].items():
        note(f"left out: {name}: {reason}")


def _show_models(found: dict[str, Any], code: str, annual: bool) -> None:
    """Print one row a model; of annual data how many forecasts are close, as no total is known."""
    more = "within 10 %" if annual else "total accuracy"

    def row(name: str, scores: dict[str, Any], weight: float | str) -> list[Any]:
        other = scores["within_10pct"] if annual else 1 - scores["wape_total"]
        spent = scores["train_seconds"] + scores["predict_seconds"]
        return [name, scores["accuracy"], scores["wape"], scores["mase"], other, weight, spent]

    rows = [row(name, scores, scores["weight"]) for name, scores in found["models"].items()]
    name = "combined" if found["model"] == "auto" else f"{found['model']}, calibrated"
    title = (
        f"{found['series']} series, {code}, horizon {found['horizon']},"
        f" {found['windows']} windows (+{found['calibrating_windows']} to calibrate);"
        " accuracy = 1 - WAPE, mean over series"
    )
    columns = ["model", "accuracy", "WAPE", "MASE", more, "weight", "seconds"]
    table(title, columns, [*rows, row(name, found, "")])


def _show_targets(found: dict[str, dict[str, Any]]) -> None:
    """Print one row a target beside the naive forecast, and who makes up half of the error."""
    levels = list(dict.fromkeys(level for one in found.values() for level in one["coverage"]))
    columns = ["target", "series", "values", "within 10 %: naive", "combined"]
    columns += ["pooled WAPE: naive", "combined", *(f"{level} % held" for level in levels)]
    rows = [
        [
            target,
            one["series"],
            one["values"],
            one["naive"]["within_10pct"],
            one["within_10pct"],
            one["naive"]["wape_pooled"],
            one["wape_pooled"],
            *(one["coverage"][level] for level in levels),
        ]
        for target, one in found.items()
    ]
    table("by target, all series pooled: large ones decide the WAPE", columns, rows)
    for target, one in found.items():
        if one["half_of_error"] and one["series"] > FEW:
            names = ", ".join(one["half_of_error"][:SHOWN])
            rest = len(one["half_of_error"]) - SHOWN
            names += f" and {rest} more" if rest > 0 else ""
            note(f"half of the error of {target!r} is that of {names}.")
