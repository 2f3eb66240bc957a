"""Places as laws name them: countries, their parts, and the unions they belong to.

A place is an ISO 3166 code: ``DE``, or ``US-CA`` for a part of a country. A law speaks of a
place or of a group of places (``EU``, ``EEA``); `inside` says whether one lies in the other.
"""

from __future__ import annotations

import re

_CODE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")

#: The 27 Member States, as they are since 1 February 2020.
EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905 - one line says it best
)
GROUPS: dict[str, frozenset[str]] = {"EU": EU, "EEA": EU | {"IS", "LI", "NO"}}
_NAMES = {"EU": "the European Union", "EEA": "the European Economic Area", "US-CA": "California"}
#: Spellings that people use, and the code that is meant.
_SPELLINGS = {"UK": "GB", "EL": "GR", "CA-US": "US-CA"}


def place_code(text: str) -> str:
    """Return the code of a place in its usual spelling; ValueError where it is no code."""
    code = text.strip().upper().replace("_", "-")
    code = _SPELLINGS.get(code, code)
    if code not in GROUPS and not _CODE.fullmatch(code):
        raise ValueError(
            f"{text[:40]!r} is no ISO 3166 code; write a country as DE, a part of it as US-CA."
        )
    return code


def inside(place: str, area: str) -> bool:
    """Whether all of `place` lies in `area`: DE in EU, US-CA in US, EU in EEA."""
    if place == area:
        return True
    if place in GROUPS:
        return area in GROUPS and GROUPS[place] <= GROUPS[area]
    country = place.split("-")[0]
    return country in GROUPS[area] if area in GROUPS else country == area


def place_name(code: str) -> str:
    """Return how a sentence names the place."""
    return _NAMES.get(code, code)
