"""Which clause of an old text became which clause of a new one.

Clauses that stayed word for word are found first; between them, what is left is paired in order by
how many words two clauses share, so that the sum of similarities is largest. What is left over is
paired across the order where it is very alike; what finds no partner was added or removed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Least share of words that two versions of one clause have in common.
ALIKE = 0.5
#: The same for a clause that also stands at another place.
ALIKE_ELSEWHERE = 0.7
#: Most clauses of a side that are paired with all of the other side; longer gaps are cut.
WIDEST = 250
#: Pairs of clauses, one of them None where there is no partner.
Pair = tuple[int | None, int | None]


def plain(clause: str) -> str:
    """Return a clause without differences that do not count: blanks and kinds of quotes."""
    return " ".join(clause.replace("’", "'").replace("“", '"').replace("”", '"').split())


def similarities(old: Sequence[str], new: Sequence[str]) -> NDArray[np.float64]:
    """Return the share of words in common of every pair: the Dice coefficient of their sets."""
    sets = [set(clause.lower().split()) for clause in (*old, *new)]
    vocabulary = {word: i for i, word in enumerate(sorted(set().union(*sets)))}
    holds = np.zeros((len(sets), len(vocabulary)))
    for row, words in enumerate(sets):
        holds[row, [vocabulary[word] for word in words]] = 1.0
    left, right = holds[: len(old)], holds[len(old) :]
    total = left.sum(axis=1)[:, None] + right.sum(axis=1)[None, :]
    return np.asarray(2.0 * (left @ right.T) / np.maximum(total, 1.0))


def align(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """Pair the clauses of two texts, in order.

    Returns
    -------
    list of (old or None, new or None)
        Every clause of both stands in it once.
    """
    before, after = [plain(c) for c in old], [plain(c) for c in new]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=len(before) > 5000)
    pairs: list[Pair] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            pairs += zip(range(a, b), range(c, d), strict=True)
        else:
            pairs += _between(before, after, range(a, b), range(c, d))
    return pairs


def _between(before: Sequence[str], after: Sequence[str], old: range, new: range) -> Iterator[Pair]:
    """Pair what lies between two unchanged places, piece by piece where it is long."""
    while len(old) > WIDEST or len(new) > WIDEST:
        yield from _pieces(before, after, old[:WIDEST], new[:WIDEST])
        old, new = old[WIDEST:], new[WIDEST:]
    yield from _pieces(before, after, old, new)


def _pieces(before: Sequence[str], after: Sequence[str], old: range, new: range) -> Iterator[Pair]:
    """Pair two short runs of clauses so that the sum of similarities is largest."""
    n, m = len(old), len(new)
    alike = similarities([before[i] for i in old], [after[j] for j in new])
    alike[alike < ALIKE] = 0.0
    if not alike.any():
        yield from ((i, None) for i in old)
        yield from ((None, j) for j in new)
        return
    best = np.zeros((n + 1, m + 1))
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            paired = alike[i, j] + best[i + 1, j + 1] if alike[i, j] else 0.0
            best[i, j] = max(best[i + 1, j], best[i, j + 1], paired)
    i = j = 0
    while i < n or j < m:
        if i < n and j < m and alike[i, j] and best[i, j] == alike[i, j] + best[i + 1, j + 1]:
            yield old[i], new[j]
            i, j = i + 1, j + 1
        elif i < n and (j == m or best[i, j] == best[i + 1, j]):
            yield old[i], None
            i += 1
        else:
            yield None, new[j]
            j += 1


def crossing(
    old: Sequence[str], new: Sequence[str], gone: Sequence[int], come: Sequence[int]
) -> list[tuple[int, int]]:
    """Pair clauses without a partner that are very alike but stand elsewhere, most alike first."""
    found: list[tuple[int, int]] = []
    free = list(come)
    for first in range(0, min(len(gone), 4 * WIDEST), WIDEST):
        left, right = gone[first : first + WIDEST], free[: 4 * WIDEST]
        alike = similarities([plain(old[a]) for a in left], [plain(new[b]) for b in right])
        while alike.max(initial=0.0) >= ALIKE_ELSEWHERE:
            i, j = (int(x) for x in np.unravel_index(int(alike.argmax()), alike.shape))
            found.append((left[i], right[j]))
            free.remove(right[j])
            alike[i, :] = 0.0
            alike[:, j] = 0.0
    return found
