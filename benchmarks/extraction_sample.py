"""Draws the passages the extractor is scored on, always the same ones.

The draw was fixed, and the passages annotated by reading them, before there was an extractor:
see ``tests/regulatory/passages.json``. A sample takes one article of an act at most, so that
the wording repeated within an act counts once, and takes its articles from three strata: with
the name of a month, with a number beside a unit or a word of comparison, and with no number.
The front of an act (title and citations) is no article and is left out.

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

_MONTH = re.compile(
    r"\b(January|February|March|April|May \d|June|July|August|September|October|November"
    r"|December)\b"
)
_QUANTITY = re.compile(
    r"\d\s?(%|per cent|percent|tonnes?|kg|km|mg|MW|kW|GW|TWh|litres?|m2|euro|employees|million)"
    r"|(EUR|ECU|€)\s?\d|\b(at least|more than|less than|exceed\w*|threshold)\b[^.]{0,30}\d"
)
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
    for name in sorted(SAMPLES):
        seed, months, quantities, without = SAMPLES[name]
        order = sorted(
            key
            for key, text in texts.items()
            if SHORTEST <= len(text) <= LONGEST and not key.endswith("/front")
        )
        random.Random(seed).shuffle(order)
        left = {"month": months, "quantity": quantities, "none": without}
        chosen = []
        for key in order:
            act, stratum = key.split("/")[0], _stratum(texts[key])
            if act not in used and left.get(stratum, 0):
                left[stratum] -= 1
                used.add(act)
                chosen.append(key)
        if name == sample:
            break
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
