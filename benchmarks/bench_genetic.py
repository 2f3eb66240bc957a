"""Genetic algorithms side by side: the same problems, populations and generations.

``python benchmarks/bench_genetic.py [--seeds 40] [--save]``

Rastrigin-30 (real), a knapsack of 100 items (binary, one constraint) and ZDT1 (two objectives),
population 100 everywhere. Medians and quartiles over the seeds; milliseconds of processor time a
generation, the evaluation included, which is the same NumPy code for all; the fastest seed counts
where other jobs share the core. pymoo, DEAP and pygmo are compared where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from numpy.typing import NDArray

from esgml.optimization.genetic.evolution import Evolution, Operators
from esgml.optimization.genetic.front import FrontEvolution
from esgml.optimization.genetic.hypervolume import hypervolume
from esgml.optimization.space import Space, Variable

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results" / "genetic.json"
POPULATION = 100
MARKS = {"rastrigin": (100, 200, 500, 1000), "knapsack": (50, 100, 300), "zdt1": (100, 200, 400)}
CORNER = np.array([1.1, 1.1])
_RNG = np.random.default_rng(2024)
WORTH, WEIGHT = _RNG.integers(10, 100, 100), _RNG.integers(10, 100, 100)
ROOM = 0.4 * WEIGHT.sum()

#: ``run(seed, marks)``: the quality after each number of generations, and seconds in all.
Run = Callable[[int, tuple[int, ...]], tuple[list[float], float]]


def rastrigin(x: Floats) -> Floats:
    return 10 * x.shape[1] + (x * x - 10 * np.cos(2 * np.pi * x)).sum(axis=1)


def zdt1(x: Floats) -> Floats:
    g = 1 + 9 * x[:, 1:].mean(axis=1)
    return np.stack([x[:, 0], g * (1 - np.sqrt(x[:, 0] / g))], axis=1)


def sack(x: Floats) -> tuple[Floats, Floats]:
    return -(x @ WORTH), np.maximum(x @ WEIGHT - ROOM, 0.0)


# Ours ---------------------------------------------------------------------------------


def _go_on(search: Any, marks: tuple[int, ...], quality: Callable[[], float]) -> Any:
    began, found = time.process_time(), []
    for mark in marks:
        search.run(mark - search.generation)
        found.append(quality())
    return found, time.process_time() - began


def our_rastrigin(seed: int, marks: tuple[int, ...]) -> tuple[list[float], float]:
    space = Space([Variable("x", lower=-5.12, upper=5.12, size=30)])
    search = Evolution(space, lambda x: (rastrigin(x), np.zeros(len(x))), Operators(), seed)
    return _go_on(search, marks, lambda: float(search.objective[0]))


def our_knapsack(seed: int, marks: tuple[int, ...]) -> tuple[list[float], float]:
    search = Evolution(Space([Variable("x", "binary", size=100)]), sack, Operators(), seed)
    return _go_on(search, marks, lambda: -float(search.objective[0]))


def our_zdt1(seed: int, marks: tuple[int, ...]) -> tuple[list[float], float]:
    operators = Operators(mutation=1 / 30, crossover=0.9, recombine="sbx")
    space = Space([Variable("x", size=30)])
    search = FrontEvolution(space, lambda x: (zdt1(x), np.zeros(len(x))), operators, seed)
    return _go_on(search, marks, lambda: hypervolume(search.objectives, CORNER))


# Peers --------------------------------------------------------------------------------


def _pymoo(problem: Any, algorithm: Any, seed: int, marks: tuple[int, ...], quality: Any) -> Any:
    from pymoo.optimize import minimize

    found: list[float] = []

    def watch(state: Any) -> None:
        if state.n_gen in marks:
            found.append(quality(state))

    began = time.process_time()
    minimize(problem, algorithm, ("n_gen", marks[-1]), seed=seed, callback=watch)
    return found, time.process_time() - began


def pymoo_rastrigin(seed: int, marks: tuple[int, ...]) -> tuple[list[float], float]:
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem

    class Bumps(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=30, n_obj=1, xl=-5.12, xu=5.12)

        def _evaluate(self, x: Floats, out: dict[str, Any], *a: Any, **k: Any) -> None:
            out["F"] = rastrigin(x)

    best = lambda state: float(state.pop.get("F").min())  # noqa: E731
    return _pymoo(Bumps(), GA(pop_size=POPULATION), seed, marks, best)


def pymoo_knapsack(seed: int, marks: tuple[int, ...]) -> tuple[list[float], float]:
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.pntx import TwoPointCrossover
    from pymoo.operators.mutation.bitflip import BitflipMutation
    from pymoo.operators.sampling.rnd import BinaryRandomSampling

    class Sack(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=100, n_obj=1, n_ieq_constr=1, xl=0, xu=1, vtype=bool)

        def _evaluate(self, x: Floats, out: dict[str, Any], *a: Any, **k: Any) -> None:
            out["F"], over = sack(x.astype(float))
            out["G"] = np.where(over > 0, over, -1.0)

    algorithm = GA(
        pop_size=POPULATION,
        sampling=BinaryRandomSampling(),
        crossover=TwoPointCrossover(),
        mutation=BitflipMutation(),
        eliminate_duplicates=True,
    )

    def best(state: Any) -> float:
        kept = state.pop.get("CV").reshape(-1) == 0
        return -float(state.pop.get("F")[kept].min()) if kept.any() else 0.0

    return _pymoo(Sack(), algorithm, seed, marks, best)


def pymoo_zdt1(seed: int, marks: tuple[int, ...]) -> tuple[list[float], float]:
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem

    class Front(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=30, n_obj=2, xl=0, xu=1)

        def _evaluate(self, x: Floats, out: dict[str, Any], *a: Any, **k: Any) -> None:
            out["F"] = zdt1(x)

    volume = lambda state: hypervolume(state.pop.get("F"), CORNER)  # noqa: E731
    return _pymoo(Front(), NSGA2(pop_size=POPULATION), seed, marks, volume)


def deap_rastrigin(seed: int, marks: tuple[int, ...]) -> tuple[list[float], float]:
    import random

    from deap import base, creator, tools

    random.seed(seed)
    if not hasattr(creator, "Least"):
        creator.create("Least", base.Fitness, weights=(-1.0,))
        creator.create("Plan", list, fitness=creator.Least)
    draw = lambda: random.uniform(-5.12, 5.12)  # noqa: E731
    population = [tools.initRepeat(creator.Plan, draw, 30) for _ in range(POPULATION)]
    found: list[float] = []
    began = time.process_time()
    for generation in range(1, marks[-1] + 1):
        chosen = [list(p) for p in tools.selTournament(population, POPULATION, 3)]
        children = [creator.Plan(p) for p in chosen]
        for a, b in zip(children[::2], children[1::2], strict=True):
            if random.random() < 0.7:
                tools.cxSimulatedBinaryBounded(a, b, 15.0, -5.12, 5.12)
        for child in children:
            tools.mutPolynomialBounded(child, 20.0, -5.12, 5.12, 1 / 30)
        everyone = tools.selBest(population, 10) if generation > 1 else []
        for plan, value in zip(children, rastrigin(np.array(children)), strict=True):
            plan.fitness.values = (value,)
        population = [*everyone, *tools.selBest(children, POPULATION - len(everyone))]
        if generation in marks:
            found.append(population[0].fitness.values[0])
    return found, time.process_time() - began


def pygmo_rastrigin(seed: int, marks: tuple[int, ...]) -> tuple[list[float], float]:
    import pygmo

    population = pygmo.population(pygmo.problem(pygmo.rastrigin(30)), POPULATION, seed=seed)
    found, done, began = [], 0, time.process_time()
    for mark in marks:
        algorithm = pygmo.algorithm(pygmo.sga(gen=mark - done, cr=0.7, m=1 / 30, seed=seed))
        population = algorithm.evolve(population)
        done = mark
        found.append(float(population.champion_f[0]))
    return found, time.process_time() - began


TASKS: dict[str, dict[str, tuple[str, Run]]] = {
    "rastrigin": {
        "esgml": ("esgml", our_rastrigin),
        "pymoo GA": ("pymoo", pymoo_rastrigin),
        "DEAP": ("deap", deap_rastrigin),
        "pygmo sga": ("pygmo", pygmo_rastrigin),
    },
    "knapsack": {
        "esgml": ("esgml", our_knapsack),
        "pymoo GA": ("pymoo", pymoo_knapsack),
    },
    "zdt1": {"esgml": ("esgml", our_zdt1), "pymoo NSGA-II": ("pymoo", pymoo_zdt1)},
}
BETTER = {"rastrigin": "lower", "knapsack": "higher", "zdt1": "higher (hypervolume)"}


def best_sack() -> float:
    """Return the exact optimum of the knapsack, by dynamic programming."""
    room = int(ROOM)
    best = np.zeros(room + 1)
    for value, weight in zip(WORTH.tolist(), WEIGHT.tolist(), strict=True):
        best[weight:] = np.maximum(best[weight:], best[:-weight] + value)
    return float(best[-1])


def main() -> int:
    """Print the tables and one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--save", action="store_true", help="write the results file")
    chosen = parser.parse_args()
    out: dict[str, Any] = {"seeds": chosen.seeds, "population": POPULATION}
    for task, runs in TASKS.items():
        marks = MARKS[task]
        rows: dict[str, Any] = {}
        for name, (library_name, run) in runs.items():
            if importlib.util.find_spec(library_name) is None:
                rows[name] = {"reason": "not installed"}
                continue
            found = [run(seed, marks) for seed in range(chosen.seeds)]
            low, quality, high = np.quantile([q for q, _ in found], (0.25, 0.5, 0.75), axis=0)
            spent = [1e3 * s / marks[-1] for _, s in found]
            rows[name] = {
                "ms_per_generation": float(np.median(spent)),
                "ms_least": min(spent),
                **{f"after {m}": float(v) for m, v in zip(marks, quality, strict=True)},
                "quartiles": np.stack([low, high], axis=1).tolist(),
            }
        out[task] = {"better": BETTER[task], "rows": rows}
        sign = -1.0 if BETTER[task] == "lower" else 1.0
        for name, row in rows.items():
            if name.startswith("pymoo") and "quartiles" in row:
                out[task]["esgml's median is no worse than pymoo's worse quartile"] = {
                    m: bool(sign * rows["esgml"][f"after {m}"] >= min(sign * q for q in spread))
                    for m, spread in zip(marks, row["quartiles"], strict=True)
                }
        if task == "knapsack":
            out[task]["optimum"] = best_sack()
        _show(f"{task}: {BETTER[task]} is better", rows)
    text = json.dumps(out, indent=1)
    if chosen.save:
        RESULTS.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


def _show(title: str, rows: dict[str, Any]) -> None:
    sys.stderr.write(f"\n{title}\n")
    for name, row in rows.items():
        cells = (
            [f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()]
            if isinstance(row, dict)
            else [str(row)]
        )
        sys.stderr.write(f"  {name:<16} {'   '.join(cells)}\n")


if __name__ == "__main__":
    raise SystemExit(main())
