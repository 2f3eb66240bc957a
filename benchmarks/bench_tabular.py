"""Anomaly models on labelled tables, beside PyOD's and scikit-learn's, in the same run.

Every ADBench table of ``ESGML_DATA/anomaly/tabular`` (10,000 random rows of larger ones), two
ways: fitted and scored on all rows, as PyOD is mostly used, and fitted on 60 % of the rows and
scored on the others. Scores are means over ``--seeds``, but for what draws nothing and for the
networks, which take long. Labels are used to score only. The rival is what a user without labels of
the table at hand could choose: the PyOD detector that was best on the *other* tables.

PyOD runs where it is installed; a line says so where it is not.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import importlib.util
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from esgml.anomaly.metrics import average_precision, roc_auc
from esgml.core.errors import MissingExtraError

Scorer = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
LARGEST = 10_000
METRICS = {"roc_auc": roc_auc, "average_precision": average_precision}
NETWORK = "autoencoder"
RIVALS = ("IForest", "KNN", "ECOD", "COPOD", "LOF")


def tables(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return rows and labels by name."""
    found = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as data:
            X, y = data["X"].astype(np.float64), data["y"].astype(np.int64)
        chosen = np.random.default_rng(0).permutation(len(X))[:LARGEST]
        found[path.stem.split("_", 1)[-1]] = (X[chosen], y[chosen])
    return found


def ours(name: str, **params: object) -> Scorer:
    from esgml.core import catalog

    def score(train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
        return catalog.load("anomaly", name)(**params).train(train, seed=seed).score(rows)  # type: ignore[attr-defined, no-any-return]

    return score


def detector(train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    from esgml import AnomalyDetector

    return AnomalyDetector().train(train, seed=seed).score(rows)  # type: ignore[no-any-return]


def with_pyod(name: str) -> Scorer:
    def score(train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
        module = importlib.import_module(f"pyod.models.{name.lower()}")
        kwargs = {"random_state": seed} if name == "IForest" else {}
        model = getattr(module, name)(**kwargs).fit(train)
        result = model.decision_scores_ if rows is train else model.decision_function(rows)
        return np.asarray(result)

    return score


def with_sklearn(train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.ensemble import IsolationForest

    return -np.asarray(IsolationForest(random_state=seed).fit(train).score_samples(rows))


def methods() -> dict[str, Scorer]:
    """Return what is compared, by name."""
    from esgml.anomaly.models.ensemble import MEMBERS
    from esgml.core import catalog

    found: dict[str, Scorer] = {"esgml ensemble": ours("ensemble")}
    for name in catalog.names("anomaly"):
        if name not in ("ensemble", NETWORK):
            found[f"esgml {name}"] = ours(name)
    for name in MEMBERS:
        rest = tuple(m for m in MEMBERS if m != name)
        found[f"ensemble without {name}"] = ours("ensemble", members=rest)
    found["scikit-learn IsolationForest"] = with_sklearn
    for name in RIVALS:
        found[f"PyOD {name}"] = with_pyod(name)
    found[f"esgml {NETWORK}"] = ours(NETWORK)
    found["esgml AnomalyDetector"] = detector
    return found


def measure(method: Scorer, data: dict[str, tuple[np.ndarray, np.ndarray]], seeds: int) -> dict:
    """Return both metrics of every table, both ways, averaged over seeds."""
    result: dict[str, dict[str, dict[str, float]]] = {"all rows": {}, "split": {}}
    begin = time.perf_counter()
    for name, (X, y) in data.items():
        order = np.random.default_rng(1).permutation(len(X))
        cut = int(0.6 * len(X))
        train, test = order[:cut], order[cut:]
        for way, fitted, rows, label in (
            ("all rows", X, X, y),
            ("split", X[train], X[test], y[test]),
        ):
            scores = [np.nan_to_num(method(fitted, rows, seed)) for seed in range(seeds)]
            result[way][name] = {
                metric: float(np.mean([f(label, s) for s in scores]))
                for metric, f in METRICS.items()
            }
    return {**result, "seconds": time.perf_counter() - begin}


def chosen_elsewhere(done: dict[str, dict], way: str, metric: str) -> dict[str, object]:
    """Return the mean of the PyOD detector that was best on the other tables."""
    rivals = [f"PyOD {name}" for name in RIVALS]
    if not all(isinstance(done.get(r), dict) and way in done[r] for r in rivals):
        return {"reason": "PyOD is not installed in this environment"}
    values, picks = [], {}
    for table in done[rivals[0]][way]:
        others = [t for t in done[rivals[0]][way] if t != table]
        best = max(rivals, key=lambda r: np.mean([done[r][way][t][metric] for t in others]))
        picks[table] = best
        values.append(done[best][way][table][metric])
    return {"mean": float(np.mean(values)), "choices": picks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of npz files with X and y")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    default = Path(os.environ.get("ESGML_DATA", "../shared/data")) / "anomaly" / "tabular"
    data = tables(options.data or default)
    if not data:
        print(json.dumps({"reason": f"no tables in {options.data or default}; set ESGML_DATA"}))
        return
    warnings.simplefilter("ignore")
    done: dict[str, dict] = {}
    names = list(data)
    sys.stderr.write(f"{'ROC-AUC / average precision, all rows':34}{'mean':>13}")
    sys.stderr.write("".join(f"{name[:11]:>13}" for name in names) + f"{'s':>8}\n")
    for name, method in methods().items():
        if name.startswith("PyOD") and importlib.util.find_spec("pyod") is None:
            done[name] = {"reason": "pyod is not installed in this environment"}
        else:
            once = (*(f"PyOD {rival}" for rival in RIVALS[1:]), f"esgml {NETWORK}")
            seeds = 1 if name in (*once, "esgml AnomalyDetector", "esgml pca") else options.seeds
            try:
                done[name] = measure(method, data, seeds)
            except MissingExtraError as error:
                done[name] = {"reason": str(error)}
        if "reason" in done[name]:
            sys.stderr.write(f"{name:34}{done[name]['reason']}\n")
            continue
        for way in ("all rows", "split"):
            per = list(done[name][way].values())
            done[name][way] = {
                **done[name][way],
                "mean": {m: float(np.mean([p[m] for p in per])) for m in METRICS},
            }
        row = [done[name]["all rows"][t] for t in ("mean", *names)]
        cells = "".join(f"{c['roc_auc']:>7.3f}/{c['average_precision']:.3f}" for c in row)
        sys.stderr.write(f"{name:34}{cells}{done[name]['seconds']:>8.1f}\n")
    bare = {
        name: {w: {t: v for t, v in one[w].items() if t != "mean"} for w in ("all rows", "split")}
        for name, one in done.items()
        if "reason" not in one
    }
    verdict = {
        way: {
            metric: {
                "esgml ensemble": done["esgml ensemble"][way]["mean"][metric],
                "PyOD chosen on the other tables": chosen_elsewhere(bare, way, metric),
            }
            for metric in METRICS
        }
        for way in ("all rows", "split")
    }
    for way, one in verdict.items():
        for metric, pair in one.items():
            rival = pair["PyOD chosen on the other tables"]
            said = f"{rival['mean']:.3f}" if "mean" in rival else rival["reason"]
            sys.stderr.write(
                f"{way:9} {metric:18} ensemble {pair['esgml ensemble']:.3f}"
                f"   best PyOD chosen on the other tables {said}\n"
            )
    rows = {name: {"rows": len(X), "anomalies": int(y.sum())} for name, (X, y) in data.items()}
    print(json.dumps({"tables": rows, "methods": done, "verdict": verdict}, indent=1))


if __name__ == "__main__":
    main()
