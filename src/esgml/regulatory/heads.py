"""The trained heads that come with the package: read once, verified, each with its card."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from esgml.core.errors import IntegrityError, NotFoundError
from esgml.core.storage import explained
from esgml.regulatory.models.tfidf import TfidfClassifier

FOLDER = Path(__file__).parent / "weights"
CARD = "card.json"
#: Fewest known words, and least share of them, for a head to say anything about a text.
FEWEST_WORDS = 8
LEAST_SHARE = 0.25


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


def readable(model: TfidfClassifier, text: str) -> str:
    """Say why a head abstains on a text; empty where it does not."""
    known, share = model.known_share(text)
    if known < FEWEST_WORDS:
        return f"only {known} words of the text are known to the model; {FEWEST_WORDS} are needed"
    if share < LEAST_SHARE:
        return f"only {share:.0%} of the words are known to the model: another language or subject"
    return ""
