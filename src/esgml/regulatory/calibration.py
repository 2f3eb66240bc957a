"""From scores to probabilities that hold, and from probabilities to decisions.

Everything here is fitted on out-of-fold scores: of texts the scoring model did not learn from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_GRID = np.round(np.arange(0.05, 0.801, 0.0125), 4)


def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))`` without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, dtype=np.float64))))


def fit_platt(score: Array, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of a logistic curve from score to probability.

    Newton steps on smoothed targets, so that few positives do not give certainty; the slope is
    never negative.

    References
    ----------
    Platt (1999); Lin, Lin and Weng (2007), whose smoothed targets and halved steps these are.
    """
    positives, n = int(truth.sum()), len(truth)
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (n - positives + 2))
    design = np.column_stack([score, np.ones(n)])
    beta = np.array([0.0, float(np.log((positives + 1) / (n - positives + 1)))])
    loss = _log_loss(design @ beta, target)
    for _ in range(100):
        p = sigmoid(design @ beta)
        gradient = design.T @ (p - target)
        weight = np.maximum(p * (1 - p), 1e-9)
        hessian = (design * weight[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        # A full step can overshoot and never come back: it is halved until the loss falls.
        size = 1.0
        while size > 1e-9 and _log_loss(design @ (beta - size * step), target) > loss:
            size /= 2
        beta = beta - size * step
        loss = _log_loss(design @ beta, target)
        if size * float(np.abs(step).max()) < 1e-9:
            break
    if beta[0] <= 0:
        rate = min(max(float(target.mean()), 1e-6), 1 - 1e-6)
        return 0.0, float(np.log(rate / (1 - rate)))
    return float(beta[0]), float(beta[1])


def _log_loss(log_odds: Array, target: Array) -> float:
    """Return the sum of the logistic loss."""
    return float((np.logaddexp(0.0, log_odds) - target * log_odds).sum())


def best_threshold(probability: Array, truth: NDArray[np.bool_]) -> float:
    """Return the probability from which on saying yes gives the highest F1.

    The curve over thresholds is smoothed over neighbours first: the peak of a jagged curve is
    mostly luck.
    """
    said = probability[:, None] >= _GRID
    hits = (said & truth[:, None]).sum(0)
    f1 = 2 * hits / np.maximum(said.sum(0) + truth.sum(), 1)
    smooth = np.convolve(np.pad(f1, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return float(_GRID[int(smooth.argmax())])


def calibration_error(probability: Array, truth: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the expected calibration error: mean distance of said and seen shares, by bin."""
    cell = np.minimum((probability * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = cell == b
        if inside.any():
            gap = abs(float(probability[inside].mean()) - float(truth[inside].mean()))
            error += gap * inside.mean()
    return float(error)


def f1_scores(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Return micro and macro F1 of decisions, shape (n, labels); 0 for a label never right."""
    hits = (said & truth).sum(0)
    both = said.sum(0) + truth.sum(0)
    by_label = 2 * hits / np.maximum(both, 1)
    return float(2 * hits.sum() / max(both.sum(), 1)), float(by_label.mean())
