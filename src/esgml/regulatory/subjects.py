"""The subject of a clause that binds, and whom it names, be it by a pronoun.

The noun phrase before a modal verb, without the heading, aside or condition before it.
"""

from __future__ import annotations

import re

from esgml.regulatory.actors import is_actor, named_first
from esgml.regulatory.sentences import trim

CONDITION = re.compile(
    r"\A(?:(?:Where|If|When|Whenever|Unless|In (?:the )?(?:case|event) (?:of|that|where)"
    r"|Provided that|Subject to|Without prejudice to|By way of derogation from|Before|After"
    r"|Until|By|From|As of|Within|Following)\b)"
)
_DETERMINED = re.compile(
    r"(?:The|the|Each|each|Every|every|Any|any|All|all|No|no|A|a|An|an|Such|such|Those"
    r"|those|These|these|Both|both|It|it|Its|its|They|they|Their|their|He|Member States?"
    r"|[A-Z][\w’'&-]*)\b"
)
_ASIDE = re.compile(
    r",? (?:when|where|acting|in accordance|within|after|upon|if|as|following|on|in|by|for"
    r"|with|under|at|before|until|taking|having|pursuant|subject)\b[^,]*\Z"
)
_IF = re.compile(
    r"\b(?:[Ww]here(?:ver)?|[Ii]f|[Ww]hen(?:ever)?|[Uu]nless|[Bb]efore|[Aa]fter|[Aa]s soon as)"
    r"(?:, [^,]{3,80},)? "
)
_AFTER_HEADING = re.compile(
    r"(?<=[a-z).] )(?:The|Each|Every|Any|No(?! \d)|Where|Member States?|This|These|Those|In|If|An|A"
    r"|When|By|From|On|For|Without)\b"
)
#: Before a name that goes on with a phrase and starts none: "of the port Member State".
_OF_A_PHRASE = re.compile(
    r"\b(?:of|by|an?|the|each|any|every|all|in|to|for|with|from|between|one|two|other|another|and"
    r"|or|such|that|those|these|port|flag|host|home|coastal|affected|participating|reporting|several"
    r"|more|relevant|only|which|respective|their|its|if|where|when|as|than|no|per) \Z",
    re.IGNORECASE,
)
#: A heading and what follows it: "Fees The fees", "Entry into force Member States".
_TITLED = re.compile(
    r"(?!(?:The|Each|Every|Any|All|No|An?|Such|Th[eo]se|This|That|Its?|Their|Both|Other)\b)"
    r"[A-Z][a-z]+(?:[ ,][a-z-]+)* [A-Z]"
)
#: What a heading before "Member States" looks like; other words belong to the phrase.
_HEADING = re.compile(
    r"(?:Article \S+ )?(?!(?:The|Each|Every|Any|All|No|An?|Such|Th[eo]se|In|Where|If|When|By|For|At"
    r"|On|From|Other|Port|Flag|Home|Host|Participating|Neighbouring)\b)[A-Z][^.,;:]* "
)
#: "For each of these checks the issuing body shall": no comma parts the two.
_LED = re.compile(
    r"(?:For|In|On|At|During|Under|With|Upon|To|Within|Following|After|Before|Every|As)\b.* "
    r"(?P<who>(?:the|each|every|any|an?|all) [^,]*)\Z",
    re.DOTALL,
)
_CAPITAL = re.compile(r"(?<=[a-z)] )[A-Z][a-z]")
_RELATIVE = re.compile(r"\b(?:which|that|who|whose|where|when|if)\b[^,]*\Z")
_CUT = re.compile(r", (?:and |or |then )?|; | (?:and|or|that) (?=the |they )")
_PLURAL = re.compile(
    r"(?:[a-z-]+ ){1,3}Member States?\Z"
    r"|(?:[a-z-]+ ){0,3}[a-z-]+s(?: (?:of|in|with|referred|established) .*)?\Z"
)
_BETWEEN = re.compile(r"\bbetween [^,;]*\Z")
#: What a report or a notice does: a pronoun before it stands for a thing.
_OF_THINGS = re.compile(
    r" (?:also |at least |, [^,;.]{3,60}, )*(?:contain|be accompanied|include|specify|state\b"
    r"|set out|cover|comprise|indicate|remain|lapse"
    r"|be (?:valid|effective|proportionate|dissuasive|based))"
)
_PLURAL_HEAD = re.compile(r"\w+(?<!s)s\Z|\w*(?:people|staff|personnel)\Z| and ")


def subject_of(text: str, start: int, modal: int) -> tuple[int, int] | None:
    """Return the noun phrase before a modal: after the last comma that does not close an aside.

    Parameters
    ----------
    text : str
    start : int
        Start of the clause.
    modal : int
        Start of the modal verb.
    """
    start = max(start, modal - 300, *(text.rfind(mark, start, modal) + 1 for mark in "‘“"))
    for heading in _AFTER_HEADING.finditer(text, start, modal):
        if heading[0][:6] != "Member" or (
            _HEADING.fullmatch(text, start, heading.start())
            and not _OF_A_PHRASE.search(text, start, heading.start())
        ):
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
        if cut and _BETWEEN.search(stretch[:cut]):
            continue
        if not part.strip() or CONDITION.match(part):
            continue
        if _RELATIVE.match(part.lstrip()) and not is_actor(part.removeprefix("that ")):
            continue
        if _DETERMINED.match(part) or _PLURAL.match(part):
            first, last = trim(text, start + cut, start + len(stretch))
            return max(first, last - 200), last
    return None


def named(text: str, subject: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the actor a subject names, without the words of a heading before it."""
    if subject is None:
        return None
    phrase = text[slice(*subject)]
    if is_actor(phrase):
        return subject
    led = _LED.match(phrase)
    if led and is_actor(led["who"]) and not _OF_A_PHRASE.search(phrase[: led.start("who")]):
        return subject[0] + led.start("who"), subject[1]
    if not phrase.startswith(("Article ", "CHAPTER ", "SECTION ")) and not _TITLED.match(phrase):
        return None
    # "Training of staff Providers of port services shall": a heading has no full stop
    for match in reversed(list(_CAPITAL.finditer(phrase))):
        before = phrase[: match.start()]
        inside = before.split()[-1][0].isupper() or _OF_A_PHRASE.search(before)
        if not inside and is_actor(phrase[match.start() :]):
            return subject[0] + match.start(), subject[1]
    return None


def actors_in(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the actor a condition names: "Where the Commission finds that, it shall"."""
    for found in _IF.finditer(text, start, end):
        last = named_first(text[found.end() : min(end, found.end() + 120)])
        if last:
            return found.end(), found.end() + last
    return None


def stands_for(
    text: str, modal_end: int, pronoun: str, named: tuple[int, int] | None, passive: bool
) -> tuple[int, int] | None:
    """Return whom a pronoun stands for, None where it stands for a thing."""
    word = pronoun.rsplit(None, 1)[-1].lower()
    if named is None or word in ("these", "those"):
        return None
    if passive or _OF_THINGS.match(text, modal_end):
        return None
    plural = bool(_PLURAL_HEAD.search(text[slice(*named)].split(" of ")[0]))
    return named if plural == (word == "they") or word == "he" else None
