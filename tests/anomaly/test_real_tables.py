"""On real labelled tables the ensemble ranks at least as well as the forest alone."""

import os
from pathlib import Path

import numpy as np
import pytest

from esgml.anomaly.models.ensemble import Ensemble
from esgml.anomaly.models.isolation_forest import IsolationForest

ROOT = Path(os.environ.get("ESGML_DATA", Path(__file__).parents[3] / "shared" / "data"))
TABLES = sorted((ROOT / "anomaly" / "tabular").glob("*.npz"))


@pytest.mark.slow
@pytest.mark.skipif(not TABLES, reason="the real tables are not at hand (ESGML_DATA)")
def test_ensemble_ranks_better_than_the_forest_alone():
    scores = {"ensemble": [], "forest": []}
    for path in TABLES:
        with np.load(path, allow_pickle=False) as data:
            X, y = data["X"].astype(float), data["y"]
        some = np.random.default_rng(0).permutation(len(X))[:4000]
        for name, kind in (("ensemble", Ensemble), ("forest", IsolationForest)):
            scores[name].append(kind().train(X[some], seed=0).evaluate(X[some], y[some]))
    means = {
        name: [np.mean([s[metric] for s in found]) for metric in ("roc_auc", "average_precision")]
        for name, found in scores.items()
    }
    assert means["ensemble"][0] > means["forest"][0] + 0.02
    assert means["ensemble"][1] > means["forest"][1] - 0.02
