"""EU ETS shortfall a year ahead: boosted trees beside persistence and a logistic regression.

For each year scored, everything is learned from the years before it, once with the allocation of
that year known (it is allocated before anything is emitted) and once without. Intervals are 95 %
bootstrap intervals over installations. The base rates of the years differ.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from esgml.regulatory.calibration_scores import scores
from esgml.regulatory.installations import Installations, features, transitions
from esgml.regulatory.models.ets_shortfall import EtsShortfall

DATA = Path(os.environ.get("ESGML_DATA", "../shared/data"))
TABLE = DATA / "regulatory" / "eu_ets_installation_years.csv"
YEARS = (2018, 2019, 2020)
REPEATS = 400


def logistic(table: pl.DataFrame, year: int) -> np.ndarray | None:
    """Return the probabilities of a logistic regression on the ratio and whether it is short."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ModuleNotFoundError:
        return None
    data = Installations.read(table)
    rows, columns, short = transitions(data)
    X = np.nan_to_num(features(data, rows, columns))[:, [0, 4, 5]]
    before = data.years[columns + 1] < year
    model = LogisticRegression(max_iter=1000).fit(X[before], short[before])
    return model.predict_proba(X[data.years[columns + 1] == year])[:, 1]


def interval(probability: np.ndarray, truth: np.ndarray) -> dict[str, list[float]]:
    """Return 95 % bootstrap intervals of the scores."""
    rng = np.random.default_rng(0)
    draws: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        pick = rng.integers(0, len(truth), len(truth))
        for name, value in scores(probability[pick], truth[pick]).items():
            draws.setdefault(name, []).append(value)
    return {name: np.quantile(v, [0.025, 0.975]).round(4).tolist() for name, v in draws.items()}


def main() -> None:
    if not TABLE.exists():
        print(json.dumps({"skipped": f"no {TABLE.name}: set ESGML_DATA"}))
        return
    table = pl.read_csv(TABLE)
    found = {}
    for year in YEARS:
        started = time.perf_counter()
        model = EtsShortfall().train(table.filter(pl.col("year") < year), seed=0)
        seconds = time.perf_counter() - started
        probability, short, before = model.foretold(table, year)
        blind, _, _ = model.foretold(table, year, allocation_known=False)
        rivals = {
            "allocation known": probability,
            "allocation unknown": blind,
            "persistence": before,
            "logistic": logistic(table, year),
        }
        one: dict[str, object] = {"installations": len(short), "train_seconds": round(seconds, 2)}
        for name, p in rivals.items():
            if p is None:
                one[name] = "scikit-learn is not installed"
                continue
            point = {k: round(v, 4) for k, v in scores(p, short).items()}
            one[name] = {**point, "interval": interval(p, short)}
            low, high = one[name]["interval"]["auc"]  # type: ignore[index]
            print(
                f"{year} {name:18s} accuracy {point['accuracy']:.4f}  AUC {point['auc']:.4f}"
                f" [{low:.4f}, {high:.4f}]  Brier {point['brier']:.4f}  ECE {point['ece']:.4f}",
                file=sys.stderr,
            )
        one["reliability"] = [
            {k: round(v, 4) for k, v in part.items()}
            for part in model.reliability(table, year=year)
        ]
        for part in one["reliability"]:  # type: ignore[attr-defined]
            print(
                f"     said {part['said']:.3f}  happened {part['happened']:.3f}  n {part['count']}",
                file=sys.stderr,
            )
        found[str(year)] = one
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
