"""Words and sentences of a text with their places, so that every statement can point back.

Offsets are into the text as it was given: tags and entities are blanked in place, never removed,
and words are normalised one by one.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_TAG = re.compile(r"<(?:/?[A-Za-z]|!--)[^<>]{0,400}>|&[#A-Za-z0-9]{2,8};")
_WORD = re.compile(r"[^\W\d_][^\W_]+(?:-[^\W_]+)*|[^\W\d_]{2,}")
_TOKEN = re.compile(r"\S+")
# A sentence ends at . ! ? ; before white space and a capital, a digit or a bracket, or at a blank
# line; the lookbehinds keep the commonest abbreviations whole.
_END = re.compile(
    r"(?<!\bArt)(?<!\bNo)(?<!\bNos)(?<!\bpara)(?<!\bcf)(?<!\bi\.e)(?<!\be\.g)(?<!\bU\.S)"
    r"[.!?;]['\"”’)]?(?=\s+[\"“‘(\[]?[A-ZÀ-Þ0-9(])|\n[ \t]*\n"
)
#: Longest span offered as evidence, in characters; a longer sentence is cut at a space.
LONGEST = 600


class Word(NamedTuple):
    """One word: normalised, and where it stands in the text."""

    text: str
    start: int
    end: int


def blanked(text: str) -> str:
    """Return the text with tags and entities replaced by as many spaces."""
    return _TAG.sub(lambda match: " " * len(match[0]), text)


def normal(word: str) -> str:
    """Return a word in lower case without accents."""
    word = word.lower()
    if word.isascii():
        return word
    split = unicodedata.normalize("NFKD", word)
    return "".join(mark for mark in split if not unicodedata.combining(mark))


def words(text: str) -> list[Word]:
    """Return the words of two letters or more, in order; numbers are no words."""
    return [
        Word(normal(match[0]), match.start(), match.end())
        for match in _WORD.finditer(blanked(text))
    ]


def blanked_tokens(text: str) -> list[tuple[str, int]]:
    """Return the runs without white space, tags read past, each with where it starts."""
    return [(match[0], match.start()) for match in _TOKEN.finditer(blanked(text))]


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences, in order, white space and tags around them left out.

    Every word lies in exactly one span; a span is at most `LONGEST` characters, one unbroken
    run of characters longer than that excepted.
    """
    clear = blanked(text)
    spans = []
    start = 0
    for end in [*(match.end() for match in _END.finditer(clear)), len(clear)]:
        spans += _cut(clear, start, end)
        start = end
    return spans


def _cut(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the span without white space around it, in pieces where it is too long."""
    pieces = []
    while end - start > LONGEST:
        at = text.rfind(" ", start + 1, start + LONGEST)
        if at < 0:
            at = text.find(" ", start + LONGEST, end)
            if at < 0:
                break
        pieces.append((start, at))
        start = at
    pieces.append((start, end))
    kept = []
    for first, last in pieces:
        piece = text[first:last]
        stripped = piece.strip()
        if stripped:
            first += len(piece) - len(piece.lstrip())
            kept.append((first, first + len(stripped)))
    return kept
