"""How good probabilities of yes and no are: accuracy, ranking, sharpness, and honesty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.regulatory.calibration import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def auc(probability: Array, truth: Array) -> float:
    """Return the share of pairs of a yes and a no that are in the right order; ties count half."""
    yes = truth > 0.5
    n, m = int(yes.sum()), int((~yes).sum())
    if not n or not m:
        return float("nan")
    _, place, count = np.unique(probability, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    rank = (last - (count - 1) / 2.0)[place]
    return float((rank[yes].sum() - n * (n + 1) / 2.0) / (n * m))


def reliability(probability: Array, truth: Array, bins: int = 10) -> list[dict[str, float]]:
    """Return, by equal slices of probability, what was said, what happened and how often."""
    which = np.clip((probability * bins).astype(np.int64), 0, bins - 1)
    return [
        {
            "said": float(probability[which == i].mean()),
            "happened": float(truth[which == i].mean()),
            "count": int((which == i).sum()),
        }
        for i in range(bins)
        if (which == i).any()
    ]


def calibration_error(probability: Array, truth: Array, bins: int = 10) -> float:
    """Return the mean distance between what was said and what happened, over slices.

    Reference: expected calibration error, M. Naeini et al., AAAI 2015.
    """
    parts = reliability(probability, truth, bins)
    return float(sum(abs(p["said"] - p["happened"]) * p["count"] for p in parts) / len(probability))


def intercept(log_odds: Array, truth: Array) -> float:
    """Return what must be added to log-odds so that their mean probability is the mean truth."""
    low, high = -10.0, 10.0
    for _ in range(60):  # the mean rises with the shift, so halving finds it
        middle = (low + high) / 2
        mean = float(sigmoid(log_odds + middle).mean())
        low, high = (middle, high) if mean < float(truth.mean()) else (low, middle)
    return (low + high) / 2


def scores(probability: Array, truth: Array) -> dict[str, float]:
    """Return accuracy, AUC, Brier score, log loss and expected calibration error."""
    sure = np.clip(probability, 1e-9, 1 - 1e-9)
    said = np.where(truth > 0.5, sure, 1 - sure)
    return {
        "accuracy": float(((probability > 0.5) == (truth > 0.5)).mean()),
        "auc": auc(probability, truth),
        "brier": float(((probability - truth) ** 2).mean()),
        "log_loss": float(-np.log(said).mean()),
        "ece": calibration_error(probability, truth),
    }
