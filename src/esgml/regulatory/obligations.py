"""Who must, must not, should or may do what, under which condition.

One statement for each modal verb that binds a clause. What an act says about itself ("This
Regulation shall enter into force") binds nobody and is left out, as are definitions.

Weakness: in a passive sentence ("shall be submitted by the operator") the actor is read from the
"by" phrase, and is None where there is none; a pronoun ("they shall") is reported as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from esgml.regulatory.document import Document
from esgml.regulatory.sentences import trim

#: Kind -> how binding it is.
BINDINGNESS = {
    "obligation": "binding",
    "prohibition": "binding",
    "recommendation": "recommended",
    "permission": "permitted",
}
_MODAL = re.compile(
    r"\b(?:(?P<duty>shall|must|(?:is|are) (?:required|obliged|bound) to|(?:has"
    r"|have) to)(?P<not>,? not\b|, [^,;.]{3,60}, not\b)?(?P<only> be (?:prohibited"
    r"|forbidden)\b)?"
    r"|(?P<ban>may not|cannot|(?:is|are) (?:prohibited|forbidden|not (?:allowed"
    r"|permitted)))\b|(?P<no>(?<=[Nn]o )\w+ (?:shall|may))"
    r"|(?P<advice>should(?: not)?|(?:is|are) (?:encouraged|recommended|invited) to)\b"
    r"|(?P<leave>may)\b)",
)
_OF_ITSELF = re.compile(
    r"(?:\A|\b)(?:this|the present|that) (?:regulation|directive|decision|act|law|article"
    r"|paragraph|section|chapter|annex|title|part)\Z"
    r"|\b(?:Articles?|paragraphs?|points?|Annex(?:es)?|Chapters?|Sections?|Titles?"
    r"|References?|subparagraphs?|provisions?)(?: (?:[\dIVXLC(][\w()]*|[a-z]\)|and|or|to|of"
    r"|the|this|repealed|Regulation|Directive|first|second|third|subparagraph|,))*\Z",
    re.IGNORECASE,
)
_SELF_VERB = re.compile(
    r"\s+(?:not )?(?:enter into force|apply|be binding|come into (?:force|effect)"
    r"|take effect|be (?:construed|understood|read|deemed|considered|repealed|amended"
    r"|deleted|replaced)|mean|cease|expire|continue to apply)\b"
)
_CONDITION = re.compile(
    r"\A(?:(?:Where|If|When|Whenever|Unless|In (?:the )?(?:case|event) (?:of|that|where)"
    r"|Provided that|Subject to|Without prejudice to|By way of derogation from|Before|After"
    r"|Until|By|From|As of|Within|Following)\b)"
)
_LATER_CONDITION = re.compile(
    r",? (?:unless|where|if|provided that|except (?:where|when|if|that)|only if"
    r"|in so far as|insofar as|on condition that)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\A(?:Article \d+[a-z]?\b\.?\s+|[‘“\"]?\d{1,3}[a-z]?\.\s+|\([a-z0-9]{1,5}\)\s+|[-—–•]\s+)+"
)
_DETERMINED = re.compile(
    r"(?:The|the|Each|each|Every|every|Any|any|All|all|No|no|A|a|An|an|Such|such|Those"
    r"|those|These|these|Both|both|It|it|They|they|He|Member States?|[A-Z][\w’'&-]*)\b"
)
_BY_WHOM = re.compile(
    r"\bby ((?:the |an? |each |any )?(?!means|way|virtue|reason|\d"
    r"|[A-Z]?[a-z]*ing\b)[A-Za-z][\w’' -]{2,60}?)(?= (?:in|on|to|within|at|of|for|by|and"
    r"|pursuant|under|with|which|that|no|not|as|before|after|or|every|through|if|where|when"
    r"|unless|following|concerned|responsible)\b|[.,;:]|\Z)"
)
_ASIDE = re.compile(
    r",? (?:when|where|acting|in accordance|within|after|upon|if|as|following|on|in|by|for"
    r"|with|under|at|before|until|taking|having|pursuant|subject)\b[^,]*\Z"
)
_AFTER_HEADING = re.compile(
    r"(?<=[a-z)] )(?:The|Each|Every|Any|No|Where|Member States?|This|These|Those|In|If|An|A"
    r"|When|By|From|On|For|Without)\b"
)
_PASSIVE = re.compile(r"(?:not )?(?:also )?be \w+(?:ed|n|t|de)\b")
_ENTERS = re.compile(r"\s+(?:not )?enter into force\b")
_RELATIVE = re.compile(r"\b(?:which|that|who|whose|where|when|if)\b[^,]*\Z")
_GOES_ON = re.compile(r"(?:[^.;]*[, ])?(?:and|or|but|then)|")
_CUT = re.compile(r", (?:and |or |then )?|; | (?:and|or|that) (?=the |they )")
_PLURAL = re.compile(r"(?:[a-z-]+ ){0,3}[a-z-]+s(?: (?:of|in|with|referred|established) .*)?\Z")
_LONGEST = 400


def obligations(document: Document) -> list[dict[str, Any]]:
    """Return what the text asks, forbids, advises and allows, in order.

    Returns
    -------
    list of dict
        ``what`` (``obligation``, ``prohibition``, ``recommendation``, ``permission``),
        ``bindingness`` (``binding``, ``recommended``, ``permitted``), ``who``, ``action`` and
        ``condition`` (each evidence or None), ``modal`` (the words that bind), ``evidence`` (the
        clause).
    """
    return list(_found(document))


def _found(document: Document) -> Iterator[dict[str, Any]]:
    text = document.text
    for start, end in document.sentences:
        numbered = _NUMBER.match(text[start : start + 60])
        begin = last = start + (numbered.end() if numbered else 0)
        actor: tuple[int, int] | None = None
        for match in _MODAL.finditer(text, begin, end):
            clause_start, clause_end = document.clause(match.start())
            clause_start = max(begin, clause_start, last)
            who = _who(text, clause_start, match.start())
            stretch = text[clause_start : match.start()].strip()
            if who is None and actor is not None and _GOES_ON.fullmatch(stretch):
                # "operators shall keep records and shall show them": the actor goes on
                who = actor
            subject = text[slice(*who)] if who else stretch
            last = match.end()
            if _ENTERS.match(text, match.end()) or re.match(
                r" mean\b", text[match.end() : match.end() + 6]
            ):
                continue
            itself = _OF_ITSELF.search(subject) or subject in ("It", "They")
            if itself and _SELF_VERB.match(text, match.end()):
                continue
            kind = _kind(match)
            clause_end = _clause_end(text, match.end(), clause_end, end)
            condition = _condition(text, clause_start, who, match, clause_end)
            action_end = condition[0] if condition and condition[0] > match.end() else clause_end
            action = trim(
                text, match.end(), max(match.end(), min(action_end, match.end() + _LONGEST))
            )
            if _PASSIVE.match(text, action[0], action[1]):
                by = _BY_WHOM.search(text, *action)
                if by and _is_actor(by[1]):
                    who = by.span(1)
                elif not _is_actor(subject):
                    who = None
            else:
                actor = who or actor
            yield {
                "what": kind,
                "bindingness": BINDINGNESS[kind],
                "modal": match[0],
                "who": document.evidence(*who) if who else None,
                "action": document.evidence(*action) if action[0] < action[1] else None,
                "condition": document.evidence(*condition) if condition else None,
                "evidence": document.evidence(
                    *trim(text, clause_start, max(clause_end, match.end()))
                ),
            }


def _kind(match: re.Match[str]) -> str:
    if match["ban"] or match["no"] or (match["duty"] and (match["not"] or match["only"])):
        return "prohibition"
    if match["duty"]:
        return "obligation"
    return "recommendation" if match["advice"] else "permission"


def _clause_end(text: str, at: int, clause_end: int, end: int) -> int:
    """Return the end of what a modal binds: its clause, up to the next one, bounded."""
    following = _MODAL.search(text, at, clause_end)
    if following:
        cut = max(
            text.rfind(", ", at, following.start()), text.rfind(" and ", at, following.start())
        )
        clause_end = cut if cut > at else clause_end
    return min(clause_end, at + _LONGEST, end)


def _who(text: str, start: int, modal: int) -> tuple[int, int] | None:
    """Return the noun phrase before a modal: after the last comma that does not close an aside."""
    start = max(start, modal - 300)
    for heading in _AFTER_HEADING.finditer(text, start, modal):
        start = heading.start()
    stretch = text[start:modal].rstrip(" ,")
    if re.search(r"\b(?:which|that|who)\Z", stretch):
        return None  # the clause limits what was just named, and addresses nobody
    if (aside := _ASIDE.search(stretch)) and aside[0].startswith(","):
        shorter = stretch[: aside.start()].rstrip(" ,")
        stretch = shorter if _DETERMINED.match(shorter) and "," not in shorter else stretch
    cuts = [0, *(m.end() for m in _CUT.finditer(stretch))]
    for cut in reversed(cuts):
        part = stretch[cut:]
        if not part.strip() or _RELATIVE.match(part.lstrip()) or _CONDITION.match(part):
            continue
        if _DETERMINED.match(part) or _PLURAL.match(part):
            first, last = trim(text, start + cut, start + len(stretch))
            return max(first, last - 200), last
    return None


def _is_actor(subject: str) -> bool:
    return bool(
        re.search(r"\b[A-Z]{3,6}\Z", subject.strip())
        or re.search(
            r"\b(?:States?|Commission|Council|Parliament|Agency|Authority|authorit(?:y|ies)"
            r"|undertakings?|operators?|compan(?:y|ies)"
            r"|manufacturers?|importers?|distributors?|producers?|suppliers?|providers?|persons?"
            r"|employers?|institutions?|bod(?:y|ies)|parties|party|holders?|owners?|firms?"
            r"|entit(?:y|ies)|applicants?|they|it)\Z",
            subject.strip(),
            re.IGNORECASE,
        )
    )


def _condition(
    text: str, start: int, who: tuple[int, int] | None, match: re.Match[str], end: int
) -> tuple[int, int] | None:
    """Return the condition a clause opens or closes with."""
    if who and who[0] > start and _CONDITION.match(text[start : who[0]].lstrip()):
        return trim(text, start, start + len(text[start : who[0]].rstrip(" ,")))
    later = _LATER_CONDITION.search(text, match.end(), end)
    return trim(text, later.start() + (text[later.start()] == ","), end) if later else None
