"""Who and where a text is about: jurisdictions, authorities, addressees, references to acts.

Each is reported once, with how often it is named and the first place that names it. An authority
or place that is in none of the lists of `names` is not found.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from esgml.regulatory.document import Document
from esgml.regulatory.names import ADDRESSEES, AUTHORITIES, JURISDICTIONS
from esgml.regulatory.references import references

_LISTS = (("jurisdiction", JURISDICTIONS), ("authority", AUTHORITIES), ("addressee", ADDRESSEES))


@functools.cache
def _patterns(what: str) -> list[tuple[str, re.Pattern[str]]]:
    """Return names and patterns, longer names first: "economic operators" before "operators".

    One small pattern a name, each starting with letters, is far faster than one large one.
    """
    named = dict(_LISTS)[what]
    ordered = sorted(named, key=lambda name: (-len(name), name))
    # a name of common words may start a sentence; a proper name is written one way
    return [
        (name, re.compile(rf"(?:{named[name]})\b", re.IGNORECASE if name.islower() else 0))
        for name in ordered
    ]


def _named(what: str, text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the names of a kind with their places; the longest name that ends there counts."""
    claimed: set[int] = set()
    for name, pattern in _patterns(what):
        for match in pattern.finditer(text):
            start, end = match.span()
            if end in claimed or (start and (text[start - 1].isalnum() or text[start - 1] == "_")):
                continue
            claimed.add(end)
            yield name, start, end


def entities(document: Document) -> list[dict[str, Any]]:
    """Return the entities of a text, most named first within each kind.

    Returns
    -------
    list of dict
        ``what`` (``jurisdiction``, ``authority``, ``addressee``, ``act``), ``name``,
        ``mentions``, ``evidence``, and ``celex`` for an EU act.
    """
    found: list[dict[str, Any]] = []
    for what, _ in _LISTS:
        first: dict[str, tuple[int, int]] = {}
        mentions: dict[str, int] = {}
        for name, start, end in _named(what, document.text):
            first.setdefault(name, (start, end))
            mentions[name] = mentions.get(name, 0) + 1
        found += [
            {
                "what": what,
                "name": name,
                "mentions": mentions[name],
                "evidence": document.evidence(*first[name]),
            }
            for name in sorted(first, key=lambda one: (-mentions[one], first[one]))
        ]
    acts: dict[str, dict[str, Any]] = {}
    for one in references(document.text):
        key = one.celex or one.name
        if key in acts:
            acts[key]["mentions"] += 1
        else:
            acts[key] = {
                "what": "act",
                "name": one.name,
                "celex": one.celex,
                "mentions": 1,
                "evidence": document.evidence(one.start, one.end),
            }
    return found + sorted(acts.values(), key=lambda act: -act["mentions"])
