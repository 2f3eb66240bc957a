"""One statement about time, and the words that lead to it and follow it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Moment:
    """One statement about time.

    Attributes
    ----------
    start, end : int
        In the text as read, with the words that lead to it ("no later than").
    kind : str
        ``date``, ``period``, ``length``, ``recurring``, ``impossible``.
    value : str
        ISO 8601, see `dates`.
    lead : str
        The words before it, lower case.
    relation, anchor : str, tuple of int
        ``before`` or ``after`` what, for a length.
    starts : str
        When a recurrence begins, where the text says so.
    adopted : bool
        Whether it is the date of the text itself.
    """

    start: int
    end: int
    kind: str
    value: str
    lead: str = ""
    relation: str = ""
    anchor: tuple[int, int] | None = None
    starts: str = ""
    adopted: bool = False


_LEAD = re.compile(
    r"(?:\b(?:at the latest (?:by|from|on|in|within)|not? later than(?: the end of)?"
    r"|by(?: the end of)?|from|as from|as of|with effect (?:from|as of)"
    r"|until|till|up to|before|after|prior to|since|on or (?:after|before)|on|in|during"
    r"|between|for|within(?: a period of)?|starting(?: on| from| in)?|beginning(?: on| in)?"
    r"|commencing(?: on| in)?|ending on|expiring on|for a (?:maximum "
    r"|minimum )?(?:further )?period of(?: at least| up to| not more than)?|a period of"
    r"|(?:at )?(?:least|most)|at least|not less than"
    r"|more than|less than|up to|exceed(?:ing)?|every|to|and|the (?:last|first|next"
    r"|previous|preceding|following)|the) )+\Z",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r",? (?:at the latest|of (?:each|every|that|the same|the following|the preceding"
    r"|the previous|any given|a given) (?:calendar |financial |reporting )?year"
    r"|(?:each|every) (?:calendar )?year|thereafter|inclusive)",
    re.IGNORECASE,
)


def widened(text: str, start: int, end: int, moment: Moment) -> Moment:
    """Return a moment with the words that lead to it and follow it."""
    lead = _LEAD.search(text, max(start, moment.start - 70), moment.start)
    tail = _TAIL.match(text, moment.end, end)
    return replace(
        moment,
        start=lead.start() if lead else moment.start,
        end=tail.end() if tail else moment.end,
        lead=moment.lead or (lead[0].lower().strip() if lead else ""),
    )
