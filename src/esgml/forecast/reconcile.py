"""Forecasts that add up: sites to groups to the total, for each target by itself.

Each node of a hierarchy is forecast by itself (the base forecasts); a reconciliation turns
these into forecasts of which every aggregate is exactly the sum of its members.

::

    S       (nodes x bottom), the summing matrix of the hierarchy
    G       (bottom x nodes), what a reconciliation learns
    result  S G base

References
----------
Wickramasuriya, Athanasopoulos & Hyndman (2019), optimal forecast reconciliation through
trace minimization; Schäfer & Strimmer (2005), shrinkage of covariances. Deviation: solved
through the aggregation constraints, whose matrix is only as large as there are aggregates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import UsageError
from esgml.forecast.hierarchy import Hierarchy, aggregate, aggregate_future, finite_mean
from esgml.forecast.state import pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CANDIDATES",
    "METHODS",
    "Hierarchy",
    "Reconciliation",
    "aggregate",
    "aggregate_future",
    "choose",
    "fit_reconciliation",
    "reconcile",
]

METHODS = ("bottom_up", "top_down", "ols", "wls", "mint", "average")
#: What `choose` picks from; the first is kept unless another is clearly better.
CANDIDATES = ("average", "bottom_up", "wls", "mint")
#: Standard errors by which, and scored windows over which, another must be better.
CLEARLY, LEAST_WINDOWS = 3.0, 4
#: Complete residual vectors below which no covariance is estimated.
LEAST_RESIDUALS = 20
#: Windows that are only learned from before `choose` scores the first one.
WARM_UP = 2


@dataclass(frozen=True)
class Reconciliation:
    """A fitted way to make base forecasts coherent.

    Attributes
    ----------
    hierarchy : Hierarchy
    matrix : array, shape (bottom, nodes)
        The matrix G from base forecasts to reconciled bottom forecasts.
    method : str
        The method in effect.
    note : str
        Why it is not the one asked for; empty where it is.
    scores : dict of method to float
        Relative errors on past windows, where `choose` compared methods.
    """

    hierarchy: Hierarchy
    matrix: NDArray[np.float64]
    method: str
    note: str = ""
    scores: dict[str, float] | None = None

    def apply(self, base: NDArray[np.float64], *, nonnegative: bool = False) -> NDArray[np.float64]:
        """Return coherent forecasts.

        Parameters
        ----------
        base : array, shape (..., nodes, horizon)
            Base forecasts in the order of ``hierarchy.nodes``. In a period where some node
            of a target is NaN its bottom forecasts stay as they are and are summed.
        nonnegative : bool
            Raise bottom forecasts below zero to zero before they are summed.

        Returns
        -------
        array of the shape of `base`
        """
        base = np.asarray(base, dtype=np.float64)
        if base.ndim < 2 or base.shape[-2] != len(self.hierarchy):
            raise UsageError(
                f"base forecasts have shape {base.shape}; expected {len(self.hierarchy)} nodes"
                " in the last axis but one."
            )
        result = np.empty_like(base)
        for bottom, nodes in self.hierarchy.blocks():
            block = base[..., nodes, :]
            complete = np.isfinite(block).all(axis=-2, keepdims=True)
            mapped = self.matrix[np.ix_(bottom, nodes)] @ np.where(complete, block, 0.0)
            low = np.where(complete, mapped, base[..., bottom, :])
            if nonnegative:
                low = np.maximum(low, 0.0)
            sums = self.hierarchy.summing[np.ix_(nodes[len(bottom) :], bottom)]
            seen = np.isfinite(low)
            high = sums @ np.where(seen, low, 0.0)
            high = np.where(sums @ (~seen).astype(np.float64) > 0, np.nan, high)
            result[..., bottom, :] = low
            result[..., nodes[len(bottom) :], :] = high
        return result

    def of_members(self) -> Reconciliation | None:
        """Return it without the bottom series that are in no sum; None where none is in any."""
        h = self.hierarchy
        inside = np.flatnonzero(h.summing[len(h.bottom) :].any(axis=0))
        if len(inside) == 0:
            return None
        nodes = np.concatenate([inside, np.arange(len(h.bottom), len(h))])
        members = Hierarchy(
            tuple(h.bottom[i] for i in inside), h.aggregates, h.summing[np.ix_(nodes, inside)]
        )
        return replace(self, hierarchy=members, matrix=self.matrix[np.ix_(inside, nodes)])

    def to_dict(self) -> dict[str, Any]:
        """Return the reconciliation as JSON values."""
        return {
            "hierarchy": self.hierarchy.to_dict(),
            "matrix": pack(self.matrix),
            "method": self.method,
            "note": self.note,
            "scores": self.scores,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Reconciliation:
        """Read what `to_dict` wrote."""
        hierarchy = Hierarchy.from_dict(value["hierarchy"])
        return cls(
            hierarchy, unpack(value["matrix"]), value["method"], value["note"], value["scores"]
        )


def fit_reconciliation(
    hierarchy: Hierarchy,
    method: str = "wls",
    residuals: NDArray[np.float64] | None = None,
    sizes: NDArray[np.float64] | None = None,
) -> Reconciliation:
    """Learn how to reconcile.

    Parameters
    ----------
    hierarchy : Hierarchy
    method : str
        ``bottom_up`` sums the bottom forecasts. ``top_down`` splits the widest aggregate
        by the shares of history (biased by construction). ``ols``, ``wls`` and ``mint``
        change the base forecasts as little as possible, measured with equal weights, with
        the error variance of each node, and with the shrunk error covariance. ``average``
        lies half-way between bottom-up and believing the aggregates' own forecasts.
    residuals : array, shape (samples, nodes), optional
        Past errors of base forecasts, NaN where unknown. Without any, variances are taken
        as proportional to `sizes`.
    sizes : array, shape (bottom,), optional
        Mean of each bottom series' history, all equal where omitted.

    Returns
    -------
    Reconciliation
        Its `note` says so where ``mint`` had too few residuals and ``wls`` was used.
    """
    if method not in METHODS:
        raise UsageError(
            f"no reconciliation {method!r}.",
            remedy=f"Use one of {', '.join(METHODS)}; choose() picks one.",
        )
    size = np.ones(len(hierarchy.bottom)) if sizes is None else np.abs(np.nan_to_num(sizes))
    if size.shape != (len(hierarchy.bottom),):
        raise UsageError(f"sizes have shape {size.shape}, expected ({len(hierarchy.bottom)},).")
    if residuals is not None and np.shape(residuals)[1:] != (len(hierarchy),):
        raise UsageError(
            f"residuals have shape {np.shape(residuals)}, expected (samples, {len(hierarchy)})."
        )
    matrix = np.zeros((len(hierarchy.bottom), len(hierarchy)))
    used, note = method, ""
    for bottom, nodes in hierarchy.blocks():
        sums = hierarchy.summing[np.ix_(nodes[len(bottom) :], bottom)]
        errors = None if residuals is None else np.asarray(residuals, dtype=np.float64)[:, nodes]
        complete = 0 if errors is None else int(np.isfinite(errors).all(axis=1).sum())
        if used == "mint" and complete < LEAST_RESIDUALS and len(sums):
            used = "wls"
            note = f"mint needs {LEAST_RESIDUALS} complete residuals, has {complete}: wls used."
        matrix[np.ix_(bottom, nodes)] = _solve(used, sums, errors, size[bottom])
    return Reconciliation(hierarchy, matrix, used, note)


def _solve(
    method: str,
    sums: NDArray[np.float64],
    errors: NDArray[np.float64] | None,
    size: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return G of one target; `sums` has one row per aggregate."""
    m = sums.shape[1]
    keep = np.hstack([np.eye(m), np.zeros((m, len(sums)))])
    if method == "bottom_up" or len(sums) == 0:
        return keep
    if method == "top_down":
        return _top_down(sums, size, keep)
    if method == "mint" and errors is not None:
        weight = _shrunk_covariance(errors[np.isfinite(errors).all(axis=1)])
    else:
        variance = np.ones(m + len(sums)) if method == "ols" else _variance(errors, sums, size)
        if method == "average":  # half of the step that believes the aggregates
            variance[m:] *= 1e-6
        weight = np.diag(variance)
    constraint = np.hstack([-sums, np.eye(len(sums))])
    middle = constraint @ weight @ constraint.T
    # scaled, and solved for the smallest answer: equal sums make the matrix singular
    scale = 1 / np.sqrt(np.maximum(np.diag(middle), np.finfo(float).tiny))
    scaled = middle * np.outer(scale, scale)
    answer = scale[:, None] * np.linalg.lstsq(scaled, scale[:, None] * constraint)[0]
    step = weight[:m] @ constraint.T @ answer
    return np.asarray(keep - (0.5 if method == "average" else 1.0) * step)


