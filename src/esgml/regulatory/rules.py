"""US final rules: their texts as a head reads them, and the labels of their significance."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from esgml.regulatory.labelled import CUT, Labelled, plain, read_rows

_WORDS = re.compile(r"[^a-z]+")
_COLUMNS = ("publication_date", "department", "agency", "title", "abstract", "action")
_LABELS = ("significant", "econ_significant")


def rule_text(title: str, abstract: str, *, agency: str = "", action: str = "") -> str:
    """Return the text a head reads: what was said, then agency and action as words of their own."""
    words = [
        f"{kind}-{_WORDS.sub('-', value.lower()).strip('-')}"
        for kind, value in (("agency", agency), ("action", action))
        if _WORDS.sub("", value.lower())
    ]
    return "\n".join(part for part in (title, abstract, " ".join(words)) if part)


def us_rules(path: Path, *, described: bool = True, cut: str = CUT) -> Labelled:
    """Return US final rules with their significance; rows nobody designated are left out.

    Parameters
    ----------
    path : Path
        ``us_final_rules.csv``.
    described : bool
        Also read department, agency and action, which are known at publication. The columns
        ``Major``, ``Notes`` and ``3(f)(1) significant`` say the answer and are never read.
    cut : str
        First day held out, ISO.

    Notes
    -----
    A later rule under an id seen before `cut` is in neither part. A rule without an id (the file
    has a dot there) is a rule of its own.
    """
    rows = read_rows(path, [*_COLUMNS, *_LABELS, "regulation_id_number"])
    rows = [
        row
        for row in rows
        if any(row[label].strip() in "01" and row[label].strip() for label in _LABELS)
    ]
    rows = [row for row in rows if row["publication_date"].strip()]
    ids = [_rule_id(row) for row in rows]
    seen = {ident for ident, row in zip(ids, rows, strict=True) if row["publication_date"] < cut}
    kept = [
        row
        for ident, row in zip(ids, rows, strict=True)
        if row["publication_date"] < cut or not ident or ident not in seen
    ]
    texts = [
        rule_text(
            plain(row["title"]),
            plain(row["abstract"]),
            agency=" ".join((row["department"], row["agency"])) if described else "",
            action=row["action"] if described else "",
        )
        for row in kept
    ]
    value = {"0": 0.0, "1": 1.0}
    truth = np.array([[value.get(row[label].strip(), np.nan) for label in _LABELS] for row in kept])
    held = np.array([row["publication_date"] >= cut for row in kept])
    groups = [_rule_id(row) or row["title"] for row in kept]
    return Labelled(texts, _LABELS, truth, held, groups)


def _rule_id(row: dict[str, str]) -> str:
    """Return the rule's id, such as ``1024-AE67``; empty where it has none."""
    ident = row["regulation_id_number"].strip()
    return ident if any(map(str.isalnum, ident)) else ""
