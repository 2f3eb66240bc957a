"""``esgml models``: the registry from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from esgml.cli.options import DEFAULT_WORKSPACE, Json, Workspace, examples
from esgml.cli.output import note, table, write_json

if TYPE_CHECKING:
    from esgml.registry.registry import ModelRegistry

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="The registry: what was trained, how good it is, what is released.",
    epilog=examples(
        "esgml models list",
        "esgml models compare emissions 1 2",
        "esgml models promote emissions 2 --reason 'better on all sites'",
        "esgml models export emissions --format bundle --output emissions-1",
    ),
)

Name = Annotated[str, typer.Argument(help="Name of the model.")]
Version = Annotated[str, typer.Argument(help="Version number, alias, or latest.")]
Alias = Annotated[str, typer.Option(help="champion, challenger, or a name of your own.")]
Reason = Annotated[str, typer.Option(help="Why, for the ledger.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write.")]


def _registry(workspace: Path) -> ModelRegistry:
    from esgml.core.settings import Settings
    from esgml.registry.registry import ModelRegistry

    return ModelRegistry(Settings(workspace=workspace))


@app.command("list")
def list_models(
    name: Annotated[str, typer.Argument(help="Only this model.")] = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Show the registered versions, their aliases and scores."""
    registry = _registry(workspace)
    found = registry.list(name)
    if name and not found:
        registry.info(name)  # says what is registered instead
    if as_json:
        write_json("esgml.models.list/1", {"models": [item.as_dict() for item in found]})
        return
    if not found:
        note("nothing is registered yet; `esgml train DATA` registers models.")
        return
    rows = []
    for item in found:
        score = [item.metrics.get(key, "-") for key in (item.metric, f"naive.{item.metric}")]
        aliases = ", ".join(item.aliases) or "-"
        made = item.created[:19].replace("T", " ")
        rows.append(
            [item.name, item.version, aliases, item.model_name, item.metric or "-", *score, made]
        )
    columns = ["name", "version", "alias", "model", "metric", "score", "naive", "registered (UTC)"]
    table("Registered models", columns, rows)


