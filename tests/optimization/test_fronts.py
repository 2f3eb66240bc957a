"""Fronts, crowding and hypervolume against their definitions, written out slowly."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from esgml.core.errors import UsageError
from esgml.optimization.genetic.dominance import (
    crowding,
    dominates,
    fronts,
    non_dominated,
    repeated,
)
from esgml.optimization.genetic.evolution import Operators
from esgml.optimization.genetic.front import FrontEvolution
from esgml.optimization.genetic.hypervolume import hypervolume
from esgml.optimization.space import Space, Variable

points = st.integers(1, 3).flatmap(
    lambda m: nps.arrays(
        float, st.tuples(st.integers(1, 12), st.just(m)), elements=st.integers(0, 5).map(float)
    )
)


def beats(a, b, va, vb):
    if va != vb:
        return va < vb
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(
        x < y for x, y in zip(a, b, strict=True)
    )


@settings(max_examples=150, deadline=None)
@given(points, st.integers(0, 2**31))
def test_fronts_by_definition(f, seed):
    rng = np.random.default_rng(seed)
    violation = rng.choice([0.0, 0.0, 1.0, 2.5], len(f))
    n = len(f)
    expected = np.array(
        [[beats(f[i], f[j], violation[i], violation[j]) for j in range(n)] for i in range(n)]
    )
    assert np.array_equal(dominates(f, violation), expected)
    left, rank, level = set(range(n)), {}, 0
    while left:
        front = {j for j in left if not any(expected[i, j] for i in left)}
        rank |= dict.fromkeys(front, level)
        left -= front
        level += 1
    assert fronts(f, violation).tolist() == [rank[i] for i in range(n)]


@settings(max_examples=100, deadline=None)
@given(points)
def test_crowding_by_definition(f):
    front = fronts(f, np.zeros(len(f)))
    found = crowding(f, front)
    slow = np.zeros(len(f))
    for level in range(front.max() + 1):
        members = np.flatnonzero(front == level)
        for j in range(f.shape[1]):
            order = members[f[members, j].argsort(kind="stable")]
            width = f[order[-1], j] - f[order[0], j]
            slow[order[[0, -1]]] = np.inf
            for k in range(1, len(order) - 1):
                gap = f[order[k + 1], j] - f[order[k - 1], j]
                slow[order[k]] += gap / width if width > 0 else 0.0
    assert np.array_equal(np.isinf(found), np.isinf(slow))
    finite = np.isfinite(slow)
    assert np.allclose(found[finite], slow[finite])


@settings(max_examples=120, deadline=None)
@given(points)
def test_hypervolume_by_counting_cells(f):
    m = f.shape[1]
    cells = itertools.product(range(6), repeat=m)
    slow = sum(any(all(p[k] <= cell[k] for k in range(m)) for p in f) for cell in cells)
    assert hypervolume(f, np.full(m, 6.0)) == pytest.approx(slow)


def test_hypervolume_grows_only_with_better_points():
    f = np.array([[1.0, 4.0], [3.0, 2.0]])
    corner = np.array([5.0, 5.0])
    area = hypervolume(f, corner)
    assert area == 4 * 1 + 2 * 2
    assert hypervolume(np.vstack([f, [4.0, 4.0]]), corner) == area
    assert hypervolume(np.vstack([f, [9.0, 0.0]]), corner) == area, "not below the reference"
    assert hypervolume(np.vstack([f, [2.0, 3.0]]), corner) == area + 1
    assert hypervolume(f + 9, corner) == 0.0
    for bad in (f[:, 0], np.array([[np.nan, 1.0]])):
        with pytest.raises(UsageError):
            hypervolume(bad, corner)


def test_repeated_and_non_dominated_keep_the_first():
    f = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [3.0, 3.0]])
    assert repeated(f, np.zeros(4)).tolist() == [False, False, True, False]
    assert non_dominated(f).tolist() == [0, 1]
    assert non_dominated(f, np.array([1.0, 1, 0, 0])).tolist() == [2]


def zdt1(x):
    g = 1 + 9 * x[:, 1:].mean(axis=1)
    f = np.stack([x[:, 0], g * (1 - np.sqrt(x[:, 0] / g))], axis=1)
    return f, np.zeros(len(x))


def search(seed=0, **operators):
    space = Space([Variable("x", size=10)])
    settings_ = Operators(population=40, mutation=0.1, crossover=0.9, **operators)
    return FrontEvolution(space, zdt1, settings_, seed)


def test_a_known_front_is_found():
    run = search()
    run.run(150)
    # The true front's hypervolume below (1.1, 1.1) is 1.21 - 1 / 3.
    assert hypervolume(run.objectives, np.array([1.1, 1.1])) > 0.97 * (1.21 - 1 / 3)
    assert (run.rank[run.best()] == 0).all()


def test_resumed_front_has_the_same_bytes():
    whole, first, second = search(seed=3), search(seed=3), search(seed=3)
    whole.run(12)
    first.run(5)
    second.restore(first.to_bytes())
    second.run(7)
    assert second.to_bytes() == whole.to_bytes()
    assert search(seed=4).to_bytes() != search(seed=3).to_bytes()
