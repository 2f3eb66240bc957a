"""Running batteries hour by hour on forecasts: what a controller does that knows no future."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import DataError
from esgml.optimization.dispatch.analogs import Analogs, usual_ahead
from esgml.optimization.dispatch.matrix import Grid, dispatch_matrix
from esgml.optimization.dispatch.worth import Scenarios, decide, levels, still_to_come
from esgml.optimization.linear import LinearProgram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.problems.battery_dispatch import BatteryDispatch

    Floats = NDArray[np.float64]

#: ``forecast(load, solar, carbon, ahead)`` with what was seen up to and with now, shapes
#: (H, n), (H, n), (n,), returns net load (ahead, H, K), carbon (ahead,) and weights (H, K).
Forecast = Callable[["Floats", "Floats", "Floats", int], "tuple[Floats, Floats, Floats]"]

#: How likely a scenario goes on for another hour.
PERSISTENCE = 0.8


class Controller:
    """Decides one step at a time for all sites of a dispatch problem.

    It knows the tariff ahead (or as far as it is published), and load, sun and carbon
    intensity up to and with the step it decides, as an inverter does; the rest is forecast.

    Parameters
    ----------
    problem : BatteryDispatch
        Its `history` is what was seen before.
    ahead : int
        Steps looked ahead.
    forecast : callable, optional
        See `Forecast`; by default the forecast of the problem where it has one, else past
        days like today (`Analogs`).
    persistence : float
        How likely a scenario goes on for another hour; see `worth.Scenarios`.
    """

    def __init__(
        self,
        problem: BatteryDispatch,
        ahead: int,
        forecast: Forecast | None = None,
        *,
        persistence: float = PERSISTENCE,
    ) -> None:
        self.problem, self.ahead = problem, ahead
        self.hours = problem.store.hours
        sites, self.steps = problem.grid.shape
        past = problem.history
        none = np.zeros((sites, 0))
        self.load = np.hstack([past.get("load", none), problem.load])
        self.solar = np.hstack([past.get("solar", none), problem.solar])
        self.begin = self.load.shape[1] - self.steps
        seen = past.get("carbon", np.full(self.begin, np.nan))
        self.carbon = np.concatenate([seen, problem.grid.carbon])
        self.carbon_begin = len(seen) if "carbon" in past else 0
        if not self.carbon_begin:
            self.carbon = problem.grid.carbon
        self.price = np.concatenate([past.get("price", np.zeros(0)), problem.grid.price])
        self.analogs = Analogs()
        own = self._analog_forecast if problem.foreseen is None else self._foreseen
        self.forecast = forecast or own
        self.persistence = persistence**self.hours
        self._now = 0

    def _analog_forecast(
        self, load: Floats, solar: Floats, carbon: Floats, ahead: int
    ) -> tuple[Floats, Floats, Floats]:
        clock = round(self.problem.first_hour + self._now * self.hours)
        net, weights = self.analogs.paths(load, solar, ahead, hours=self.hours, clock=clock)
        return net, usual_ahead(carbon, ahead, hours=self.hours), weights

    def _foreseen(
        self, load: Floats, solar: Floats, carbon: Floats, ahead: int
    ) -> tuple[Floats, Floats, Floats]:
        """Return what the problem's own forecast says; carbon ahead is taken as given."""
        given = self.problem.foreseen
        assert given is not None
        rows = slice(self._now + 1, self._now + 1 + ahead)
        return given.net[rows], self.problem.grid.carbon[rows], given.weights

    def foresee(self, t: int) -> tuple[Floats, Floats, Floats]:
        """Return net load (ahead, H, K), carbon (ahead,) and weights (H, K) after step t.

        Raises
        ------
        DataError
            ``forecast`` if the forecast has another shape or is not finite.
        """
        self._now = t
        ahead = min(self.ahead, self.steps - 1 - t)
        sites = self.problem.grid.shape[0]
        if ahead == 0:
            return np.zeros((0, sites, 1)), np.zeros(0), np.ones((sites, 1))
        at, seen = self.begin + t + 1, self.carbon_begin + t + 1
        net, carbon, weights = self.forecast(
            self.load[:, :at], self.solar[:, :at], self.carbon[:seen], ahead
        )
        good = net.shape[:2] == (ahead, sites) and weights.shape == (sites, net.shape[2])
        if not good or carbon.shape != (ahead,):
            raise DataError(
                f"the forecast for step {t} has the shapes {net.shape}, {carbon.shape},"
                f" {weights.shape}.",
                code="forecast",
                where="forecast",
                remedy=f"Return ({ahead}, {sites}, K), ({ahead},) and ({sites}, K).",
            )
        if not (np.isfinite(net).all() and np.isfinite(carbon).all()):
            raise DataError(
                f"the forecast made at step {t} has hours that are missing.",
                code="hours_missing",
                where="forecast",
                remedy="Forecast every hour ahead.",
            )
        return net, carbon, weights

    def prices(self, t: int, ahead: int) -> Floats:
        """Return the price of the `ahead` steps after t: as published, then as usual."""
        problem = self.problem
        known = problem.grid.price[t + 1 : t + 1 + ahead]
        if problem.price_published is None:
            return known
        hour = (problem.first_hour + t * self.hours) % 24
        until = 24.0 if hour < problem.price_published else 48.0
        count = min(ahead, max(0, round((until - hour) / self.hours) - 1))
        if count == ahead:
            return known
        seen = self.price[: len(self.price) - self.steps + t + 1 + count]
        usual = usual_ahead(seen, ahead - count, hours=self.hours)
        return np.concatenate([known[:count], usual])

    def by_scenarios(self, count: int = 33) -> Floats:
        """Return the powers, shape (H, T): each step weighs all scenarios of what follows."""
        problem, store = self.problem, self.problem.store
        sites, steps = problem.grid.shape
        grid, w = levels(store, count), problem.weights
        level, plan = np.full(sites, store.start), np.zeros((sites, steps))
        value, earned = problem.value, w[0] * problem.grid.export
        # what is required at the end is bought at the highest price if it is missing
        dear = 2 * float(np.abs(value).max()) / store.charging
        end = dear * np.maximum(problem.grid.end_least - grid, 0.0)
        after = np.repeat(end[None], sites, axis=0)
        for t in range(steps):
            net, carbon, weights = self.foresee(t)
            ahead = len(carbon)
            price = w[0] * self.prices(t, ahead) + w[1] * carbon
            shape = (ahead, sites, 1)
            coming = Scenarios(
                net,
                np.broadcast_to(price[:, None, None], shape),
                np.minimum(earned[t + 1 : t + 1 + ahead], price)[:, None, None] * np.ones(shape),
                weights,
                self.persistence,
            )
            last = t + 1 + ahead == steps
            cost = still_to_come(coming, store, grid, after if last else None)
            one = np.ones(sites)
            energy = decide(
                level, problem.grid.net[:, t], value[t] * one, earned[t] * one, store, grid, cost
            )
            energy = store.limit(level, energy)
            level = store.moved(level, energy)
            plan[:, t] = energy / self.hours
        return plan

    def by_mean(self) -> Floats:
        """Return the powers, shape (H, T): each step solves the mean forecast exactly.

        Handles limits that join the sites, which `by_scenarios` does not.
        """
        problem, store = self.problem, self.problem.store
        sites, steps = problem.grid.shape
        level, plan = np.full(sites, store.start), np.zeros((sites, steps))
        used = 0.0
        for t in range(steps):
            net, carbon, weights = self.foresee(t)
            mean = np.einsum("thk,hk->ht", net, weights)
            ahead = slice(t, t + 1 + len(carbon))
            last = ahead.stop == steps
            grid = Grid(
                np.hstack([problem.grid.net[:, t : t + 1], mean]),
                np.concatenate([problem.grid.price[t : t + 1], self.prices(t, len(carbon))]),
                np.concatenate([problem.grid.carbon[t : t + 1], carbon]),
                problem.grid.export[ahead],
                problem.grid.limit,
                max(problem.grid.carbon_cap - used, 0.0) if last else np.inf,
                problem.grid.end_least if last else 0.0,
            )
            energy = self._first_energy(grid, level)
            energy = store.limit(level, energy)
            level = store.moved(level, energy)
            plan[:, t] = energy / self.hours
            drawn = np.maximum(problem.grid.net[:, t] + energy, 0.0).sum()
            used += float(problem.grid.carbon[t] * drawn)
        return plan

    def _first_energy(self, grid: Grid, level: Floats) -> Floats:
        """Return the first energies of the best plan; without joint limits if none fits."""
        store, weights = self.problem.store, self.problem.weights
        sites, steps = grid.shape
        while True:
            form = dispatch_matrix(grid, store, level)
            try:
                z = LinearProgram(form).solve(weights).z
            except DataError as error:
                joint = np.isfinite(grid.limit) or np.isfinite(grid.carbon_cap)
                if error.code != "infeasible" or not (joint or grid.end_least):
                    raise
                # the forecast leaves no way to keep the limit: get as near as one step can
                grid = replace(grid, limit=np.inf, carbon_cap=np.inf, end_least=0.0)
                continue
            power = form.plan(z, sites * steps).reshape(sites, steps)
            return np.asarray(power[:, 0] * store.hours)
