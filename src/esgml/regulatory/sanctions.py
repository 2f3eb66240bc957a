"""What a breach costs, as far as the text says: fines, penalties, loss of rights, prison."""

from __future__ import annotations

import re
from typing import Any

from esgml.regulatory.document import Document

#: Kind of sanction -> (gravity 0-1, how texts write it). The gravity is part of the impact score.
KINDS = {
    "prison": (1.0, r"\bimprison\w+|\bcustodial sentence"),
    "share of turnover": (1.0, r"\b(?:fines?|penalt(?:y|ies))\b[^.;\n]{0,160}\bturnover\b"),
    "criminal": (0.9, r"\bcriminal (?:penalt|sanction|offence|liabilit)\w*"),
    "fine": (0.8, 
        r"\b(?:administrative |civil |pecuniary )?(?:fines?|pecuniary sanctions?"
        r"|excess emissions penalt(?:y|ies))\b|\bliable to (?:a|an|pay)\b"),
    "loss of rights": (0.7, 
        r"\b(?:exclu(?:de|ded|sion) from (?:public procurement|public funding|participation"
        r"|tender)|withdraw(?:al|n)? of (?:the )?(?:authorisation|licence|permit)|confiscation"
        r"|prohibit\w* from placing|revo(?:ke|cation) of (?:the )?(?:authorisation|licence"
        r"|permit|registration))\b"),
    "penalty": (0.6, r"\bpenalt(?:y|ies)\b|\bsanctions?\b"),
    "liability": (0.5, r"\bcivil liabilit\w+|\bliable for (?:the )?damage"),
    "publicity": (0.3, 
        r"\bpublic (?:statement|warning)\b|\bpublish\w* (?:the )?(?:names? of"
        r"|decisions? on) [^.;]{0,40}\b(?:breach|infringe|penalt|fail)\w*"),
}  # fmt: skip
_PATTERNS = [
    (name, gravity, re.compile(text, re.IGNORECASE)) for name, (gravity, text) in KINDS.items()
]
_ABROAD = re.compile(r"\b(?:economic|trade|international|restrictive) sanctions?\b", re.IGNORECASE)


def sanctions(document: Document, quantities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the sanctions of a text, gravest first within its order of clauses.

    Parameters
    ----------
    document : Document
    quantities : list of dict
        Of `thresholds`: those that stand in the clause of a sanction are its ``amounts``.

    Returns
    -------
    list of dict
        ``what`` (kind), ``gravity`` (0-1), ``amounts`` and ``evidence`` (the clause).
    """
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for name, gravity, pattern in _PATTERNS:
        for match in pattern.finditer(document.text):
            clause = document.clause(match.start())
            if match.end() > clause[1]:
                continue
            if clause in found or _ABROAD.search(
                document.text, max(0, match.start() - 24), match.end()
            ):
                continue
            evidence = document.evidence(*clause)
            found[clause] = {
                "what": name,
                "gravity": gravity,
                "amounts": [
                    one
                    for one in quantities
                    if evidence["start"] <= one["evidence"]["start"] < evidence["end"]
                ],
                "evidence": evidence,
            }
    return [found[clause] for clause in sorted(found)]
