"""Batteries, vehicles and measures: every method beside rule, idle battery and limit.

``python benchmarks/bench_dispatch.py [--months] [--learn] [--forecaster] [--save]``

The battery table is 20 real house-weeks: houses 1-5, the second full Monday-to-Sunday week of
October, January, April and July, battery 6.4 kWh / 5 kW, efficiency sqrt(.9) each way, empty at
the beginning, no condition at the end, export unpaid. "Share" is that of the gain which perfect
foresight has over the idle battery. Controllers see the eight weeks before and nothing ahead
but the tariff. ``--months`` also runs every house-month, ``--learn`` deep Q-learning (five seeds,
minutes), ``--forecaster`` the controller on the project's own forecaster and its intervals.
How the controller weighs past days was chosen on houses 6-8.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from benchmarks import bench_dqn, dispatch_front
from benchmarks import dispatch_sets as sets
from numpy.typing import NDArray

from esgml.core import catalog
from esgml.optimization import library
from esgml.optimization.dispatch.control import Controller
from esgml.optimization.engine import OptimizationEngine
from esgml.optimization.linear import LinearProgram
from esgml.training.foresight import Foresight

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results" / "dispatch.json"
METHODS = set(catalog.names("optimization"))


def problems(kind: str, price: Floats | None = None, **fields: Any) -> list[Any]:
    """Return the four judged weeks, five houses each, optimizing one objective."""
    return [
        library.load(
            sets.dispatch(slice(w, w + sets.WEEK), price=price, weights={kind: 1.0}, **fields)
        )
        for w in sets.judged_weeks()
    ]


def judged(own: list[Any], plans: list[Floats], seconds: float, limits: Floats) -> dict[str, Any]:
    """Return the sums of cost and carbon of one method, and its share of the gain."""
    found = [p.evaluate(np.stack([p.baseline(), x])) for p, x in zip(own, plans, strict=True)]
    idle = sum(f.objectives[0] for f in found)
    total = sum(f.objectives[1] for f in found)
    k = int(np.argmax(own[0].weights))
    return {
        "cost": float(total[0]),
        "carbon": float(total[1]),
        "share": float((idle[k] - total[k]) / (idle[k] - limits.sum())),
        "cpu_seconds": seconds,
    }


def timed(run: Callable[[Any], Floats], own: list[Any]) -> tuple[list[Floats], float]:
    """Return the plans and the CPU seconds they took."""
    started = time.process_time()
    return [run(p).reshape(-1) for p in own], time.process_time() - started


def controllers() -> dict[str, Callable[[Any], Floats]]:
    """Return the methods of the table; those marked causal see no future."""
    found: dict[str, Callable[[Any], Floats]] = {
        "idle battery": lambda p: p.baseline(),
        "rule: self-consumption": lambda p: p.rules()["self-consumption"],
        "rule: tariff": lambda p: p.rules()["tariff"],
        "rule: fill late": lambda p: p.rules()["fill late"],
        "mean forecast, LP each hour": lambda p: Controller(p, 36).by_mean(),
        "scenario DP each hour": lambda p: Controller(p, 36).by_scenarios(),
    }
    return found


def on_own_forecaster(own: list[Any], model: str = "auto") -> tuple[list[Floats], float]:
    """Return plans on the project's forecaster, fitted on the four weeks before each week.

    It forecasts anew every six hours; scenarios run through its intervals.
    """

    def run(p: Any) -> Floats:
        past = {name: values[..., -4 * sets.WEEK :] for name, values in p.history.items()}
        before = past["load"].shape[1]
        begin = np.datetime64("2024-01-01T00", "us") + np.timedelta64(p.first_hour - before, "h")
        sight = Foresight.fit(past["load"], past["solar"], begin, 36, every=6, model=model)
        return Controller(p, 36, sight).by_scenarios()

    return timed(run, own)


def houses_one_by_one(own: list[Any]) -> list[Any]:
    """Return each house-week as a problem of its own."""
    return [
        library.load(
            sets.dispatch(
                slice(w, w + sets.WEEK),
                (h,),
                weights={o.name: o.weight for o in own[0].objectives},
            )
        )
        for w in sets.judged_weeks()
        for h in sets.HOUSES
    ]


def searches(single: list[Any], limits: Floats) -> dict[str, dict[str, Any]]:
    """Return the rows of the genetic algorithm, which plans knowing the whole week."""
    engine = OptimizationEngine()
    found: dict[str, dict[str, Any]] = {}
    if "ga" not in METHODS:
        return found
    for label, params in (
        ("GA, seeded by rules and relaxed exact", {"seeding": "relaxed", "target_fitness": 1.0}),
        ("GA, seeded by rules", {"seeding": "rules", "target_fitness": 1.0}),
        ("GA, its defaults unseeded", {"seeding": "none", "target_fitness": 1.0}),
    ):
        solver = engine.solver("ga", **params)
        plans, seconds = timed(lambda p, s=solver: s.solve(p).x, single)
        found[label] = judged(single, plans, seconds, limits)
    return found


def exactness(single: list[Any]) -> dict[str, float]:
    """Return the largest difference to HiGHS called directly, and milliseconds per week."""
    from scipy import sparse
    from scipy.optimize import linprog

    worst, spent = 0.0, []
    for p in single:
        steps = sets.WEEK
        started = time.process_time()
        ours = LinearProgram(p.matrix()).solve(p.weights).value
        spent.append(time.process_time() - started)
        one, way = sparse.identity(steps), float(np.sqrt(0.9))
        after = one - sparse.eye(steps, k=-1)
        none = sparse.csr_matrix((steps, steps))
        theirs = linprog(
            np.concatenate([np.zeros(3 * steps), p.value]),
            A_ub=sparse.hstack([one, -one, none, -one]),
            b_ub=-p.grid.net[0],
            A_eq=sparse.hstack([-way * one, one / way, after, none]),
            b_eq=np.zeros(steps),
            bounds=[(0, 5)] * (2 * steps) + [(0, 6.4)] * steps + [(0, None)] * steps,
            method="highs",
        ).fun
        worst = max(worst, abs(ours - theirs) / max(abs(theirs), 1e-12))
    return {"largest_relative_difference": worst, "ms_per_week": 1e3 * float(np.median(spent))}


def jointly_bounded() -> dict[str, dict[str, float]]:
    """Return how long many houses take over the year together, and their limit.

    There are eight houses here; seventeen are those and nine of them again, moved by three
    and five weeks so that none is like another.
    """
    eight = sets.dispatch(slice(0, 8760), tuple(range(1, 9)))
    eight.pop("history")
    more = dict(eight, load=list(eight["load"]), solar=list(eight["solar"]))
    for i, number in enumerate((*range(1, 9), 1)):
        for name, values in zip(("load", "solar"), sets.house(number), strict=True):
            more[name].append(np.roll(values, sets.WEEK * (3 if i < 8 else 5)).tolist())
    found = {}
    for label, document in (
        ("8 houses, no limit", eight),
        ("8 houses, 15 kW together", {**eight, "site_limit": 15.0}),
        ("17 houses, no limit", more),
        ("17 houses, 32 kW together", {**more, "site_limit": 32.0}),
    ):
        free = library.load(document)
        idle = float(free.evaluate(free.baseline()).objectives[0, 0])
        started = time.process_time()
        best = LinearProgram(free.matrix()).solve(free.weights)
        found[label] = {
            "cpu_seconds": time.process_time() - started,
            "limit": best.bound,
            "plan": best.value,
            "share_of_idle": 1 - best.value / idle,
        }
    return found


def foresees_all(p: Any) -> Callable[..., tuple[Floats, Floats, Floats]]:
    """Return the forecast that is always right: what is left to lose is the controller's own."""
    before = p.history["load"].shape[1]

    def forecast(load: Floats, solar: Floats, carbon: Floats, ahead: int) -> Any:
        rows = slice(load.shape[1] - before, load.shape[1] - before + ahead)
        net = p.grid.net[:, rows].T[:, :, None]
        return net, p.grid.carbon[rows], np.ones((net.shape[1], 1))

    return forecast