@app.command()
def show(
    name: Name,
    version: Version = "champion",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Show one version in full, and what was done with it."""
    registry = _registry(workspace)
    info = registry.info(name, version)
    bundle = registry.get(name, info.version)
    history = [entry for entry in registry.history(name) if entry.version == info.version]
    acts = [{"at": e.at, "who": e.who, "act": e.act, **e.detail} for e in history]
    if as_json:
        kept = {k: v for k, v in bundle.metrics.items() if k not in ("errors", "actuals")}
        data = bundle.data_fingerprint
        write_json(
            "esgml.models.show/1",
            {
                **info.as_dict(),
                "metrics": kept,
                "params": bundle.params,
                "request": bundle.schema,
                "card": bundle.card,
                "data": data.as_dict() if data else None,
                "files": {name: len(content) for name, content in bundle.files.items()},
                "history": acts,
            },
        )
        return
    from esgml.registry.card import markdown

    typer.echo(markdown(bundle))
    rows = [
        [e.at[:19].replace("T", " "), e.act, e.detail.get("alias", "-"), e.who] for e in history
    ]
    table("History", ["when (UTC)", "act", "alias", "who"], rows)


@app.command()
def compare(
    name: Name,
    a: Version,
    b: Version,
    level: Annotated[int, typer.Option(help="Confidence in percent.")] = 95,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say whether one version is better than another, and how sure that is."""
    result = _registry(workspace).compare(name, a, b, level=level)
    if as_json:
        write_json("esgml.models.compare/1", result.as_dict())
        return
    words = {"a": f"version {result.a} is better", "b": f"version {result.b} is better"}
    typer.echo(f"{result.metric}: {result.value_a:.4g} ({result.a})", nl=False)
    typer.echo(f" against {result.value_b:.4g} ({result.b}), difference {result.difference:+.4g}")
    if result.low is not None and result.high is not None:
        typer.echo(f"{result.level} % interval: {result.low:+.4g} to {result.high:+.4g}")
    typer.echo(f"{words.get(result.verdict, result.verdict)} ({result.method})")


@app.command()
def promote(
    name: Name,
    version: Annotated[str, typer.Argument(help="Version number.")],
    alias: Alias = "champion",
    force: Annotated[bool, typer.Option("--force", help="Release it against the gate.")] = False,
    reason: Reason = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Release a version: point an alias at it. A champion must beat the naive baseline."""
    previous = _registry(workspace).promote(name, version, alias, force=force, reason=reason)
    _moved("promote", name, alias, version, previous, as_json)


@app.command()
def rollback(
    name: Name,
    alias: Alias = "champion",
    reason: Reason = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Undo the last promotion of an alias."""
    registry = _registry(workspace)
    current = next((v.version for v in registry.list(name) if alias in v.aliases), "")
    version = registry.rollback(name, alias, reason=reason)
    _moved("rollback", name, alias, version, current, as_json)


def _moved(act: str, name: str, alias: str, version: str, previous: str, as_json: bool) -> None:
    if as_json:
        moved = {"name": name, "alias": alias, "version": version, "previous": previous}
        write_json(f"esgml.models.{act}/1", moved)
        return
    typer.echo(f"{alias} of {name} is now version {version}", nl=False)
    typer.echo(f" (was {previous})" if previous and previous != version else "")


@app.command()
def card(
    name: Name,
    version: Version = "champion",
    form: Annotated[str, typer.Option("--format", help="md or html.")] = "md",
    output: Output = None,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Print the model card, or write it to a file."""
    from esgml.core.errors import UsageError
    from esgml.core.storage import write_atomic
    from esgml.registry.card import markdown, page

    if form not in ("md", "html"):
        raise UsageError(f"no card in the format {form!r}.", remedy="Use md or html.")
    bundle = _registry(workspace).get(name, version)
    text = page(bundle) if form == "html" else markdown(bundle)
    if output is not None:
        write_atomic(output, text.encode())
        note(f"wrote {output}")
    if as_json:
        answer = {"name": bundle.name, "version": bundle.version, "format": form, "card": text}
        write_json("esgml.models.card/1", answer)
    elif output is None:
        typer.echo(text)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="Only this model.")] = "",
    version: Annotated[str, typer.Argument(help="Only this version.")] = "",
    head: Annotated[str, typer.Option(help="Ledger hash noted earlier.")] = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Check every hash of bundles and ledger; exit 1 if anything was changed."""
    result = _registry(workspace).verify(name, version, head=head)
    if as_json:
        write_json("esgml.models.verify/1", result.as_dict())
    else:
        for fault in result.faults:
            typer.echo(f"FAULT {fault}")
        typer.echo(
            f"{result.versions} bundles and {result.entries} ledger entries checked:", nl=False
        )
        typer.echo(" all intact" if result.ok else f" {len(result.faults)} faults")
        typer.echo(f"ledger head {result.head}")
    if not result.ok:
        raise typer.Exit(1)


@app.command()
def export(
    name: Name,
    version: Version = "champion",
    form: Annotated[str, typer.Option("--format", help="onnx, or bundle for all files.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="Weights in eight bits.")] = False,
    file: Annotated[str, typer.Option(help="Which ONNX file, of several.")] = "",
    output: Output = None,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write a model out as ONNX, or its whole bundle as a folder."""
    from esgml.core.errors import UsageError
    from esgml.core.storage import write_atomic, write_folder_atomic

    if form not in ("onnx", "bundle") or (int8 and form != "onnx"):
        raise UsageError("this export does not exist.", remedy="Use --format onnx [--int8].")
    bundle = _registry(workspace).get(name, version)
    answer: dict[str, Any] = {"name": bundle.name, "version": bundle.version, "format": form}
    if form == "bundle":
        target = output or Path(f"{bundle.name}-{bundle.version}")
        write_folder_atomic(target, bundle.to_files())
        answer |= {"digest": bundle.digest, "output": str(target)}
    else:
        from esgml.registry.export import export_onnx

        made = export_onnx(bundle, int8=int8, file=file)
        target = output or Path(f"{bundle.name}-{bundle.version}{'-int8' if int8 else ''}.onnx")
        write_atomic(target, made.data)
        answer |= {"int8": int8, **made.as_dict(), "output": str(target)}
    if as_json:
        write_json("esgml.models.export/1", answer)
        return
    for key, value in answer.items():
        typer.echo(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
