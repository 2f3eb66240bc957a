"""The genetic algorithm: finds known optima, resumes to the same bytes, refuses bad problems."""

import numpy as np
import pytest

from esgml.core.errors import DataError, IntegrityError, UsageError
from esgml.optimization.genetic.convergence import Convergence
from esgml.optimization.genetic.evolution import Evolution, Operators
from esgml.optimization.problem import Constraint, Objective, Problem
from esgml.optimization.solvers.ga import GeneticAlgorithm
from esgml.optimization.solvers.nsga2 import Nsga2
from esgml.optimization.space import Space, Variable


def rastrigin(x):
    return 10 * x.shape[1] + (x * x - 10 * np.cos(2 * np.pi * x)).sum(axis=1)


def problem(simulate=rastrigin, variables=None, constraints=(), **more):
    variables = variables or [Variable("x", lower=-5.12, upper=5.12, size=5)]
    return Problem("test", variables, [Objective("value")], constraints, simulate, **more)


class Known(Problem):
    """A problem with baseline and bound: x = 0 is best, x = 1 is what is done today."""

    def __init__(self):
        super().__init__(
            "known",
            [Variable("x", lower=-1, upper=1, size=4)],
            [Objective("cost", unit="USD")],
            simulate=lambda X: (X**2).sum(axis=1),
        )

    def baseline(self):
        return np.ones(4)

    def bound(self):
        return 0.0


def test_defaults_are_the_customary_ones():
    p = GeneticAlgorithm().params
    found = (p.population, p.mutation, p.crossover, p.elitism, p.generations, p.target_fitness)
    assert found == (100, 0.01, 0.7, 0.1, 1000, 0.95)
    assert Operators().elite == 10


def test_rastrigin_is_solved():
    answer = GeneticAlgorithm().evolve(problem(), generations=400, seed=0)
    assert answer.value < 1e-4 and answer.feasible
    assert answer.details["generations"] == 400, "no baseline, no bound: nothing to stop at"
    assert "no fitness to stop at" in answer.why


def test_it_stops_at_the_target_fitness():
    algorithm = GeneticAlgorithm(seeding="none")
    answer = algorithm.evolve(Known(), target_fitness=0.9)
    assert answer.details["reached_target"] and answer.details["generations"] < 1000
    assert answer.share_of_attainable >= 0.9
    assert len(algorithm.convergence_) == answer.details["generations"] + 1
    more = algorithm.evolve(Known(), generations=200, target_fitness=1.1)
    assert more.details["generations"] == 200 and more.value < answer.value


def test_knapsack_by_binary_genes_reaches_the_exact_optimum():
    rng = np.random.default_rng(0)
    worth, weight = rng.integers(5, 40, 18).astype(float), rng.integers(3, 25, 18).astype(float)
    room = 0.4 * weight.sum()
    sack = Problem(
        "knapsack",
        [Variable("take", "binary", size=18)],
        [Objective("worth", "max")],
        [Constraint("room", "kg")],
        lambda X: ((X @ worth)[:, None], np.maximum(X @ weight - room, 0)[:, None]),
    )
    every = (np.arange(2**18)[:, None] >> np.arange(18)) & 1
    best = np.where(every @ weight <= room, every @ worth, 0).max()
    answer = GeneticAlgorithm(mutation=0.05).evolve(sack, generations=150, seed=1)
    assert answer.feasible and answer.value == best


def test_a_tour_by_permutation_genes_is_the_circle():
    angle = np.random.default_rng(0).permutation(12) * 2 * np.pi / 12
    at = np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def length(X):
        stops = at[X.astype(int)]
        return np.linalg.norm(stops - np.roll(stops, 1, axis=1), axis=2).sum(axis=1)

    tour = problem(length, [Variable("order", "permutation", size=12)])
    answer = GeneticAlgorithm(mutation=0.05).evolve(tour, generations=300, seed=0)
    assert answer.value == pytest.approx(24 * np.sin(np.pi / 12))


def test_constraints_are_kept_or_the_answer_is_refused():
    def inside(X):
        return X.sum(axis=1)[:, None], np.maximum(1.0 - X, 0.0)[:, :1]

    limited = problem(inside, constraints=[Constraint("at least one", "kW")])
    answer = GeneticAlgorithm().evolve(limited, generations=200)
    assert answer.feasible and answer.x[0] == pytest.approx(1.0, abs=1e-3)
    never = problem(
        lambda X: (X.sum(axis=1)[:, None], np.ones((len(X), 1))), constraints=[Constraint("no")]
    )
    with pytest.raises(DataError, match="no plan that keeps all constraints") as caught:
        GeneticAlgorithm().evolve(never, generations=3)
    assert caught.value.code == "infeasible"


def failing(X):
    raise ZeroDivisionError("no wind")


def drifting(rng=np.random.default_rng(0)):
    return lambda X: X.sum(axis=1) + rng.random(len(X))


