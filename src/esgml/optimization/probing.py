"""Is a black box linear? Asked at many points, and believed only as far as it was asked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.optimization.matrix import MatrixForm
from esgml.optimization.problem import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Most columns of a black box that is probed: each needs its own points.
MOST_COLUMNS = 400
_CORNERS, _INSIDE, _SCAN = 2048, 1024, 17
#: What rounding may leave between a linear function and its reconstruction, relative.
_ROUNDING = 2e-13


@dataclass(frozen=True)
class Probe:
    """What probing found.

    Attributes
    ----------
    form : MatrixForm or None
        The linear problem that explains every answer; None where something did not fit.
    reason : str
    points : int
        How many plans were simulated.
    """

    form: MatrixForm | None
    reason: str
    points: int


def probe(problem: Problem, seed: int = 0) -> Probe:
    """Look for a linear function behind a simulator.

    Asked are: one point more than there are columns, which fixes the function; then corners
    (all of them up to 11 columns, else a sample), points inside, fine scans along every
    column, and the plans of baseline and rules. One answer that differs by more than
    rounding, and it is not linear.
    """
    space = problem.space
    if any(kind in ("choice", "permutation") for kind in space.kinds):
        return Probe(None, "choices and orders have no slope", 0)
    if not (np.isfinite(space.lower).all() and np.isfinite(space.upper).all()):
        return Probe(None, "a bound is infinite, so there is no corner to ask at", 0)
    if problem.dimension > MOST_COLUMNS:
        return Probe(None, f"more than {MOST_COLUMNS} columns are not probed", 0)
    X = _points(problem, np.random.default_rng(seed))
    judged = problem.evaluate(X)
    d = problem.dimension
    weighed = np.flatnonzero(problem.weights)
    costs, constants = np.zeros((len(problem.weights), d)), np.zeros(len(problem.weights))
    for j in range(len(problem.weights)):
        slope, constant, worst = _fit(X, judged.objectives[:, j], d)
        costs[j], constants[j] = slope, constant
        if worst is not None and j in weighed:
            name = problem.objectives[j].name
            return Probe(None, f"{name} is not linear: {worst}", len(X))
    rows: list[Floats] = []
    limits: list[float] = []
    groups: list[tuple[str, slice]] = []
    for k, constraint in enumerate(problem.constraints):
        found = _limit(X, judged.violations[:, k], d)
        if found is None:
            return Probe(None, f"the constraint {constraint.name} is not linear", len(X))
        if len(found):
            groups.append((constraint.name, slice(len(rows), len(rows) + 1)))
            rows.append(found[:d])
            limits.append(-float(found[d]))
    from scipy import sparse

    form = MatrixForm(
        costs,
        constants,
        sparse.csr_matrix(np.array(rows).reshape(len(rows), d)),
        np.full(len(rows), -np.inf),
        np.array(limits),
        space.lower,
        space.upper,
        space.integral,
        tuple(groups),
    )
    return Probe(form, f"{len(X)} simulated plans lie on one linear function", len(X))


def _points(problem: Problem, rng: np.random.Generator) -> Floats:
    """Return the plans to ask; the first d + 1 fix a linear function."""
    space, d = problem.space, problem.dimension
    low, high = np.ceil(space.lower), np.floor(space.upper)
    low = np.where(space.integral, low, space.lower)
    high = np.where(space.integral, high, space.upper)
    base = space.repair((low + 0.37 * (high - low))[None])[0]
    star = np.repeat(base[None], d + 1, axis=0)
    star[np.arange(1, d + 1), np.arange(d)] = np.where(base - low > high - base, low, high)
    if 2**d <= _CORNERS:
        bits = np.array(list(itertools.product((0, 1), repeat=d)), dtype=bool)
    else:
        # corners where few, half and most columns are high: kinks far out are met by these
        share = rng.uniform(0, 1, (_CORNERS, 1))
        bits = rng.random((_CORNERS, d)) < share
    corners = np.where(bits, high, low)
    inside = space.repair(rng.uniform(low, high, (_INSIDE, d)))
    scans = []
    width = min(d, 128)
    for column in rng.permutation(d)[:width]:
        line = np.repeat(space.repair(rng.uniform(low, high, (1, d))), _SCAN, axis=0)
        steps = np.sort(rng.uniform(0, 1, _SCAN))
        steps[0], steps[-1] = 0, 1
        line[:, column] = low[column] + steps * (high[column] - low[column])
        scans.append(space.repair(line))
    plans = [x for x in (problem.baseline(), *problem.rules().values()) if x is not None]
    extremes = np.repeat(base[None], 2 * d, axis=0)
    extremes[np.arange(d), np.arange(d)] = low
    extremes[d + np.arange(d), np.arange(d)] = high
    return np.vstack([star, corners, inside, *scans, extremes, *plans])


def _fit(X: Floats, values: Floats, d: int) -> tuple[Floats, float, str | None]:
    """Return slope, constant and what does not fit, of the values at the points X."""
    moved = np.diagonal(X[1 : d + 1]) - X[0]
    slope = np.divide(values[1 : d + 1] - values[0], moved, out=np.zeros(d), where=moved != 0)
    constant = float(values[0] - slope @ X[0])
    off = np.abs(X @ slope + constant - values)
    size = np.abs(values).max() + np.abs(slope) @ np.abs(X).max(axis=0) + abs(constant)
    worst = int(np.argmax(off))
    # a function that hardly moves is judged by how it moves, not by how large it is
    spread = float(np.ptp(values))
    allowed = max(_ROUNDING * size, 1e-300)
    if off[worst] > allowed:
        share = off[worst] / spread if spread > 0 else np.inf
        return slope, constant, f"one of {len(X)} plans is off by {share:.1e} of its range"
    return slope, constant, None


def _limit(X: Floats, broken: Floats, d: int) -> Floats | None:
    """Return (slope, constant) of a violation max(0, slope x + constant).

    Empty where it was never broken, so that solving without it and simulating the optimum
    decides; None where the answers do not fit.
    """
    out = broken > 0
    if not out.any():
        return np.zeros(0)
    if out.sum() < d + 10:
        return None
    A = np.hstack([X, np.ones((len(X), 1))])
    found, *_ = np.linalg.lstsq(A[out], broken[out], rcond=None)
    guess = A @ found
    size = np.abs(broken).max() + np.abs(A).max(axis=0) @ np.abs(found)
    if np.abs(np.maximum(guess, 0.0) - broken).max() > 1e-10 * size:
        return None
    return np.asarray(found, dtype=np.float64)
