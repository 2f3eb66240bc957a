"""References to other acts, by their number: EU acts (with CELEX number), US and other law."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_KIND = (
    r"(?:(?:Commission |Council )?(?:Delegated |Implementing |Framework )?(?:Regulations?"
    r"|Directives?|Decisions?))"
)
_EU_NEW = re.compile(
    rf"\b(?P<kind>{_KIND}) \((?:EU|EC|EEC|CFSP|EU, Euratom|Euratom"
    rf"|EC, Euratom)\) (?:No )?(?P<a>\d{{1,4}})/(?P<b>\d{{1,4}})\b"
)
_EU_OLD = re.compile(
    rf"\b(?P<kind>{_KIND}) (?:No )?(?P<a>\d{{2,4}})/(?P<b>\d{{1,4}})/(?:EU|EC|EEC|Euratom"
    r"|ECSC|JHA|CFSP)\b"
)
_MORE = re.compile(
    r"(?:,| and|, and| or) (?:\((?:EU|EC|EEC"
    r"|EU, Euratom)\) )?(?:No )?(?P<a>\d{1,4})/(?P<b>\d{1,4})(?:/(?:EU|EC|EEC"
    r"|Euratom))?(?![\d/])"
)
_OTHER = re.compile(
    r"\b(?:\d{1,2} U\.?S\.?C\.? (?:§+ ?)?\d+[a-z]?(?:-\d+)?"
    r"|\d{1,2} C\.?F\.?R\.? (?:[Pp]arts? |§+ ?)?\d+(?:\.\d+)?|(?:S\.?B\.?|A\.?B\.?|SB"
    r"|AB) ?\d{2,4}\b(?![\d ]*(?:tonnes|kg))"
    r"|Public Law \d+-\d+|(?:IFRS|IAS) S?\d+|ISO(?:/IEC)? \d{3,5}(?:-\d+)?|EN \d{3,5}"
    r"|Paris Agreement|Kyoto Protocol|Montreal Protocol|Basel Convention"
    r"|Stockholm Convention"
    r"|Clean Air Act|Clean Water Act|Climate Change Act \d{4}|Companies Act \d{4}|TFEU"
    r"|Treaty on (?:the Functioning of the )?European Union"
    r"|Charter of Fundamental Rights)\b"
)


@dataclass(frozen=True)
class Reference:
    """A reference to an act: its name as written, its CELEX number where it is an EU act."""

    start: int
    end: int
    name: str
    celex: str | None


def references(text: str) -> Iterator[Reference]:
    """Yield the references of a text in order of kind, then place."""
    for pattern, old in ((_EU_NEW, False), (_EU_OLD, True)):
        for match in pattern.finditer(text):
            yield Reference(
                *match.span(), match[0], _celex(match["kind"], match["a"], match["b"], old)
            )
            at = match.end()
            if "s " not in match["kind"] + " ":
                continue
            while more := _MORE.match(text, at):
                number = more.start("a")
                yield Reference(
                    number,
                    more.end(),
                    text[number : more.end()],
                    _celex(match["kind"], more["a"], more["b"], old),
                )
                at = more.end()
    for match in _OTHER.finditer(text):
        yield Reference(*match.span(), match[0], None)


def _celex(kind: str, a: str, b: str, old: bool) -> str | None:
    """Return the CELEX number: sector 3, year, letter, number."""
    letter = "R" if "Regulation" in kind else "L" if "Directive" in kind else "D"
    if letter == "D" and "Framework" in kind:
        letter = "F"
    year, number = (a, b) if old or (len(a) == 4 and 2015 <= int(a) <= 2100) else (b, a)
    if len(year) == 2:
        year = ("19" if int(year) > 50 else "20") + year
    if len(year) != 4 or not 1952 <= int(year) <= 2100:
        return None
    return f"3{year}{letter}{int(number):04d}"
