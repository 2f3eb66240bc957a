"""Where sentences and their clauses begin and end.

Legal text numbers its paragraphs ("2. Member States ..."), abbreviates ("No. 5", "e.g.") and
writes lists whose items end in semicolons; a full stop ends a sentence only where none of these
explains it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_STOP = re.compile(r"[.!?][)\]’'\"”]*(?=\s)|\n+")
#: Most characters of a sentence; a longer one, a list of a whole annex, is cut.
LONGEST = 3000
_WIDEST_CLAUSE = 600
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:No|Nos|Art|Arts|Sec|para|paras|vol|p|pp|cf|e\.g|i\.e|etc|al|Dr|Mr|Mrs|Ms|St|approx"
    r"|Inc|Ltd|Co|Corp|U\.S|U\.K|U\.S\.C|C\.F\.R|Fed|Reg|Stat|resp|incl|max|min|[A-Z])$"
)
_NUMBERED = re.compile(r"(?:^|[\s‘“\"'])(?:\d{1,3}[a-z]?|[IVXLC]{1,7})$")
_REFERRED = re.compile(r"[A-Za-z,)%] (\d{1,4})$")
#: "as indicated in Annex I." ends a sentence as "in Article 1." does.
_PART_NAMED = re.compile(
    r"\b(?:in|of|to|with|by|from|and|or) (?:Annex(?:es)?|Part|Title|Chapter) [IVXLC]+\Z"
)
#: The last group of a number ends a sentence: "EUR 325 000."
_GROUPED = re.compile(r"\d \d{3}$")
_NEXT = re.compile(r"\s+(?:[‘“\"'(\[]*[A-ZÀ-Þ0-9]|[—–•-]\s|\([a-z0-9]{1,5}\))")
_HEADING = re.compile(
    # the last group of "EUR 325 000. Certificates" is no paragraph number
    r"(?<=\s)(?=[‘“\"']?[1-9]\d{0,2}[a-z]?\.\s+[A-Z‘“\"'])(?<!\d )(?<!(?:EUR|ECU|USD) )"
    r"|(?<=\s)(?=Article \d{1,3}[a-z]? [A-Z])"
)
_REFERS = re.compile(
    r"(?:Articles?|Rules?|[Pp]aragraphs?|[Pp]oints?|Annex|No|Nos|Part|Title|Chapter|Section|and|or|to|in|of|,)\s+\Z"
)
_CLAUSE = re.compile(r"[;:]\s+|\s(?=\([a-z]{1,4}\)\s)|\s(?=[—–]\s)")


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of every sentence, without the white space around it."""
    at = 0
    for match in _STOP.finditer(text):
        if match[0][0] != "\n" and not _is_end(text, match.start(), match.end()):
            continue
        yield from _split_numbered(text, at, match.end())
        at = match.end()
    yield from _split_numbered(text, at, len(text))


def _is_end(text: str, stop: int, end: int) -> bool:
    before = text[max(0, stop - 24) : stop]
    if text[stop] == "." and (_ABBREVIATION.search(before) or _NUMBERED.search(before)):
        # a number that ends a sentence is told from one that starts a paragraph by what is before
        if _GROUPED.search(before):
            return _NEXT.match(text, end) is not None
        if _PART_NAMED.search(before):
            return _NEXT.match(text, end) is not None
        number = _REFERRED.search(before)
        if number is None or _NEXT.match(text, end) is None:
            return False
        # "in Article 1." ends a sentence, "Entry into force 1." starts a paragraph
        return bool(_REFERS.search(before[: number.start(1)])) or (
            number[1] != "1" and before[number.start()].islower()
        )
    return _NEXT.match(text, end) is not None


def _split_numbered(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a stretch cut before each paragraph number inside it, trimmed."""
    headings = [m.start() for m in _HEADING.finditer(text, start, end) if m.start() > start]
    inner = [at for at in headings if not _REFERS.search(text, max(start, at - 16), at)]
    cuts = [start, *inner, end]
    for a, b in pairwise(cuts):
        yield from _bounded(text, *trim(text, a, b))


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a sentence in parts of bounded length, cut between items of its list if it can be."""
    while end - start > LONGEST:
        cut = start + LONGEST
        for between in ("; ", ", ", " "):
            found = text.rfind(between, start + LONGEST // 2, start + LONGEST)
            if found >= 0:
                cut = found + len(between)
                break
        first, last = trim(text, start, cut)
        if first < last:
            yield first, last
        start = trim(text, cut, end)[0]
    if start < end:
        yield start, end


def clause(text: str, start: int, end: int, at: int) -> tuple[int, int]:
    """Return the clause of the sentence ``text[start:end]`` that the position `at` is in."""
    # a clause is near its verb; to look further would cost the square of a long list
    start, end = max(start, at - _WIDEST_CLAUSE), min(end, at + _WIDEST_CLAUSE)
    for match in _CLAUSE.finditer(text, start, end):
        if match.end() <= at:
            start = match.end()
        elif match.start() >= at:
            end = match.start()
            break
    return trim(text, start, end)


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span without the white space at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
