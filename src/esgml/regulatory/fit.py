"""Make the heads that come with the package: ``python -m esgml.regulatory.fit DATA [--out DIR]``.

Each head is first trained and calibrated on the part that is not held out and scored on the part
that is; the scores go on its card. Then it learns from all rows and is written. The same data give
the same bytes. No row of data is written, only words and weights.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from esgml.core.storage import sha256, write_folder_atomic
from esgml.regulatory import heads
from esgml.regulatory.labelled import FAMILIES, Labelled, climate_laws
from esgml.regulatory.models.tfidf import TfidfClassifier
from esgml.regulatory.rules import us_rules

_CLIMATE = {
    "name": "Climate Change Laws of the World, export of climate laws and policies",
    "by": "Grantham Research Institute on Climate Change and the Environment, and Climate Policy"
    " Radar",
    "licence": "CC BY 4.0",
    "changes": "word weights were learned from it; no row is included",
}
_RULES = {
    "name": "Reg-Stats, US final rules 2021-2023",
    "by": "George Washington University Regulatory Studies Center",
    "licence": "MIT",
    "changes": "word weights were learned from it; no row is included",
}
_BOTH: dict[str, Any] = {"unit": "both", "fewest": 3, "terms": 80_000, "smallest": 8_000}
#: Chosen on later months by models of earlier ones, as the rules to come are later than these.
_RULES_PARAMS: dict[str, Any] = {
    "unit": "both",
    "strength": 5.0,
    "terms": 150_000,
    "smallest": 30_000,
    "balanced": False,
    "ratio": False,
}
#: Settings of the heads, chosen by cross-validation inside the part that is not held out.
PARAMS: dict[str, dict[str, Any]] = {
    "sector": {**_BOTH, "strength": 1.0},
    "instrument": {**_BOTH, "strength": 0.3},
    "response": {**_BOTH, "strength": 1.0},
    "topic": {**_BOTH, "strength": 3.0, "ratio": False},
    "act": {"unit": "opening", "strength": 30.0, "smallest": 8_000},
    "significance": _RULES_PARAMS,
}
#: Settings of the tuned encoder, for heads where it was better inside the training part.
TUNED: dict[str, dict[str, Any]] = {
    "act": {"layers": 6, "share": 0.3, "unit": "opening", "strength": 10.0, "folds": 2},
}


def labelled(folder: Path, name: str) -> tuple[Labelled, dict[str, str]]:
    """Return the data of a head and where they come from."""
    if name == "significance":
        return us_rules(folder / "us_final_rules.csv"), _RULES
    return climate_laws(folder / "climate_laws.csv", name), _CLIMATE


def judge(data: Labelled, name: str) -> TfidfClassifier:
    """Return a head's model, trained without the texts held out."""
    texts, truth, groups = data.part(held=False)
    model = TfidfClassifier(**PARAMS[name], half=True)
    return model.train(texts, truth, labels=data.labels, groups=groups)


def fit(folder: Path, name: str, date: str) -> dict[str, bytes]:
    """Return the files of one head: the model trained on all rows, and its card."""
    data, source = labelled(folder, name)
    model = judge(data, name)
    held_texts, held_truth, _ = data.part(held=True)
    scores = model.evaluate(held_texts, held_truth)
    files = model.refit(data.texts, data.truth).to_files()
    return {**files, heads.CARD: make_card(data, name, source, scores, files, date)}


def make_card(
    data: Labelled,
    name: str,
    source: dict[str, str],
    scores: dict[str, float],
    files: dict[str, bytes],
    date: str,
) -> bytes:
    """Return the card of a head as JSON."""
    card = {
        "schema": "esgml.regulatory.head/1",
        "head": name,
        "labels": list(data.labels),
        "source": source,
        "trained_on": {"texts": len(data.texts), "date": date},
        "held_out": {
            "texts": int(data.held.sum()),
            **{key: round(value, 4) for key, value in scores.items()},
            "by": "the model before it also learned from them",
        },
        "sha256": {file: sha256(content) for file, content in sorted(files.items())},
        "limits": "A model estimate, not legal advice. English only.",
    }
    return json.dumps(card, indent=1, sort_keys=True).encode() + b"\n"


def main(arguments: list[str] | None = None) -> None:
    """Fit and write the heads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of climate_laws.csv and us_final_rules.csv")
    parser.add_argument("--out", type=Path, default=heads.FOLDER)
    parser.add_argument("--date", required=True, help="day to put on the cards, ISO")
    parser.add_argument("--only", choices=[*FAMILIES, "act", "significance"])
    options = parser.parse_args(arguments)
    for name in [options.only] if options.only else PARAMS:
        files = fit(options.data, name, options.date)
        target = options.out / name
        if target.exists():
            shutil.rmtree(target)
        write_folder_atomic(target, files)
        held = json.loads(files[heads.CARD])["held_out"]
        size = sum(map(len, files.values()))
        print(f"{name}: {size / 1e3:.0f} kB, held out {held}", file=sys.stderr)


if __name__ == "__main__":
    main()
