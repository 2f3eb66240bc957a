"""Dates that only name something: an act, a meeting, a journal. They set no deadline."""

from __future__ import annotations

import re

#: "... of 11 March 2014" names an act, unless what is before says that it is a point in time.
_OF_A_TIME = re.compile(
    r"\b(?:as|date|dates|deadline|period|effect|limit|day|days|weeks?|months?|years?|expiry|end"
    r"|beginning|start|half|quarter|middle|course|hours?|target date|due date) of(?: the)? \Z",
    re.IGNORECASE,
)
_OF = re.compile(r"\b(?:of|dated)(?: the)?(?: \d{1,2}(?: and| or|,| to|-|–)(?: \d{1,2} and)?)? \Z")
_MADE_ON = re.compile(
    r"\b(?:Agreement|Convention|Protocol|Treaty|Accord|Charter|Declaration|Conference"
    r"|Conclusions|Decision"
    r"|Resolution|Recommendation|Communication|Constitution|Act|Memorandum|Statute|Summit"
    r"|Directive"
    r"|Regulation|opinion|proposal)\b"
    r"[^.;]{0,140}\b(?:adopted|signed|concluded|done|drawn up|made|approved|ratified"
    r"|endorsed|delivered)"
    r"(?: (?:in|at|by) [^.;,]{2,60})?,?(?: on)? \Z"
)
_JOURNAL = re.compile(r"\bOJ\b(?: No)? ?[A-Z]{0,2}[^()]{0,40}\Z|\bp\. ?\d[^()]{0,20}\Z")
_NUMBER = re.compile(
    r"(?:\bADs?|\(AD\)|\bNos?\.?|\bNumber|\bDocket|\bNotice|\bOrder|\bBulletin) \Z"
)
_TITLE = re.compile(
    r"\A(?:[LC] ?\d{1,4}/\d{1,4}\s)?(?:\d{1,2}\.\d{1,2}\.\d{4}\s)?(?:[A-Z]+\s)?"
    r"(?:Council |Commission )?(?:Delegated |Implementing |Framework )?"
    r"(?:Regulation|Directive|Decision|Recommendation)\b[^.;]{0,160}\bof \Z",
    re.IGNORECASE,
)
_TITLE_GOES_ON = re.compile(
    r"\s+(?:on|amending|establishing|concerning|laying|as regards|repealing|relating|for"
    r"|supplementing)\b"
)
_DONE_AT = re.compile(r"\bDone (?:at|in) [A-Z][\w\s-]{1,40}, (?:on )?(?:this )?\Z")


def names_something(text: str, start: int) -> bool:
    """Tell whether the date at `start` is part of the name of an act, meeting or journal issue."""
    before = text[max(0, start - 220) : start]
    if _JOURNAL.search(before) or _NUMBER.search(before):
        return True
    if _OF.search(before):
        return not _OF_A_TIME.search(before)
    return bool(_MADE_ON.search(before))


def adopted_on(text: str, start: int, end: int) -> bool:
    """Tell whether a date is the one the text itself was adopted on: its title's or "Done at"."""
    before = text[max(0, start - 60) : start]
    if _DONE_AT.search(before):
        return True
    return (
        start < 400
        and bool(_TITLE.match(text[:start].lstrip()))
        and bool(_TITLE_GOES_ON.match(text, end))
    )