def _top_down(
    sums: NDArray[np.float64], size: NDArray[np.float64], keep: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Split the widest aggregate above each bottom series by shares of history."""
    matrix = keep.copy()
    for i in range(sums.shape[1]):
        above = np.flatnonzero(sums[:, i])
        if len(above) == 0:
            continue
        root = above[np.argmax(sums[above].sum(axis=1))]
        members = sums[root] > 0
        whole = size[members].sum()
        matrix[i] = 0.0
        matrix[i, sums.shape[1] + root] = size[i] / whole if whole > 0 else 1 / members.sum()
    return matrix


def _variance(
    errors: NDArray[np.float64] | None, sums: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the error variance of each node, in proportion to its size where unknown."""
    typical = size.mean() or 1.0
    low = np.maximum(size, 1e-3 * typical)
    prior = np.concatenate([low, sums @ low])
    if errors is None:
        return prior
    found = finite_mean(errors**2)
    seen = np.isfinite(found)
    if not seen.any() or found[seen].max() <= 0:
        return prior
    prior = prior * np.median(found[seen] / prior[seen])
    return np.asarray(np.maximum(np.where(seen, found, prior), 1e-12 * found[seen].mean()))


def _shrunk_covariance(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the error covariance, its correlations shrunk towards none."""
    n = len(errors)
    variance = (errors**2).mean(axis=0)
    variance = np.maximum(variance, 1e-12 * (variance.mean() or 1.0))
    scaled = errors / np.sqrt(variance)
    correlation = scaled.T @ scaled / n
    noise = ((scaled**2).T @ (scaled**2) / n - correlation**2) / (n - 1)
    off = ~np.eye(len(variance), dtype=bool)
    power = float((correlation[off] ** 2).sum())
    intensity = float(np.clip(noise[off].sum() / power, 0.01, 1.0)) if power > 0 else 1.0
    correlation = np.where(off, (1 - intensity) * correlation, 1.0)
    return np.asarray(correlation * np.sqrt(np.outer(variance, variance)))


def reconcile(
    base: NDArray[np.float64],
    hierarchy: Hierarchy,
    method: str = "wls",
    residuals: NDArray[np.float64] | None = None,
    *,
    sizes: NDArray[np.float64] | None = None,
    nonnegative: bool = False,
) -> NDArray[np.float64]:
    """Return coherent forecasts of shape (nodes, horizon) in one step.

    See `fit_reconciliation` for the methods and `Reconciliation.apply` for the rest.
    """
    fitted = fit_reconciliation(hierarchy, method, residuals, sizes)
    return fitted.apply(base, nonnegative=nonnegative)


def choose(
    hierarchy: Hierarchy,
    base: NDArray[np.float64],
    actual: NDArray[np.float64],
    *,
    sizes: NDArray[np.float64] | None = None,
    nonnegative: bool = False,
    candidates: Sequence[str] = CANDIDATES,
) -> Reconciliation:
    """Pick the reconciliation that served best in past windows (method ``auto``).

    Each window after the first `WARM_UP` is reconciled by every candidate, fitted on the
    errors of the windows before it. The score is the mean absolute error of a node over
    its mean size, averaged over the bottom and over the aggregates, which count half each.
    The first candidate, ``average``, stays unless another is better by more than `CLEARLY`
    standard errors over at least `LEAST_WINDOWS` scored windows: on real series, taking
    the best of few windows did worse than any candidate. Without any past ``bottom_up``
    is used.

    Parameters
    ----------
    base, actual : array, shape (windows, nodes, horizon)
        Past base forecasts and what happened, oldest first; NaN where unknown.

    Returns
    -------
    Reconciliation
        Fitted on all windows, with the `scores` of the candidates.
    """
    windows = len(base)
    errors = [_flat(actual[w] - base[w]) for w in range(windows)]
    residuals = np.concatenate([np.empty((0, len(hierarchy))), *errors])
    if not np.isfinite(residuals).any():
        fitted = fit_reconciliation(hierarchy, "bottom_up")
        return replace(fitted, note="no past window to learn from: bottom_up used.")
    size = finite_mean(_flat(np.abs(actual)))
    table = {method: np.full(windows, np.nan) for method in candidates}
    for w in range(WARM_UP, windows):
        past = np.concatenate(errors[:w])
        for method in candidates:
            fitted = fit_reconciliation(hierarchy, method, past, sizes)
            missed = np.abs(fitted.apply(base[w], nonnegative=nonnegative) - actual[w])
            table[method][w] = _score(finite_mean(missed.T), size, len(hierarchy.bottom))
    best = _clearly_best(table)
    scores = {method: float(finite_mean(values)) for method, values in table.items()}
    known = scores if np.isfinite(list(scores.values())).all() else None
    return replace(fit_reconciliation(hierarchy, best, residuals, sizes), scores=known)


def _score(missed: NDArray[np.float64], size: NDArray[np.float64], bottom: int) -> float:
    """Return the mean relative error of a window, half bottom and half aggregates."""
    relative = np.divide(missed, size, out=np.full(len(missed), np.nan), where=size > 0)
    parts = np.array([finite_mean(part) for part in (relative[:bottom], relative[bottom:])])
    return float(finite_mean(parts))


def _clearly_best(table: Mapping[str, NDArray[np.float64]]) -> str:
    """Return the first method, or the one that is better beyond doubt by the most."""
    first, *others = table
    best, most = first, 0.0
    for method in others:
        gain = table[first] - table[method]
        gain = gain[np.isfinite(gain)]
        if len(gain) < LEAST_WINDOWS:
            continue
        mean, error = float(gain.mean()), float(gain.std(ddof=1)) / len(gain) ** 0.5
        if mean > CLEARLY * error and mean > most:
            best, most = method, mean
    return best


def _flat(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an array of shape (..., nodes, horizon) as (samples, nodes)."""
    return np.asarray(np.moveaxis(values, -2, -1).reshape(-1, values.shape[-2]))
