"""What to mend in the lines of a text: words and sentences that a page layout broke apart.

A PDF ends a line where the page ends, not where the sentence does, and puts page heads and
numbers in between. Rows of tables keep their lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from esgml.regulatory.offsets import Edit

_ODD = re.compile(
    r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]|[\u00ad\u200b-\u200f\u2060\ufeff]|[\ufb00-\ufb06]"
    r"|[\u2010\u2011]|\r\n?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
_LIGATURES = dict(
    zip(map(chr, range(0xFB00, 0xFB07)), ["ff", "fi", "fl", "ffi", "ffl", "st", "st"], strict=True)
)
_BREAK = re.compile(r"\n\s*")
_PAGE_HEAD = re.compile(
    r"^[ \t]{0,20}(?:EN|[LC] ?\d{1,4}/\d{1,4}|OJ [LC],? \d{1,2}\.\d{1,2}\.\d{4}"
    r"|ELI: \S{1,80}|Page \d{1,4}(?: of \d{1,4})?"
    r"|Official Journal of the European (?:Union|Communities))[ \t]{0,20}$",
    re.MULTILINE,
)
#: What stands beside a page head, and means something elsewhere (a cell of a table).
_BESIDE = r"[ \t]{0,20}(?:\d{1,4}|\d{1,2}\.\d{1,2}\.\d{4})?[ \t]{0,20}\n"
_BESIDE_HEAD = re.compile(_BESIDE)
_BESIDE_ABOVE = re.compile(r"(?<=\n)" + _BESIDE + r"\Z")
#: Words that keep their hyphen when a line ended right after it.
_KEEPS_HYPHEN = frozenset(
    [
        "non",
        "self",
        "cross",
        "long",
        "short",
        "medium",
        "well",
        "high",
        "low",
        "large",
        "small",
        "mid",
        "pre",
        "co",
        "end",
        "third",
        "two",
        "three",
    ]
)
_STARTS_NEW = re.compile(
    r"(?:\([a-z0-9]{1,5}\)|\d{1,3}\.(?!\d)|[-—–•*·])\s|(?:Article|CHAPTER|Section|SECTION"
    r"|ANNEX)\s"
)


def plain_characters(text: str) -> Iterator[Edit]:
    """Yield odd spaces, hyphens, ligatures and control characters, and what stands for them."""
    for match in _ODD.finditer(text):
        one = match[0]
        if one in _LIGATURES:
            new = _LIGATURES[one]
        elif one[0] in "\r\x0b\x0c":
            new = "\n"
        elif one in "\u2010\u2011":
            new = "-"
        elif "\u2000" <= one <= "\u200a" or one in "\u00a0\u202f\u205f\u3000":
            new = " "
        else:
            new = ""
        yield match.start(), match.end(), new


def page_heads(text: str) -> Iterator[Edit]:
    """Yield the heads and numbers of pages, which stand in the middle of sentences."""
    done = 0
    for match in _PAGE_HEAD.finditer(text):
        if match.start() < done or match.start() == 0:
            continue
        start, end = match.start(), match.end() + 1
        while found := _BESIDE_ABOVE.search(text, max(done, start - 40), start):
            start = found.start()
        while found := _BESIDE_HEAD.match(text, end) or _PAGE_HEAD.match(text, end):
            end = found.end() + 1 if found.re is _PAGE_HEAD else found.end()
        done = min(end, len(text))
        yield start, done, ""


def rejoin(text: str) -> Iterator[Edit]:
    """Yield the line breaks that are only layout, with what takes their place."""
    done = 0
    for match in _BREAK.finditer(text):
        start, end = match.span()
        while start > done and text[start - 1] in " \t":
            start -= 1
        done = end
        before = text[max(0, text.rfind("\n", 0, start) + 1, start - 200) : start]
        stop = text.find("\n", end, end + 200)
        after = text[end : stop if stop >= 0 else end + 200]
        if not before or not after or "\t" in before + after or "|" in before + after:
            continue
        if before[-1] == "-" and before[-2:-1].isalpha() and after[0].islower():
            word = before[:-1].rsplit(None, 1)[-1].lower()
            yield start if word in _KEEPS_HYPHEN else start - 1, end, ""
        elif not _ends(before, after, match[0].count("\n") > 1):
            yield start, end, " "


def _ends(before: str, after: str, blank: bool) -> bool:
    """Tell whether a line break also ends what was being said."""
    if _STARTS_NEW.match(after):
        return True
    if before[-1] in ".:;!?":
        return not after[0].islower()
    return blank and not after[0].islower()
