"""Who must, must not, should or may do what, under which condition.

One statement for each modal verb that binds a clause. What an act says about itself or its words
("This Regulation shall apply", "shall be considered as", "shall be EUR 3 million") binds nobody
and is left out. ``who`` names a person or body; a requirement on a thing ("the report shall
contain") names nobody, and keeps the thing as ``subject``.

Weakness: in a passive sentence ("shall be submitted by the operator") the actor is read from the
"by" phrase, and is None where there is none; a pronoun is taken for the actor named last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from esgml.regulatory.actors import is_actor
from esgml.regulatory.document import MOST_READ, Document
from esgml.regulatory.numerals import SPELLED
from esgml.regulatory.sentences import trim
from esgml.regulatory.subjects import CONDITION, actors_in, named, stands_for, subject_of

#: Kind -> how binding it is.
BINDINGNESS = {
    "obligation": "binding",
    "prohibition": "binding",
    "recommendation": "recommended",
    "permission": "permitted",
}
_MODAL = re.compile(
    r"\b(?:(?P<duty>shall|must|(?:is|are) (?:required|obliged|bound) to|(?:has"
    r"|have) to)(?P<not>,? (?:not(?! later)|neither|never|no longer|under no"
    r" circumstances|in no (?:case|event|circumstances))\b|, [^,;.]{3,60}, not\b)?"
    r"(?P<only> be (?:prohibited|forbidden)\b)?"
    r"|(?P<ban>may not|cannot|(?:is|are) (?:prohibited|forbidden|not (?:allowed"
    r"|permitted)))\b|(?P<no>(?<=[Nn]o )\w+ (?:shall|may))"
    r"|(?P<advice>should(?: not)?|(?:is|are) (?:encouraged|recommended|invited) to)\b"
    r"|(?P<leave>may)\b)",
)
#: What is said of an act, its words, or a legal effect: nobody has to do it.
_EFFECT = re.compile(
    r"(?:,[^,;.]{3,60},)? ?(?:(?:not|neither|also|only|therefore|thus|accordingly|then|however"
    r"|instead|in particular|hereby|automatically|initially|first|exclusively|likewise) "
    r"|, however, )*"
    r"(?:enter into force|come into (?:force|effect)|take effect|mean\b|be binding|cease\b|expire\b"
    r"|consist of|be composed of|have legal personality|have its seat|be without prejudice"
    r"|be (?:construed|understood|read|deemed|considered(?![.;,])|regarded|treated|presumed"
    r"|eligible|equivalent to|valid\b|admissible"
    r"|conferred on)"
    r"|be a committee within|put an end to|affect\b|prejudice\b|preclude\b"
    r"|be:? (?:(?:set|fixed) at )?(?:\([a-z]\) )?(?:EUR|ECU|USD|€|\d|zero|equal to"
    rf"|(?:{SPELLED})\b)"
    r"|be as follows|continue to apply"
    r"|remain in force|constitute\b|relate to|refer to|be known as|be called)"
)
#: What only somebody can do is no effect; what an act or a rule does to itself is one.
_APPLIES = re.compile(
    r"(?:,[^,;.]{3,60},)? ?(?:(?:not|neither|also|only|therefore|however|in particular|likewise"
    r"|accordingly|exclusively|continue to|cease to) |, however, )*apply(?P<it>\b(?= (?:to|from"
    r"|until|in|as|for|mutatis|only|also|without|where|if|when|with effect|until|once|on)\b"
    r"| \d| [a-z]+ (?:months|years|days)\b|[.,;:]))?\b"
)
#: What is done to the text of an act.
_AMENDS = re.compile(r" (?:also )?be (?:repealed|amended|deleted|replaced|inserted|added)\b")
_PROVISION = re.compile(
    r"\b(?:[Ff]ollowing|[Pp]aragraphs?|Articles?|[Pp]oints?|Annex(?:es)?|[Ww]ords?|[Ss]entences?"
    r"|[Tt]itle|[Ss]ections?|[Ii]ndents?|[Tt]ext|Regulation|Directive|Decision|[Ss]ubparagraphs?"
    r"|table)\b"
)
#: A passive whose subject is bound: "Member States shall be obliged to".
_BOUND = re.compile(
    r"(?:also |only |not )?be (?:obliged|required|bound|prohibited|forbidden|prevented|held)\b"
)
#: A thing that "shall be the place of central administration" is a definition.
_IS = re.compile(
    r" (?:also |only |not )?be (?:the(?! subject of)|an?|his|her|its|their|one|those|that|to)\b"
)
#: "commitments beyond which they have to go" tells of them, and binds nobody.
_TOLD = re.compile(r"\b(?:which|that|who|whose|where|whether|if|when)\b[^,;:]*\Z", re.IGNORECASE)
_POWER = re.compile(
    r" (?:also |only |not )?(?:be (?:empowered|entitled|allowed|permitted|free|able|authori[sz]ed)"
    r"\b(?! by)|have the (?:right|power|possibility|option|opportunity)\b)"
)
_ITEM = re.compile(r"(?:\([a-z0-9]{1,4}\)|[-—–•])")
_LABEL = re.compile(r"\s*\([a-z0-9]{1,4}\) (?=(?:the|each|every|any|an?) )")
_ITEM_PRONOUN = re.compile(r"\([a-z0-9]{1,4}\) (?:they|it)", re.IGNORECASE)
_LATER_CONDITION = re.compile(
    r",? (?:unless|where|if|provided that|except (?:where|when|if|that)|only if"
    r"|in so far as|insofar as|on condition that)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\A(?:Article \d+[a-z]?\b\.?\s+|[‘“\"]?\d{1,3}[a-z]?\.\s+|\([a-z0-9]{1,5}\)\s+|[-—–•]\s+)+"
)
_BY_WHOM = re.compile(
    r"\bby ((?:the |an? |each |any )?(?!means|way|virtue|reason|\d"
    r"|[A-Z]?[a-z]*ing\b)[A-Za-z][\w’' -]{2,60}?)(?= (?:in|on|to|within|at|of|for|by|and"
    r"|pursuant|under|with|which|that|no|not|as|before|after|or|every|through|if|where|when"
    r"|unless|following|concerned|responsible)\b|[.,;:]|\Z)"
)
_PASSIVE = re.compile(
    r"(?:(?:not|also|only|always|first|forthwith|immediately|therefore|however|normally|at least)"
    r" |, [^,;.]{3,80}, )*be (?:[a-z]+ly |also |duly )*(?:[a-z]+(?:ed|en|wn|rne)|laid|paid"
    r"|held|made|kept|met|sent|put|set|built|borne|brought|given|taken|done|drawn|shown|left|sold|read|found"
    r"|spent|bound|sought|dealt|led|told|won|split|cut)\b"
    r"(?: (?:down|up|out|over|on))?"
)
_RELATIVE = re.compile(r"\b(?:which|that|who)\Z")
_PARTICIPLE = re.compile(r"(?:ed|en|wn|down|out|up|made|held|set|put|sent|kept|paid|built) \Z")
_ANOTHER_VERB = re.compile(
    r"\b(?:that|which|who|such a way|so as|in order|where|if|when|unless)\b|\bto (?!(?:the|an?|each"
    r"|any|every|all|its|their|his|those|these|such|other|another|one)\b|[A-Z])"
)
_PRONOUN = re.compile(r"(?:.*\b)?(?P<p>[Tt]hey|[Ii]t|[Hh]e|(?:[Tt]hese|[Tt]hose))\Z", re.DOTALL)
_GOES_ON_AFTER = re.compile(
    r"(?:.*[,;:] ?)?(?:and|or|but)\Z|.*,? and\Z|(?:.*,? )?and, [^,]{3,60},?\Z", re.DOTALL
)
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
    return list(islice(_found(document), MOST_READ))


def _found(document: Document) -> Iterator[dict[str, Any]]:
    text = document.text
    told: tuple[int, int] | None = None  # the actor named last, for pronouns
    for start, end in document.sentences:
        numbered = _NUMBER.match(text[start : start + 60])
        begin = last = start + (numbered.end() if numbered else 0)
        actor: tuple[int, int] | None = None
        for match in _MODAL.finditer(text, begin, end):
            clause_start, clause_end = document.clause(match.start())
            clause_start = max(begin, clause_start, last)
            if text[match.end() : match.end() + 1] == ":":
                clause_end = end  # "the report shall: - consider ..., - take into account ..."
            labelled = _LABEL.match(text, clause_start, match.start())
            if labelled and labelled.end() < match.start():
                clause_start = labelled.end()
            stretch = text[clause_start : match.start()].strip()
            last = match.end()
            if _ITEM.fullmatch(stretch) and (colon := text.rfind(":", start, clause_start)) > 0:
                # "the inspector: (a) shall check": the list is about what stands before it
                subject = subject_of(text, document.clause(colon)[0], colon)
            else:
                subject = subject_of(text, clause_start, match.start())
            phrase = text[slice(*subject)] if subject else stretch
            who = named(text, subject)
            if _is_effect(text, match, phrase, who is not None):
                continue
            clause_end = _clause_end(text, match.end(), clause_end, end)
            condition = _condition(text, clause_start, subject, match, clause_end)
            action_end = condition[0] if condition and condition[0] > match.end() else clause_end
            action = trim(
                text, match.end(), max(match.end(), min(action_end, match.end() + _LONGEST))
            )
            passive = _PASSIVE.match(text, *action) is not None
            goes_on = bool(actor and (_GOES_ON_AFTER.match(stretch) or not stretch))
            if who is not None and passive and not _BOUND.match(text, *action):
                who, actor, told = (
                    None,
                    who,
                    who,
                )  # "applicants shall be informed" binds somebody else
            elif who is not None:
                actor = told = who
            elif goes_on:
                # "operators shall keep records and shall show them": the actor goes on
                who, subject = actor, None
            else:
                if _PRONOUN.fullmatch(phrase) and _ITEM_PRONOUN.fullmatch(stretch):
                    who = None  # an item of a list goes on about what the list is about
                elif _PRONOUN.fullmatch(phrase):
                    before = actors_in(text, begin, match.start()) or actor or told
                    who = stands_for(text, match.end(), phrase, before, passive)
                    actor = who
                elif match["duty"] and not _RELATIVE.search(stretch):
                    actor = told = None
            by = _by_whom(text, *action) if passive else None
            who = by or who
            kind = "prohibition" if phrase.startswith(("No ", "no ")) else _kind(match, text)
            yield {
                "what": kind,
                "bindingness": BINDINGNESS[kind],
                "modal": match[0],
                "who": document.evidence(*who) if who else None,
                "subject": document.evidence(*subject) if subject and who is None else None,
                "action": document.evidence(*action) if action[0] < action[1] else None,
                "condition": document.evidence(*condition) if condition else None,
                "evidence": document.evidence(
                    *trim(text, clause_start, max(clause_end, match.end()))
                ),
            }


def _by_whom(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the actor of a passive verb: not of "rules developed by", another verb's."""
    verb = _PASSIVE.match(text, start, end)
    for match in _BY_WHOM.finditer(text, start, end):
        direct = verb is not None and match.start() <= verb.end() + 1
        if verb is not None and _ANOTHER_VERB.search(text, verb.end(), match.start()):
            return None
        if is_actor(match[1]) and (direct or not _PARTICIPLE.search(text, start, match.start())):
            return match.span(1)
    return None


