"""Large linear programs taken apart: part by part, or piece by piece in time, with a proof.

Both return a solution only where nothing is lost: the parts keep what joins them, or the
bound found with the prices of what joins them meets the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError
from esgml.optimization.linear import LinearProgram, LinearSolution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.matrix import MatrixForm

    Floats = NDArray[np.float64]
    Index = NDArray[np.intp]

#: How far, relative to the value, a plan may stand off its bound and count as the optimum.
NEAR = 1e-7
#: Times `MatrixForm.reach` that is kept of each piece; one reach more is looked ahead.
KEPT = 3


def decomposed(form: MatrixForm, weights: Floats, time_limit: float) -> LinearSolution | None:
    """Return the optimum by parts or by pieces of time; None where it must stay whole."""
    parts = split(form)
    if parts is None:
        return None
    if not parts.joining.any():
        return solved_apart(form, parts, weights, time_limit)
    timely = None
    if form.stage is not None and form.reach and not form.integral.any():
        timely = solved_in_time(form, weights, time_limit)
    if timely is not None:
        bound = priced_bound(form, parts, weights, timely.row_prices, time_limit)
        if timely.value - bound <= NEAR * max(1.0, abs(timely.value)):
            return replace(timely, bound=min(bound, timely.value))
    apart = solved_apart(form, parts, weights, time_limit)
    return apart if _keeps(form, parts, apart) else None


@dataclass(frozen=True)
class Parts:
    """What a program falls into when the few rows that join everything are left out.

    Attributes
    ----------
    joining : array of bool, shape (r,)
    members : list of (columns, rows)
    """

    joining: NDArray[np.bool_]
    members: list[tuple[Index, Index]]


def split(form: MatrixForm) -> Parts | None:
    """Return the parts of a program; None where there is one, or far too many."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    rows = form.rows.tocsr()
    joining = np.zeros(rows.shape[0], dtype=bool)
    for _, part in form.groups:
        # a group of few rows for so many columns, such as a limit over all sites
        joining[part] = 8 * (part.stop - part.start) <= rows.shape[1]
    inner = rows[~joining]
    columns = inner.shape[1]
    graph = sparse.bmat([[None, inner.T], [inner, None]], format="csr")
    count, label = connected_components(graph, directed=False)
    if count > columns:
        return None
    inside = np.flatnonzero(~joining)
    owner = np.full(inner.shape[0], -1)
    filled = np.diff(inner.indptr) > 0
    owner[filled] = label[inner.indices[inner.indptr[:-1][filled]]]
    names = np.unique(label[:columns])
    if not 1 < len(names) <= 1_000:
        return None
    members = [(np.flatnonzero(label[:columns] == name), inside[owner == name]) for name in names]
    return Parts(joining, members)


def _piece(form: MatrixForm, columns: Any, rows: Any, taken: Floats | None = None) -> MatrixForm:
    """Return some columns and rows as a program; `taken` of each row is already used."""
    used = np.zeros(len(form.row_lower[rows])) if taken is None else taken
    return replace(
        form,
        costs=form.costs[:, columns],
        constants=np.zeros_like(form.constants),
        rows=form.rows[rows][:, columns],
        row_lower=form.row_lower[rows] - used,
        row_upper=form.row_upper[rows] - used,
        lower=form.lower[columns],
        upper=form.upper[columns],
        integral=form.integral[columns],
        groups=(),
        decode=None,
        stage=None,
    )


def solved_apart(
    form: MatrixForm, parts: Parts, weights: Floats, time_limit: float
) -> LinearSolution:
    """Solve each part by itself, without the rows that join them."""
    z, bound_prices = np.zeros(len(form.lower)), np.zeros(len(form.lower))
    row_prices = np.zeros(len(form.row_lower))
    value = bound = float(weights @ form.constants)
    for columns, rows in parts.members:
        found = LinearProgram(_piece(form, columns, rows)).solve(weights, time_limit=time_limit)
        z[columns], row_prices[rows] = found.z, found.row_prices
        bound_prices[columns] = found.bound_prices
        value, bound = value + found.value, bound + found.bound
    return LinearSolution(z, value, bound, row_prices, bound_prices)


