"""``esgml demo``: the whole road on a generated portfolio, in a few minutes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from esgml.cli.options import DEFAULT_WORKSPACE, Json, Seed, Workspace
from esgml.cli.output import note, plain, table, write_json

if TYPE_CHECKING:
    from esgml.core.panel import Panel
    from esgml.training.pipeline import MLPipeline
    from esgml.training.report import TrainedModel, TrainingReport
    from esgml.training.showcase import Showcase

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

LEVELS = (80, 90)
#: The target that is asked about: 42 % below 2022 by 2030, as 1.5 C paths ask for.
BASE_YEAR, TARGET_YEAR, REDUCTION = 2022, 2030, 42.0


@app.command()
def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Serve the result afterwards.")] = False,
    sites: Annotated[int, typer.Option(min=1, max=100, help="Sites to generate.")] = 3,
    horizon: Annotated[int, typer.Option(min=1, max=180, help="Days to forecast.")] = 14,
    model: Annotated[str, typer.Option(help="auto, or the name of one model.")] = "auto",
    seed: Seed = 0,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Generate, check, clean, train, register, forecast and evaluate; then serve, if asked."""
    from esgml.cli import demo_capabilities as further
    from esgml.core.settings import Settings
    from esgml.training.pipeline import MLPipeline, PipelineConfig
    from esgml.training.showcase import REPAIR

    if serve:
        _port_is_free(workspace)
    clock = time.perf_counter()
    settings = Settings(workspace=workspace)
    made, source = _generate(settings, seed, sites, horizon)
    checked = _check(made, source)
    spec = made.spec
    config = PipelineConfig(
        workspace=workspace,
        targets=spec.targets,
        known=spec.known,
        hierarchy=spec.hierarchy,
        model=model,
        horizon=horizon,
        levels=LEVELS,
        seed=seed,
        repair=REPAIR,
    )
    pipeline = MLPipeline(config, notice=note)
    cleaned = _clean(pipeline, source)
    note("train: every model backtested from rolling origins, weighed, calibrated")
    report = pipeline.train()
    for failure in report.failures:
        note(f"error: {failure.as_error()}")
    told = _forecast(pipeline, report, made, seed)
    told["alarms"] = further.alarms(settings, made)
    told["plan"] = further.plan(settings, seed)
    told["duties"] = further.duties(settings, made)
    document = {
        "seed": seed,
        "check": checked,
        "clean": cleaned,
        **report.as_dict(),
        "data": {"path": str(source), "sites": sites, **report.data},
        **told,
        "workspace": str(workspace),
        "seconds": time.perf_counter() - clock,
    }
    if as_json:
        write_json("esgml.demo/1", document)
        sys.stdout.flush()
    else:
        _show(document, report)
    if serve:
        from esgml.cli.serve import serve as run

        run(host="", port=None, workers=1, drain=0.0, as_json=False, workspace=workspace)
    elif not as_json:
        note(f"next: esgml serve --workspace {workspace}")


def _port_is_free(workspace: Path) -> None:
    """Fail now rather than after minutes of work if the port is taken."""
    from esgml.core.settings import Settings
    from esgml.serving.server import open_socket

    open_socket(Settings(workspace=workspace)).close()


def _generate(settings: Any, seed: int, sites: int, horizon: int) -> tuple[Showcase, Path]:
    from esgml.core.storage import write_atomic
    from esgml.training.showcase import showcase

    made = showcase(seed, sites, horizon)
    source = settings.folder("demo", "portfolio.csv")
    write_atomic(source, made.frame.write_csv().encode())
    note(f"generate: {made.frame.height:,} rows of {sites} sites in {source}")
    return made, source


def _check(made: Showcase, source: Path) -> dict[str, Any]:
    from esgml.data.checks import check
    from esgml.data.sources import read
    from esgml.training.showcase import faults_found

    report = check(read(source), made.spec)
    kinds = faults_found(made.frame, made.spec, made.labels)
    injected = sum(kind["injected"] for kind in kinds.values())
    found = sum(kind["found"] for kind in kinds.values())
    note(
        f"check: quality {report.quality:.1f} of 5; found {found} of {injected} faults put in"
        " (spikes and leaks look like weather and load until a model knows better)"
    )
    return {**report.as_dict(), "injected": injected, "found": found, "kinds": kinds}


def _clean(pipeline: MLPipeline, source: Path) -> dict[str, Any]:
    loaded = pipeline.ingest(source)
    processed = pipeline.process()
    actions: dict[str, int] = {}
    for entry in loaded.log:
        actions[entry.action] = actions.get(entry.action, 0) + entry.count
    note(
        f"clean: {sum(actions.values())} cells mended or set missing, each on record;"
        f" {loaded.quarantine.height} rows in quarantine"
    )
    note(f"features: {len(processed.names)} for each of {processed.panel.rows:,} rows")
    return {
        "actions": actions,
        "quarantine": loaded.quarantine.height,
        "features": len(processed.names),
    }


