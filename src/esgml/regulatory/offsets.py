"""Texts that are rewritten step by step and still know where each character came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

#: A part of a text to replace: start, end, and what takes its place.
Edit = tuple[int, int, str]


@dataclass(frozen=True)
class Mapped:
    """A text, and the place of each of its characters in the text it was made from.

    Attributes
    ----------
    text : str
        The text as it is now.
    """

    text: str
    _here: tuple[int, ...] = (0,)
    _there: tuple[int, ...] = (0,)
    _replaced: tuple[int, ...] = (-1,)
    _before: Mapped | None = field(default=None, repr=False)

    def edited(self, edits: Iterable[Edit]) -> Mapped:
        """Return the text with parts replaced, which must come in order and not overlap."""
        pieces: list[str] = []
        here, there, replaced = [], [], []
        at = length = 0
        for start, end, new in edits:
            if start > at:
                here.append(length)
                there.append(at)
                replaced.append(-1)
                pieces.append(self.text[at:start])
                length += start - at
            if new:
                here.append(length)
                there.append(start)
                replaced.append(end)
                pieces.append(new)
                length += len(new)
            at = end
        if not pieces and at == 0:
            return self
        if at < len(self.text) or not here:
            here.append(length)
            there.append(at)
            replaced.append(-1)
            pieces.append(self.text[at:])
        return Mapped("".join(pieces), tuple(here), tuple(there), tuple(replaced), self)

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the first text that ``text[start:end]`` was made from."""
        first, last = start, end
        step: Mapped | None = self
        while step is not None and step._before is not None:
            first, last = step._start(first), step._end(last) if last > first else step._start(last)
            step = step._before
        return first, max(first, last)

    def _start(self, at: int) -> int:
        i = bisect_right(self._here, at) - 1
        if self._replaced[i] >= 0:
            return self._there[i]
        return self._there[i] + at - self._here[i]

    def _end(self, at: int) -> int:
        """Return where what stands before `at` ends in the text before."""
        i = bisect_right(self._here, at - 1) - 1
        if self._replaced[i] >= 0:
            return self._replaced[i]
        return self._there[i] + at - self._here[i]


def apply(text: Mapped, steps: Iterable[Callable[[str], Iterable[Edit]]]) -> Mapped:
    """Return the text after each step, which names its edits given the text so far."""
    for step in steps:
        text = text.edited(step(text.text))
    return text
