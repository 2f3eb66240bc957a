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
    "period": "how long something lasts, or when something else was done",
    "deadline": "by when, or how often, anything else is due",
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
    r"\bbring into force\b[^.;]{0,60}\b(?:laws|provisions|measures)\b|\btranspos"
    r"|\badopt and publish\b[^.;]{0,60}\b(?:laws|regulations|provisions|measures)\b"
    r"|\bnecessary to (?:comply|ensure compliance) with (?:(?:this|the) (?:Directive|Article)"
    r"|Articles? \d)",
    re.IGNORECASE,
)
#: A report that is made: not "published timetables", "the reporting period", "provided for".
_REPORT = re.compile(
    r"(?<!the )(?<!an )(?<!a )(?<!any )\b(?:notify|inform|submit|communicate|transmit|publish"
    r"|present|forward|send|disclose|declare|provide|reports?\b(?! period))\b"
    r"|\b(?:a|an|its|the|their|annual|final|evaluation) reports?\b"
    r"|\bma[dk]e (?:\w+ ){0,12}?(?:publicly )?(?:public|available)\b"
    r"|\bbe (?:\w+ ){0,3}?(?:reported|notified|informed|submitted|communicated|transmitted"
    r"|published|presented|forwarded|sent|disclosed|declared|provided|made public)\b",
    re.IGNORECASE,
)
#: What is due is itself a report: "for the publication by 31 October".
_A_REPORT = re.compile(
    r"\b(?:publication|submission|notification|communication|disclosure|reports?)\s*\Z",
    re.IGNORECASE,
)
_REVIEW = re.compile(
    r"\b(?:review|evaluate|assess|re-?examine|examine|revise)\b(?! of\b)"
    r"|\b(?:carry out|perform|conduct|undertake|complete|start|launch) (?:\w+ ){0,5}?(?:review"
    r"|evaluation|assessment)\b"
    r"|\bbe (?:\w+ ){0,3}?(?:reviewed|evaluated|assessed|re-?examined|examined|revised)\b",
    re.IGNORECASE,
)
_REPORTS = re.compile(r"\bArticle \S+ [^.;]{0,40}?\bReport(?:s|ing)?\b", re.IGNORECASE)
_APPLY = re.compile(
    r"\b(?:appl(?:y|ies|ied|icable)|with effect from|take effect|effective)\b", re.IGNORECASE
)
_EXPIRE = re.compile(
    r"\b(?:expires?|expire on|cease(?:s)? to|no longer|end on|lapse[sd]?)\b", re.IGNORECASE
)
_MODAL = re.compile(r"\b(?:shall|must|should|may|will)\b")
_DUE = re.compile(r"\b(?:by|later than|before|within|latest|every|prior)\b")
_FROM = (
    "from",
    "as from",
    "as of",
    "with effect",
    "on",
    "starting",
    "beginning",
    "at the latest from",
)
#: Says when something else was done, and sets no date: "ships built before 1965".
_QUALIFIES = re.compile(
    r"(?:before|after|on or before|on or after|prior to|since|more than|less than)\b"
)
_DONE = re.compile(
    r"(?P<modal>\b(?:shall|must|should|may|will)(?: not)?(?: be| have)? )?"
    r"\b(?:(?:\w{3,}ed|put)(?: on the market| into service)?|laid down|begun|made|built|sold"
    r"|bought|held|operational|enters? into force) \Z",
    re.IGNORECASE,
)
#: How long something lasts, not by when it is due.
_LASTS = re.compile(r"(?:for|over|during|throughout|in the|in any|in each)\b|a period of")
_OVER = re.compile(
    r"\b(?:for|over|during|period of)(?: at (?:least|most)| up to| not? (?:more|less) than)?"
    r"(?: (?:a|an|the))?(?: \w+)?(?: period)?(?: of)? ?\Z",
    re.IGNORECASE,
)
_AHEAD = re.compile(r"\s*(?:in advance|[’']? ?(?:prior |advance )?notice)\b")
_OF_THE_ACT = re.compile(
    r"[^.;]{0,40}\b(?:entry into force|enter(?:s|ed)? into force|application|applicable|adoption"
    r"|transposition)\b",
    re.IGNORECASE,
)
_NOT_EXCEED = re.compile(
    r"\b(?:process|procedures?|permit\w*|time|duration|delay)\b[^.;]{0,80}\b(?:shall|must|may)"
    r" not (?:exceed|take longer than)\b",
    re.IGNORECASE,
)
_AIMED_AT = re.compile(r"\b(?:targets?|reduc(?:e|ed|ing|tion)s?|objectives?)\b", re.IGNORECASE)
#: How far back in a sentence the words stand that say it transposes a directive.
_FAR = 1500


