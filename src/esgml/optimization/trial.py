"""A controller on trial: the last weeks of a site, run without knowing them, beside every rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError, HistoryError
from esgml.optimization.dispatch.matrix import Grid
from esgml.optimization.dispatch.store import Store
from esgml.optimization.problems.battery_dispatch import BatteryDispatch
from esgml.optimization.solvers.mpc import Mpc

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from esgml.core.frames import SeriesSpec

    Floats = NDArray[np.float64]

WEEK, BEFORE = 168, 168 * 8
#: Weeks a controller is tried on, the last ones there are.
WEEKS = 4
LOAD, PRICE, SOLAR, CARBON = "load_kwh", "price", "solar_kwh", "carbon_intensity_kg_kwh"
CONTROLLER = "mpc"


@dataclass(frozen=True)
class Site:
    """Hourly series of one site.

    Attributes
    ----------
    name : str
    load, solar, price, carbon : array, shape (T,)
    first_hour : int
        Hour of the week of the first row, 0 = Monday 00:00.
    """

    name: str
    load: Floats
    solar: Floats
    price: Floats
    carbon: Floats
    first_hour: int

    def week(self, start: int, store: Store) -> BatteryDispatch:
        """Return a week as a problem that knows up to eight weeks before it."""
        rows, past = slice(start, start + WEEK), slice(max(0, start - BEFORE), start)
        load, solar = self.load[None, rows], self.solar[None, rows]
        grid = Grid(load - solar, self.price[rows], self.carbon[rows], np.zeros(WEEK))
        history = {
            "load": self.load[None, past],
            "solar": self.solar[None, past],
            "carbon": self.carbon[past],
            "price": self.price[past],
        }
        first = (self.first_hour + start) % WEEK
        return BatteryDispatch(load, solar, grid, store, history=history, first_hour=first)


def sites(frame: pl.DataFrame, spec: SeriesSpec) -> list[Site]:
    """Return the sites of a table with the columns of the optimization task.

    Raises
    ------
    DataError
        ``hours_missing`` or ``not_hourly`` naming the site: a tariff and a load with holes
        cannot be planned for.
    HistoryError
        If a site has fewer than five weeks.
    """
    found = []
    for (name,), rows in frame.sort(spec.time).group_by(spec.entity, maintain_order=True):
        times = rows[spec.time].to_numpy().astype("datetime64[s]")
        steps = np.diff(times).astype(np.int64)
        if (steps != 3600).any():
            at = times[int(np.argmax(steps != 3600))]
            raise DataError(
                f"rows are not one hour apart after {at}.",
                code="not_hourly",
                where=str(name),
                remedy="Fill or resample the series to whole hours.",
            )
        if len(times) < 5 * WEEK:
            raise HistoryError(
                f"{len(times)} hours are too few for a trial.",
                where=str(name),
                remedy="Give at least five weeks of hours.",
            )
        columns = {}
        for column in (LOAD, SOLAR, PRICE, CARBON):
            values = (
                rows[column].cast(float).to_numpy()
                if column in rows.columns
                else np.zeros(len(times))
            )
            if (missing := ~np.isfinite(values)).any():
                raise DataError(
                    f"{int(missing.sum())} hours have no {column}.",
                    code="hours_missing",
                    where=str(name),
                    remedy="Fill them before a controller learns from them.",
                )
            columns[column] = values
        monday = np.datetime64("2024-01-01T00:00:00")
        first = int((times[0] - monday).astype(np.int64) // 3600 % WEEK)
        found.append(
            Site(str(name), columns[LOAD], columns[SOLAR], columns[PRICE], columns[CARBON], first)
        )
    return found


#: ``plan(problem)``: the plan of a controller that knows no future.
Plan = Callable[[BatteryDispatch], "Floats"]


def trial(
    found: list[Site], store: Store, controller: Plan | None = None, name: str = CONTROLLER
) -> dict[str, Any]:
    """Return what idle battery, rules, controller and perfect foresight cost in the last weeks.

    Parameters
    ----------
    found : list of Site
    store : Store
    controller : Plan, optional
        Predictive control where omitted.
    name : str
        What the controller is called.

    Returns
    -------
    dict
        ``share_of_attainable`` of the controller, of each rule, ``cost`` by method, ``chosen``:
        the controller, or the best rule where that did better on these weeks (the guard).
    """
    plan = controller or (lambda problem: Mpc().solve(problem).x)
    cost: dict[str, float] = {}
    for site in found:
        for back in range(WEEKS, 0, -1):
            start = len(site.load) - back * WEEK
            if start < WEEK:
                continue
            problem = site.week(start, store)
            plans = {"idle": problem.baseline(), **problem.rules()}
            plans[name] = plan(problem)
            values = problem.scalar(problem.evaluate(np.array(list(plans.values()))).objectives)
            for label, value in zip(plans, values.tolist(), strict=True):
                cost[label] = cost.get(label, 0.0) + value
            bound = problem.bound()
            cost["limit"] = cost.get("limit", 0.0) + (values[0] if bound is None else bound)
    attainable = cost["idle"] - cost["limit"]
    shares = {
        label: (cost["idle"] - value) / attainable if attainable > 1e-9 else 1.0
        for label, value in cost.items()
        if label not in ("idle", "limit")
    }
    rules = {label: share for label, share in shares.items() if label != name}
    best = max(rules, key=lambda label: rules[label])
    chosen = name if shares[name] >= rules[best] else best
    return {
        "share_of_attainable": shares[chosen],
        "controller_share": shares[name],
        "rule": best,
        "rule_share": rules[best],
        "attainable": attainable / cost["idle"] if cost["idle"] else 0.0,
        "cost": cost,
        "chosen": chosen,
    }
