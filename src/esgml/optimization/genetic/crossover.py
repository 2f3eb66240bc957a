"""Crossover: children that take after two parents, for every kind of gene.

Each operator takes matrices of parents and returns a matrix of children of the same shape. The
exchanging ones (`uniform`, `one_point`, `two_point`) serve every kind of gene outside
permutations; `blend`, `line` and `sbx` compute with real and integer genes and exchange the others;
permutations are crossed by `ordered`, which keeps them permutations.

References
----------
Deb, K., Agrawal, R. B. (1995). Simulated binary crossover for continuous search space.
Davis, L. (1985). Applying adaptive algorithms to epistatic domains (order crossover).
Eshelman, L. J., Schaffer, J. D. (1993). Interval schemata (blend crossover).
Muhlenbein, H., Schlierkamp-Voosen, D. (1993). Predictive models for the breeder genetic
algorithm (line crossover).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.genetic.genes import Genes

    Array = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Crossover = Callable[[np.random.Generator, Array, Array, Genes], Array]

#: How far `blend` may go beyond its parents, as a share of their distance.
BLEND = 0.3
#: The same for `line`.
LINE = 0.25
#: The distribution index of `sbx` is 15: the spread is a 16th root, taken as four square roots.
SBX_ROOTS = 4


def coins(rng: np.random.Generator, shape: tuple[int, int]) -> Flags:
    """Return fair coin flips: one random bit each, not one random float."""
    count = shape[0] * shape[1]
    bits = np.unpackbits(np.frombuffer(rng.bytes((count + 7) // 8), np.uint8), count=count)
    return bits.view(np.bool_).reshape(shape)


def uniform(rng: np.random.Generator, a: Array, b: Array, genes: Genes) -> Array:
    """Take each gene from either parent."""
    return np.where(coins(rng, (a.shape[0], a.shape[1])), a, b)


def one_point(rng: np.random.Generator, a: Array, b: Array, genes: Genes) -> Array:
    """Take the genes before a random place from one parent, the rest from the other."""
    place = rng.integers(1, max(2, a.shape[1]), (len(a), 1))
    return np.where(np.arange(a.shape[1]) < place, a, b)


def two_point(rng: np.random.Generator, a: Array, b: Array, genes: Genes) -> Array:
    """Take the genes between two random places from one parent, the rest from the other."""
    places = np.sort(rng.integers(0, a.shape[1] + 1, (len(a), 2)), axis=1)
    at = np.arange(a.shape[1])
    return np.where((at >= places[:, :1]) & (at < places[:, 1:]), b, a)


def blend(rng: np.random.Generator, a: Array, b: Array, genes: Genes) -> Array:
    """Draw each number between its parents, or a little beyond (BLX)."""
    u = rng.random(a.shape)
    mixed = a + (u * (1.0 + 2.0 * BLEND) - BLEND) * (b - a)
    return mixed if genes.all_real else _numbers(u < 0.5, a, b, mixed, genes)


def line(rng: np.random.Generator, a: Array, b: Array, genes: Genes) -> Array:
    """Draw each child on the line through its parents, between them or a little beyond.

    All numbers of a child move alike, so that sums the parents keep (energy over a day, a budget)
    are kept by the child.
    """
    u = rng.random((len(a), 1)) * (1.0 + 2.0 * LINE) - LINE
    mixed = a + u * (b - a)
    if genes.all_real:
        return np.asarray(mixed)
    return _numbers(coins(rng, (a.shape[0], a.shape[1])), a, b, mixed, genes)


def both(rng: np.random.Generator, a: Array, b: Array, genes: Genes) -> Array:
    """Cross one half of the pairs by `uniform`, the other by `line`.

    The first finds out which columns are good by themselves, the second moves columns together
    that act together.
    """
    half = len(a) // 2
    first = uniform(rng, a[:half], b[:half], genes)
    return np.concatenate([first, line(rng, a[half:], b[half:], genes)])


def sbx(rng: np.random.Generator, a: Array, b: Array, genes: Genes) -> Array:
    """Spread each number around one parent as the bits of binary numbers would (SBX).

    Half of the genes are crossed, and which parent a gene stays near is drawn a gene, as is
    customary. Bounds are met by clipping, not by the bounded distribution.
    """
    shape = (a.shape[0], a.shape[1])
    spread = 1.0 - rng.random(shape)  # in (0, 1]
    for _ in range(SBX_ROOTS):
        np.sqrt(spread, out=spread)
    np.divide(1.0, spread, out=spread, where=coins(rng, shape))
    np.copyto(spread, 1.0, where=coins(rng, shape))
    np.negative(spread, out=spread, where=coins(rng, shape))
    mixed = 0.5 * ((a + b) + spread * (a - b))
    return mixed if genes.all_real else _numbers(coins(rng, shape), a, b, mixed, genes)


def _numbers(first: Flags, a: Array, b: Array, mixed: Array, genes: Genes) -> Array:
    """Use `mixed` where genes are numbers; take the others from either parent."""
    return np.where(genes.unordered, np.where(first, a, b), mixed)


def ordered(rng: np.random.Generator, a: Array, b: Array) -> Array:
    """Order crossover: keep a stretch of one parent, fill the rest in the other's order.

    Parameters
    ----------
    rng : numpy.random.Generator
    a, b : array, shape (m, k)
        Permutations of ``0 .. k - 1``.

    Returns
    -------
    array, shape (m, k)
        Permutations.
    """
    m, k = a.shape
    places = np.sort(rng.integers(0, k + 1, (m, 2)), axis=1)
    at = np.arange(k)
    kept = (at >= places[:, :1]) & (at < places[:, 1:])
    rows = np.arange(m)[:, None]
    first = a.astype(np.intp)
    taken = np.zeros((m, k), dtype=bool)  # by item
    taken[rows, first] = kept
    second = b.astype(np.intp)
    # The other parent's items, those already taken moved to the end, the order kept.
    rest = np.take_along_axis(second, taken[rows, second].argsort(axis=1, kind="stable"), axis=1)
    # Free places first, in order: the i-th free place gets the i-th remaining item.
    slots = kept.argsort(axis=1, kind="stable")
    child = np.empty((m, k), dtype=np.intp)
    child[rows, slots] = rest
    return np.where(kept, a, child.astype(np.float64))


CROSSOVERS: dict[str, Crossover] = {
    "both": both,
    "uniform": uniform,
    "one_point": one_point,
    "two_point": two_point,
    "blend": blend,
    "line": line,
    "sbx": sbx,
}
