"""``esgml regulation``: read a text, weigh an organization's duties, search, compare, list."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from esgml.cli.options import DEFAULT_WORKSPACE, Json, Workspace, split
from esgml.cli.output import for_pages, note, plain, table, write_json

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Regulation: what a text asks, which acts apply, what changed.",
)

Text = Annotated[str, typer.Argument(help="File with the text (plain, HTML), or - for input.")]
AsOf = Annotated[str, typer.Option("--as-of", help="Day to judge on, as 2026-11-26; today.")]

_SHOWN = 20  # rows of a table printed for people
_WIDE = 26  # characters printed on either side of what a row rests on
_FOLDER = "regulations"
_TAG = re.compile(r"<[^<>]{0,200}>")


@app.command()
def analyze(
    file: Text,
    as_of: AsOf = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Read a text: impact, areas, entities, dates, thresholds, duties, each with its evidence."""
    from esgml.regulatory.predictor import RegulatoryPredictor

    text = _read(file)
    report = RegulatoryPredictor().analyze_regulation(text, as_of=_day(as_of))
    _keep(workspace, "analysis", {"title": Path(file).name, "text": text, "analysis": report})
    if as_json:
        write_json("esgml.regulation_analysis/1", report)
        return
    _show_analysis(text, report)


@app.command()
def risk(
    file: Annotated[str, typer.Argument(help="Organization as JSON, or - for input.")],
    regulations: Annotated[str, typer.Option(help="Ids, comma-separated; all of them.")] = "",
    data: Annotated[
        list[str] | None, typer.Option(help="Own tables: what can be reported.")
    ] = None,
    as_of: AsOf = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Say which regulations apply to an organization, what is missing, and the risk as an index."""
    from esgml.regulatory.organization import read_organization
    from esgml.regulatory.readiness import with_tables
    from esgml.regulatory.risk import compliance_risk

    organization = read_organization(_read(file))
    if data:
        from esgml.data.sources import read

        organization = with_tables(organization, [read(one) for one in data])
    wanted = list(split(regulations)) or None
    found = compliance_risk(organization, wanted, _day(as_of))
    _keep(workspace, "risk", {"risk": found})
    if as_json:
        write_json(found["schema"], found)
        return
    _show_risk(found)


@app.command()
def add(
    file: Text,
    name: Annotated[str, typer.Option(help="What to call it, such as 32023R0956.")] = "",
    version: Annotated[str, typer.Option(help="What tells versions apart, such as a date.")] = "",
    title: Annotated[str, typer.Option(help="Title for people.")] = "",
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Keep a text in the workspace, to search and compare it."""
    from dataclasses import asdict

    from esgml.regulatory.library import RegulationLibrary

    called = name or Path(file).stem
    entry = RegulationLibrary(workspace / _FOLDER).add(
        called, _read(file), title=title, version=version
    )
    if as_json:
        write_json("esgml.regulation_entry/1", asdict(entry))
        return
    print(f"kept {entry.name} {entry.version}".rstrip() + f": {entry.characters:,} characters")


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words, or a question in plain language.")],
    limit: Annotated[int, typer.Option(min=1, help="Most hits.")] = 10,
    words: Annotated[bool, typer.Option("--words", help="Words alone, no embeddings.")] = False,
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Find passages of the kept texts, by words and by meaning."""
    from esgml.core.errors import MissingExtraError
    from esgml.regulatory.encoder import SentenceEncoder
    from esgml.regulatory.library import RegulationLibrary
    from esgml.regulatory.search import search as run

    encoder = None
    if not words:
        try:
            encoder = SentenceEncoder()
        except MissingExtraError as error:
            note(f"words alone: {error}")
    found = run(RegulationLibrary(workspace / _FOLDER), query, limit=limit, encoder=encoder)
    if as_json:
        write_json(found["schema"], found)
        return
    if not found["texts"]:
        note("no text is kept yet; add one with: esgml regulation add FILE")
    title = f"{found['passages']} passages of {found['texts']} texts, by {found['method']}"
    rows = [
        [_clean(f"{hit['id']} {hit['version']}".strip()), _clean(hit["evidence"]["text"], 110)]
        for hit in found["hits"]
    ]
    table(title, ["regulation", "passage"], rows)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="File, or kept text as NAME or NAME@VERSION.")],
    new: Annotated[str, typer.Argument(help="File, or kept text as NAME or NAME@VERSION.")],
    as_json: Json = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Compare two versions of a text: what was added, removed, changed, which dates moved."""
    from esgml.regulatory.changes import compare

    found = compare(_version(old, workspace), _version(new, workspace))
    if as_json:
        write_json(found["schema"], found)
        return
    _show_changes(found)


@app.command(name="list")
def list_(
    as_of: AsOf = "", as_json: Json = False, workspace: Workspace = DEFAULT_WORKSPACE
) -> None:
    """List the regulations that are known and the texts that are kept."""
    from esgml.regulatory.library import listing

    found = listing(workspace / _FOLDER, _day(as_of))
    if as_json:
        write_json(found["schema"], found)
        return
    table(
        f"known on {found['as_of']}",
        ["id", "title", "where", "status", "facts", "verified", "checked", "next date"],
        [
            [one["id"], _clean(one["title"], 56), one["jurisdiction"], ", ".join(one["status"]),
             one["facts"], one["verified"], one["as_of"], one["next_deadline"] or ""]
            for one in found["knowledge"]
        ],
    )  # fmt: skip
    if found["ingested"]:
        rows = [[e["name"], e["version"], _clean(e["title"], 60)] for e in found["ingested"]]
        table("kept texts", ["name", "version", "title"], rows)


def _read(name: str) -> str:
    """Read a text file, or standard input."""
    from esgml.core.errors import NotFoundError, ReadError
    from esgml.core.storage import explained
    from esgml.regulatory.document import MOST_BYTES

    if name == "-":
        data = sys.stdin.buffer.read(MOST_BYTES + 1)
    else:
        path = Path(name)
        if not path.is_file():
            raise NotFoundError("no such file.", where=name)
        with explained(path), path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    try:
        # cut inside a character only where the text is too large anyway, which is said later
        return data.decode("utf-8-sig", errors="ignore" if len(data) > MOST_BYTES else "strict")
    except UnicodeDecodeError as error:
        raise ReadError(
            "this is no text in UTF-8.",
            where=name,
            remedy="A PDF or Word file has to be turned into text first, as pdftotext does.",
        ) from error


def _version(name: str, workspace: Path) -> str:
    """Return the text of a file, or one kept in the workspace."""
    from esgml.regulatory.library import RegulationLibrary

    if name == "-" or Path(name).is_file():
        return _read(name)
    called, _, version = name.partition("@")
    return RegulationLibrary(workspace / _FOLDER).text(called, version)


def _day(text: str) -> dt.date | None:
    from esgml.core.errors import UsageError
    from esgml.regulatory.risk_request import day

    try:
        return day(text or None, "--as-of")
    except ValueError as error:
        raise UsageError(str(error)) from error


def _keep(workspace: Path, what: str, found: dict[str, Any]) -> None:
    """Store a report where the dashboard reads it, beside the other kind that is there."""
    from esgml.core.settings import Settings
    from esgml.core.storage import write_atomic
    from esgml.dashboard.regulation.report import STORED

    path = STORED.path(Settings(workspace=workspace))
    other = ("risk",) if what == "analysis" else ("title", "text", "analysis")
    stored: dict[str, Any] = {}
    if path.is_file():
        try:
            before = json.loads(path.read_bytes())
            stored = {name: before[name] for name in other if before.get(name)}
        except (OSError, ValueError, AttributeError):
            note("the report the dashboard showed was unreadable and is replaced.")
    with for_pages():
        write_atomic(path, json.dumps(plain({**stored, **found}), allow_nan=False).encode())


def _line(text: str) -> str:
    """Return a stranger's text as one printable line, without tags."""
    plain_text = _TAG.sub(" ", text)
    return " ".join("".join(c if c.isprintable() else " " for c in plain_text).split())


def _clean(text: str, most: int = 200) -> str:
    """Return a stranger's text fit for a table: one line, no control characters, no markup."""
    from rich.markup import escape

    return escape(_short(text, most))


def _short(text: str, most: int) -> str:
    """Return a text on one line, two dots where it was cut."""
    line = _line(text)
    return line if len(line) <= most else line[: most - 2] + ".."


def _clause(text: str, evidence: dict[str, Any]) -> str:
    """Return what stands around a piece of evidence, the piece marked."""
    start, end = evidence["start"], evidence["end"]
    before = _line(text[max(0, start - 8 * _WIDE) : start])[-_WIDE:]
    after = _line(text[end : end + 8 * _WIDE])[:_WIDE]
    said = _clean(text[start:end], 2 * _WIDE)
    marked = f"[reverse]{said}[/reverse]" if sys.stdout.isatty() else f">{said}<"
    return f"{_clean(before)} {marked} {_clean(after)}".strip()


def _show_analysis(text: str, report: dict[str, Any]) -> None:
    score = report["impact_score"]
    print(f"impact {'not measured' if score is None else f'{score:.2f}'} on {report['as_of']}")
    for warning in report["warnings"]:
        note(f"warning: {warning['code']}: {_line(warning['message'])}")
    rows = [
        [p["part"], "-" if p["value"] is None else p["value"], p["weight"], _clean(p["why"])]
        for p in report["parts"]
    ]
    if rows:
        table("impact", ["part", "value", "weight", "why"], rows)
    for title, name, columns in (
        ("dates", "timeline", ["date", "what"]),
        ("thresholds", "thresholds", ["value", "of"]),
        ("duties", "obligations", ["what", "who"]),
        ("sanctions", "sanctions", ["what", "gravity"]),
        ("areas (estimated)", "affected_areas", ["area", "probability"]),
        ("entities", "entities", ["what", "name"]),
    ):
        # thresholds have a table of their own
        items = [one for one in report[name] if one.get("what") != "threshold"]
        if not items:
            continue
        rows = [[*_cells(name, one), _clause(text, one["evidence"])] for one in items[:_SHOWN]]
        table(f"{title}{_first(items)}", [*columns, "where the text says it"], rows)
    print(report["notice"])


def _cells(name: str, one: dict[str, Any]) -> list[Any]:
    """Return the first two cells of a row."""
    if name == "timeline":
        return [one["date"] or one["value"], one["what"]]
    if name == "thresholds":
        return [f"{one['comparator']} {one['value']:,} {_clean(one['unit'])}", one["what"]]
    if name == "obligations":
        return [one["what"], _clean(one["who"]["text"], 32) if one["who"] else "-"]
    if name == "sanctions":
        return [one["what"], one["gravity"]]
    if name == "affected_areas":
        return [one["area"], one["probability"]]
    return [one["what"], _clean(one["name"])]


def _show_risk(found: dict[str, Any]) -> None:
    certain = found["overall_risk_certain"]
    print(f"overall index {found['overall_risk']:.2f} (certain {certain:.2f}) on {found['as_of']}")
    rows = [
        [one["id"], one["applies"], one["risk"], one["deadline"] or "", len(one["missing_data"]),
         _clean(one["because"][0]["text"], 80) if one["because"] else ""]
        for one in found["by_regulation"]
    ]  # fmt: skip
    table(
        f"regulations{_first(found['by_regulation'])}",
        ["id", "applies", "risk", "deadline", "missing", "because"],
        rows[:_SHOWN],
    )
    if found["available_data"]:
        print(f"at hand: {', '.join(found['available_data'])}")
    if found["unrecognized_data"]:
        print(f"stands for no data point: {_clean(', '.join(found['unrecognized_data']), 120)}")
    for one in found["by_regulation"]:
        if one["applies"] == "yes" and one["missing_data"]:
            lacking = ", ".join(gap["id"] for gap in one["missing_data"])
            print(f"{one['id']} lacks: {_clean(lacking, 160)}")
    for advice in found["recommendations"][:_SHOWN]:
        print(f"- {advice['text']}")
    _told(found["recommendations"], "pieces of advice")
    print(found["notice"])


def _show_changes(found: dict[str, Any]) -> None:
    print(
        f"{len(found['added'])} added, {len(found['removed'])} removed,"
        f" {len(found['changed'])} changed, {found['unchanged']} unchanged"
    )
    if found["moved"]:
        rows = [
            [one["kind"], *(_clean(_value(one[side]), 40) for side in ("before", "after"))]
            for one in found["moved"][:_SHOWN]
        ]
        table(f"moved{_first(found['moved'])}", ["kind", "before", "after"], rows)
    for sign, name in (("-", "removed"), ("+", "added")):
        for one in found[name][:_SHOWN]:
            print(f"{sign} {_short(one['text'], 150)}")
        _told(found[name], f"{name} clauses")
    for one in found["changed"][:_SHOWN]:
        print(f"- {_short(one['before']['text'], 150)}\n+ {_short(one['after']['text'], 150)}")
    _told(found["changed"], "changed clauses")
    for one in found["warnings"]:
        print(f"{one['message']} {one['remedy']}")


def _first(items: Sequence[Any]) -> str:
    """Return for a heading how many of many are shown; nothing where all are."""
    return f", first {_SHOWN} of {len(items)}" if len(items) > _SHOWN else ""


def _told(items: Sequence[Any], name: str) -> None:
    """Say how many of a long list were not printed."""
    if len(items) > _SHOWN:
        print(f"{len(items) - _SHOWN} more {name}; --json holds all")


def _value(side: Any) -> str:
    """Return the value one side of a move has; a side may have none."""
    if side is None:
        return "-"
    return str(side["value"]) if isinstance(side, dict) else str(side)
