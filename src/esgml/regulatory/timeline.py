"""The dates a regulation sets: deadlines, periods, recurrences, and how each is anchored.

A date in the name of an act is no deadline and is left out. A relative limit ("24 months after
the entry into force") is resolved where the same text gives its anchor, and stays relative where
it does not. Two dates for the same thing are both reported, with a warning.

Weakness: the rules read English legal prose. A limit that gives no number ("without delay") and
tables whose heads are far from their cells are not read.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from esgml.regulatory import dates
from esgml.regulatory.document import MOST_READ, Document
from esgml.regulatory.moment import Moment
from esgml.regulatory.moments import moments
from esgml.regulatory.roles import role

_ANCHORS = (
    ("entry_into_force", re.compile(r"\bentry into force\b|\benters? into force\b", re.IGNORECASE)),
    ("publication", re.compile(r"\bpublication\b|\bpublished\b", re.IGNORECASE)),
    ("application", re.compile(r"\bdate of application\b|\bbecomes applicable\b", re.IGNORECASE)),
    ("adoption", re.compile(r"\badoption\b", re.IGNORECASE)),
)
_THIS_ACT = re.compile(
    r"\A(?:(?:‘|“|\")?\d{1,3}[a-z]?\. )?(?:Article \S+ )?(?:[A-Z][a-z]+(?: [a-z]+){0,6} "
    r")?(?:\d{1,3}\. )?"
    r"(?:This|The present) (?:Regulation|Directive|Decision|Act|Law|Order) (?:shall "
    r"|will )?(?:enters?|appl(?:y|ies)|be applicable|comes?)",
)
_BY_ITS_END = re.compile(r"\b(?:within|later than|by|latest)\b")
#: "by 1 May 2026 and every three years thereafter": the recurrence starts from the date.
_FROM_THEN = re.compile(r",? and\b")
_IT = re.compile(r"\A(?:It|They) shall (?:apply|enter)")


def timeline(
    document: Document, most: int | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the statements about time in order, and warnings about them.

    Parameters
    ----------
    document : Document
    most : int, optional
        After how many the rest of the text is not read; `MOST_READ` where omitted.

    Returns
    -------
    items : list of dict
        ``date`` (ISO; a year alone where the text gives no more; None where only relative),
        ``what`` (see `roles.ROLES`), ``kind`` (``date``, ``period``, ``length``, ``recurring``),
        ``value`` (ISO 8601: ``2027-07-10``, ``2021/2027``, ``P24M``, ``--03-31``, ``R/P4Y``),
        ``until`` for the end of a period, ``starts`` for what a recurrence or a limit counts
        from, ``relation`` and ``anchor`` for a relative limit,
        ``evidence``.
    warnings : list of dict
        ``contradiction``, ``impossible_date``: code, message, evidence.
    """
    items: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    of_this_act: list[dict[str, Any]] = []
    previous = ""
    for start, end in document.sentences:
        if len(items) >= (MOST_READ if most is None else most):
            break
        sentence = document.text[start:end]
        found = moments(document.text, start, end)
        whole_act = bool(_THIS_ACT.match(sentence) or (_IT.match(sentence) and previous))
        for moment, before in zip(found, [None, *found], strict=False):
            evidence = document.evidence(moment.start, moment.end)
            if moment.kind == "impossible":
                warnings.append(
                    {
                        "code": "impossible_date",
                        "message": f"the calendar has no {moment.value}.",
                        "evidence": evidence,
                    }
                )
                continue
            item = _item(document, moment, start, end, before)
            if item.get("anchor") and moment.anchor is not None and moment.anchor[1] > moment.end:
                evidence = document.evidence(moment.start, moment.anchor[1])
            item["evidence"] = evidence
            items.append(item)
            if whole_act and item["what"] in ("entry_into_force", "application") and item["date"]:
                of_this_act.append(item)
        if found or not _IT.match(sentence):
            previous = (
                sentence if _THIS_ACT.match(sentence) else previous if _IT.match(sentence) else ""
            )
    _resolve(items, of_this_act)
    warnings += _contradictions(of_this_act)
    warnings += _backwards(items)
    return items, warnings


