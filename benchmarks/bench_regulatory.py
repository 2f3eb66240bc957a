"""Classifiers of regulatory texts on held-out parts fixed before training, beside a baseline.

``python benchmarks/bench_regulatory.py [--only HEAD] [--models tfidf,tuned] [--jobs 2] [--save]``

Climate laws: a quarter, held out by the hash of its title. US final rules: those published from
2022-07-01 on under rule ids not seen before. Baseline: word counts of one and two words with
logistic regression and a threshold of one half, as scikit-learn gives them. Intervals: bootstrap
over the held-out texts, 95 %. ``--models tuned`` tunes the sentence encoder too, for the kind of
act alone unless ``--only`` names another head; ``--curve`` adds scores of a quarter, a half and
three quarters of the training part; ``--agreement`` prints, without training, how far texts that
say nearly the same carry the same labels. ESGML_DATA names the folder of the data sets.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from esgml.core import catalog
from esgml.regulatory.calibration import calibration_error, f1_scores
from esgml.regulatory.fit import TUNED, judge
from esgml.regulatory.labelled import Labelled, climate_laws
from esgml.regulatory.rules import us_rules

RESULTS = Path(__file__).parent / "results" / "regulatory.json"
HEADS = ("sector", "instrument", "response", "topic", "act", "significance")
#: What was asked for, by head and score.
WANTED = {
    ("sector", "f1_micro"): 0.70,
    ("sector", "f1_macro"): 0.61,
    ("instrument", "f1_micro"): 0.73,
    ("instrument", "f1_macro"): 0.63,
    ("act", "f1_both_sides"): 0.925,
    ("significance", "auc_significant"): 0.90,
    ("significance", "ap_significant"): 0.66,
    ("significance", "auc_econ_significant"): 0.89,
    ("significance", "ap_econ_significant"): 0.45,
}
_DRAWS = 500


def read(folder: Path, head: str) -> Labelled:
    if head == "significance":
        return us_rules(folder / "us_final_rules.csv")
    return climate_laws(folder / "climate_laws.csv", head)


def scores(
    head: str, labels: tuple[str, ...], p: np.ndarray, said: np.ndarray, truth: np.ndarray
) -> dict[str, float]:
    """Return all scores of one head on some texts."""
    seen = np.isfinite(truth)
    found = {"calibration_error": calibration_error(p[seen], truth[seen] == 1)}
    if head == "significance":
        from sklearn.metrics import average_precision_score, roc_auc_score

        for j, label in enumerate(labels):
            y, q = truth[seen[:, j], j], p[seen[:, j], j]
            if 0 < y.sum() < len(y):
                found[f"auc_{label}"] = float(roc_auc_score(y, q))
                found[f"ap_{label}"] = float(average_precision_score(y, q))
        return found
    micro, macro = f1_scores(said & seen, (truth == 1) & seen)
    if head == "act":
        _, other = f1_scores(~said & seen, (truth == 0) & seen)
        return {**found, "f1_both_sides": (macro + other) / 2}
    return {**found, "f1_micro": micro, "f1_macro": macro}


def intervals(head: str, labels: tuple[str, ...], p: Any, said: Any, truth: Any) -> dict[str, Any]:
    """Return 95 % bootstrap intervals of every score."""
    random = np.random.default_rng(0)
    draws: dict[str, list[float]] = {}
    for _ in range(_DRAWS):
        rows = random.integers(0, len(p), len(p))
        for name, value in scores(head, labels, p[rows], said[rows], truth[rows]).items():
            draws.setdefault(name, []).append(value)
    return {name: np.percentile(v, [2.5, 97.5]).round(4).tolist() for name, v in draws.items()}


def floor(p: np.ndarray, truth: np.ndarray) -> float:
    """Return the calibration error that probabilities show by chance where all of them hold."""
    random, seen = np.random.default_rng(0), np.isfinite(truth)
    held = p[seen]
    return float(np.mean([calibration_error(held, random.random(len(held)) < held)
                          for _ in range(200)]))  # fmt: skip


def baseline(data: Labelled, head: str) -> dict[str, float]:
    """Return the scores of scikit-learn's word counts with logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, truth, _ = data.part(held=False)
    held, held_truth, _ = data.part(held=True)
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2))
    design, judged = words.fit_transform(texts), words.transform(held)
    p = np.zeros(held_truth.shape)
    for j in range(truth.shape[1]):
        rows = np.flatnonzero(np.isfinite(truth[:, j]))
        model = LogisticRegression(C=3, class_weight="balanced", solver="liblinear")
        p[:, j] = model.fit(design[rows], truth[rows, j]).predict_proba(judged)[:, 1]
    return scores(head, data.labels, p, p >= 0.5, held_truth)


