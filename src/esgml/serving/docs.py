"""The page at ``/docs``: the OpenAPI description as plain HTML, nothing from outside."""

from __future__ import annotations

import html
import json
from typing import Any

STYLE = """
:root { color-scheme: light dark; --ink: #1b2430; --soft: #5b6878; --line: #d8dee6;
  --back: #ffffff; --panel: #f5f7fa; --accent: #0b6b53; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --soft: #9aa8b8;
  --line: #2c3744; --back: #10161d; --panel: #18212b; --accent: #52c7a5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--back); font: 16px/1.55 system-ui, sans-serif; }
a { color: var(--accent); }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1rem; text-transform: capitalize; color: var(--soft); }
details { border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0;
  background: var(--panel); }
summary { cursor: pointer; padding: .6rem .9rem; display: flex; gap: .75rem; flex-wrap: wrap; }
summary b { min-width: 3.5rem; color: var(--accent); }
summary span { color: var(--soft); margin-left: auto; }
.in { padding: 0 .9rem .9rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--back); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td { border-top: 1px solid var(--line); padding: .3rem .5rem .3rem 0; vertical-align: top; }
"""


def _resolve(value: Any, schemas: dict[str, Any], depth: int = 0) -> Any:
    """Replace references by what they name, so that a schema reads in one piece."""
    if isinstance(value, dict):
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name in schemas and depth < 8:
            return _resolve(schemas[name], schemas, depth + 1)
        return {k: _resolve(v, schemas, depth) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolve(v, schemas, depth) for v in value]
    return value


def _layout(value: Any, indent: str = "") -> str:
    """Return JSON with everything that fits on a line on one line."""
    short = json.dumps(value)
    if len(short) + len(indent) <= 76 or not isinstance(value, dict | list):
        return short
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {_layout(v, inner)}" for k, v in value.items()]
    else:
        parts = [_layout(v, inner) for v in value]
    left, right = ("{", "}") if isinstance(value, dict) else ("[", "]")
    lines = ",\n".join(inner + part for part in parts)
    return f"{left}\n{lines}\n{indent}{right}"


def _schema(content: dict[str, Any], schemas: dict[str, Any]) -> str:
    schema = content["application/json"]["schema"]
    text = _layout(_resolve(schema, schemas))
    return f"<pre tabindex='0'>{html.escape(text)}</pre>"


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    e = html.escape
    parts = [
        f"<details><summary><b>{e(method.upper())}</b><code>{e(path)}</code>"
        f"<span>{e(operation.get('summary', ''))}</span></summary><div class='in'>"
    ]
    if operation.get("description"):
        parts.append(f"<p>{e(operation['description'])}</p>")
    if "requestBody" in operation:
        parts.append("<h3>Request</h3>" + _schema(operation["requestBody"]["content"], schemas))
    answers = operation.get("responses", {})
    good = answers.get("200", {})
    if "application/json" in good.get("content", {}):
        parts.append("<h3>Answer</h3>" + _schema(good["content"], schemas))
    rows = "".join(
        f"<tr><td><code>{e(status)}</code></td><td>{e(answer.get('description', ''))}</td></tr>"
        for status, answer in answers.items()
    )
    parts.append(f"<table>{rows}</table></div></details>")
    return "".join(parts)


def page(document: dict[str, Any]) -> str:
    """Return the description as one HTML page without scripts."""
    schemas = document.get("components", {}).get("schemas", {})
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(path, method, operation, schemas))
    info = document["info"]
    sections = "".join(
        f"<h2>{html.escape(tag)}</h2>{''.join(operations)}" for tag, operations in by_tag.items()
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(info['title'])}</title>"
        "<link rel='icon' href='data:,'><link rel='stylesheet' href='/docs/style.css'></head><body>"
        f"<h1>{html.escape(info['title'])}</h1>"
        f"<p>{html.escape(info.get('description', ''))} Version {html.escape(info['version'])}."
        " The same as <a href='/openapi.json'>openapi.json</a>. <a href='/'>Dashboard</a></p>"
        f"{sections}</body></html>"
    )
