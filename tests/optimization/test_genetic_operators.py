"""Genetic operators keep every kind of column valid, whatever they are given."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import UsageError
from esgml.optimization.genetic.crossover import CROSSOVERS, ordered
from esgml.optimization.genetic.evolution import Operators, begin, offspring
from esgml.optimization.genetic.genes import Genes
from esgml.optimization.genetic.mutation import STEPS
from esgml.optimization.genetic.selection import SELECTIONS, best_first, distinct_first
from esgml.optimization.space import Space, Variable

MIXED = Space(
    [
        Variable("power", lower=-5, upper=5, size=3),
        Variable("units", "integer", lower=-2, upper=7, size=2),
        Variable("on", "binary", size=2),
        Variable("fuel", "choice", choices=("gas", "heat pump", "wood")),
        Variable("order", "permutation", size=6),
        Variable("fixed", lower=2, upper=2),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    recombine=st.sampled_from(sorted(CROSSOVERS)),
    step=st.sampled_from(sorted(STEPS)),
    mutation=st.floats(0, 1),
    crossover=st.floats(0, 1),
)
def test_children_are_inside_the_space(seed, recombine, step, mutation, crossover):
    genes, rng = Genes(MIXED), np.random.default_rng(seed)
    operators = Operators(mutation=mutation, crossover=crossover, recombine=recombine, step=step)
    parents = genes.sample(rng, 30)
    assert not MIXED.misfit(parents).any()
    before = parents.copy()
    children = offspring(rng, parents, parents[::-1], genes, operators, 0.2)
    assert children.shape == parents.shape
    assert not MIXED.misfit(children).any()
    assert np.array_equal(parents, before), "parents were changed"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 12))
def test_ordered_crossover_keeps_permutations_and_stretches(seed, size):
    rng = np.random.default_rng(seed)
    a, b = (rng.permuted(np.tile(np.arange(size), (20, 1)), axis=1).astype(float) for _ in "ab")
    child = ordered(rng, a, b)
    assert np.array_equal(np.sort(child, axis=1), np.tile(np.arange(size), (20, 1)))
    assert np.array_equal(ordered(rng, a, a), a), "equal parents have equal children"


@pytest.mark.parametrize("recombine", ["uniform", "one_point", "two_point"])
def test_exchanging_crossovers_invent_nothing(recombine):
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 50, 8))
    child = CROSSOVERS[recombine](rng, a, b, Genes(Space([Variable("x", size=8)])))
    assert ((child == a) | (child == b)).all()
    assert (child == a).any() and (child == b).any()


def test_sbx_spreads_around_the_parents_as_published():
    rng = np.random.default_rng(0)
    a, b = np.full((4000, 1), 0.4), np.full((4000, 1), 0.6)
    child = CROSSOVERS["sbx"](rng, a, b, Genes(Space([Variable("x")])))
    moved = child[(child != a) & (child != b)]
    assert 0.4 < len(moved) / 4000 < 0.6, "half of the genes are crossed"
    # With index 15 the spread factor has the median 1: half the children are inside.
    inside = ((moved > 0.4) & (moved < 0.6)).mean()
    assert 0.44 < inside < 0.56
    assert abs(moved.mean() - 0.5) < 0.01


def test_without_clones_every_lone_child_differs():
    genes, rng = Genes(MIXED), np.random.default_rng(1)
    parents = genes.sample(rng, 200)
    quiet = Operators(mutation=0.0, crossover=0.0)
    changed = (offspring(rng, parents, parents, genes, quiet, 0.1) != parents).any(axis=1)
    assert changed.mean() > 0.8, "a swap of an item with itself and a fixed column change nothing"
    still = Operators(mutation=0.0, crossover=0.0, clones=True)
    assert np.array_equal(offspring(rng, parents, parents, genes, still, 0.1), parents)


def test_a_first_population_is_spread_over_every_column():
    x = Genes(Space([Variable("x", size=4)])).sample(np.random.default_rng(0), 50)
    assert (np.sort((x * 50).astype(int), axis=0) == np.arange(50)[:, None]).all()


def test_given_plans_are_brought_inside_and_kept():
    genes, rng = Genes(MIXED), np.random.default_rng(0)
    wild = np.full((1, MIXED.dimension), 99.0)
    x = begin(genes, rng, 10, wild)
    assert not MIXED.misfit(x).any() and x[0, 0] == 5
    for bad in (np.ones((1, 3)), np.full((1, MIXED.dimension), np.nan)):
        with pytest.raises(UsageError, match="plans to begin with"):
            begin(genes, rng, 10, bad)


def test_a_search_needs_finite_bounds():
    with pytest.raises(UsageError, match="finite bounds"):
        Genes(Space([Variable("x", lower=0, upper=np.inf)]))


@pytest.mark.parametrize("name", sorted(SELECTIONS))
def test_selection_prefers_the_better_and_reaches_many(name):
    drawn = SELECTIONS[name](np.random.default_rng(0), 100, 20_000)
    assert drawn.min() == 0 and drawn.max() < 100
    assert drawn.mean() < 40, "an even draw has the mean 49.5"
    share = np.bincount(drawn, minlength=100) / 20_000
    expected = {"tournament": 1.99, "tournament3": 2.97, "rank": 1.8, "truncation": 2.0}[name]
    assert abs(share[0] * 100 - expected) < 0.4


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.sampled_from([0.0, 0.0, 1.0, 2.0])), min_size=1, max_size=9
    )
)
def test_the_feasibility_rules_by_definition(plans):
    objective, violation = (np.array(column, dtype=float) for column in zip(*plans, strict=True))
    order = best_first(objective, violation)
    for i, j in itertools.pairwise(order):
        if violation[i] == 0 and violation[j] == 0:
            assert objective[i] <= objective[j]
        else:
            assert violation[i] <= violation[j]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40), levels=st.integers(1, 4))
def test_repeated_plans_come_last_and_the_others_best_first(seed, count, levels):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, levels, (count, 2)).astype(float)
    objective, violation = x[:, 0], x[:, 1] // 2
    order = distinct_first(x, objective, violation)
    assert sorted(order.tolist()) == list(range(count))
    distinct = len(np.unique(x, axis=0))
    first = x[order[:distinct]]
    assert len(np.unique(first, axis=0)) == distinct, "equal plans count once"
    kept = list(zip(violation[order[:distinct]], objective[order[:distinct]], strict=True))
    assert kept == sorted(kept)


@pytest.mark.parametrize("recombine", ["line", "both"])
def test_a_line_keeps_what_sums_of_the_parents_keep(recombine):
    genes, rng = Genes(Space([Variable("x", lower=-9, upper=9, size=5)])), np.random.default_rng(0)
    a, b = (rng.dirichlet(np.ones(5), 20) for _ in "ab")
    children = CROSSOVERS[recombine](rng, a, b, genes)
    lines = children if recombine == "line" else children[10:]
    assert np.allclose(lines.sum(axis=1), 1.0)


def test_steps_beyond_a_bound_end_on_it():
    genes, rng = Genes(Space([Variable("x", lower=0, upper=1, size=50)])), np.random.default_rng(0)
    x = np.zeros((40, 50))
    children = offspring(rng, x, x, genes, Operators(mutation=0.5), 0.1)
    assert (children == 0).mean() > 0.5 and (children > 0).any()