@pytest.mark.parametrize(
    ("simulate", "code"),
    [
        (lambda X: np.where(X[:, 0] > 0, np.nan, 1.0), "not_finite"),
        (failing, "simulator_raised"),
        (lambda X: X, "simulator_shape"),
        (drifting(), "simulator_not_deterministic"),
    ],
    ids=["nan", "raises", "shape", "random"],
)
@pytest.mark.parametrize("solver", [GeneticAlgorithm, Nsga2])
def test_simulators_that_cannot_be_trusted_are_refused(simulate, code, solver):
    bad = problem(simulate)
    if solver is Nsga2:
        both = (
            (lambda X: np.stack([simulate(X)] * 2, -1)) if code != "simulator_shape" else simulate
        )
        bad = Problem("test", bad.space.variables, [Objective("a"), Objective("b")], (), both)
    with pytest.raises(DataError) as caught:
        solver(generations=5).solve(bad)
    assert caught.value.code == code


def test_same_seed_same_bytes():
    first, again, other = (
        GeneticAlgorithm().evolve(problem(), generations=30, seed=s) for s in (1, 1, 2)
    )
    assert first.x.tobytes() == again.x.tobytes() != other.x.tobytes()


@pytest.mark.parametrize("step", ["mixed", "adaptive"])
def test_a_resumed_search_ends_with_the_same_bytes(tmp_path, step):
    file = tmp_path / "search"
    algorithm = GeneticAlgorithm(step=step, checkpoint_every=7, restart_after=9)
    whole = algorithm.evolve(problem(), generations=60, seed=5)
    algorithm.evolve(problem(), generations=28, seed=5, checkpoint=file)
    resumed = algorithm.evolve(problem(), generations=60, seed=5, checkpoint=file)
    assert resumed.x.tobytes() == whole.x.tobytes()
    assert resumed.details == whole.details


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    file = tmp_path / "search"
    GeneticAlgorithm().evolve(problem(), generations=5, seed=5, checkpoint=file)
    for algorithm, other, seed in (
        (GeneticAlgorithm(), problem(), 6),
        (GeneticAlgorithm(mutation=0.5), problem(), 5),
        (GeneticAlgorithm(), problem(variables=[Variable("x", size=5)]), 5),
        (GeneticAlgorithm(), problem(lambda X: rastrigin(X) + 1), 5),
    ):
        with pytest.raises(IntegrityError):
            algorithm.evolve(other, generations=9, seed=seed, checkpoint=file)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(IntegrityError):
        GeneticAlgorithm().evolve(problem(), generations=9, seed=5, checkpoint=file)


def test_restarts_draw_all_but_the_elite_anew():
    flat = Evolution(
        Space([Variable("x", size=3)]),
        lambda x: (np.zeros(len(x)), np.zeros(len(x))),
        Operators(population=20, restart_after=4),
    )
    flat.run(12)
    assert flat.restarts == 2


@pytest.mark.parametrize("survival", ["best", "children"])
def test_the_elite_survives_and_parents_only_where_they_are_better(survival):
    def values(x):
        return x.sum(axis=1), np.zeros(len(x))

    search = Evolution(
        Space([Variable("x", size=3)]), values, Operators(population=20, survival=survival)
    )
    first = search.objective[0]
    for _ in range(15):
        before = search.objective.copy()
        elite = search.x[: search.operators.elite].copy()
        search.step()
        if survival == "best":
            assert (search.objective <= before).all(), "no place in the order gets worse"
        else:
            assert all((search.x == plan).all(axis=1).any() for plan in elite)
    assert search.objective[0] < first / 2


def test_no_settings_out_of_bounds():
    for bad in ({"mutation": 2}, {"population": 1}, {"selection": "luck"}, {"elitism": 1}):
        with pytest.raises(UsageError):
            GeneticAlgorithm(**bad)


def test_relaxed_seeding_needs_algebra():
    with pytest.raises(UsageError, match="no linear algebra"):
        GeneticAlgorithm(seeding="relaxed").solve(problem())


def test_a_front_of_one_objective_is_refused():
    with pytest.raises(UsageError, match="at least two"):
        Nsga2().solve(problem())


def test_a_front_of_plans_with_the_best_weighed_one_first():
    trade = Problem(
        "trade",
        [Variable("x", lower=0, upper=1)],
        [Objective("cost", unit="USD"), Objective("comfort", "max", "K", weight=0.5)],
        simulate=lambda X: np.stack([X[:, 0] ** 2, X[:, 0]], axis=1),
    )
    answer = Nsga2(generations=40, population=40).solve(trade)
    assert answer.x[0] == pytest.approx(0.25, abs=0.02), "x^2 - x / 2 is least at 1/4"
    cost = [point["objective"]["cost"] for point in answer.front]
    assert len(cost) > 30 and cost == sorted(cost)
    assert answer.details["hypervolume"] > 0


def test_convergence_is_kept_and_drawn():
    history = Convergence()
    for i in range(300):
        history.add(100 / (i + 1), 200 / (i + 1), 0.0, 100 * (i + 1))
    assert Convergence.from_array(history.to_array()).to_array().tolist() == (
        history.to_array().tolist()
    )
    assert [row[0] for row in history.sample(3)] == [0, 149, 299]
    drawing = history.to_svg("a < b", "USD")
    assert drawing.count("<polyline") == 2 and "a &lt; b" in drawing and "USD" in drawing
    assert "nan" not in Convergence().to_svg() and Convergence().sample() == []
