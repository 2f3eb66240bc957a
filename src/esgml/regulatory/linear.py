"""Logistic regression, one label at a time, trained by scikit-learn and kept as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Stretch of a feature that is spread evenly, as a share of the mean.
_LEAST_STRETCH = 0.25


def fit_logistic(
    design: Any,
    truth: NDArray[np.float64],
    strength: float,
    *,
    balanced: bool = True,
    ratio: bool = False,
    tolerance: float = 1e-2,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit one logistic regression a label.

    Parameters
    ----------
    design : array or SciPy CSR matrix, shape (n, features)
    truth : array, shape (n, labels)
        NaN where unknown: such rows are left out of that label alone.
    strength : float
        Inverse of the ridge penalty.
    balanced : bool
        Weigh rare labels up, so that they are not drowned by their absence.
    ratio : bool
        Stretch every feature by how unevenly it is spread over the texts with and without the
        label, so that the penalty holds back the even ones most.
    tolerance : float
        Where the solver stops; coarser is faster.

    Returns
    -------
    weights : array, shape (features, labels)
    bias : array, shape (labels,)

    References
    ----------
    Wang and Manning (2012), naive Bayes log-count ratios as features. Deviations: the size of the
    ratio alone, a quarter of its mean added, so that no feature is lost, and the mean scaled to
    one; logistic in place of hinge loss.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("scikit-learn", "text") from error
    weights = np.zeros((design.shape[1], truth.shape[1]))
    bias = np.zeros(truth.shape[1])
    for label in range(truth.shape[1]):
        rows = np.flatnonzero(np.isfinite(truth[:, label]))
        said = truth[rows, label] == 1
        if said.all() or not said.any():  # possible inside a fold of a rare label
            bias[label] = 3.0 if said.all() else -3.0
            continue
        model = LogisticRegression(
            C=strength,
            class_weight="balanced" if balanced else None,
            solver="liblinear",
            tol=tolerance,
            random_state=0,
        )
        known = design[rows]
        stretch = _stretch(known, said) if ratio else np.ones(design.shape[1])
        model.fit(known.multiply(stretch).tocsr() if ratio else known, said)
        weights[:, label], bias[label] = stretch * model.coef_[0], model.intercept_[0]
    return weights, bias


def _stretch(design: Any, said: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how far each column of a CSR matrix is stretched, one on average."""
    present = design > 0
    shares = [np.asarray(present[rows].sum(0)).ravel() + 1.0 for rows in (said, ~said)]
    size = np.abs(np.log((shares[0] / shares[0].sum()) / (shares[1] / shares[1].sum())))
    size += _LEAST_STRETCH * size.mean()
    mean = float(size.mean())
    return np.asarray(size / mean) if mean > 0 else np.ones(len(size))


def stored_logistic(
    arrays: Mapping[str, NDArray[Any]], labels: int, columns: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights, shape (columns, labels), and the bias, shape (labels,), of saved arrays.

    Raises
    ------
    IntegrityError
        If they do not fit the labels, or the columns where these are given, or are not finite.
    KeyError
        If one of them is missing.
    """
    weights = arrays["weights"].astype(np.float64)
    bias = arrays["bias"].astype(np.float64)
    wide = weights.ndim == 2 and weights.shape[1] == labels and bias.shape == (labels,)
    if not wide or columns not in (None, len(weights)):
        raise IntegrityError("the weights do not fit what the classifier counts and its labels.")
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise IntegrityError("the weights are not finite.")
    return weights, bias
