"""What changed from one version of a text to the next: clauses, and the dates and numbers in them.

Both texts are read as `document` reads them, cut into sentences and paired by `alignment`. For a
clause that changed, the dates and thresholds that `timeline` and `thresholds` read in it are
compared: what moved is reported with both places. Known weakness: a clause that was rewritten with
few of its words counts as removed and added.
"""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from esgml.regulatory.alignment import MOST_ELSEWHERE, align, crossing, plain
from esgml.regulatory.document import Document, read
from esgml.regulatory.thresholds import thresholds
from esgml.regulatory.timeline import timeline

Item = dict[str, Any]


class _Side:
    """One version: its clauses as given, and the dates and thresholds of each."""

    def __init__(self, given: str) -> None:
        document: Document = read(given)
        self.spans = [document.evidence(a, b) for a, b in document.sentences]
        self.clauses = [document.text[a:b] for a, b in document.sentences]
        starts = [span["start"] for span in self.spans]
        self.found: dict[int, list[Item]] = defaultdict(list)
        # all of them: no date of a text has more letters than the text
        dates, _ = timeline(document, len(given))
        numbers, _ = thresholds(document, len(given))
        for item in sorted(
            [*map(_date, dates), *map(_number, numbers)], key=lambda x: x["evidence"]["start"]
        ):
            self.found[bisect_right(starts, item["evidence"]["start"]) - 1].append(item)


def _date(item: Item) -> Item:
    return {
        "kind": "date",
        "what": item["what"],
        "value": item["date"] or item["value"],
        "evidence": item["evidence"],
    }


def _number(item: Item) -> Item:
    value = f"{item['comparator']} {item['value']:,} {item['unit']}".strip()
    return {
        "kind": "threshold",
        "what": item["what"],
        "value": value,
        "evidence": item["evidence"],
    }


def _moved(before: Sequence[Item], after: Sequence[Item]) -> list[Item]:
    """Return the dates and thresholds of a clause that are others in its new version.

    What is the same in both is set aside; the rest is paired in order, by kind. A partner of None
    says that the clause no longer sets it, or sets it now.
    """
    moved = []
    for kind in ("date", "threshold"):
        old, new = ([i for i in side if i["kind"] == kind] for side in (before, after))
        for same in [i["value"] for i in old]:
            twin = next((i for i in new if i["value"] == same), None)
            if twin is not None:
                new.remove(twin)
                old.remove(next(i for i in old if i["value"] == same))
        for place in range(max(len(old), len(new))):
            a = old[place] if place < len(old) else None
            b = new[place] if place < len(new) else None
            moved.append(
                {
                    "kind": kind,
                    "what": (b or a or {})["what"],
                    "before": a and {"value": a["value"], "evidence": a["evidence"]},
                    "after": b and {"value": b["value"], "evidence": b["evidence"]},
                }
            )
    return moved


def word_changes(before: str, after: str) -> list[dict[str, str]]:
    """Return which words of a clause became which, in order."""
    old, new = plain(before).split(), plain(after).split()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [
        {"before": " ".join(old[a:b]), "after": " ".join(new[c:d])}
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    ]


def _whole(side: _Side, at: int) -> Item:
    sets = [{k: i[k] for k in ("kind", "what", "value", "evidence")} for i in side.found[at]]
    return {**side.spans[at], "sets": sets}


def compare(old: str, new: str) -> dict[str, Any]:
    """Compare two versions of a text.

    When to use it: to see what an amendment or a final text changed, and which dates and limits
    moved. Both texts are only ever data.

    Parameters
    ----------
    old, new : str
        Plain text, HTML or the text of a PDF.

    Returns
    -------
    dict
        ``added`` and ``removed`` clauses with the dates and thresholds they set; ``changed``
        clauses as ``before`` and ``after`` with ``words`` and ``moved``; ``relocated`` clauses
        that stand elsewhere, word for word; ``moved``, all dates and thresholds that moved; how
        many clauses are ``unchanged``; and ``warnings`` with code, message and remedy. Every clause
        is a span of its text as given, and all of both texts is compared.

    Raises
    ------
    UsageError, DataError
        If a side is no text, empty or larger than 5 MB.
    """
    before, after = _Side(old), _Side(new)
    pairs = align(before.clauses, after.clauses)
    together = [(a, b) for a, b in pairs if a is not None and b is not None]
    gone = [a for a, b in pairs if a is not None and b is None]
    come = [b for a, b in pairs if b is not None and a is None]
    elsewhere = crossing(before.clauses, after.clauses, gone, come)
    left, arrived = {a for a, _ in elsewhere}, {b for _, b in elsewhere}
    gone, come = [a for a in gone if a not in left], [b for b in come if b not in arrived]
    changed, relocated = [], []
    for a, b in sorted(together + elsewhere):
        one: Item = {"before": before.spans[a], "after": after.spans[b]}
        if plain(before.clauses[a]) != plain(after.clauses[b]):
            words = word_changes(before.clauses[a], after.clauses[b])
            moved = _moved(before.found[a], after.found[b])
            changed.append({**one, "words": words, "moved": moved})
        elif a in left:
            relocated.append(one)
    unchanged = len(together) + len(elsewhere) - len(changed) - len(relocated)
    return {
        "schema": "esgml.regulation_changes/1",
        "added": [_whole(after, b) for b in come],
        "removed": [_whole(before, a) for a in gone],
        "changed": changed,
        "relocated": relocated,
        "moved": [item for one in changed for item in one["moved"]],
        "unchanged": unchanged,
        "warnings": _not_looked_for(len(gone), len(come)),
    }


def _not_looked_for(gone: int, come: int) -> list[dict[str, str]]:
    """Tell where clauses may count as removed and added that were moved and reworded."""
    if not (gone and come) or max(gone, come) <= MOST_ELSEWHERE:
        return []
    return [
        {
            "code": "moved_in_part",
            "message": f"{gone:,} clauses are removed and {come:,} added; whether one stands"
            f" elsewhere in other words was looked for among the first {MOST_ELSEWHERE:,} of each.",
            "remedy": "Compare titles or chapters one by one.",
        }
    ]
