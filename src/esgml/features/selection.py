"""Which features to keep: filters first, then relevance, and only what is chosen stably.

Every score uses the rows it is given and nothing else: give it training rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from esgml.core.errors import HistoryError, MissingExtraError, UsageError
from esgml.core.random import generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Score = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Selection:
    """The features that were kept, and why the others were not.

    Attributes
    ----------
    names : tuple of str
        Kept features, best first.
    scores : dict of feature to float
        Relevance of every feature that passed the filters.
    dropped : dict of feature to str
        Reason for each feature not kept.
    stability : dict of feature to float
        Share of the subsamples in which the feature was among the best; empty unless asked.
    """

    names: tuple[str, ...]
    scores: dict[str, float]
    dropped: dict[str, str]
    stability: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the selection as plain values."""
        return {
            "names": list(self.names),
            "scores": dict(self.scores),
            "dropped": dict(self.dropped),
            "stability": dict(self.stability),
        }


def low_variance(features: ArrayLike, threshold: float = 1e-12) -> NDArray[np.bool_]:
    """Return which columns vary too little to inform, shape (k,).

    A column is flagged where its variance is at most `threshold` of its mean square, or
    where fewer than two values are finite.
    """
    x = np.asarray(features, dtype=np.float64)
    flags = np.zeros(x.shape[1], dtype=bool)
    for j in range(x.shape[1]):
        column = x[np.isfinite(x[:, j]), j]
        size = float(np.abs(column).max(initial=0.0))
        flags[j] = (
            len(column) < 2
            or size == 0.0
            or float((column / size).var()) <= threshold * float(((column / size) ** 2).mean())
        )
    return flags


def correlation(x: ArrayLike, y: ArrayLike) -> Floats:
    """Return Pearson's correlation of each column of `x` with `y`, pairs with NaN left out.

    Returns
    -------
    array, shape (k,)
        0 where either side does not vary.
    """
    table, target = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    both = np.isfinite(table) & np.isfinite(target)[:, None]
    count = np.maximum(both.sum(axis=0), 1)
    a = np.where(both, table, 0.0)
    b = np.where(both, target[:, None], 0.0)
    a = np.where(both, a - a.sum(axis=0) / count, 0.0)
    b = np.where(both, b - b.sum(axis=0) / count, 0.0)
    a = a / np.maximum(np.abs(a).max(axis=0, initial=0.0), 1e-300)
    b = b / np.maximum(np.abs(b).max(axis=0, initial=0.0), 1e-300)
    norm = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    return np.asarray(np.divide((a * b).sum(axis=0), norm, out=np.zeros(len(norm)), where=norm > 0))


def redundant(features: ArrayLike, scores: ArrayLike, threshold: float = 0.98) -> NDArray[np.bool_]:
    """Return which columns repeat a better one: absolute correlation above `threshold`."""
    x = np.asarray(features, dtype=np.float64)
    flags = np.zeros(x.shape[1], dtype=bool)
    kept: list[int] = []
    for j in np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable"):
        if kept and bool((np.abs(correlation(x[:, kept], x[:, j])) > threshold).any()):
            flags[j] = True
        else:
            kept.append(int(j))
    return flags


