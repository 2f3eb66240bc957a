"""Dispatch of stores as a linear program; its structure is built once per size and reused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.optimization.dispatch.store import Store
from esgml.optimization.matrix import MatrixForm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


#: Hours after which a battery has long been full or empty since.
WEEK = 168


@dataclass(frozen=True)
class Grid:
    """What sites see of the grid over T steps.

    Attributes
    ----------
    net : array, shape (H, T)
        Load minus solar of each site, kWh per step.
    price, carbon : array, shape (T,)
        Money and kgCO2e per kWh drawn.
    export : array, shape (T,)
        Money per kWh fed in.
    limit : float
        Most kWh that all sites together may draw in a step.
    carbon_cap : float
        Most kgCO2e over all steps and sites.
    end_least : float
        Least kWh in each store after the last step.
    """

    net: Floats
    price: Floats
    carbon: Floats
    export: Floats
    limit: float = np.inf
    carbon_cap: float = np.inf
    end_least: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Number of sites and of steps, (H, T)."""
        return self.net.shape[0], self.net.shape[1]


@functools.lru_cache(maxsize=16)
def _structure(sites: int, steps: int, store: Store, exports: bool) -> Any:
    """Return the rows that depend on sizes and efficiencies only.

    Columns: charge, discharge, level, import (, export); each sites x steps, site by site.
    First the balance of the store, then the balance at the meter.
    """
    from scipy import sparse

    one = sparse.identity(sites * steps, format="csr")
    after = sparse.identity(steps) - sparse.eye(steps, k=-1)
    levels = sparse.kron(sparse.identity(sites), after, format="csr")
    nothing = sparse.csr_matrix((sites * steps, sites * steps))
    tail = [nothing] if exports else []
    stores = [-store.charging * one, one / store.discharging, levels, nothing, *tail]
    meter = [one, -one, nothing, -one, *([one] if exports else [])]
    return sparse.vstack([sparse.hstack(stores), sparse.hstack(meter)], format="csr")


def dispatch_matrix(grid: Grid, store: Store, start: Floats | None = None) -> MatrixForm:
    """Return the linear program of the cheapest dispatch.

    `start` is the level of each store, shape (H,), where it is not that of `store`.
    Drawing and feeding in, or charging and discharging, in the same step would earn money
    where a price is negative; a switch per such step forbids it.
    """
    from scipy import sparse

    sites, steps = grid.shape
    size = sites * steps
    exports = bool(grid.export.any()) or bool((grid.price < 0).any())
    rows = _structure(sites, steps, store, exports)
    net = grid.net.reshape(-1)
    begin = np.zeros((sites, steps))
    begin[:, 0] = store.start if start is None else start
    stores = begin.reshape(-1)
    row_lower = np.concatenate([stores, -np.full(size, np.inf) if not exports else -net])
    row_upper = np.concatenate([stores, -net])
    groups: list[tuple[str, slice]] = [
        ("store balance", slice(0, size)),
        ("meter balance", slice(size, 2 * size)),
    ]
    width = rows.shape[1]
    extra: list[Any] = []
    if np.isfinite(grid.limit):
        together = sparse.hstack(
            [
                sparse.csr_matrix((steps, 3 * size)),
                sparse.kron(np.ones((1, sites)), sparse.identity(steps)),
                sparse.csr_matrix((steps, width - 4 * size)),
            ]
        )
        extra.append(("site limit", together, np.full(steps, grid.limit)))
    if np.isfinite(grid.carbon_cap):
        drawn = np.zeros((1, width))
        drawn[0, 3 * size : 4 * size] = np.tile(grid.carbon, sites)
        extra.append(("carbon cap", sparse.csr_matrix(drawn), np.array([grid.carbon_cap])))
    for name, more, upper in extra:
        groups.append((name, slice(len(row_upper), len(row_upper) + len(upper))))
        rows = sparse.vstack([rows, more], format="csr")
        row_lower = np.concatenate([row_lower, np.full(len(upper), -np.inf)])
        row_upper = np.concatenate([row_upper, upper])
    level_least = np.zeros((sites, steps))
    level_least[:, -1] = grid.end_least
    lower = np.concatenate(
        [np.zeros(2 * size), level_least.reshape(-1), np.zeros(width - 3 * size)]
    )
    upper = np.concatenate(
        [
            np.full(2 * size, store.most),
            np.full(size, store.capacity),
            np.full(width - 3 * size, np.inf),
        ]
    )
    costs = np.zeros((2, width))
    costs[0, 3 * size : 4 * size] = np.tile(grid.price, sites)
    costs[1, 3 * size : 4 * size] = np.tile(grid.carbon, sites)
    if exports:
        costs[0, 4 * size :] = -np.tile(grid.export, sites)
    form = MatrixForm(
        costs,
        np.zeros(2),
        rows,
        row_lower,
        row_upper,
        lower,
        upper,
        np.zeros(width, dtype=bool),
        tuple(groups),
        _decoder(size, store.hours),
        stage=np.tile(np.arange(steps), width // steps),
        reach=max(1, round(WEEK / store.hours)),
    )
    odd = np.flatnonzero(np.tile((grid.price < 0) | (grid.export < 0), sites))
    return _with_switches(form, odd, size, store, net) if len(odd) else form


def _decoder(size: int, hours: float) -> Callable[[Floats], Floats]:
    def decode(z: Floats) -> Floats:
        return np.asarray((z[:size] - z[size : 2 * size]) / hours)

    return decode


def _with_switches(
    form: MatrixForm, odd: NDArray[np.intp], size: int, store: Store, net: Floats
) -> MatrixForm:
    """Add a switch for drawing and one for charging in the steps `odd`."""
    from scipy import sparse

    k, width = len(odd), len(form.lower)
    most = store.most
    draw, feed = np.maximum(net[odd], 0) + most, np.maximum(-net[odd], 0) + most

    def pick(block: int) -> Any:
        return sparse.csr_matrix((np.ones(k), (np.arange(k), block * size + odd)), (k, width))

    def switch(on: Floats, off: Floats) -> Any:
        return sparse.hstack([sparse.diags(on), sparse.diags(off)])

    zero = np.zeros(k)
    rows = sparse.vstack(
        [
            sparse.hstack([form.rows, sparse.csr_matrix((form.rows.shape[0], 2 * k))]),
            sparse.hstack([pick(3), switch(-draw, zero)]),
            sparse.hstack([pick(4), switch(feed, zero)]),
            sparse.hstack([pick(0), switch(zero, np.full(k, -most))]),
            sparse.hstack([pick(1), switch(zero, np.full(k, most))]),
        ],
        format="csr",
    )
    limits = np.concatenate([zero, feed, zero, np.full(k, most)])
    first = form.rows.shape[0]
    return MatrixForm(
        np.hstack([form.costs, np.zeros((2, 2 * k))]),
        form.constants,
        rows,
        np.concatenate([form.row_lower, np.full(4 * k, -np.inf)]),
        np.concatenate([form.row_upper, limits]),
        np.concatenate([form.lower, np.zeros(2 * k)]),
        np.concatenate([form.upper, np.ones(2 * k)]),
        np.concatenate([form.integral, np.ones(2 * k, dtype=bool)]),
        (*form.groups, ("one direction at a time", slice(first, first + 4 * k))),
        form.decode,
    )
