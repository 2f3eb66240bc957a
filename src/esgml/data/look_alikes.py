"""Names that look the same to a reader and are not: capitals, spaces, letters of other scripts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# Cyrillic and Greek letters that print like Latin ones
_LATIN = str.maketrans(
    "АВЕЗКМНОРСТУХаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧονα",
    "ABE3KMHOPCTYXaeopcyxijsABEZHIKMNOPTYXova",
)


def look(name: str) -> str:
    """Return what is left of a name when what a reader hardly sees is taken away.

    Capitals, white space of any kind and number, invisible characters, full-width forms, and
    Cyrillic or Greek letters that print like Latin ones.
    """
    plain = unicodedata.normalize("NFKC", name).translate(_LATIN)
    seen = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cc", "Mn"))
    return " ".join(seen.split()).casefold()


def alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of different names that look the same, in the order of the names."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(look(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def told(groups: list[tuple[str, ...]]) -> str:
    """Return a few groups as text; letters beyond ASCII as their code where names print alike."""
    parts = []
    for group in groups[:3]:
        shown = [ascii(name[:60]) for name in group[:3]]
        parts.append(" and ".join(shown))
    return "; ".join(parts) + ("; …" if len(groups) > 3 else "")
