"""What a point in time is for: application, transposition, reporting, review, repeal, expiry."""

from __future__ import annotations

import re

from esgml.regulatory.moment import Moment

#: Every role, with what it means.
ROLES = {
    "adoption": "the date the text itself was adopted or done",
    "entry_into_force": "from when the act is law",
    "application": "from when a rule is to be followed",
    "transposition": "by when Member States put a directive into national law",
    "reporting": "by when somebody reports, notifies, publishes or submits",
    "review": "by when somebody reviews, evaluates or assesses",
    "repeal": "when another act ceases to exist",
    "expiry": "until when something holds",
    "delegation": "how long a power is delegated",
    "period": "a span of time something refers to",
    "deadline": "any other time limit",
}

_DELEGATION = re.compile(
    r"\b(?:power to adopt|delegation of powers?|conferred on the Commission)\b"
)
_REPEAL = re.compile(r"\brepeal(?:ed|s)?\b", re.IGNORECASE)
_FORCE = re.compile(
    r"\b(?:enters?|entered|come|comes) into (?:force|effect)\b|\btakes? effect\b", re.IGNORECASE
)
_EFFECT = re.compile(r"\btakes? effect\b", re.IGNORECASE)
_TRANSPOSE = re.compile(
    r"\bbring into force the (?:laws|provisions|measures)|\btranspos|\badopt and publish\b"
    r"|\bnecessary to (?:comply|ensure compliance) with (?:this|the) (?:Directive|Article)",
    re.IGNORECASE,
)
_REPORT = re.compile(
    r"\b(?:reports?|notif(?:y|ied|ies)|inform|submit(?:ted|s)?|communicat(?:e|ed)"
    r"|transmit(?:ted|s)?|publish(?:ed)?|present(?:ed)?"
    r"|forward(?:ed)?|send|sent|disclose[sd]?|declar(?:e|ed|ation)|provide[sd]?"
    r"|make (?:public|available))\b",
    re.IGNORECASE,
)
_REVIEW = re.compile(
    r"\b(?:review(?:ed|s)?|evaluat(?:e[sd]?|ions?)|assess(?:ed|es)?|re-?examine[sd]?"
    r"|examine[sd]?|revise[sd]?)\b",
    re.IGNORECASE,
)
_APPLY = re.compile(
    r"\b(?:appl(?:y|ies|ied|icable)|with effect from|take effect|effective)\b", re.IGNORECASE
)
_EXPIRE = re.compile(
    r"\b(?:expires?|expire on|cease(?:s)? to|no longer|end on|lapse[sd]?)\b", re.IGNORECASE
)
_MODAL = re.compile(r"\b(?:shall|must|should|may|will)\b")


def role(moment: Moment, text: str, start: int, end: int) -> str:
    """Return the role of a moment in its clause ``text[start:end]``."""
    if moment.adopted:
        return "adoption"
    clause = text[max(start, moment.start - 400) : min(end, moment.end + 400)]
    lead = moment.lead
    before = text[max(start, moment.start - 60) : moment.start]
    if moment.kind == "length" and _FORCE.search(before):
        return "application" if _EFFECT.search(before) else "entry_into_force"
    if _DELEGATION.search(clause):
        return "delegation"
    if moment.kind == "date" and lead.startswith(("until", "till")):
        return "expiry"
    if _REPEAL.search(clause) and moment.kind == "date":
        return "repeal"
    if _TRANSPOSE.search(clause):
        return "transposition"
    if moment.kind == "date" and _FORCE.search(clause):
        # "shall enter into force on the twentieth day ... and shall apply from 1 January": the
        # verb nearest before the date says what happens on it
        force = [m.end() for m in _FORCE.finditer(text, start, moment.start)]
        applies = force and _APPLY.search(text, force[-1], moment.start)
        return "application" if applies else "entry_into_force"
    if moment.kind == "period":
        return "period"
    if lead.startswith(("until", "till", "up to")) or _EXPIRE.search(before):
        return "expiry"
    modal = _MODAL.search(clause)
    act = clause[modal.end() :] if modal else clause
    report, review = _REPORT.search(act), _REVIEW.search(act)
    due = bool(re.search(r"\b(?:by|later than|before|within|latest|every|prior)\b", lead))
    if moment.kind == "recurring" or due or moment.kind == "length":
        if report and (not review or report.start() < review.start()):
            return "reporting"
        if review:
            return "review"
    if lead.startswith(
        ("from", "as from", "as of", "with effect", "on", "starting", "beginning", "since")
    ) and (moment.kind == "date"):
        return "application"
    if due:
        return "deadline"
    if moment.kind == "length":
        return "period" if moment.anchor is None else "deadline"
    return "application" if _APPLY.search(clause) and moment.kind == "date" else "period"