def agreement(data: Labelled, least: float = 0.6) -> dict[str, float]:
    """Return how far texts that say nearly the same carry the same labels.

    F1 of giving one text of a pair the labels of the other: what editors reach on each other.
    Beside it the same for pairs drawn at random.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    known = np.flatnonzero(np.isfinite(data.truth).all(1))
    design = TfidfVectorizer(sublinear_tf=True).fit_transform([data.texts[i] for i in known])
    near = (design @ design.T).tocoo()
    chosen = (near.row < near.col) & (near.data >= least)
    one, other = known[near.row[chosen]], known[near.col[chosen]]
    random = np.random.default_rng(0)
    found = {"pairs": float(len(one)), "cosine": least}
    for name, partner in (("f1", other), ("f1_at_random", random.permutation(other))):
        a, b = data.truth[one] == 1, data.truth[partner] == 1
        micro, macro = f1_scores(np.vstack([a, b]), np.vstack([b, a]))
        found |= {f"{name}_micro": micro, f"{name}_macro": macro}
    found["same_labels"] = float((data.truth[one] == data.truth[other]).all(1).mean())
    return found


def thinned(data: Labelled, share: float) -> Labelled:
    """Return the data with a share of the training part, drawn by a fixed seed."""
    order = np.random.default_rng(0).permutation(np.flatnonzero(~data.held))
    rows = np.sort([*np.flatnonzero(data.held), *order[: round(share * len(order))]])
    groups = [data.groups[i] for i in rows]
    return Labelled([data.texts[i] for i in rows], data.labels, data.truth[rows],
                    data.held[rows], groups)  # fmt: skip


def run(
    folder: Path, head: str, name: str, device: str = "cpu", share: float = 1.0
) -> dict[str, Any]:
    """Return the scores of one model on one head."""
    data = read(folder, head)
    data = thinned(data, share) if share < 1 else data
    texts, truth, groups = data.part(held=False)
    held, held_truth, _ = data.part(held=True)
    clock = time.perf_counter()
    if name == "tfidf":
        model: Any = judge(data, head)
    else:
        settings = {**TUNED.get(head, {}), "device": device} if name == "tuned" else {}
        model = catalog.load("regulatory", name)(**settings)
        model.train(texts, truth, labels=data.labels, groups=groups)
    trained = time.perf_counter() - clock
    clock = time.perf_counter()
    p = model.predict(held)
    each = 1e3 * (time.perf_counter() - clock) / len(held)
    said = model.decide(p)
    found = scores(head, data.labels, p, said, held_truth)
    bounds = intervals(head, data.labels, p, said, held_truth)
    return {
        "head": head,
        "model": name,
        "share": share,
        "labels": len(data.labels),
        "trained_on": len(texts),
        "held_out": len(held),
        "scores": found,
        "intervals": bounds,
        "calibration_error_by_chance": floor(p, held_truth),
        "baseline": baseline(data, head) if share == 1 else {},
        "wanted": {s: w for (h, s), w in WANTED.items() if h == head},
        "train_seconds": trained,
        "milliseconds_a_text": each,
    }


def show(one: dict[str, Any]) -> None:
    """Print one result for people."""
    print(f"{one['head']} / {one['model']}: {one['labels']} labels, trained on"
          f" {one['trained_on']}, held out {one['held_out']}", file=sys.stderr)  # fmt: skip
    print(
        f"  calibration error by chance {one['calibration_error_by_chance']:.3f}", file=sys.stderr
    )
    for name, value in one["scores"].items():
        low, high = one["intervals"].get(name, (float("nan"),) * 2)
        wanted = one["wanted"].get(name, 0.03 if name == "calibration_error" else None)
        print(
            f"  {name:24} {value:.3f}  [{low:.3f}, {high:.3f}]"
            f"  baseline {one['baseline'].get(name, float('nan')):.3f}"
            + (f"  wanted {wanted}" if wanted is not None else ""),
            file=sys.stderr,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=HEADS)
    parser.add_argument("--models", default="tfidf")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="of tuning")
    parser.add_argument(
        "--agreement", action="store_true", help="labels of texts that say nearly the same, alone"
    )
    parser.add_argument("--curve", action="store_true", help="also less of the training part")
    parser.add_argument("--save", action="store_true", help="write the results file")
    options = parser.parse_args()
    root = os.environ.get("ESGML_DATA")
    if not root:
        print(json.dumps({"skipped": "ESGML_DATA does not name the data sets"}))
        return
    importlib.import_module("sklearn")
    if options.agreement:
        near = {}
        for head in [options.only] if options.only else HEADS[:-1]:
            found = agreement(read(Path(root) / "regulatory", head))
            near[head] = {k: round(v, 3) for k, v in found.items()}
        print(json.dumps(near, indent=1))
        return
    folder, shares = Path(root) / "regulatory", (0.25, 0.5, 0.75, 1.0) if options.curve else (1.0,)
    calls = [
        (folder, head, name, options.device, share)
        for name in reversed(options.models.split(","))
        for head in ([options.only] if options.only else HEADS)
        for share in shares
        if name != "tuned" or options.only or head in TUNED
    ]
    results = []
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        for one in pool.map(run, *zip(*calls, strict=True)):
            results.append(one)
            show(one)
    document = {"schema": "esgml.bench.regulatory/1", "results": results}
    if options.save:
        # A head run alone takes the place of its rows only.
        before = json.loads(RESULTS.read_text())["results"] if RESULTS.exists() else []
        ran = {(one["head"], one["model"]) for one in results}
        kept = [one for one in before if (one["head"], one["model"]) not in ran]
        saved = {**document, "results": [*kept, *results]}
        RESULTS.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))


if __name__ == "__main__":
    main()
