"""Which clause of an old text became which clause of a new one.

Clauses that stayed word for word are found first: those that stand once in either text hold the
two together (patience diff), which costs no more than sorting them, however long the texts are.
Between them, what is left is paired in order by how many words two clauses share, so that the sum
of similarities is largest. What is left over is paired across the order where it is very alike;
what finds no partner was added or removed.
"""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections import Counter, defaultdict, deque
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
#: Most clauses of a side that are looked for elsewhere in other words.
MOST_ELSEWHERE = 4 * WIDEST
#: How often a gap is searched again for clauses that stand once in it.
_DEEPEST = 8
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
    return list(_anchored(before, after, range(len(before)), range(len(after))))


def _anchored(
    before: Sequence[str], after: Sequence[str], old: range, new: range, deeper: int = _DEEPEST
) -> Iterator[Pair]:
    """Pair two runs of clauses at those that stand once in either, and what lies between."""
    anchors = _anchors(before, after, old, new)
    a, b = old.start, new.start
    for i, j in [*anchors, (old.stop, new.stop)]:
        # what is equal next to an anchor needs no search
        while a < i and b < j and before[a] == after[b]:
            yield a, b
            a, b = a + 1, b + 1
        c, d = i, j
        while a < c and b < d and before[c - 1] == after[d - 1]:
            c, d = c - 1, d - 1
        left, right = range(a, c), range(b, d)
        if max(len(left), len(right)) <= WIDEST:
            yield from _equal(before, after, left, right)
        elif anchors and deeper:
            # what is there twice in the whole may be there once in this part
            yield from _anchored(before, after, left, right, deeper - 1)
        else:
            yield from _between(before, after, left, right)
        yield from zip(range(c, i), range(d, j), strict=True)
        if i < old.stop and j < new.stop:
            yield i, j
        a, b = i + 1, j + 1


def _anchors(
    before: Sequence[str], after: Sequence[str], old: range, new: range
) -> list[tuple[int, int]]:
    """Return the longest run, in the order of both, of equal clauses that stand once in either."""
    here, there = Counter(before[i] for i in old), Counter(after[j] for j in new)
    place = {after[j]: j for j in new if there[after[j]] == 1}
    once = [(i, place[before[i]]) for i in old if here[before[i]] == 1 and before[i] in place]
    # longest increasing subsequence: the smallest end of every length, and who stands before whom
    ends: list[int] = []
    last: list[int] = []
    previous: list[int | None] = []
    for which, (_, j) in enumerate(once):
        size = bisect_left(ends, j)
        ends[size : size + 1], last[size : size + 1] = [j], [which]
        previous.append(last[size - 1] if size else None)
    chain: list[tuple[int, int]] = []
    at = last[-1] if last else None
    while at is not None:
        chain.append(once[at])
        at = previous[at]
    return chain[::-1]


def _equal(before: Sequence[str], after: Sequence[str], old: range, new: range) -> Iterator[Pair]:
    """Pair two short runs of clauses: equal ones first, also those that stand there twice."""
    left, right = [before[i] for i in old], [after[j] for j in new]
    for tag, a, b, c, d in difflib.SequenceMatcher(None, left, right, False).get_opcodes():
        if tag == "equal":
            yield from zip(old[a:b], new[c:d], strict=True)
        else:
            yield from _pieces(before, after, old[a:b], new[c:d])


def _between(before: Sequence[str], after: Sequence[str], old: range, new: range) -> Iterator[Pair]:
    """Pair what lies between two unchanged places, piece by piece where it is long."""
    while len(old) > WIDEST or len(new) > WIDEST:
        yield from _equal(before, after, old[:WIDEST], new[:WIDEST])
        old, new = old[WIDEST:], new[WIDEST:]
    yield from _equal(before, after, old, new)


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
    """Pair clauses without a partner that stand elsewhere: equal ones, then the most alike.

    Equal ones are found wherever they are; in other words, the first `MOST_ELSEWHERE` of each side.
    """
    places: dict[str, deque[int]] = defaultdict(deque)
    for b in come:
        places[plain(new[b])].append(b)
    found: list[tuple[int, int]] = []
    left_over = []
    for a in gone:
        same = places[plain(old[a])]
        if same:
            found.append((a, same.popleft()))
        else:
            left_over.append(a)
    taken = {b for _, b in found}
    free = [b for b in come if b not in taken][:MOST_ELSEWHERE]
    for first in range(0, min(len(left_over), MOST_ELSEWHERE), WIDEST):
        left, right = left_over[first : first + WIDEST], list(free)
        alike = similarities([plain(old[a]) for a in left], [plain(new[b]) for b in right])
        while alike.max(initial=0.0) >= ALIKE_ELSEWHERE:
            i, j = (int(x) for x in np.unravel_index(int(alike.argmax()), alike.shape))
            found.append((left[i], right[j]))
            free.remove(right[j])
            alike[i, :] = 0.0
            alike[:, j] = 0.0
    return found