def mutual_information(features: ArrayLike, target: ArrayLike) -> Floats:
    """Return how much each feature tells about the target, in nats.

    Both sides are cut into at most 16 classes of equal size; the excess that chance gives
    is taken off (Miller and Madow 1955). It sees any relation, bent ones included, but one
    feature at a time, and needs some hundred rows.

    Returns
    -------
    array, shape (k,)
        0 where nothing is shared.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(target, dtype=np.float64)
    result = np.zeros(x.shape[1])
    for j in range(x.shape[1]):
        both = np.isfinite(x[:, j]) & np.isfinite(y)
        n = int(both.sum())
        bins = int(min(16, max(2, np.sqrt(n / 5))))
        if n < 10:
            continue
        a, b = _classes(x[both, j], bins), _classes(y[both], bins)
        wide = int(b.max()) + 1
        joint = np.bincount(a * wide + b, minlength=(int(a.max()) + 1) * wide)
        joint = joint.reshape(-1, wide).astype(np.float64)
        rows, columns = joint.sum(axis=1), joint.sum(axis=0)
        expected = np.outer(rows, columns) / n
        filled = joint > 0
        plain = float((joint[filled] * np.log(joint[filled] / expected[filled])).sum()) / n
        result[j] = max(0.0, plain - ((rows > 0).sum() - 1) * ((columns > 0).sum() - 1) / (2 * n))
    return result


def _classes(values: Floats, bins: int) -> NDArray[np.intp]:
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    return np.asarray(np.searchsorted(edges, values, side="right"))


def importance(
    features: ArrayLike,
    target: ArrayLike,
    *,
    learner: Literal["linear", "lightgbm"] = "linear",
    seed: int = 0,
    repeats: int = 3,
) -> Floats:
    """Return how much worse a model forecasts when a feature is shuffled.

    A model is fitted on the first three quarters of the rows and judged on the last, so
    give rows in time order. The score is the rise in mean squared error as a share of the
    variance of the target; features that repeat each other share their importance.

    Parameters
    ----------
    features : array, shape (rows, k)
        NaN is allowed.
    target : array, shape (rows,)
    learner : {"linear", "lightgbm"}
        A ridge regression, or trees for bent relations (needs the extra ``train``).
    seed : int
    repeats : int
        Shuffles per feature, averaged.

    Raises
    ------
    HistoryError
        With fewer than 20 rows that have a target.
    """
    if learner not in ("linear", "lightgbm"):
        raise UsageError(f"unknown learner {learner!r}.", remedy="Use linear or lightgbm.")
    x, y = np.asarray(features, dtype=np.float64), np.asarray(target, dtype=np.float64)
    usable = np.isfinite(y)
    x, y = x[usable], y[usable]
    if len(y) < 20:
        raise HistoryError(f"importance needs 20 rows with a target, got {len(y)}.")
    x = np.where(np.isfinite(x), x, np.nan)
    cut = (3 * len(y)) // 4
    predict = (_ridge if learner == "linear" else _trees)(x[:cut], y[:cut], seed)
    held, truth = x[cut:], y[cut:]
    scale = float(truth.var())
    if scale == 0.0:
        return np.zeros(x.shape[1])
    plain = float(((predict(held) - truth) ** 2).mean())
    rng = generator(seed)
    result = np.zeros(x.shape[1])
    for j in range(x.shape[1]):
        for _ in range(repeats):
            shuffled = held.copy()
            shuffled[:, j] = rng.permutation(held[:, j])
            result[j] += float(((predict(shuffled) - truth) ** 2).mean()) - plain
    return np.asarray(result / (repeats * scale))


def _ridge(x: Floats, y: Floats, seed: int) -> Callable[[Floats], Floats]:
    from esgml.features.scaling import Scaler

    scaler = Scaler("standard").fit(x)
    table = np.nan_to_num(scaler.transform(x))
    weight = np.linalg.solve(
        table.T @ table + 1e-3 * len(y) * np.eye(table.shape[1]), table.T @ (y - y.mean())
    )
    return lambda rows: np.asarray(np.nan_to_num(scaler.transform(rows)) @ weight + y.mean())


def _trees(x: Floats, y: Floats, seed: int) -> Callable[[Floats], Floats]:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError.of("lightgbm", "train") from error
    settings = {
        "objective": "regression",
        "verbosity": -1,
        "seed": seed,
        "deterministic": True,
        "num_threads": 1,
        "min_data_in_leaf": max(2, min(20, len(y) // 20)),
    }
    model = lightgbm.train(settings, lightgbm.Dataset(x, y), num_boost_round=100)
    return lambda rows: np.asarray(model.predict(rows))


def stability(
    features: ArrayLike,
    target: ArrayLike,
    score: Score,
    *,
    best: int,
    subsamples: int = 20,
    seed: int = 0,
) -> Floats:
    """Return the share of subsamples in which each feature is among the `best`.

    Each subsample is half of the rows in ten contiguous blocks, since neighbouring rows of
    a series are alike (stability selection, Meinshausen and Buehlmann 2010, with blocks).
    A feature with no score above zero is not among the best.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(target, dtype=np.float64)
    blocks = np.array_split(np.arange(len(y)), min(20, len(y)))
    rng = generator(seed)
    hits = np.zeros(x.shape[1])
    for _ in range(subsamples):
        chosen = np.sort(rng.permutation(len(blocks))[: max(1, len(blocks) // 2)])
        rows = np.concatenate([blocks[int(i)] for i in chosen])
        scores = score(x[rows], y[rows])
        top = np.argsort(-scores, kind="stable")[:best]
        hits[top[scores[top] > 0]] += 1
    return np.asarray(hits / subsamples)


def select_features(
    features: ArrayLike,
    target: ArrayLike,
    names: Sequence[str],
    *,
    method: Literal["correlation", "mutual_information", "importance"] = "mutual_information",
    best: int | None = None,
    max_correlation: float = 0.98,
    min_stability: float | None = None,
    seed: int = 0,
) -> Selection:
    """Keep the features that vary, do not repeat each other, and tell about the target.

    Parameters
    ----------
    features : array, shape (rows, k)
        Training rows, in time order.
    target : array, shape (rows,)
    names : sequence of str, length k
    method : {"correlation", "mutual_information", "importance"}
        What relevance is.
    best : int, optional
        Most features to keep; all with a score above zero where omitted.
    max_correlation : float
        Of two features more correlated than this, the more relevant stays.
    min_stability : float, optional
        Keep only features among the best in at least this share of subsamples.
    seed : int

    Returns
    -------
    Selection
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if x.ndim != 2 or x.shape != (len(y), len(names)):
        raise UsageError(f"features {x.shape} do not fit {len(y)} targets and {len(names)} names.")
    if len(set(names)) != len(names):
        raise UsageError("feature names repeat.", remedy="Give every feature its own name.")
    if best is not None and best < 1:
        raise UsageError(f"best must be at least 1, got {best}.")
    if min_stability is not None and not 0 <= min_stability <= 1:
        raise UsageError(f"min_stability is a share from 0 to 1, got {min_stability}.")
    measures: dict[str, Score] = {
        "correlation": lambda a, b: np.abs(correlation(a, b)),
        "mutual_information": mutual_information,
        "importance": lambda a, b: importance(a, b, seed=seed),
    }
    if method not in measures:
        raise UsageError(f"unknown method {method!r}.", remedy=f"Use one of {', '.join(measures)}.")
    dropped: dict[str, str] = {}
    flat = low_variance(x)
    dropped.update({names[j]: "does not vary" for j in np.flatnonzero(flat).tolist()})
    varied = np.flatnonzero(~flat)
    scores = measures[method](x[:, varied], y)
    repeats = redundant(x[:, varied], scores, max_correlation)
    dropped.update({names[j]: "repeats a better feature" for j in varied[repeats].tolist()})
    left, scores_left = varied[~repeats], scores[~repeats]
    most = len(left) if best is None else best
    steady: dict[str, float] = {}
    if min_stability is not None and len(left):
        shares = stability(x[:, left], y, measures[method], best=most, seed=seed)
        steady = {names[j]: float(s) for j, s in zip(left.tolist(), shares, strict=True)}
    kept: list[str] = []
    for at in np.argsort(-scores_left, kind="stable"):
        name = names[int(left[at])]
        if scores_left[at] <= 0:
            dropped[name] = "tells nothing about the target"
        elif min_stability is not None and steady[name] < min_stability:
            dropped[name] = "is chosen in too few subsamples"
        elif len(kept) >= most:
            dropped[name] = f"is not among the best {most}"
        else:
            kept.append(name)
    by_name = {names[j]: float(s) for j, s in zip(varied.tolist(), scores, strict=True)}
    return Selection(tuple(kept), by_name, dropped, steady)
