"""Who and where a text is about: jurisdictions, authorities, addressees, references to acts.

Each is reported once, with how often it is named and the first place that names it. An authority
or place that is in none of the lists of `names` is not found.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from esgml.regulatory.document import Document
from esgml.regulatory.names import ADDRESSEES, AUTHORITIES, JURISDICTIONS
from esgml.regulatory.references import references

_LISTS = (("jurisdiction", JURISDICTIONS), ("authority", AUTHORITIES), ("addressee", ADDRESSEES))


@functools.cache
def _pattern(what: str) -> re.Pattern[str]:
    named = dict(_LISTS)[what]
    # longer names first, so that "economic operators" is not read as "operators"
    ordered = sorted(named, key=lambda name: (-len(name), name))
    number = {name: i for i, name in enumerate(named)}
    return re.compile("|".join(f"(?P<n{number[name]}>\\b(?:{named[name]})\\b)" for name in ordered))


def entities(document: Document) -> list[dict[str, Any]]:
    """Return the entities of a text, most named first within each kind.

    Returns
    -------
    list of dict
        ``what`` (``jurisdiction``, ``authority``, ``addressee``, ``act``), ``name``,
        ``mentions``, ``evidence``, and ``celex`` for an EU act.
    """
    found: list[dict[str, Any]] = []
    for what, named in _LISTS:
        names = list(named)
        first: dict[str, tuple[int, int]] = {}
        mentions: dict[str, int] = {}
        for match in _pattern(what).finditer(document.text):
            name = names[int((match.lastgroup or "n0")[1:])]
            first.setdefault(name, match.span())
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