def _keeps(form: MatrixForm, parts: Parts, found: LinearSolution) -> bool:
    """Return whether the parts keep what joins them: then no plan is better."""
    joining = parts.joining
    left = form.rows.tocsr()[joining] @ found.z
    slack = 1e-7 * (1 + np.abs(left).max(initial=0.0))
    below = left <= form.row_upper[joining] + slack
    return bool((below & (left >= form.row_lower[joining] - slack)).all())


def solved_in_time(form: MatrixForm, weights: Floats, time_limit: float) -> LinearSolution | None:
    """Solve a few reaches of time at once, keep all but the last, go on from there.

    Returns
    -------
    LinearSolution or None
        An allowed plan; its `bound` is not proved (see `priced_bound`). None where rows
        reach too far in time, or a piece has no plan.
    """
    assert form.stage is not None
    rows, stage = form.rows.tocsr(), form.stage
    if (np.diff(rows.indptr) == 0).any():
        return None
    begins = np.minimum.reduceat(stage[rows.indices], rows.indptr[:-1])
    ends = np.maximum.reduceat(stage[rows.indices], rows.indptr[:-1])
    last = int(stage.max()) + 1
    if (ends - begins).max() > form.reach or last <= 2 * form.reach:
        return None
    # in order of time, a piece is a run of columns and a run of rows
    by_column, by_row = np.argsort(stage, kind="stable"), np.argsort(ends, kind="stable")
    ordered = replace(
        form,
        costs=form.costs[:, by_column],
        rows=rows[by_row][:, by_column].tocsr(),
        row_lower=form.row_lower[by_row],
        row_upper=form.row_upper[by_row],
        lower=form.lower[by_column],
        upper=form.upper[by_column],
        integral=form.integral[by_column],
    )
    column_at = np.searchsorted(stage[by_column], np.arange(last + 1))
    row_at = np.searchsorted(ends[by_row], np.arange(last + 1))
    z, bound_prices = np.zeros(len(stage)), np.zeros(len(stage))
    row_prices = np.zeros(len(ends))
    for start in range(0, last, KEPT * form.reach):
        kept = min(start + KEPT * form.reach, last)
        until = min(kept + form.reach, last)
        columns = slice(column_at[start], column_at[until])
        own = slice(row_at[start], row_at[until])
        taken = ordered.rows[own, : columns.start] @ z[: columns.start]
        piece = _piece(ordered, columns, own, np.asarray(taken))
        try:
            found = LinearProgram(piece).solve(weights, time_limit=time_limit)
        except DataError:
            return None  # what was kept so far may leave no way on
        n, r = column_at[kept] - columns.start, row_at[kept] - own.start
        z[columns.start : column_at[kept]] = found.z[:n]
        bound_prices[columns.start : column_at[kept]] = found.bound_prices[:n]
        row_prices[own.start : row_at[kept]] = found.row_prices[:r]
    value = float(weights @ (ordered.costs @ z + form.constants))
    back, row_back = np.argsort(by_column), np.argsort(by_row)
    return LinearSolution(z[back], value, -np.inf, row_prices[row_back], bound_prices[back])


def priced_bound(
    form: MatrixForm, parts: Parts, weights: Floats, row_prices: Floats, time_limit: float
) -> float:
    """Return a limit no plan passes: what joins the parts is bought at prices instead.

    The Lagrangian bound holds whatever the prices, and is tight where they are right.
    """
    rows = form.rows.tocsr()[parts.joining]
    upper, lower = form.row_upper[parts.joining], form.row_lower[parts.joining]
    price = row_prices[parts.joining]
    # only a limit that exists can have a price
    price = np.where(np.isfinite(upper), price, np.maximum(price, 0.0))
    price = np.where(np.isfinite(lower), price, np.minimum(price, 0.0))
    paid = np.where(price < 0, upper, np.where(price > 0, lower, 0.0)) @ price
    cost = weights @ form.costs - price @ rows
    constant = np.array([weights @ form.constants + paid])
    priced = replace(form, costs=cost[None, :], constants=constant)
    return solved_apart(priced, parts, np.ones(1), time_limit).bound
