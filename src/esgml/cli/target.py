"""``esgml target``: how likely a reduction target is hit."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from esgml.cli.options import (
    DEFAULT_WORKSPACE,
    Data,
    Entity,
    Hierarchy,
    Json,
    Known,
    Seed,
    Time,
    Workspace,
    examples,
    series_spec,
)
from esgml.cli.output import for_pages, note, plain, table, write_json
from esgml.core.figures import figure

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


EXAMPLES = examples(
    "esgml target sites.csv --base-year 2022 --target-year 2030 --reduction 42",
)


@app.command(epilog=EXAMPLES)
def target(
    data: Data,
    base_year: Annotated[int, typer.Option("--base-year", help="Year the reduction counts from.")],
    target_year: Annotated[int, typer.Option("--target-year", help="Year it must be reached in.")],
    reduction: Annotated[float, typer.Option("--reduction", help="Percent of the base year.")],
    entity: Entity = "entity",
    time: Time = "timestamp",
    columns: Annotated[
        str, typer.Option("--target", help="Columns to assess, comma-separated.")
    ] = "",
    known: Known = "",
    hierarchy: Hierarchy = "",
    seed: Seed = 0,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Give the probability of hitting a reduction target, the path, and how far to trust it.

    The path also stands in the chart of the dashboard, beside the forecast of each series.
    """
    from esgml.core.settings import Settings
    from esgml.data.load import load
    from esgml.data.panels import to_panel
    from esgml.forecast.targets import Question, assess_target
    from esgml.training.story import write_target

    question = Question(base_year, target_year, reduction)
    loaded = load(data, series_spec(entity, time, columns, known, hierarchy))
    for fault in loaded.report.faults:
        note(f"{fault.severity}: {fault.code}: {fault.message}")
    panel, _ = to_panel(loaded.frame, loaded.spec)
    report = assess_target(panel, question, seed=seed).as_dict()
    report["quality"] = loaded.report.quality
    with for_pages():
        write_target(Settings(workspace=workspace), plain(report))
    if as_json:
        write_json("esgml.target/1", report)
        return
    _show(report)


def _show(report: dict[str, Any]) -> None:
    title = (
        f"{report['reduction']:g} % below {report['base_year']} in {report['target_year']}"
        " (expected: median; band: 80 %)"
    )
    names = ["entity", "target", "base", "goal", "latest", "expected", "low", "high"]
    names += ["needed a year", "probability"]
    table(title, names, (_row(result) for result in report["results"]))
    _show_calibration(report["calibration"])
    for text in report["notes"]:
        note(f"note: {text}")
    for left in report["left_out"][:10]:
        note(f"left out: {left['entity']} ({left['target']}): {left['reason']}")
    more = len(report["left_out"]) - 10
    if more > 0:
        note(f"left out: {more} more; --json lists all")


def _row(result: dict[str, Any]) -> list[str]:
    start = [result["entity"], result["target"]]
    start += [figure(result["base"]), figure(result["goal"])]
    if result["status"] != "open":
        return [*start, figure(result["actual"]), "-", "-", "-", "-", result["status"]]
    rate, band = result["required_annual_rate"], result["interval"]
    return [
        *start,
        f"{figure(result['latest']['value'])} ({result['latest']['year']})",
        figure(result["expected"]),
        figure(band["lo-80"]),
        figure(band["hi-80"]),
        "-" if rate is None else f"{100 * rate:+.1f} %",
        f"{100 * result['probability']:.0f} %",
    ]


def _show_calibration(record: dict[str, Any]) -> None:
    if record["status"] != "ok":
        note(
            f"calibration: not enough history, {record['cases']} past cases; take the"
            " probability as a model's word, not as a record"
        )
        return
    asked = record["asked"]
    sentence = (
        f"Past questions of this kind, single series ({asked['years_ahead']} years ahead,"
        f" {asked['reduction']:.0f} % in {asked['years_since_base'] + asked['years_ahead']} years):"
        f" {record['cases']} cases, Brier {record['brier']:.3f}"
        f" (always the base rate {record['base_rate']:.2f}: {record['base_rate_brier']:.3f})"
    )
    typer.echo(sentence)
    table(
        "How often it happened",
        ["said", "cases", "mean said", "happened", "95 % interval"],
        (
            [
                f"{100 * row['from']:.0f}-{100 * row['to']:.0f} %",
                row["cases"],
                f"{100 * row['mean_probability']:.0f} %",
                f"{100 * row['share_that_happened']:.0f} %",
                f"{100 * row['interval'][0]:.0f}-{100 * row['interval'][1]:.0f} %",
            ]
            for row in record["reliability"]
        ),
    )