def role(moment: Moment, text: str, start: int, end: int) -> str:
    """Return the role of a moment in its clause ``text[start:end]``."""
    if moment.adopted:
        return "adoption"
    clause = text[max(start, moment.start - 400) : min(end, moment.end + 400)]
    lead = moment.lead.removeprefix("and ")
    before = text[max(start, moment.start - 60) : moment.start]
    dated = moment.kind == "date"
    if moment.kind == "length" and _FORCE.search(before):
        return "application" if _EFFECT.search(before) else "entry_into_force"
    if _DELEGATION.search(clause):
        return "delegation"
    if dated and lead.startswith(("until", "till")):
        return "expiry"
    if dated and _REPEAL.search(clause):
        return "repeal"
    if moment.kind in ("date", "length") and _QUALIFIES.match(lead):
        done = _DONE.search(before)
        if done and not done["modal"]:
            return "period"
    if _TRANSPOSE.search(text, max(start, moment.start - _FAR), min(end, moment.end + 400)) and (
        moment.kind != "recurring" and not lead.startswith(_FROM)
    ):
        return "transposition"
    if dated and _FORCE.search(clause):
        # "shall enter into force on the twentieth day ... and shall apply from 1 January": the
        # verb nearest before the date says what happens on it
        force = [m.end() for m in _FORCE.finditer(text, start, moment.start)]
        applies = force and _APPLY.search(text, force[-1], moment.start)
        return "application" if applies else "entry_into_force"
    if moment.kind == "period":
        return "period"
    if lead.startswith(("until", "till", "up to")) or _EXPIRE.search(before):
        return "expiry"
    if moment.kind == "length":
        return _of_length(moment, text, start, end, lead, before)
    due = bool(_DUE.search(lead)) and not lead.startswith("at the latest from")
    if moment.kind == "recurring" or due:
        act = _act(moment, text, start, end)
        if told := _told(text, *act, moment, before):
            return told
        if moment.kind == "recurring":
            # what is done every year is due every year; without a duty it is only how often
            return "deadline" if act[0] < act[1] and not lead.startswith("for") else "period"
    if dated and lead.startswith(_FROM):
        if re.search(r"\bperiod\s*\Z", before):
            return "period"
        opens = not before.strip() or before.rstrip()[-1] in ".;:"
        told_on = opens or _APPLY.search(clause) or _MODAL.search(before)
        return "application" if told_on or lead != "on" else "period"
    if due:
        return "deadline"
    if dated and lead.startswith(("in", "for")) and _AIMED_AT.search(clause):
        return "deadline"
    return "application" if dated and lead != "since" and _APPLY.search(clause) else "period"


def _of_length(moment: Moment, text: str, start: int, end: int, lead: str, before: str) -> str:
    """Return the role of a length of time: by when something is due, or how long it lasts."""
    ahead = _AHEAD.match(text, moment.end, end)
    if not ahead and (_LASTS.match(lead) or (not lead and _OVER.search(before))):
        return "period"
    if _DUE.search(lead) or moment.relation == "before" or ahead:
        told = _told(text, *_act(moment, text, start, end), moment, before)
        if told == "review" and not _OF_THE_ACT.match(text, moment.end):
            return "deadline"  # of a document that came in, and not of the act
        return told or "deadline"
    if _NOT_EXCEED.search(text, max(start, moment.start - 400), moment.end):
        return "deadline"
    return "period" if moment.anchor is None else "deadline"


def _act(moment: Moment, text: str, start: int, end: int) -> tuple[int, int]:
    """Return where the words stand that say what is done at a moment; empty without a modal.

    The modal nearest before it governs it; of a moment that opens its clause, the first after it.
    """
    ahead = list(_MODAL.finditer(text, max(start, moment.start - _FAR), moment.start))
    governs = ahead[-1] if ahead else _MODAL.search(text, moment.end, end)
    if governs is None:
        return start, start
    following = _MODAL.search(text, max(governs.end(), moment.end), end)
    return governs.end(), min(following.start() if following else end, governs.end() + 400)


def _told(text: str, first: int, last: int, moment: Moment, before: str) -> str:
    """Return whether a report or a review is due; empty where neither is."""
    if _A_REPORT.search(before):
        return "reporting"
    report, review = _REPORT.search(text, first, last), _REVIEW.search(text, first, last)
    if report and review:
        heading = _REPORTS.search(text, max(0, moment.start - 600), moment.start)
        return "reporting" if heading or report.start() < review.start() else "review"
    return "reporting" if report else "review" if review else ""
