"""What to take out of HTML so that its words stay: tags, scripts, entities.

Reads with one forward scan, so that hostile markup (a million opened comments) costs no more
than its length.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from esgml.regulatory.offsets import Edit

_LOOKS = re.compile(
    r"<(?:!doctype\s+html|html|head|body|p|div|span|table|tr|td|th|br|ul|ol|li|h[1-6]|a\s|section"
    r"|article|b|i|em|strong)\b[^<>]*>",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"<(?:!--|/?[a-zA-Z!?])|&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,24});")
_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
_BLOCK = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "title",
        "tr",
        "ul",
    ]
)
_CELL = frozenset({"td", "th"})
_SILENT = ("script", "style", "template", "noscript", "svg")


def is_html(text: str) -> bool:
    """Tell whether a text is HTML; a lone ``<`` of a comparison is none."""
    return sum(1 for _ in zip(_LOOKS.finditer(text), range(2), strict=False)) == 2


def strip(text: str) -> Iterator[Edit]:
    """Yield what to replace in HTML: blocks end lines, cells stand apart, entities are read."""
    at = 0
    closed = dict.fromkeys((*_SILENT, "-->", ">"), True)
    lowered = ""
    while match := _TOKEN.search(text, at):
        start = match.start()
        if match[0][0] == "&":
            at = match.end()
            yield start, at, html.unescape(match[0])
            continue
        end = -1
        if match[0] == "<!--":
            end = _find(text, "-->", start + 4, closed)
        if end < 0:
            end = _find(text, ">", start, closed)
        if end < 0:
            at = match.end()
            continue
        named = _NAME.match(text, start)
        tag = named[1].lower() if named else ""
        if tag in _SILENT and text[start + 1] != "/" and closed[tag]:
            lowered = lowered or _ascii_lower(text)
            stop = lowered.find(f"</{tag}", end)
            if stop < 0:
                closed[tag] = False
            else:
                close = _find(text, ">", stop, closed)
                end = close if close >= 0 else len(text)
        at = end
        yield start, end, "\n" if tag in _BLOCK else "\t" if tag in _CELL else ""


def _find(text: str, what: str, at: int, closed: dict[str, bool]) -> int:
    """Return the end of the next `what`, or -1; once there is none it is not sought again."""
    if not closed[what]:
        return -1
    found = text.find(what, at)
    if found < 0:
        closed[what] = False
        return -1
    return found + len(what)


def _ascii_lower(text: str) -> str:
    """Lower ASCII letters alone, so that no character changes its length."""
    return text.translate({c: c + 32 for c in range(65, 91)})