def house_months(houses: tuple[int, ...] = sets.HOUSES) -> dict[str, Any]:
    """Return in how many house-months the controller is no worse than rules.

    A rule can be named in advance, chosen by the month before, or picked in hindsight: the
    last is no rule that anybody could have run.
    """
    costs: dict[str, list[Floats]] = {}
    for rows in sets.months():
        p = library.load(sets.dispatch(rows, houses))
        plans = {"idle": p.baseline(), **p.rules()}
        plans["controller"] = Controller(p, 36).by_scenarios().reshape(-1)
        plans["perfect forecast"] = Controller(p, 36, foresees_all(p)).by_scenarios().reshape(-1)
        for name, x in plans.items():
            energy, _ = p.store.run(x.reshape(p.grid.shape).T)
            drawn = np.maximum(energy.T + p.grid.net, 0.0)
            costs.setdefault(name, []).append(drawn @ p.grid.price)
    table = {name: np.array(found) for name, found in costs.items()}  # (months, houses)
    rules = {name: table[name] for name in p.rules()}
    every = np.stack(list(rules.values()))
    last = np.take_along_axis(every[:, 1:], every[:, :-1].argmin(axis=0)[None], axis=0)[0]
    ours = table["controller"]
    bars = {f"the rule {name}": (ours, cost) for name, cost in rules.items()}
    bars["the best rule of the month before"] = (ours[1:], last)
    bars["the better of the first two, in hindsight"] = (ours, every[:2].min(axis=0))
    bars["the best of all, in hindsight"] = (ours, every.min(axis=0))
    seen = "the best of all, by the controller on a perfect forecast"
    bars[seen] = (table["perfect forecast"], every.min(axis=0))
    idle = float(table["idle"].sum())
    return {
        "house_months": int(ours.size),
        "saved": {name: idle - float(cost.sum()) for name, cost in table.items()},
        "not_worse_than": {
            name: {
                "count": int((own <= bar + 1e-9).sum()),
                "of": int(own.size),
                "share": float((own <= bar + 1e-9).mean()),
                "largest_loss": float((own - bar).max()),
                "all_losses": float(np.maximum(own - bar, 0.0).sum()),
                "all_gains": float(np.maximum(bar - own, 0.0).sum()),
            }
            for name, (own, bar) in bars.items()
        },
    }


