"""Dynamic programming for batteries: the best plan over a grid of levels, any prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError, UsageError
from esgml.core.interfaces import Hyperparameters, tunable
from esgml.optimization.problem import Problem
from esgml.optimization.problems.battery_dispatch import BatteryDispatch
from esgml.optimization.solution import Found
from esgml.optimization.solver import Solver

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class DpParams(Hyperparameters):
    """Settings of dynamic programming."""

    levels: int = tunable(129, 17, 1025, description="levels of the store")


class Dp(Solver):
    """The best plan that keeps to a grid of levels, for each battery by itself.

    Takes any price, negative ones too, without switches. Use it beside `exact` as an
    independent check, or where whole numbers make that one slow.

    Weakness: levels between those of the grid are not used, so it stays a little above the
    optimum (about 1 % at 129 levels); limits that join hours or sites are not kept.
    Reference: Bellman, Dynamic Programming, 1957.
    """

    Params = DpParams

    def _solve(self, problem: Problem, seed: int) -> Found:
        if not isinstance(problem, BatteryDispatch):
            raise UsageError(
                f"{problem.name} has no store.", code="not_a_store", remedy="Use --method auto."
            )
        sites = problem.grid.shape[0]
        if problem.grid.carbon_cap < np.inf or (problem.grid.limit < np.inf and sites > 1):
            raise UsageError(
                "limits that join hours or sites are not kept by dynamic programming.",
                code="joint_limits",
                remedy="Use --method exact.",
            )
        count = self.params.levels
        plan = [self._one(problem, site, count) for site in range(sites)]
        why = f"Dynamic programming over {count} levels of each store."
        return Found(np.concatenate(plan), why)

    def _one(self, problem: BatteryDispatch, site: int, count: int) -> Floats:
        """Return the powers of one site, shape (T,)."""
        grid, store, steps = problem.grid, problem.store, problem.grid.shape[1]
        level = np.linspace(0.0, store.capacity, count)
        change = level[None, :] - level[:, None]
        energy = np.where(change > 0, change / store.charging, change * store.discharging)
        allowed = np.abs(energy) <= store.most + 1e-12
        value, earned = problem.value, problem.weights[0] * grid.export
        cost = np.where(level >= grid.end_least - 1e-9, 0.0, np.inf)
        best = np.zeros((steps, count), dtype=np.int64)
        for t in range(steps - 1, -1, -1):
            meter = grid.net[site, t] + energy
            now = value[t] * np.maximum(meter, 0) - earned[t] * np.maximum(-meter, 0)
            now = np.where(allowed & (meter <= grid.limit + 1e-9), now, np.inf) + cost
            best[t] = np.argmin(now, axis=1)
            cost = np.take_along_axis(now, best[t][:, None], axis=1)[:, 0]
        at = int(np.searchsorted(level, store.start + 1e-12) - 1)
        if not np.isfinite(cost[at]):
            raise DataError(
                "no plan on the grid of levels keeps the limits.",
                code="infeasible",
                remedy="Use --method exact, which says what is in conflict.",
            )
        powers = np.zeros(steps)
        for t in range(steps):
            to = int(best[t, at])
            powers[t] = energy[at, to] / store.hours
            at = to
        return powers
