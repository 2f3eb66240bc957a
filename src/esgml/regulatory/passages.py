"""A long text cut into passages that can be found and shown: where each begins and ends.

A passage ends with a paragraph or, in a long paragraph, with a sentence; short ones are joined, so
that a passage says something by itself. ``text[start:end]`` is the passage as it was given.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

#: Characters a passage is meant to have, and the most it may have.
MEANT = 600
MOST = 1500
_BREAK = re.compile(r"\n\s*\n|\n(?=\s*(?:Article|Section|Annex|§)\s+\S)")
_SENTENCE = re.compile(r"(?<=[.;:!?])\s+(?=[A-Z(‘“\"\d])")


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield paragraphs, long ones cut at sentences and, where there are none, anywhere."""
    start = 0
    for end in [*(m.start() for m in _BREAK.finditer(text)), len(text)]:
        if end - start <= MEANT:
            yield start, end
        else:
            stops = [start, *(m.end() for m in _SENTENCE.finditer(text, start, end)), end]
            for a, b in itertools.pairwise(stops):
                for cut in range(a, b, MOST):
                    yield cut, min(cut + MOST, b)
        start = end


def passages(text: str) -> list[tuple[int, int]]:
    """Return where each passage of a text starts and ends, in order, without blanks around it."""
    found: list[tuple[int, int]] = []
    begin, last = 0, 0
    for start, end in _pieces(text):
        if last > begin and end - begin > MEANT:
            found.append((begin, last))
            begin = start
        last = end
    found.append((begin, last))
    trimmed = []
    for start, end in found:
        piece = text[start:end]
        body = piece.strip()
        if body:
            first = start + len(piece) - len(piece.lstrip())
            trimmed.append((first, first + len(body)))
    return trimmed