def tariffs() -> dict[str, Any]:
    """Return the controller under the Spanish hourly tariff, published at 21 h for the next day."""
    own = problems("cost", sets.spanish(), currency="EUR", price_published=21)
    limits = np.array([p.bound() for p in own])
    rows = {}
    for name, run in controllers().items():
        plans, seconds = timed(run, own)
        rows[name] = judged(own, plans, seconds, limits)
    idle = rows["idle battery"]["cost"]
    return {"rows": rows, "limit": float(limits.sum()), "attainable": 1 - limits.sum() / idle}


def side_by_side() -> dict[str, Any]:
    """Return vehicles and measures: rule, genetic algorithm, exact."""
    engine, found = OptimizationEngine(), {}
    for name, document in (
        ("vehicles at three chargers, a week", sets.charging()),
        ("40 measures under a budget", measures(40)),
    ):
        p = library.load(document)
        rows: dict[str, Any] = {}
        for method in ("exact", "ga"):
            if method in METHODS:
                more = {"target_fitness": 1.0} if method == "ga" else {}
                s = engine.solver(method, **more).solve(p)
                rows[method] = {"value": s.value, "gap": s.gap, "seconds": s.seconds}
                rows["baseline"], rows["best rule"] = {"value": s.baseline}, {"value": s.rule}
        found[name] = {"unit": p.unit, "rows": rows}
    return found


