"""Timeline, thresholds and duties against what was annotated by reading, before the first run.

``python benchmarks/bench_extraction.py [--misses]``

An item is found where its value is equal (for thresholds also its unit) and its evidence overlaps
the annotated words; one found item stands for one annotated item. A duty (from sample 5 on) is
found where modal verb and kind (obligation, prohibition) are those annotated and the addressee is:
the same words, or nobody where the clause names nobody. Items another reader could leave out are
marked in the annotation and count neither way. Intervals: 95 %, bootstrap over passages. The
baseline beside it finds every full date, every number with a percent sign or a currency, and every
"shall" with the words before it, with no rule for anything else.

What counts are the **first runs**: no rule had been written from a passage when it was first
scored. They are kept in ``results/extraction_first_runs.json`` with the commit that repeats each.
After its first run a sample is known, and what is scored now only guards against getting worse.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.extraction_runs import first_runs, pooled
from benchmarks.extraction_sample import articles, draw

from esgml.regulatory.document import read
from esgml.regulatory.numerals import decimal_comma, value_of
from esgml.regulatory.obligations import obligations
from esgml.regulatory.thresholds import thresholds
from esgml.regulatory.timeline import timeline

TESTS = Path(__file__).parents[1] / "tests" / "regulatory"
FILES = {
    "1": TESTS / "passages.json",
    "2": TESTS / "passages_second.json",
    "3": TESTS / "passages_third.json",
    "4": TESTS / "passages_fourth.json",
    "5": TESTS / "passages_fifth.json",
    "6": TESTS / "passages_sixth.json",
    "7": TESTS / "passages_seventh.json",
    "8": TESTS / "passages_eighth.json",
}
#: What is scored, and the second thing that is compared where an item was found.
KINDS = {"timeline": "what", "thresholds": "comparator", "duties": "place"}
TARGET = 0.90
Item = tuple[Any, int, int, dict[str, Any]]


def passages(sample: str) -> list[dict[str, Any]]:
    return list(json.loads(FILES[sample].read_text(encoding="utf-8"))["passages"])


def kinds(sample: str) -> list[str]:
    """Return what is annotated in a sample: duties are from the fifth on."""
    return [kind for kind in KINDS if all(kind in one for one in passages(sample))]


def annotated(passage: dict[str, Any], kind: str) -> list[Item]:
    found = []
    for one in passage[kind]:
        key: Any = one.get("value")
        if kind == "thresholds":
            key = (float(one["value"]), one["unit"])
        elif kind == "duties":
            key = (one["what"], _addressee(one["who"]))
        found.append((key, one["start"], one["start"] + len(one["quote"]), one))
    return found


def extracted(text: str, kind: str) -> list[Item]:
    document = read(text)
    if kind == "duties":
        return [_duty(one) for one in obligations(document) if one["bindingness"] == "binding"]
    items = (timeline if kind == "timeline" else thresholds)(document)[0]
    found = []
    for one in items:
        key = one["value"] if kind == "timeline" else (float(one["value"]), one["unit"])
        found.append((key, one["evidence"]["start"], one["evidence"]["end"], one))
    return found


def _addressee(words: str | None) -> str:
    """Return whom words name, without the article before it."""
    return re.sub(r"\A(?:the|an?|each|every|any|all) ", "", (words or "").lower())


def _duty(one: dict[str, Any]) -> Item:
    """Return a duty where its modal verb stands: right before what is to be done."""
    at = (one["action"] or one["evidence"])["start"]
    who = one["who"]["text"] if one["who"] else None
    return (one["what"], _addressee(who)), at - 2, at, one


def naive(text: str, kind: str) -> list[Item]:
    """Return what a regular expression finds: the baseline."""
    if kind == "duties":
        pattern = r"(?:\A|[.;] )(?:\d+\. )?(?P<who>[^.;]*?) (?:shall|must) (?P<no>not )?"
        return [
            (
                ("prohibition" if m["no"] else "obligation", _addressee(m["who"])),
                m.end() - 2,
                m.end(),
                {},
            )
            for m in re.finditer(pattern, text)
        ]
    if kind == "timeline":
        from esgml.regulatory.dates import calendar

        return [
            (d.value, d.start, d.end, {}) for d in calendar(text) if not d.value.startswith("--")
        ]
    pattern = r"(?P<a>\d[\d ]*(?:[.,]\d+)?) ?%|EUR (?P<b>\d[\d ]*(?:[.,]\d+)?(?: million)?)"
    comma = decimal_comma(text)
    return [
        (
            (float(value_of(m["a"] or m["b"], comma)[0]), "%" if m["a"] else "EUR"),
            m.start(),
            m.end(),
            {},
        )
        for m in re.finditer(pattern, text)
    ]


def match(
    wanted: list[Item], got: list[Item]
) -> tuple[list[tuple[Item, Item]], list[Item], list[Item]]:
    """Return pairs, what was missed, and what was found beyond."""
    left, pairs, missed = list(got), [], []
    for one in wanted:
        hit = next(
            (g for g in left if _same(one[0], g[0]) and g[1] < one[2] and one[1] < g[2]), None
        )
        if hit is None:
            missed.append(one)
        else:
            left.remove(hit)
            pairs.append((one, hit))
    return pairs, missed, left


def _same(wanted: Any, got: Any) -> bool:
    if wanted == got or not isinstance(wanted[1], str) or wanted[0] != got[0]:
        return bool(wanted == got)
    # "operators of ships" names whom "operators" names; "they" names nobody
    a, b = wanted[1], got[1]
    return bool(a and b) and (a.startswith(b) or b.startswith(a) or b.endswith(" " + a))


def without_optional(
    pairs: list[tuple[Item, Item]], missed: list[Item], extra: list[Item], wanted: list[Item]
) -> tuple[list[tuple[Item, Item]], list[Item], list[Item]]:
    """Leave out what another reader could leave out: found or not, it counts neither way."""
    spare = [one for one in wanted if one[3].get("optional")]
    return (
        [pair for pair in pairs if not pair[0][3].get("optional")],
        [one for one in missed if not one[3].get("optional")],
        [one for one in extra if not any(one[1] < s[2] and s[1] < one[2] for s in spare)],
    )


def rates(counts: list[tuple[int, int, int]]) -> tuple[float, float]:
    hits, wanted, got = (sum(column) for column in zip(*counts, strict=True))
    return hits / wanted if wanted else 1.0, hits / got if got else 1.0


def interval(counts: list[tuple[int, int, int]], which: int) -> list[float]:
    """Return the 95 % bootstrap interval of recall (0) or precision (1), over passages."""
    draws = random.Random(0)
    values = sorted(rates(draws.choices(counts, k=len(counts)))[which] for _ in range(2000))
    return [round(values[50], 3), round(values[1949], 3)]


def score(sample: str, kind: str, find: Any, misses: bool = False) -> dict[str, Any]:
    counts, places, details = [], [], []
    second = KINDS[kind]
    agree = hits = 0
    for passage in passages(sample):
        wanted, got = annotated(passage, kind), find(passage["text"], kind)
        pairs, missed, extra = without_optional(*match(wanted, got), wanted)
        counts.append((len(pairs), len(pairs) + len(missed), len(pairs) + len(extra)))
        if kind == "duties":
            places.append(_places(wanted, got))
        hits += len(pairs)
        agree += sum(a[3].get(second) == b[3].get(second) for a, b in pairs)
        for label, items in (("missed", missed), ("extra", extra)):
            details += [
                f"{label} {passage['celex']} {i[0]} {passage['text'][i[1] : i[2] + 30]!r}"
                for i in items
            ]
        details += [
            f"{second} {passage['celex']} {a[3].get(second)} read "
            f"as {b[3].get(second)}: {a[3]['quote']}"
            for a, b in pairs
            if find is extracted and a[3].get(second) != b[3].get(second)
        ]
    recall, precision = rates(counts)
    if misses:
        sys.stderr.write("\n".join(["", f"sample {sample}, {kind}", *details, ""]))
    result: dict[str, Any] = {
        "items": sum(c[1] for c in counts),
        "recall": recall,
        "recall_95": interval(counts, 0),
        "precision": precision,
        "precision_95": interval(counts, 1),
    }
    if kind == "duties":
        result["whoever_it_binds"] = dict(zip(("recall", "precision"), rates(places), strict=True))
    elif find is extracted:
        result[f"{second}_right"] = agree / hits if hits else 1.0
    return result


def _places(wanted: list[Item], got: list[Item]) -> tuple[int, int, int]:
    """Count duties by modal verb and kind alone, whoever they are said to bind."""
    plain = [((one[0][0], ""), *one[1:]) for one in wanted]
    found = [((one[0][0], ""), *one[1:]) for one in got]
    pairs, missed, extra = without_optional(*match(plain, found), plain)
    return len(pairs), len(pairs) + len(missed), len(pairs) + len(extra)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true", help="list what was missed or beyond")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"target": TARGET}
    folder = os.environ.get("ESGML_DATA")
    if folder:
        texts = articles(folder)
        for sample in FILES:
            stored = json.loads(FILES[sample].read_text(encoding="utf-8"))
            left_out = stored.get("read_before", [])
            keys = [key for key in draw(texts, sample) if key not in left_out]
            same = [(f"{p['celex']}/{p['unit']}", p["text"]) for p in stored["passages"]] == [
                (key, texts[key]) for key in keys
            ]
            results[f"sample_{sample}_is_the_draw"] = same
    for sample in FILES:
        clock = time.perf_counter()
        for kind in kinds(sample):
            found = score(sample, kind, extracted, arguments.misses)
            plain = score(sample, kind, naive)
            found["baseline"] = {k: plain[k] for k in ("recall", "precision")}
            results[f"{kind}_{sample}"] = found
            sys.stderr.write(
                f"sample {sample} {kind:<10} {found['items']:>3} items"
                f"  recall {found['recall']:.3f} {found['recall_95']}"
                f"  precision {found['precision']:.3f} {found['precision_95']}"
                f"  | baseline {plain['recall']:.3f} / {plain['precision']:.3f}\n"
            )
        results[f"seconds_{sample}"] = time.perf_counter() - clock
    results["first_runs"] = first_runs() | {"all": {kind: pooled(kind) for kind in KINDS}}
    for name, one in results["first_runs"].items():
        for kind in (kind for kind in KINDS if one.get(kind, {}).get("items")):
            sys.stderr.write(
                f"first run, sample {name:<3} {kind:<10} {one[kind]['items']:>3} items"
                f"  recall {one[kind]['recall']:.3f} {one[kind].get('recall_95', '')}"
                f"  precision {one[kind]['precision']:.3f} {one[kind].get('precision_95', '')}\n"
            )
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
