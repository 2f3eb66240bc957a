"""``esgml optimize``: the best plan, and today's, the best rule's and the limit beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from esgml.cli.options import DEFAULT_WORKSPACE, Entity, Json, Time, Workspace
from esgml.cli.output import for_pages, note, plain, table, write_json
from esgml.core.figures import figure

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_SHOWN = 12  # values of a variable printed for people
_LARGEST_FILE = 200_000_000


@app.command()
def optimize(
    problem: Annotated[str, typer.Argument(help="Problem file (JSON), or - for input.")] = "",
    method: Annotated[str, typer.Option(help="auto, exact, ga, nsga2, dqn, mpc or dp.")] = "",
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
    history: Annotated[
        str, typer.Option(help="Hours of load and sun up to now; what comes is forecast.")
    ] = "",
    load: Annotated[str, typer.Option(help="Column of the load, kWh.")] = "load_kwh",
    solar: Annotated[
        str, typer.Option(help="Column of what the roof makes, kWh; empty = none.")
    ] = "solar_kwh",
    entity: Entity = "entity",
    time: Time = "timestamp",
    forecaster: Annotated[str, typer.Option(help="auto, or the name of one model.")] = "auto",
    list_all: Annotated[bool, typer.Option("--list", help="Name problems and methods.")] = False,
    example: Annotated[str, typer.Option(help="Print a small example of a problem.")] = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Find the best plan for a problem of the library, or one's own in coefficients."""
    from esgml.core.errors import UsageError
    from esgml.optimization import library
    from esgml.optimization.engine import OptimizationEngine
    from esgml.optimization.request import decode

    if list_all:
        _list(as_json)
        return
    if example:
        print(json.dumps(library.example(example, seed or 0), indent=1))
        return
    if not problem:
        raise UsageError(
            "no problem is given.",
            remedy="Name a JSON file; esgml optimize --example NAME prints one to start from.",
        )
    document = _read(problem)
    if history:
        from esgml.training.foresight import with_forecast

        document = with_forecast(
            document,
            history,
            load_column=load,
            solar_column=solar,
            entity=entity,
            time=time,
            model=forecaster,
            seed=seed or 0,
        )
    own, asked, given = decode(document)
    found = OptimizationEngine().solve(own, method or asked, seed=given if seed is None else seed)
    answer = plain(found.as_dict())
    _keep(answer, workspace)
    if as_json:
        write_json("esgml.solution/1", answer)
        return
    _show(answer)


def _read(name: str) -> dict[str, Any]:
    """Read a problem file, or standard input."""
    from esgml.core.errors import NotFoundError, ReadError
    from esgml.core.storage import explained
    from esgml.optimization.request import read_document

    if name == "-":
        return read_document(sys.stdin.read(_LARGEST_FILE), "standard input")
    path = Path(name)
    if not path.is_file():
        raise NotFoundError(
            "no such file.",
            where=name,
            remedy="esgml optimize --example NAME prints a problem to start from.",
        )
    with explained(path):
        if path.stat().st_size > _LARGEST_FILE:
            raise ReadError("the file is larger than 200 MB.", where=name)
        data = path.read_bytes()
    try:
        return read_document(data.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        raise ReadError("this is no text in UTF-8.", where=name) from error


def _keep(document: dict[str, Any], workspace: Path) -> None:
    """Store the plan where the dashboard reads it."""
    from esgml.core.settings import Settings
    from esgml.core.storage import write_atomic
    from esgml.dashboard.plan.report import STORED

    path = STORED.path(Settings(workspace=workspace))
    with for_pages():
        write_atomic(path, json.dumps(document, allow_nan=False).encode())


def _list(as_json: bool) -> None:
    from esgml.core import catalog
    from esgml.optimization import library

    problems = {name: library.describe(name) for name in library.names()}
    methods = {n: catalog.describe("optimization", n) for n in catalog.names("optimization")}
    if as_json:
        write_json("esgml.problems/1", {"problems": problems, "methods": methods})
        return
    table("problems", ["name", "what is decided"], problems.items())
    table("methods (auto chooses)", ["name", "how"], methods.items())


def _show(document: dict[str, Any]) -> None:
    """Print the plan beside today's, every rule and the limit."""
    units, names = document["units"], list(document["objective"])
    columns = ["plan", *(f"{n} ({units[n]})" if units[n] else n for n in names), "feasible"]
    rows = [[document["method"], *document["objective"].values(), _yes(document["feasible"])]]
    rows += [
        [label, *(values[n] for n in names), _yes(values["feasible"])]
        for label, values in document["comparison"].items()
    ]
    table(document["why"], columns, rows)
    for label, key, form in (
        ("limit", "bound", "{:.4g}"),
        ("share of the attainable gain", "share_of_attainable", "{:.1%}"),
        ("gap to the limit", "gap", "{:.2%}"),
    ):
        if document[key] is not None:
            print(f"{label}: {form.format(document[key])}")
    if paths := document["details"].get("paths"):
        print("if load and sun go along the paths of the forecast: expected"
              f" {paths['expected']:.4g}, {paths['least']:.4g} to {paths['most']:.4g}")  # fmt: skip
    for name, amount in document["violations"].items():
        note(f"broken: {name} by {amount:.4g}")
    for name, price in document["shadow_prices"].items():
        if isinstance(price, int | float):
            print(f"one more unit of {name}: {price:.4g}" if " per " not in name else
                  f"{name}: {price:.4g}")  # fmt: skip
    for name, values in document["solution"].items():
        if isinstance(values, list):
            text = " ".join(figure(v) if isinstance(v, float) else str(v) for v in values[:_SHOWN])
            print(f"{name}: {text}{' ...' if len(values) > _SHOWN else ''}")
        else:
            print(f"{name}: {figure(values) if isinstance(values, float) else values}")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