def measures(count: int, seed: int = 0) -> dict[str, Any]:
    """Return a generated portfolio with exclusions and needs."""
    rng = np.random.default_rng(seed)
    tonnes = rng.lognormal(4, 0.8, count).round(0) + 1
    cost = (tonnes * rng.normal(90, 70, count)).round(0)
    items: list[dict[str, Any]] = [
        {"name": f"measure {i + 1}", "cost": c, "abatement": t, "uncertainty": 0.15 * t}
        for i, (c, t) in enumerate(zip(cost.tolist(), tonnes.tolist(), strict=True))
    ]
    for i in range(0, count - 2, 5):
        items[i]["excludes"] = [items[i + 1]["name"]]
        items[i + 2]["needs"] = [items[i]["name"]]
    return {
        "problem": "portfolio",
        "measures": items,
        "budget": float(np.maximum(cost, 0).sum() * 0.3),
        "emissions": {"mean": float(tonnes.sum() * 2), "deviation": float(tonnes.sum() * 0.06)},
        "target": float(tonnes.sum() * 1.4),
    }


def show(title: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print one table for people, on standard error."""
    sys.stderr.write(f"\n{title}\n")
    for name, row in rows.items():
        cells = "".join(f"{k} {v:>10.4g}  " for k, v in row.items() if isinstance(v, int | float))
        sys.stderr.write(f"  {name:<40} {cells}\n")


def main() -> int:
    """Print the tables and one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", action="store_true", help="every house-month as well")
    parser.add_argument("--forecaster", action="store_true", help="the project's own as well")
    parser.add_argument("--learn", action="store_true", help="deep Q-learning as well")
    parser.add_argument("--save", action="store_true", help="write the results file")
    chosen = parser.parse_args()
    if sets.folder() is None:
        print(json.dumps({"skipped": "the real series (ESGML_DATA) are not here"}))
        return 0
    out: dict[str, Any] = {}
    for kind in ("cost", "carbon"):
        own = problems(kind)
        limits = np.array([p.bound() for p in own])
        rows = {}
        for name, run in controllers().items():
            plans, seconds = timed(run, own)
            rows[name] = judged(own, plans, seconds, limits)
        if chosen.forecaster and kind == "cost":
            out["own forecaster"] = found = {}
            for model in ("seasonal_median", "auto"):
                plans, seconds = on_own_forecaster(own, model)
                found[model] = judged(own, plans, seconds, limits)
            show("scenario DP on the project's own forecaster, for cost", found)
        single = houses_one_by_one(own)
        if kind == "cost":
            rows |= searches(single, np.array([p.bound() for p in single]))
            out["exact"] = exactness(single)
        plans, seconds = timed(
            lambda p: p.matrix().plan(LinearProgram(p.matrix()).solve(p.weights).z, p.dimension),
            own,
        )
        rows["perfect foresight, exact"] = judged(own, plans, seconds, limits)
        idle = rows["idle battery"]
        off = abs(idle["cost"] - sets.IDLE[0]) + abs(idle["carbon"] - sets.IDLE[1])
        if off > 0.02:
            raise SystemExit(f"the data is read wrongly: idle {idle}, expected {sets.IDLE}")
        out[kind] = {"rows": rows, "attainable": 1 - float(limits.sum()) / idle[kind]}
        show(f"20 house-weeks for {kind}; limit {out[kind]['attainable']:.1%} of idle", rows)
    out["spanish tariff"] = tariffs()
    show("Spanish hourly tariff, EUR", out["spanish tariff"]["rows"])
    out["jointly bounded"] = jointly_bounded()
    out["side by side"] = side_by_side()
    for name, one in out["side by side"].items():
        show(f"{name} ({one['unit']})", one["rows"])
    show("more", {"exact": out["exact"], **out["jointly bounded"]})
    front = dispatch_front.shares_of_the_front()
    out["front"] = front
    show("NSGA-II, hypervolume as a share of the exact front's, all 20 house-weeks", front)
    if chosen.months:
        out["house months"] = found = house_months()
        show(f"{found['house_months']} house-months: no worse than", found["not_worse_than"])
        show("saved, USD", {"all house-months": found["saved"]})
    if chosen.learn:
        out["deep Q-learning"] = found = bench_dqn.batteries(5, plain=False)
        show("deep Q-learning, other weeks learned from", found["rows"])
    if chosen.save:  # parts that were not run keep what an earlier run wrote
        before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**before, **out}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(out, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
