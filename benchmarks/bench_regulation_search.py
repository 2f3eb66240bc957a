"""Search over EU acts: find an article from its heading, by words, by meaning and by both.

Each article of 20 acts is kept without its heading; the heading is the query. A hit is the article
itself. Headings that stand twice, or say little ("Definitions", "Penalties"), are left out. Mean
reciprocal rank at 10 and the share found first, with 95 % bootstrap intervals over queries.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from esgml.regulatory.search import SearchIndex

DATA = Path(os.environ.get("ESGML_DATA", "../shared/data"))
TEXTS = DATA / "regulatory" / "eu_acts_articles.jsonl.gz"
ACTS, QUERIES, CHARACTERS = 20, 250, 1500
#: "Article 11 Energy management systems and energy audits 1. Member States ..."
HEADING = re.compile(r"Article \d+[a-z]? ([A-Z][a-z][^.0-9]{18,90}?) (?=1\. |The |Member )")


def articles() -> list[tuple[str, str]]:
    """Return headings and bodies of the articles of some acts, the same ones each time."""
    by_act: dict[str, list[tuple[str, str]]] = {}
    with gzip.open(TEXTS, "rt", encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            found = HEADING.match(one["text"])
            if found and len(one["text"]) > 400:
                body = one["text"][found.end() : found.end() + CHARACTERS]
                by_act.setdefault(one["celex"], []).append((found[1], body))
    rng = np.random.default_rng(0)
    chosen = rng.permutation(sorted(a for a in by_act if len(by_act[a]) >= 10))[:ACTS]
    return [pair for act in chosen for pair in by_act[act]]


def encoder() -> object | None:
    """Return the sentence encoder, where its files are there."""
    try:
        from esgml.regulatory.encoder import SentenceEncoder

        return SentenceEncoder()
    except Exception as error:
        print(f"no encoder: {error}", file=sys.stderr)
        return None


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over queries."""
    draws = np.random.default_rng(2).integers(0, len(values), (1000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    if not TEXTS.exists():
        print(json.dumps({"skipped": f"no {TEXTS.name}: set ESGML_DATA"}))
        return
    pairs = articles()
    often = Counter(heading for heading, _ in pairs)
    queries = [i for i, (heading, _) in enumerate(pairs) if often[heading] == 1]
    queries = np.random.default_rng(1).permutation(queries)[:QUERIES].tolist()
    bodies = [body for _, body in pairs]
    found: dict[str, object] = {"articles": len(bodies), "queries": len(queries)}
    ranks: dict[str, list[int]] = {}
    gains: dict[str, np.ndarray] = {}
    for name in ("words", "words and meaning"):
        model = None if name == "words" else encoder()
        if name != "words" and model is None:
            found[name] = "no encoder"
            continue
        started = time.perf_counter()
        index = SearchIndex.build(bodies, model)
        built = time.perf_counter() - started
        started = time.perf_counter()
        for i in queries:
            order = list(
                dict.fromkeys(int(index.spans[k][0]) for k, _ in index.rank(pairs[i][0], model))
            )
            ranks.setdefault(name, []).append(order.index(i) + 1 if i in order[:10] else 0)
        asked = (time.perf_counter() - started) / len(queries)
        place = np.array(ranks[name], dtype=float)
        gain = np.where(place > 0, 1.0 / np.maximum(place, 1.0), 0.0)
        gains[name] = gain
        low, high = interval(gain)
        found[name] = {
            "mrr_at_10": round(float(gain.mean()), 4),
            "interval": [round(low, 4), round(high, 4)],
            "first": round(float((place == 1).mean()), 4),
            "within_10": round(float((place > 0).mean()), 4),
            "build_seconds": round(built, 2),
            "milliseconds_a_query": round(1000 * asked, 2),
        }
        print(f"{name:18s} {found[name]}", file=sys.stderr)
    if len(gains) == 2:
        better = gains["words and meaning"] - gains["words"]
        low, high = interval(better)
        found["gained_by_meaning"] = {
            "mrr_at_10": round(float(better.mean()), 4),
            "interval": [round(low, 4), round(high, 4)],
        }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
