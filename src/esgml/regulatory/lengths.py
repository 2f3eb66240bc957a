"""Lengths of time in a sentence: time limits, notices, durations, and what they count from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from esgml.regulatory import dates
from esgml.regulatory.dates import LENGTH
from esgml.regulatory.moment import Moment, widened
from esgml.regulatory.numerals import SPELLED, whole

_LENGTH_AFTER = re.compile(
    r"(?: period)?(?:,)?(?: (?P<rel>from|of|after|following|before|prior to|preceding"
    r"|in advance of|ahead of|since|beginning|starting|commencing|as from|as of"
    r"|counting from|counted from|running from)(?: on| from| with)?)(?: the)? "
)
_NOT_LENGTH_AFTER = re.compile(
    r" (?:of age\b|old\b|(?:moving |rolling |running )?(?:average|mean|maturity|bond"
    r"|timescale|time horizon"
    r"|exposure)|average\b|preceding average)"
)
_NOT_LENGTH_BEFORE = re.compile(
    r"\b(?:minimum age\b[^.;]{0,50}|aged(?: between| from)?(?: \d{1,3} (?:and|to))?"
    r"|age of|ages? (?:over|under|below|above)|average (?:of"
    r"|over)(?: the)?(?: (?:last|preceding))?|averaged over|averaging"
    r"|mean over)(?: (?:at least|over|under))? \Z",
    re.IGNORECASE,
)
_ANY_NUMBER = re.compile(r"(?<!no )(?<!not )\b(?:more than|at least) \Z")
_HOURS_LEAD = re.compile(
    r"\b(?:within|later than|least|for|up to|period of|than|maximum of|next|first|last"
    r"|every|below|exceed|exceeding|after|following|minimum of|total of)(?: the)?"
    r"(?: (?:first|next|last))? \Z",
    re.IGNORECASE,
)
_HOURS_RATE = re.compile(r"-| (?:per|of (?:work|training|operation|teaching))")
_HOURS_PERIOD = re.compile(
    r" (?:periods?|duration|notice|time limit|deadline|limit|window|rest period)\b"
)
_HOURS_LIMIT = re.compile(
    r" (?:or (?:more|less|longer)|after|before|following|in advance|prior to|of rest|of"
    r" (?:becoming|receipt|receiving|being)|in any|at (?:most|least))\b"
)
_TWO_LENGTHS = re.compile(
    rf"(?<![\w.,/-])(?P<n>\d{{1,3}}|{SPELLED})(?: (?:to|and|or) |[-–])\Z", re.IGNORECASE
)
_INTERVALS = re.compile(
    r"\bintervals? of(?: (?:at (?:least|most)|not? (?:more|less) than|not exceeding|up to"
    r"|a maximum of))? \Z|intervals not exceeding \Z"
)


def lengths(
    text: str, start: int, end: int, found: list[Moment], free: Callable[[int, int], bool]
) -> list[Moment]:
    """Return what was found with lengths of time, and with dates that lengths start from."""
    result = list(found)
    for match in LENGTH.finditer(text, start, end):
        unit = match["u"].lower()
        before = text[max(start, match.start() - 60) : match.start()]
        if not free(*match.span()) or _NOT_LENGTH_AFTER.match(text, match.end()):
            continue
        if (
            _NOT_LENGTH_BEFORE.search(before)
            or "warming" in text[max(start, match.start() - 120) : match.end() + 60]
        ):
            continue
        if unit.startswith(("hour", "minute")) and not _hours(text, before, match):
            continue
        if whole(match["n"]) == 0:
            continue
        if match["n"].lower() in ("one", "1") and match["kind"] and _ANY_NUMBER.search(before):
            continue  # "during more than one financial year" sets no length
        value = dates.length(match["n"], unit)
        if _INTERVALS.search(before) or re.match(
            r"[- ]intervals?\b", text[match.end() : match.end() + 12]
        ):
            result.append(
                widened(text, start, end, Moment(*match.span(), "recurring", f"R/{value}"))
            )
            continue
        pair = _TWO_LENGTHS.search(before)
        if pair and not re.search(
            r"\b(?:Articles?|paragraphs?|points?|Annex|No) \Z", before[: pair.start()]
        ):
            begin = match.start() - len(before) + pair.start()
            result.append(Moment(begin, match.end(), "length", dates.length(pair["n"], unit)))
        result.append(_length(text, start, end, match, value, result))
    return result


def _hours(text: str, before: str, match: re.Match[str]) -> bool:
    """Tell whether hours or minutes limit something: an average over hours, or a rate, does not."""
    after = text[match.end() : match.end() + 40]
    if "-" in match[0]:
        return bool(_HOURS_PERIOD.match(after))
    if _HOURS_LEAD.search(before):
        return not _HOURS_RATE.match(after)
    return bool(_HOURS_LIMIT.match(after))


def _length(
    text: str, start: int, end: int, match: re.Match[str], value: str, result: list[Moment]
) -> Moment:
    moment = Moment(*match.span(), "length", value)
    after = _LENGTH_AFTER.match(text, match.end(), end)
    if after is not None:
        relation = (
            "before"
            if after["rel"] in ("before", "prior to", "preceding", "in advance of", "ahead of")
            else "after"
        )
        stop = re.compile(r"[.;,)]|\b(?:shall|must|may|and|which|that|or|the Commission)\b").search(
            text, after.end(), min(end, after.end() + 110)
        )
        moment = replace(
            moment,
            relation=relation,
            anchor=(after.end(), stop.start() if stop else min(end, after.end() + 110)),
        )
        for other in result:
            if (
                other.kind == "date"
                and len(other.value) == 10
                and relation == "after"
                and other.start <= after.end() + 2
                and other.end > after.end() >= match.end()
                and other.start >= match.start()
            ):
                result.remove(other)
                return widened(
                    text,
                    start,
                    end,
                    replace(
                        moment,
                        kind="period",
                        value=f"{other.value}/{value}",
                        end=other.end,
                        anchor=None,
                    ),
                )
    for other in result:
        if (
            other.kind == "date"
            and len(other.value) == 10
            and other.end <= match.start()
            and re.fullmatch(
                r",? for (?:a (?:\w+ )?period of |a duration of )?(?:up to |at least )?",
                text[other.end : match.start()],
            )
        ):
            result.remove(other)
            return replace(
                moment,
                kind="period",
                value=f"{other.value}/{value}",
                start=other.start,
                lead=other.lead,
            )
    return widened(text, start, end, moment)