def _is_effect(text: str, match: re.Match[str], phrase: str, actor: bool) -> bool:
    """Tell whether a clause says what an act or a word is, and binds nobody."""
    if _EFFECT.match(text, match.end()):
        return True
    if (match[0].startswith(("is ", "are ", "has ", "have ")) or match["ban"] == "cannot") and (
        _TOLD.search(text[max(0, match.start() - 120) : match.start()])
    ):
        return True
    if _IS.match(text, match.end()) and not actor:
        return True
    if _AMENDS.match(text, match.end()) and (
        not phrase
        or _PROVISION.search(phrase)
        or _PROVISION.search(text, max(0, match.start() - 16), match.start())
    ):
        return True
    applies = _APPLIES.match(text, match.end())
    if applies is None or actor:
        return False
    # "it shall apply to ships" is of a rule, "they shall apply those measures" of somebody
    return applies["it"] is not None


def _kind(match: re.Match[str], text: str) -> str:
    if match["ban"] or match["no"] or (match["duty"] and (match["not"] or match["only"])):
        return "prohibition"
    if match["duty"]:
        return "permission" if _POWER.match(text, match.end()) else "obligation"
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


def _condition(
    text: str, start: int, who: tuple[int, int] | None, match: re.Match[str], end: int
) -> tuple[int, int] | None:
    """Return the condition a clause opens or closes with."""
    if who and who[0] > start and CONDITION.match(text[start : who[0]].lstrip()):
        return trim(text, start, start + len(text[start : who[0]].rstrip(" ,")))
    later = _LATER_CONDITION.search(text, match.end(), end)
    return trim(text, later.start() + (text[later.start()] == ","), end) if later else None
