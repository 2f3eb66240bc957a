"""The trained heads that come with the package: read once, verified, each with its card."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from esgml.core.errors import IntegrityError, NotFoundError
from esgml.core.storage import explained
from esgml.regulatory.language import detect
from esgml.regulatory.models.tfidf import TfidfClassifier
from esgml.regulatory.term_vectors import STOP
from esgml.regulatory.words import words

FOLDER = Path(__file__).parent / "weights"
CARD = "card.json"
#: Fewest words for a head to say anything about a text.
FEWEST_WORDS = 12
#: Least share of common English words; half of it is seen in no training text.
LEAST_COMMON = 0.1


@functools.cache
def head(name: str, folder: Path = FOLDER) -> TfidfClassifier:
    """Return a trained head by name.

    Raises
    ------
    NotFoundError
        If there is no such head.
    IntegrityError
        If its files are not the ones that were shipped.
    """
    root = folder / name
    if name not in names(folder):
        raise NotFoundError(
            f"no trained head {name!r}.",
            code="head_unknown",
            remedy=f"Known: {', '.join(names(folder)) or 'none'}.",
        )
    with explained(root):
        files = {path.name: path.read_bytes() for path in sorted(root.iterdir()) if path.is_file()}
    files.pop(CARD, None)
    return TfidfClassifier.from_files(files)


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the names of the heads that are there."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(path.name for path in folder.iterdir() if (path / CARD).is_file()))


def card(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Return what a head was trained on, its licence, and its scores on texts held out."""
    if name not in names(folder):
        raise NotFoundError(f"no trained head {name!r}.", code="head_unknown")
    try:
        found = json.loads((folder / name / CARD).read_bytes())
    except ValueError as error:
        raise IntegrityError("the card of this head is unreadable.", where=name) from error
    return dict(found)


def readable(text: str) -> str:
    """Say why the heads abstain on a text; empty where they do not."""
    found = words(text)
    if len(found) < FEWEST_WORDS:
        return f"the text has {len(found)} words; {FEWEST_WORDS} are needed"
    language = detect(text)
    if not language.supported:
        return f"the text is not English ({language.code}), which is all that was learned"
    common = sum(word.text in STOP for word in found) / len(found)
    if common < LEAST_COMMON:
        return f"only {common:.0%} of the words are common English ones: no running English text"
    return ""
