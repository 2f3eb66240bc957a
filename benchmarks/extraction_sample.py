"""Draws the passages the extractor is scored on, always the same ones.

The draw was fixed, and the passages annotated by reading them, before there was an extractor:
see ``tests/regulatory/passages.json``. A sample takes one article of an act at most, so that
the wording repeated within an act counts once. Samples 1 to 4 take their articles from three
strata: with the name of a month, with a number beside a unit or a word of comparison, and with no
number; the later ones from one stratum for each kind of quantity and one for dates, so that rare
kinds (power, volumes, speeds, counted people) are measured too. The front of an act (title and
citations) is no article and is left out.

    python -m benchmarks.extraction_sample 1        # prints the keys of the first sample
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import sys
from pathlib import Path

#: Sample -> (seed, articles with a month, with a quantity, with no number).
SAMPLES = {
    "1": (20261126, 20, 20, 10),
    "2": (20261127, 10, 10, 5),
    "3": (20261128, 12, 16, 2),
    "4": (20261129, 5, 20, 0),
}
SHORTEST, LONGEST = 250, 2000
#: Sample -> (seed, articles of each kind of `KINDS`), drawn in that order.
BY_KIND = {
    "5": (20261130, (4, 5, 5, 7, 6, 6, 7)),
    "6": (20261201, (4, 5, 5, 7, 6, 6, 7)),
    "7": (20261202, (4, 5, 5, 7, 6, 6, 7)),
    "8": (20261203, (4, 4, 4, 5, 5, 5, 16)),
}
LONGEST_BY_KIND = 2500

_MONTH = re.compile(
    r"\b(January|February|March|April|May \d|June|July|August|September|October|November"
    r"|December)\b"
)
_QUANTITY = re.compile(
    r"\d\s?(%|per cent|percent|tonnes?|kg|km|mg|MW|kW|GW|TWh|litres?|m2|euro|employees|million)"
    r"|(EUR|ECU|€)\s?\d|\b(at least|more than|less than|exceed\w*|threshold)\b[^.]{0,30}\d"
)
#: Kind of quantity -> what its articles hold; the rarest first.
KINDS = {
    "power and energy": r"\d\s?(?:kW|MW|GW|kWh|MWh|GWh|TWh|toe|Mtoe|TJ|GJ|MJ|V|kV)\b",
    "counted": r"\b(?:at least|more than|less than|fewer than|exceed\w*|up to|minimum of"
    r"|maximum of)\s(?:\d[\d ]*|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty"
    r"|fifty|hundred) (?:\w+ )?(?:employees|persons|people|members|workers|passengers"
    r"|inhabitants|Member States|animals|customers|vehicles|aircraft|beds|units|countries"
    r"|undertakings|species|experts|representatives|shareholders|seats|samples)",
    "mass": r"\d\s?(?:tonnes?|kg|kilograms?|grams?|g|mg|µg|t)\b",
    "length, area, volume, speed, temperature": r"\d\s?(?:litres?|l|ml|m3|m2|m|ha|hectares|mm|cm|km"
    r"|metres|miles|°\s?C|km/h|knots|ppm|dB|bar|GT|Hz|MHz|axles|degrees)\b"
    r"|GWP|global warming potential|\bg/km|mg/",
    "money": r"(?:EUR|ECU|€)\s?\d|\d\s?(?:euros?|EUR|ECU)\b|\bmillion\b",
    "share": r"\d\s?(?:%|per cent|percentage)",
    "date": _MONTH.pattern,
}
_HEADING = re.compile(r"^Article\s+\S+\s*")


def articles(folder: str) -> dict[str, str]:
    """Return every article by its key ``CELEX/unit``."""
    path = Path(folder) / "regulatory" / "eu_acts_articles.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {f"{row['celex']}/{row['unit']}": row["text"] for row in rows}


def draw(texts: dict[str, str], sample: str) -> list[str]:
    """Return the keys of a sample; a later sample takes no act of an earlier one."""
    used: set[str] = set()
    chosen: list[str] = []
    for name in sorted([*SAMPLES, *BY_KIND]):
        chosen = (_draw_by_kind if name in BY_KIND else _draw)(texts, name, used)
        used.update(key.split("/")[0] for key in chosen)
        if name == sample:
            break
    return chosen


def _shuffled(texts: dict[str, str], seed: int, longest: int) -> list[str]:
    order = sorted(
        key
        for key, text in texts.items()
        if SHORTEST <= len(text) <= longest and not key.endswith("/front")
    )
    random.Random(seed).shuffle(order)
    return order


def _draw(texts: dict[str, str], name: str, before: set[str]) -> list[str]:
    seed, months, quantities, without = SAMPLES[name]
    used, chosen = set(before), []
    left = {"month": months, "quantity": quantities, "none": without}
    for key in _shuffled(texts, seed, LONGEST):
        act, stratum = key.split("/")[0], _stratum(texts[key])
        if act not in used and left.get(stratum, 0):
            left[stratum] -= 1
            used.add(act)
            chosen.append(key)
    return chosen


def _draw_by_kind(texts: dict[str, str], name: str, before: set[str]) -> list[str]:
    seed, counts = BY_KIND[name]
    used, chosen = set(before), []
    order = _shuffled(texts, seed, LONGEST_BY_KIND)
    for pattern, count in zip(KINDS.values(), counts, strict=True):
        left = count
        for key in order:
            act = key.split("/")[0]
            if left and act not in used and re.search(pattern, _HEADING.sub("", texts[key])):
                left -= 1
                used.add(act)
                chosen.append(key)
    return chosen


def _stratum(text: str) -> str:
    body = _HEADING.sub("", text)
    if _QUANTITY.search(body):
        return "quantity"
    if _MONTH.search(body):
        return "month"
    return "" if re.search(r"\d", body) else "none"


if __name__ == "__main__":
    for one in draw(articles(os.environ["ESGML_DATA"]), sys.argv[1]):
        print(one)
