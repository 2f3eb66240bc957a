"""The share of strange rows: guessed from the scores alone, or moved by verdicts of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FENCE = 1.5
#: The guess counts as much as about so many verdicts at the threshold.
_PRIOR = 4.0


@dataclass(frozen=True)
class Tuned:
    """A threshold, and what it rests on.

    Attributes
    ----------
    threshold : float
        Score above which a row is called strange.
    contamination : float
        Share of the reference scores above it.
    guess : float
        The threshold that the scores alone suggest.
    verdicts : int
        Labelled rows used.
    contradictions : int
        Verdicts that speak against another one about a row of the same score.
    right, wrong : int
        Verdicts the threshold agrees with, and those it does not.
    """

    threshold: float
    contamination: float
    guess: float
    verdicts: int = 0
    contradictions: int = 0
    right: int = 0
    wrong: int = 0


def guess(score: Floats) -> float:
    """Return the threshold the scores alone suggest: Tukey's fence above their upper quartile.

    When to use it: where there is no verdict yet. Weakness: without labels nothing can tell an
    ordinary tail from strange rows; where more than a quarter of the rows are strange they make
    the quartile itself. On scores of a logarithmic kind (those of `Ensemble`) it held up better
    than a fixed share of 0.1.
    """
    low, high = np.percentile(score, (25, 75))
    return float(high + FENCE * (high - low))


def tune(reference: Floats, score: ArrayLike = (), verdict: ArrayLike = ()) -> Tuned:
    """Return a threshold for scores, from verdicts where there are any.

    The cost of a threshold is that of logistic classification with a soft edge of the width of
    the reference scores, plus the squared distance from the unlabelled `guess`: a few verdicts
    move it a little, many decide. Verdicts that contradict each other pull both ways and are
    counted.

    Parameters
    ----------
    reference : array, shape (m,)
        Scores of unlabelled rows.
    score, verdict : array, shape (n,)
        Scores of rows with a verdict, and the verdicts: 1 = strange, 0 = ordinary, NaN = none.

    Raises
    ------
    DataError
        If verdicts are not 0, 1 or NaN, or there is not one for each score.
    """
    prior = guess(reference)
    scores, verdicts = np.asarray(score, dtype=np.float64), _verdicts(verdict)
    if scores.shape != verdicts.shape:
        raise DataError(
            f"{verdicts.shape} verdicts for {scores.shape} rows.",
            code="shape",
            remedy="Give one verdict for each row, NaN where there is none.",
        )
    given = ~np.isnan(verdicts)
    scores, verdicts = scores[given], verdicts[given]
    best = _nearest(reference, scores, verdicts, prior) if len(scores) else prior
    above = scores > best
    agree = int((above == (verdicts == 1)).sum())
    return Tuned(
        threshold=best,
        contamination=float((reference > best).mean()),
        guess=prior,
        verdicts=len(scores),
        contradictions=_contradictions(scores, verdicts),
        right=agree,
        wrong=len(scores) - agree,
    )


def _verdicts(verdict: ArrayLike) -> Floats:
    try:
        values = np.asarray(verdict, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _wrong() from error
    if not np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
        raise _wrong()
    return values


def _wrong() -> DataError:
    return DataError(
        "verdicts must be 1 (strange), 0 (ordinary) or NaN (none).",
        code="labels",
        remedy="Turn -1/1 labels of scikit-learn into 1/0 first.",
    )


def _nearest(reference: Floats, scores: Floats, verdicts: Floats, prior: float) -> float:
    """Return the threshold of the least cost."""
    low, high = np.percentile(reference, (50, 95))
    width = float(high - low) or abs(float(high)) or 1.0
    edge = width / 8
    sign = np.where(verdicts == 1, 1.0, -1.0)

    def cost(t: Floats) -> Floats:
        wrong = np.logaddexp(0.0, -sign * (scores - t[:, None]) / edge).sum(axis=1)
        return np.asarray(wrong + _PRIOR * ((t - prior) / width) ** 2)

    left = min(prior, float(scores.min())) - width
    right = max(prior, float(scores.max())) + width
    for _ in range(6):  # convex: a grid that closes in on its lowest point
        grid = np.linspace(left, right, 65)
        at = int(np.argmin(cost(grid)))
        left, right = grid[max(at - 1, 0)], grid[min(at + 1, 64)]
    return float((left + right) / 2)


def _contradictions(scores: Floats, verdicts: Floats) -> int:
    """Return the verdicts in the minority among those about rows of exactly the same score."""
    _, inverse = np.unique(scores, return_inverse=True)
    yes = np.bincount(inverse, weights=verdicts)
    no = np.bincount(inverse, weights=1 - verdicts)
    return int(np.minimum(yes, no).sum())
