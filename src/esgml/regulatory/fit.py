"""Make the heads that come with the package: ``python -m esgml.regulatory.fit DATA [--out DIR]``.

Each head is first trained on the part that is not held out and scored on the part that is; the
scores go on its card. Then it is trained on all rows and written. The same data give the same
bytes. No row of data is written, only words and weights.
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
#: Settings of the heads: as in the benchmark, kept small.
PARAMS: dict[str, dict[str, Any]] = {
    "sector": {"smallest": 5000, "half": True},
    "instrument": {"smallest": 5000, "half": True},
    "response": {"smallest": 4000, "half": True},
    "topic": {"smallest": 5000, "half": True},
    "act": {"smallest": 4000, "half": True},
    "significance": {"smallest": 6000, "half": True},
}


def labelled(folder: Path, name: str) -> tuple[Labelled, dict[str, str]]:
    """Return the data of a head and where they come from."""
    if name == "significance":
        return us_rules(folder / "us_final_rules.csv"), _RULES
    return climate_laws(folder / "climate_laws.csv", name), _CLIMATE


def fit(folder: Path, name: str, date: str) -> dict[str, bytes]:
    """Return the files of one head: the model trained on all rows, and its card."""
    data, source = labelled(folder, name)
    texts, truth, groups = data.part(held=False)
    judged = TfidfClassifier(**PARAMS[name]).train(texts, truth, labels=data.labels, groups=groups)
    held_texts, held_truth, _ = data.part(held=True)
    scores = judged.evaluate(held_texts, held_truth)
    final = TfidfClassifier(**PARAMS[name]).train(
        data.texts, data.truth, labels=data.labels, groups=data.groups
    )
    files = final.to_files()
    card = {
        "schema": "esgml.regulatory.head/1",
        "head": name,
        "labels": list(data.labels),
        "source": source,
        "trained_on": {"texts": len(data.texts), "date": date},
        "held_out": {
            "texts": len(held_texts),
            **{key: round(value, 4) for key, value in scores.items()},
            "by": "a model trained without them; the shipped one has learned from all",
        },
        "sha256": {file: sha256(content) for file, content in sorted(files.items())},
        "limits": "A model estimate, not legal advice. English only.",
    }
    return {**files, heads.CARD: json.dumps(card, indent=1, sort_keys=True).encode() + b"\n"}


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