def _forecast(
    pipeline: MLPipeline, report: TrainingReport, made: Showcase, seed: int
) -> dict[str, Any]:
    """Forecast with what was released, score it, and store it for the page."""
    from esgml.data.panels import to_panel
    from esgml.training.requests import forecasts, table_request
    from esgml.training.showcase import held_out
    from esgml.training.story import write_forecast, write_target

    for trained in report.models:
        bundle = pipeline.model_registry.get(trained.name, trained.version)
        if not forecasts(bundle.schema):
            continue
        loaded = pipeline.table
        panel, _ = to_panel(loaded.frame, loaded.spec)
        request = table_request(loaded.frame, loaded.spec, bundle.schema, levels=LEVELS)
        answer = bundle.predictor().predict(request)["forecasts"]
        assessed = _assessed(panel, seed)
        targets = _widest(assessed)
        if assessed:
            write_target(pipeline.settings, assessed)
        first = next((t for t in targets if t["target"] == answer[0]["target"]), None)
        best = next((f for f in answer if first and f["entity"] == first["entity"]), None)
        # the sum comes first on the page
        ordered = sorted(answer, key=lambda f: best is None or f["entity"] != best["entity"])
        title = "Emissions of the portfolio"
        path = write_forecast(pipeline.settings, panel, ordered, title=title)
        card = _card(pipeline, bundle)
        note(f"forecast: {len(answer)} series with intervals in {path}; model card in {card}")
        return {
            "forecast": {
                "series": len(answer),
                "version": trained.version,
                "held_out": held_out(panel, answer, made.truth),
            },
            "targets": [{k: v for k, v in t.items() if k != "path"} for t in targets],
            "report": str(path),
            "card": str(card),
        }
    return {"forecast": None, "targets": [], "report": None, "card": None}


def _assessed(panel: Panel, seed: int) -> dict[str, Any]:
    """Assess the reduction target of every series and sum; empty where that cannot be."""
    from esgml.core.errors import DataError
    from esgml.forecast.targets import Question, assess_target
    from esgml.training.showcase import gaps_estimated

    filled, count = gaps_estimated(panel)
    if count:
        note(f"target: {count} missing days estimated from the same weekdays around them")
    try:
        question = Question(BASE_YEAR, TARGET_YEAR, REDUCTION)
        return plain(assess_target(filled, question, seed=seed).as_dict())  # type: ignore[no-any-return]
    except DataError as error:
        note(f"target: not assessed: {error}")
        return {}


def _widest(assessed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the widest sum of each target, or its first series where there is no sum."""
    results = assessed.get("results", [])
    widest: dict[str, dict[str, Any]] = {}
    for result in [r for r in results if "members" in r] or results:
        widest.setdefault(result["target"], result)
    return list(widest.values())


def _card(pipeline: MLPipeline, bundle: Any) -> Path:
    from esgml.core.storage import write_atomic
    from esgml.registry.card import page

    path = pipeline.settings.folder("reports", f"{bundle.name}-{bundle.version}.html")
    write_atomic(path, page(bundle).encode())
    return path


def _show(document: dict[str, Any], report: TrainingReport) -> None:
    """Print the faults, the targets, and at last the models beside naive baselines."""
    table(
        "Faults put in and found by the check",
        ("kind", "put in", "found"),
        ((kind, n["injected"], n["found"]) for kind, n in document["check"]["kinds"].items()),
    )
    if document["targets"]:
        table(
            f"Probability of {REDUCTION:g} % less than {BASE_YEAR} in {TARGET_YEAR}",
            ("series", "target", "base", "goal", "expected", "probability"),
            (
                (
                    t["entity"],
                    t["target"],
                    f"{t['base']:,.0f}",
                    f"{t['goal']:,.0f}",
                    f"{t['expected']:,.0f}" if "expected" in t else "-",
                    f"{t['probability']:.0%}",
                )
                for t in document["targets"]
            ),
        )
    found = document["alarms"]["readings"]
    table(
        "Wrong readings and alarms; of the ordinary ones"
        f" {document['alarms']['false_positive_rate']:.2%} raised one",
        ("kind", "readings", "alarms"),
        ((kind, n["wrong"], n["found"]) for kind, n in found.items()),
    )
    rows = [row for trained in report.models for row in _models(trained)]
    held = (document["forecast"] or {}).get("held_out")
    if held and held["wape"] is not None:
        naive = held["naive"]["wape"]
        rows.append(["days that came after", held["wape"], naive, _gain(held["wape"], naive), ""])
    table(
        "Trained models beside the naive baseline (WAPE, lower is better; backtest, then the"
        " days nobody had seen)",
        ("model", "WAPE", "naive", "gain", "weight"),
        rows,
    )
    for trained in report.models:
        typer.echo(f"{trained.name} version {trained.version}: {trained.reason}")
    typer.echo(f"report {document['report']}, card {document['card']}")
    typer.echo(f"the whole road took {document['seconds']:.0f} s")


def _models(trained: TrainedModel) -> list[list[object]]:
    naive = (trained.metrics.get("naive") or {}).get("wape")
    rows: list[list[object]] = []
    inside = trained.metrics.get("models") or {}
    for name, scores in sorted(inside.items(), key=lambda item: -item[1].get("wape", 0)):
        if "wape" in scores:
            weight = scores.get("weight", "")
            rows.append([name, scores["wape"], naive, _gain(scores["wape"], naive), weight])
    if "wape" in trained.metrics:
        wape = trained.metrics["wape"]
        label = f"{trained.name} {trained.version}{' (champion)' if trained.champion else ''}"
        rows.append([label, wape, naive, _gain(wape, naive), ""])
    return rows


def _gain(value: float, naive: float | None) -> str:
    return f"{(naive - value) / naive:+.1%}" if naive else "-"
