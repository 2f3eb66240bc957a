"""Weighted ridge regression, for squared or absolute errors, and what it says of covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.forecast.design import Design

#: Absolute errors smaller than this count as squared ones, in units of the relative target.
_SOFT = 0.02


#: Known covariates must lower the error on the latest rows to this share to be kept.
GAIN = 0.96


def ridge(
    x: NDArray[np.float64],
    z: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: float,
    *,
    absolute: int = 0,
) -> NDArray[np.float64]:
    """Return weighted ridge coefficients, shape (columns,); the first column is the intercept.

    Parameters
    ----------
    absolute : int
        Rounds of reweighting towards the absolute error (0 = squared error).
    """
    shrink = np.full(x.shape[1], penalty)
    shrink[0] = 1e-3
    total = weight.sum()
    row = weight
    beta: NDArray[np.float64] = np.zeros(x.shape[1])
    for k in range(absolute + 1):
        weighted = x * row[:, None]
        beta = np.asarray(np.linalg.solve(weighted.T @ x + np.diag(shrink), weighted.T @ z))
        if k < absolute:
            error = np.abs(z - x @ beta)
            row = weight / np.maximum(error, _SOFT + 0.1 * np.median(error))
            row *= total / row.sum()
    return np.asarray(beta)


def standardize(
    x: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centre and spread of each column, missing values left out."""
    finite = np.isfinite(x)
    count = np.maximum(finite.sum(axis=0), 1)
    center = np.where(finite, x, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(finite, x - center, 0.0) ** 2).sum(axis=0) / count)
    return center, spread + 1e-9


def unhelpful_covariates(design: Design, age: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the features made of known covariates, if they did not help on the latest rows.

    For every series a plain ridge is fitted on the older three quarters with and without
    them, and both are scored on the latest quarter by absolute error, all series together.
    Weather that does not belong to the place of a meter only adds noise; this finds it out
    from the past alone.

    Parameters
    ----------
    design : Design
        Rows to learn from, targets known.
    age : array, shape (rows,)
        Periods from each row's target to the end of its series.
    """
    if not design.ahead:
        return ()
    bare = design.without(design.ahead)
    with_them = without = 0.0
    for i in np.unique(design.series):
        mine = design.series == i
        border = np.quantile(age[mine], 0.25)
        old, new = mine & (age > border), mine & (age <= border)
        if old.sum() < 200 or new.sum() < 50:
            continue
        with_them += _holdout_error(design, old, new)
        without += _holdout_error(bare, old, new)
    return design.ahead if with_them >= GAIN * without > 0 else ()


def _holdout_error(design: Design, old: NDArray[np.bool_], new: NDArray[np.bool_]) -> float:
    """Return the summed absolute error on `new` rows of a ridge fitted on `old` ones."""
    center, spread = standardize(design.x[old])

    def columns(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        x = np.clip(np.nan_to_num((design.x[rows] - center) / spread), -4, 4)
        parts = [np.ones((len(x), 1)), x, x**2]
        if "weekday" in design.names:
            parts.append(np.eye(7)[design.column("weekday")[rows].astype(int)])
        return np.hstack(parts)

    z = np.clip(design.z, -5, 8)
    beta = ridge(columns(old), z[old], np.ones(int(old.sum())), 100.0)
    return float(np.abs(z[new] - columns(new) @ beta).sum())
