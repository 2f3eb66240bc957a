"""Labelled texts: reading them, and the split that was fixed before anything was trained.

Two public collections are known here. *Climate Change Laws of the World* labels laws and policies
with sectors, instruments, responses and their type; a text is held out when the hash of its title
says so, which no later choice can move. *Reg-Stats* marks US final rules as significant; rules
published after a date, under rule ids not seen before it, are held out.
"""

from __future__ import annotations

import csv
import hashlib
import html
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import ColumnError, ReadError
from esgml.core.storage import explained

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Labels of fewer texts are left out.
FEWEST = 50
#: Share of titles held out.
SHARE = 0.25
#: US rules published from this day on are held out.
CUT = "2022-07-01"
_SPACE = re.compile(r"\s+")
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Labelled:
    """Texts with labels, and which of them are held out.

    Attributes
    ----------
    texts : list of str
    labels : tuple of str
    truth : array, shape (n, labels)
        1 applies, 0 does not, NaN nobody said.
    held : array of bool, shape (n,)
        Never learned from, never used to choose anything.
    groups : list of str
        Texts of one group belong together in folds.
    """

    texts: list[str]
    labels: tuple[str, ...]
    truth: NDArray[np.float64]
    held: NDArray[np.bool_]
    groups: list[str] = field(default_factory=list)

    def part(self, held: bool) -> tuple[list[str], NDArray[np.float64], list[str]]:
        """Return texts, truth and groups of the held-out part or of the rest."""
        rows = np.flatnonzero(self.held == held)
        return (
            [self.texts[i] for i in rows],
            self.truth[rows],
            [self.groups[i] for i in rows] if self.groups else [str(i) for i in rows],
        )


def plain(text: str) -> str:
    """Return a text without tags, entities and runs of white space."""
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", text))).strip()


def held_out(title: str, share: float = SHARE) -> bool:
    """Say whether a title is held out: by its SHA-256, so that the split never moves."""
    return int(hashlib.sha256(title.strip().encode()).hexdigest()[:8], 16) < share * 2**32


def read_rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file; every value a string.

    Raises
    ------
    ReadError
        If the file is not UTF-8 text or not CSV.
    ColumnError
        If a needed column is missing.
    """
    with explained(path):
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise ReadError("this is no UTF-8 CSV file.", where=path.name) from error
    missing = [name for name in needed if not rows or name not in rows[0]]
    if missing:
        raise ColumnError(f"columns are missing: {', '.join(missing)}.", where=path.name)
    return [{key: value or "" for key, value in row.items() if key} for row in rows]


#: Column, separator, kind, and how a name is shortened, of every family of labels.
FAMILIES: Mapping[str, tuple[str, str, Callable[[str], str]]] = {
    "sector": ("Sectors", r"[,;]", str),
    "instrument": ("Instruments", r";", lambda name: name.rpartition("|")[2].strip()),
    "response": ("Responses", r"[,;]", str),
    "topic": ("Keywords", r"[,;]", str),
}


def climate_laws(path: Path, family: str) -> Labelled:
    """Return the climate laws with the labels of one family.

    Parameters
    ----------
    path : Path
        ``climate_laws.csv``.
    family : {"sector", "instrument", "response", "topic", "act"}
        ``act`` has the one label ``legislative`` (otherwise executive), from descriptions alone.
    """
    rows = read_rows(path, ["Title", "Description", "Type"])
    held = np.array([held_out(row["Title"]) for row in rows])
    if family == "act":
        texts = [plain(row["Description"]) for row in rows]
        truth = np.array([[float(row["Type"] == "legislative")] for row in rows])
        return Labelled(texts, ("legislative",), truth, held, [row["Title"] for row in rows])
    column, separator, shorten = FAMILIES[family]
    named = [
        {shorten(name.strip()) for name in re.split(separator, row[column]) if name.strip()}
        for row in rows
    ]
    counts = Counter(name for names in named for name in names)
    labels = tuple(sorted(name for name, count in counts.items() if count >= FEWEST))
    truth = np.array(
        [
            [float(label in names) if row[column].strip() else np.nan for label in labels]
            for row, names in zip(rows, named, strict=True)
        ]
    )
    texts = [f"{plain(row['Title'])}. {plain(row['Description'])}" for row in rows]
    return Labelled(texts, labels, truth, held, [row["Title"] for row in rows])
