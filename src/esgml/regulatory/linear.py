"""Logistic regression, one label at a time, trained by scikit-learn and kept as plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit_logistic(
    design: Any,
    truth: NDArray[np.float64],
    strength: float,
    *,
    balanced: bool = True,
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
    tolerance : float
        Where the solver stops; coarser is faster.

    Returns
    -------
    weights : array, shape (features, labels)
    bias : array, shape (labels,)
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
        model.fit(design[rows], said)
        weights[:, label], bias[label] = model.coef_[0], model.intercept_[0]
    return weights, bias
