"""Model cards: one page that says what a model is, how good, on what, and where it ends."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from esgml.registry import gate
from esgml.registry.bundle import Bundle

#: Rows of a table, the first its head.
Rows = Sequence[tuple[str, ...]]
#: A card section: heading, then a table or paragraphs.
Section = tuple[str, Rows | Sequence[str]]
_BULKY = frozenset({"errors", "actuals", "naive", "coverage", "width", "by_entity", "primary"})
_LAYERS = ("layers", "summary")


def sections(bundle: Bundle) -> list[Section]:
    """Return the contents of a card: headings, each with table rows or paragraphs."""
    found: list[Section] = [("What it is", _what(bundle))]
    words = {k: v for k, v in bundle.card.items() if k not in _LAYERS and k != "description"}
    for key, value in words.items():
        if value not in (None, "", [], {}):
            found.append((key.replace("_", " ").capitalize(), _fact(value)))
    found.append(("Accuracy on data not learned from", _metrics(bundle.metrics)))
    if isinstance(bundle.metrics.get("coverage"), dict):
        found.append(("Intervals", _intervals(bundle.metrics)))
    found.append(("Data it learned from", _data(bundle)))
    if bundle.params:
        rows = [("setting", "value"), *((k, _show(v)) for k, v in sorted(bundle.params.items()))]
        found.append(("Settings", rows))
    layers = next((bundle.card[key] for key in _LAYERS if bundle.card.get(key)), "")
    if layers:
        found.append(("Layers", ["```\n" + str(layers).replace("```", "'''") + "\n```"]))
    found.append(("Files", _files(bundle)))
    return found


def markdown(bundle: Bundle) -> str:
    """Return the card of a bundle as Markdown."""
    lines = [f"# {_escape(_title(bundle))}", ""]
    if bundle.card.get("description"):
        lines += [_escape(str(bundle.card["description"])), ""]
    for heading, body in sections(bundle):
        lines += [f"## {_escape(heading)}", ""]
        if body and isinstance(body[0], tuple):
            rows = [[_escape(cell).replace("|", "\\|") for cell in row] for row in body]
            lines.append("| " + " | ".join(rows[0]) + " |")
            lines.append("|" + " --- |" * len(rows[0]))
            lines += ["| " + " | ".join(row) + " |" for row in rows[1:]]
        else:
            lines += [
                text if text.startswith("```") else _escape(text) + "\n"
                for text in body
                if isinstance(text, str)
            ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;
color:#1b1f23;background:#fff}h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;
border-bottom:1px solid #d8dee4;overflow-wrap:anywhere}th{font-weight:600}
td+td{font-variant-numeric:tabular-nums}pre{background:#f6f8fa;padding:1rem;overflow:auto}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}
th,td{border-color:#30363d}pre{background:#161b22}}"""


def page(bundle: Bundle) -> str:
    """Return the card as one HTML page that needs nothing else and runs no script."""
    title = html.escape(_title(bundle))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{title}</h1>",
    ]
    if bundle.card.get("description"):
        parts.append(f"<p>{html.escape(str(bundle.card['description']))}</p>")
    for heading, body in sections(bundle):
        parts.append(f"<section><h2>{html.escape(heading)}</h2>")
        if body and isinstance(body[0], tuple):
            parts.append("<table><thead>" + _row("th", body[0]) + "</thead><tbody>")
            parts += [_row("td", row) for row in body[1:]]
            parts.append("</tbody></table>")
        else:
            for text in body:
                inner = str(text).removeprefix("```\n").removesuffix("\n```")
                tag = "pre" if inner != text else "p"
                parts.append(f"<{tag}>{html.escape(inner)}</{tag}>")
        parts.append("</section>")
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells) + "</tr>"


def _escape(text: str) -> str:
    """Make text show as itself in Markdown, and never as HTML, links or images."""
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"([\\`*\[\]<>#])", r"\\\1", text).replace("!\\[", "\\!\\[")


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(_show, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_show(v)}" for k, v in value.items()) or "none"
    return "not known" if value is None else str(value)


def _title(bundle: Bundle) -> str:
    name = bundle.name or bundle.task
    return f"{name} {bundle.version}".strip() + f" ({bundle.model_name})"


def _what(bundle: Bundle) -> Rows:
    rows = [
        ("fact", "value"),
        ("task", bundle.task),
        ("model", bundle.model_name),
        ("code", bundle.code_version or "not recorded"),
        ("identity (SHA-256)", bundle.digest),
    ]
    return [*rows, ("registered", bundle.created)] if bundle.created else rows


def _fact(value: Any) -> Rows | list[str]:
    if isinstance(value, dict):
        return [("fact", "value"), *((str(k), _show(v)) for k, v in value.items())]
    return [_show(item) for item in value] if isinstance(value, list) else [_show(value)]


def _metrics(metrics: Mapping[str, Any]) -> Rows | list[str]:
    naive = metrics.get("naive")
    naive = naive if isinstance(naive, dict) else {}
    rows = [("metric", "model", "naive baseline")]
    for key, value in metrics.items():
        if key not in _BULKY and gate.number(value) is not None:
            rows.append((key, _show(float(value)), _show(naive[key]) if key in naive else "-"))
    if len(rows) == 1:
        return ["No scores were recorded."]
    verdict = gate.judge(metrics).reason
    return [*rows, ("verdict", verdict[:1].upper() + verdict[1:], "")]


def _intervals(metrics: Mapping[str, Any]) -> Rows:
    width = metrics.get("width")
    width = width if isinstance(width, dict) else {}
    rows = [("promised", "held", "mean width")]
    for level, held in metrics["coverage"].items():
        value = gate.number(held)
        share = "not known" if value is None else f"{value:.1%}"
        rows.append((f"{level} %", share, _show(width[level]) if level in width else "-"))
    return rows


def _data(bundle: Bundle) -> Rows | list[str]:
    data = bundle.data_fingerprint
    if data is None:
        return ["No fingerprint of the data was recorded."]
    span = f"{data.start} to {data.end}" if data.start else "no time column"
    return [
        ("fact", "value"),
        ("rows", str(data.rows)),
        ("time span", span),
        ("columns", ", ".join(data.columns)),
        ("fingerprint (SHA-256)", data.sha256),
    ]


def _files(bundle: Bundle) -> Rows:
    rows = [(name, f"{len(content):,}") for name, content in bundle.files.items()]
    return [("file", "bytes"), *rows]
