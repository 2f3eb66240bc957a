"""A regulation as it was given, and as it is read: cleaned, cut into sentences, every place known.

Whatever is found in the cleaned text is reported as a span of the text **as given**, so that
``given[start:end]`` is the evidence a reader sees, with its markup and line breaks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypedDict

from esgml.core.errors import DataError, UsageError
from esgml.regulatory import lines, markup, sentences
from esgml.regulatory.language import Language, detect
from esgml.regulatory.offsets import Mapped, apply

#: Most bytes of a text, as UTF-8; beyond it nothing is read rather than a part of it.
MOST_BYTES = 5_000_000
#: Most statements of one kind that are read: more than the longest acts hold, and what bounds the
#: time a text made of nothing but dates or duties can take.
MOST_READ = 30_000


class Evidence(TypedDict):
    """Where the text says it: ``given[start:end] == text``."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A text ready to be read.

    Attributes
    ----------
    given : str
        The text as given; evidence is a span of it.
    text : str
        The text as read: without markup, broken lines rejoined.
    language : Language
    sentences : tuple of (start, end)
        Of the text as read.
    """

    given: str
    text: str
    language: Language
    sentences: tuple[tuple[int, int], ...]
    _mapped: Mapped = field(repr=False)
    _starts: tuple[int, ...] = field(repr=False)

    def evidence(self, start: int, end: int) -> Evidence:
        """Return the span ``text[start:end]`` as a span of the text as given."""
        first, last = self._mapped.source(start, end)
        return {"text": self.given[first:last], "start": first, "end": last}

    def sentence(self, at: int) -> tuple[int, int]:
        """Return the sentence around a position of the text as read."""
        i = bisect_right(self._starts, at) - 1
        if i >= 0 and at < self.sentences[i][1]:
            return self.sentences[i]
        return sentences.trim(
            self.text, at, self._starts[i + 1] if i + 1 < len(self._starts) else len(self.text)
        )

    def clause(self, at: int) -> tuple[int, int]:
        """Return the clause around a position: a sentence, or an item of its list."""
        start, end = self.sentence(at)
        return sentences.clause(self.text, start, end, at)

    def foreign(self) -> Iterator[tuple[int, int, str]]:
        """Yield the longer sentences that are clearly in a language that is not read."""
        for start, end in self.sentences:
            if end - start >= 80:
                found = detect(self.text[start:end])
                if not found.supported and found.share >= 0.2:
                    yield start, end, found.code


def read(given: str) -> Document:
    """Clean a text and cut it into sentences.

    Parameters
    ----------
    given : str
        Plain text, HTML, or the text of a PDF. It is only ever data: nothing in it is obeyed.

    Raises
    ------
    UsageError
        If it is no text.
    DataError
        If it is empty (code ``empty``) or larger than 5 MB (code ``too_large``).
    """
    if not isinstance(given, str):
        raise UsageError("the regulation must be text.", where="text", remedy="Give a string.")
    if len(given) > MOST_BYTES or len(given.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise DataError(
            f"the text is larger than {MOST_BYTES // 1_000_000} MB.",
            code="too_large",
            where="text",
            remedy="Analyse its parts, such as titles or chapters, one by one.",
        )
    steps = [lines.plain_characters]
    if markup.is_html(given):
        steps.insert(0, markup.strip)
    mapped = apply(Mapped(given), [*steps, lines.page_heads, lines.rejoin])
    if not any(map(str.isalnum, mapped.text)):
        raise DataError(
            "the text is empty.",
            code="empty",
            where="text",
            remedy="Give the words of a regulation; a scanned page needs text recognition first.",
        )
    cut = tuple(sentences.sentences(mapped.text))
    return Document(
        given, mapped.text, detect(mapped.text), cut, mapped, tuple(start for start, _ in cut)
    )
