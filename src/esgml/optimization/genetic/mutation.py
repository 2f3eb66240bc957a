"""Mutation: small random changes, for every kind of gene.

Which genes change is drawn first (`places`), so that a generation costs as much randomness as
it has mutations, not as it has genes. A number is moved by a step whose size `step` draws; a
binary gene flips, a choice becomes another one; a permutation has a stretch turned round, two
items swapped, or one item moved.

References
----------
Muhlenbein, H., Schlierkamp-Voosen, D. (1993). Predictive models for the breeder genetic
algorithm (steps of all sizes). Deb, K., Goyal, M. (1996). A combined genetic adaptive search
(polynomial mutation).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.genetic.genes import Genes

    Array = NDArray[np.float64]
    Index = NDArray[np.int64]
    Step = Callable[[np.random.Generator, int, float], Array]

#: Distribution index of polynomial steps.
POLYNOMIAL_ETA = 20.0
#: The smallest of the multi-scale steps, as a power of two of the range.
FINEST = 24.0


def multiscale(rng: np.random.Generator, count: int, scale: float) -> Array:
    """Draw steps of every size alike, from half the range to 3e-8 of it (log-uniform).

    Needs no setting and no schedule: some steps always fit how close the search is.
    """
    u = rng.random((2, count))
    size = np.exp2(-1.0 - FINEST * u[0])
    return np.asarray(np.copysign(size, u[1] - 0.5))


def gaussian(rng: np.random.Generator, count: int, scale: float) -> Array:
    """Draw normal steps with the deviation `scale`, a share of the range."""
    return rng.standard_normal(count) * scale


def polynomial(rng: np.random.Generator, count: int, scale: float) -> Array:
    """Draw polynomial steps (Deb), index 20; bounds are met by clipping."""
    u = 2.0 * rng.random(count) - 1.0
    size = 1.0 - np.abs(u) ** (1.0 / (POLYNOMIAL_ETA + 1.0))
    return np.asarray(np.copysign(size, u))


def mixed(rng: np.random.Generator, count: int, scale: float) -> Array:
    """Draw two polynomial steps, which leave wide basins, to each multi-scale one (refining)."""
    steps = polynomial(rng, count, scale)
    steps[::3] = multiscale(rng, len(steps[::3]), scale)
    return steps


STEPS: dict[str, Step] = {
    "mixed": mixed,
    "multiscale": multiscale,
    "gaussian": gaussian,
    "adaptive": gaussian,
    "polynomial": polynomial,
}


def places(
    rng: np.random.Generator, rows: int, columns: int, rate: float, forced: Index
) -> tuple[Index, Index]:
    """Draw which genes mutate: each with probability `rate`, and one in every `forced` row.

    A gene may be drawn twice; it then takes one of the two steps.
    """
    cells = rows * columns
    count = int(rng.binomial(cells, rate)) if rate > 0 else 0
    flat = rng.integers(0, cells, count)
    row = np.concatenate([flat // columns, forced])
    column = np.concatenate([flat % columns, rng.integers(0, columns, len(forced))])
    return row, column


def mutate(
    rng: np.random.Generator,
    x: Array,
    genes: Genes,
    rate: float,
    forced: Index,
    step: Step,
    scale: float,
) -> None:
    """Change genes of the children `x` in place; the result stays inside the space.

    Parameters
    ----------
    rng : numpy.random.Generator
    x : array, shape (m, d)
    genes : Genes
    rate : float
        Probability that a gene changes.
    forced : array of int
        Rows in which at least one gene changes.
    step : Step
        Draws the steps of real and integer genes, as shares of the range.
    scale : float
        Passed to `step`.
    """
    free = genes.free
    if len(free):
        row, column = places(rng, len(x), len(free), rate, forced)
        if len(free) < genes.count:
            column = free[column]
        old = x[row, column]
        low, span = genes.lower[column], genes.span[column]
        new = old + step(rng, len(row), scale) * span
        if not genes.all_real:
            new = _whole(rng, old, new, low, span, column, genes)
        # Onto the bound, not back inside: many best plans have columns at their bounds.
        x[row, column] = np.minimum(np.maximum(new, low), low + span)
    for block in genes.blocks:
        _reorder(rng, x, block, rate, forced)


def _whole(
    rng: np.random.Generator,
    old: Array,
    new: Array,
    low: Array,
    span: Array,
    column: Index,
    genes: Genes,
) -> Array:
    """Return whole numbers for genes that are: at least one step away, any other option."""
    u = rng.random(len(old))
    move = new - old
    whole = old + np.copysign(np.maximum(np.rint(np.abs(move)), 1.0), move)
    other = low + np.mod(old - low + 1.0 + np.floor(u * span), span + 1.0)
    return np.where(genes.real[column], new, np.where(genes.unordered[column], other, whole))


def _reorder(rng: np.random.Generator, x: Array, block: slice, rate: float, forced: Index) -> None:
    """Turn a stretch round, swap two items or move one, in the rows that mutate."""
    start, k = block.start, block.stop - block.start
    if k < 2:
        return
    hit = rng.random(len(x)) < 1.0 - (1.0 - rate) ** k
    hit[forced] = True
    rows = np.flatnonzero(hit)
    i, j = np.sort(rng.integers(0, k, (2, len(rows))), axis=0)[:, :, None]
    at = np.arange(k)
    inside = (at >= i) & (at <= j)
    turned = np.where(inside, i + j - at, at)
    swapped = np.where(at == i, j, np.where(at == j, i, at))
    moved = np.where(inside, np.where(at == j, i, at + 1), at)
    kind = rng.integers(0, 3, (len(rows), 1))
    source = np.where(kind == 0, turned, np.where(kind == 1, swapped, moved))
    x[rows[:, None], start + at] = x[rows[:, None], start + source]
