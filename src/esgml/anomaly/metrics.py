"""How good scores and alarms are against labels: ranking, points, events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _pair(y: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    label, value = np.asarray(y), np.asarray(score, dtype=np.float64)
    if label.shape != value.shape or label.ndim != 1:
        raise DataError(
            f"labels of shape {label.shape} for scores of shape {value.shape}.", code="shape"
        )
    if not np.isin(label, (0, 1)).all():
        raise DataError(
            "labels must be 0 (ordinary) or 1 (anomaly).",
            code="labels",
            remedy="Leave out rows whose label is not known.",
        )
    if np.isnan(value).any():
        raise DataError("a score is missing.", code="not_finite")
    return label.astype(bool), value


def roc_auc(y: ArrayLike, score: ArrayLike) -> float:
    """Return the chance that an anomaly scores above an ordinary row; ties count half.

    NaN where one of the two kinds is absent.
    """
    label, value = _pair(y, score)
    positive = int(label.sum())
    negative = len(label) - positive
    if not positive or not negative:
        return float("nan")
    _, inverse, counts = np.unique(value, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    rank = (ends - (counts - 1) / 2)[inverse]
    return float((rank[label].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(y: ArrayLike, score: ArrayLike) -> float:
    """Return the mean of precision over recall, rows of equal score taken together.

    NaN where there is no anomaly.
    """
    label, value = _pair(y, score)
    positive = int(label.sum())
    if not positive:
        return float("nan")
    order = np.argsort(-value, kind="stable")
    hits, ordered = np.cumsum(label[order]), value[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    gained = np.diff(hits[last], prepend=0)
    return float((gained * hits[last] / (last + 1)).sum() / positive)


def events(label: ArrayLike) -> NDArray[np.int64]:
    """Return the runs of true values as rows ``start, end`` (end not included), shape (k, 2)."""
    flag = np.concatenate([[0], np.asarray(label, dtype=bool).astype(np.int8), [0]])
    step = np.diff(flag)
    return np.stack([np.flatnonzero(step == 1), np.flatnonzero(step == -1)], axis=1)


def alarm_scores(y: ArrayLike, alarm: ArrayLike) -> dict[str, float]:
    """Return how good alarms are against labels in time order.

    Returns
    -------
    dict
        ``fpr`` (alarms among ordinary rows), ``precision``, ``recall`` of points, and
        ``event_recall`` (runs of labelled rows with at least one alarm); NaN where undefined.
    """
    label, raised = np.asarray(y, dtype=bool), np.asarray(alarm, dtype=bool)
    if label.shape != raised.shape:
        raise DataError(f"labels {label.shape} for alarms {raised.shape}.", code="shape")
    runs = events(label)
    found = [bool(raised[a:b].any()) for a, b in runs]

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    return {
        "fpr": share(int((raised & ~label).sum()), int((~label).sum())),
        "precision": share(int((raised & label).sum()), int(raised.sum())),
        "recall": share(int((raised & label).sum()), int(label.sum())),
        "event_recall": share(sum(found), len(runs)),
    }