def _item(
    document: Document, moment: Moment, start: int, end: int, before: Moment | None
) -> dict[str, Any]:
    clause = document.clause(moment.start)
    what = role(moment, document.text, *clause)
    if what in ("deadline", "period"):
        # an item of a list says only when; what for stands before the list
        what = role(moment, document.text, start, end)
    item: dict[str, Any] = {
        "date": None,
        "what": what,
        "kind": moment.kind,
        "value": moment.value,
        "lead": moment.lead,
    }
    if moment.kind == "date":
        # a half or a quarter has no form in ISO 8601, so its date is its year
        item["date"] = (
            moment.value.split("-")[0]
            if moment.value[5:6] in "QH" and len(moment.value) == 7
            else moment.value
        )
        if len(item["date"]) == 4 and moment.lead.endswith("end of"):
            item["date"] += "-12-31"
    elif moment.kind == "period":
        first, _, last = moment.value.partition("/")
        item["date"] = first
        if last.startswith("P"):
            try:
                ends = dates.add(dt.date.fromisoformat(first), last)
            except ValueError:
                ends = None
            item["until"] = ends.isoformat() if ends else None
            if ends and moment.relation == "after" and _BY_ITS_END.search(moment.lead):
                # "within 18 months of 1 January 2026" is due at the end
                item |= {"date": item["until"], "starts": first}
        else:
            item["until"] = last
    elif moment.kind == "recurring" and moment.value.startswith("R/") and before is not None:
        follows = _FROM_THEN.match(document.text, before.end, moment.start + 4)
        if follows and len(before.value) == 10 and before.kind == "date":
            item["starts"] = before.value
            following = dates.add(dt.date.fromisoformat(before.value), moment.value[2:])
            item["date"] = following.isoformat() if following else None
    elif moment.kind == "recurring" and moment.starts:
        item["starts"] = moment.starts
        day = moment.value.removeprefix("-")
        item["date"] = f"{moment.starts}{day}" if len(moment.starts) == 4 else moment.starts
    if moment.relation:
        item["relation"] = moment.relation
        if moment.anchor is not None:
            text = (
                document.text[slice(*moment.anchor)]
                or document.text[moment.anchor[0] : min(end, moment.anchor[0] + 80)]
            )
            item["anchor"] = next((name for name, p in _ANCHORS if p.search(text)), None)
            if moment.anchor[1] > moment.anchor[0]:
                item["anchor_evidence"] = document.evidence(*moment.anchor)
    return item


def _resolve(items: list[dict[str, Any]], of_this_act: list[dict[str, Any]]) -> None:
    """Give relative limits their date where the text itself dates what they count from."""
    known: dict[str, dt.date] = {}
    for name in ("entry_into_force", "application", "adoption"):
        source = of_this_act if name != "adoption" else items
        days = {one["date"] for one in source if one["what"] == name and one["kind"] == "date"}
        if len(days) == 1 and len(day := days.pop()) == 10:
            known[name] = dt.date.fromisoformat(day)
    for item in items:
        anchor = known.get(item.get("anchor") or "")
        about_this = "this" in item.get("anchor_evidence", {}).get("text", "").lower()
        if anchor is None or item["kind"] != "length" or item.get("relation") != "after":
            continue
        if about_this or item["anchor"] == "adoption":
            resolved = dates.add(anchor, item["value"])
            if resolved is not None:
                item["date"] = resolved.isoformat()
                item["resolved_from"] = anchor.isoformat()


def _contradictions(of_this_act: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a warning for each thing that happens once and is given two dates."""
    found = []
    for what in ("entry_into_force", "application"):
        here = [one for one in of_this_act if one["what"] == what and one["kind"] == "date"]
        days = sorted({one["date"] for one in here})
        if len(days) > 1:
            name = what.replace("_", " ")
            found.append(
                {
                    "code": "contradiction",
                    "message": f"{name} of the act is given as {' and '.join(days)}.",
                    "evidence": here[0]["evidence"],
                    "other_evidence": [one["evidence"] for one in here[1:]],
                }
            )
    return found


def _backwards(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "code": "contradiction",
            "message": f"a period ends before it begins: {item['value']}.",
            "evidence": item["evidence"],
        }
        for item in items
        if item["kind"] == "period"
        and item["until"]
        and not item["date"].startswith("--")
        and item["until"] < item["date"][: len(item["until"])]
    ]
