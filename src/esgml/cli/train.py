"""``esgml train``: learn from a table, register what came out, release what is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from esgml.cli import options
from esgml.cli.output import note, table, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esgml.training.report import TrainedModel, TrainingReport

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

#: Metrics of the table for people, most for one model; the rest is in the card.
MOST_SHOWN = 4


EXAMPLES = options.examples(
    "esgml train sites.csv --target scope1_kg,scope2_kg --known temperature,holiday",
    "esgml train sites.csv --task emissions --model ridge --horizon 14 --workspace work",
)


@app.command(epilog=EXAMPLES)
def train(
    data: options.Data,
    task: Annotated[str, typer.Option(help="Tasks, comma-separated, or all.")] = "all",
    model: Annotated[str, typer.Option(help="auto, or the name of one model.")] = "auto",
    seed: options.Seed = 0,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Periods ahead; chosen for the data if omitted.")
    ] = None,
    levels: options.Levels = "80,90",
    entity: options.Entity = "entity",
    time: options.Time = "timestamp",
    target: options.Target = "",
    known: options.Known = "",
    hierarchy: options.Hierarchy = "",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes at once; as many as cores if omitted.")
    ] = None,
    as_json: options.Json = False,
    workspace: options.Workspace = options.DEFAULT_WORKSPACE,
) -> None:
    """Train tasks in parallel, register each, and release what beats its naive baseline.

    The same command after a kill goes on with the steps that were finished.
    """
    from esgml.core.settings import Settings
    from esgml.training.train import ModelTrainingPipeline

    pipeline = ModelTrainingPipeline(Settings(workspace=workspace), workers=workers, notice=note)
    report = pipeline.train_all_models(
        data,
        spec=options.series_spec(entity, time, target, known, hierarchy),
        tasks=task,
        model=model,
        horizon=horizon,
        levels=options.levels(levels),
        seed=seed,
    )
    for failure in report.failures[0 if report.models else 1 :]:  # the first one is raised
        note(f"error: {failure.as_error()}")
    for name, reason in report.skipped.items():
        note(f"skipped {name}: {reason}")
    report.raise_on_failures()
    if as_json:
        write_json("esgml.train/1", report.as_dict())
    else:
        show(report)
    if report.failures:
        raise typer.Exit(1)


def show(report: TrainingReport) -> None:
    """Print what was trained, the naive baseline beside each metric."""
    table(
        "Trained models beside the naive baseline",
        ("model", "metric", "value", "naive", "gain", "seconds"),
        (row for model in report.models for row in rows(model)),
    )
    for model in report.models:
        name = f"{model.name} {model.version}"
        typer.echo(f"{name}: made of {model.model.replace('+', ', ')}")
        coverage = model.metrics.get("coverage")
        if isinstance(coverage, dict) and coverage:
            held = ", ".join(f"{level} %: {share:.1%}" for level, share in coverage.items())
            typer.echo(f"{name}: intervals held the truth {held}")
        typer.echo(f"{name}: {'champion: ' if model.champion else ''}{model.reason}")


def rows(model: TrainedModel) -> Sequence[Sequence[object]]:
    """Return the rows of one model: its headline metric, then others that have a baseline."""
    found = model.beside_naive()
    kept = [*found[:1], *(row for row in found[1:] if row[2] is not None)][:MOST_SHOWN]
    lines: list[Sequence[object]] = []
    for i, (name, value, naive) in enumerate(kept):
        head, seconds = (f"{model.name} {model.version}", f"{model.seconds:.1f}")
        better = model.better_by(name)
        gain = "-" if better is None else f"{better:+.1%}"
        beside = "-" if naive is None else naive
        lines.append((head if i == 0 else "", name, value, beside, gain, "" if i else seconds))
    return lines or [(f"{model.name} {model.version}", "-", "-", "-", "-", f"{model.seconds:.1f}")]
