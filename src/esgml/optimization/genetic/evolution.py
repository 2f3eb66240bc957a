"""A genetic algorithm for one objective: generations, restarts, checkpoints.

The population is kept sorted best first under the feasibility rules. All randomness comes from
one generator whose state is part of the checkpoint, so a run that is stopped and resumed gives
the same bytes as one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import IntegrityError, UsageError
from esgml.core.random import generator
from esgml.nn.weights import pack, unpack
from esgml.optimization.genetic.convergence import Convergence
from esgml.optimization.genetic.crossover import CROSSOVERS, ordered
from esgml.optimization.genetic.genes import Genes
from esgml.optimization.genetic.mutation import STEPS, mutate
from esgml.optimization.genetic.selection import SELECTIONS, distinct_first

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.space import Space

    Array = NDArray[np.float64]

#: ``evaluate(X) -> (values, violations)`` of n plans, both of shape (n,): what is to be made
#: small, and how far each plan breaks its constraints, 0 where it does not.
Evaluate = Callable[["Array"], "tuple[Array, Array]"]

SCHEMA = "esgml.evolution/1"
#: Bounds of the adaptive step, as shares of the range, and how it moves.
_SCALES = (1e-8, 0.5)
_GROW, _SHRINK, _SUCCESS = 1.15, 0.97, 0.2


@dataclass(frozen=True)
class Operators:
    """How a generation is made from the one before.

    Attributes
    ----------
    population : int
        Solutions kept.
    mutation : float
        Probability that a gene changes.
    crossover : float
        Probability that a child has two parents.
    elitism : float
        Share of the best that survive as they are; the only ones to survive a restart.
    survival : str
        ``best``: parents and children compete, equal plans once; ``children``: all but the elite
        are replaced.
    selection, recombine, step : str
        Names in ``SELECTIONS``, ``CROSSOVERS`` and ``STEPS``.
    scale : float
        Step of Gaussian mutation, as a share of the range; where the adaptive one begins.
    clones : bool
        Whether a child may equal its one parent. Where not, such a child changes in at least
        one gene.
    restart_after : int
        Generations without a better solution after which all but the elite are drawn anew;
        0 = never.
    """

    population: int = 100
    mutation: float = 0.01
    crossover: float = 0.7
    elitism: float = 0.1
    survival: str = "best"
    selection: str = "tournament3"
    recombine: str = "both"
    step: str = "mixed"
    scale: float = 0.1
    clones: bool = False
    restart_after: int = 0

    @property
    def elite(self) -> int:
        """Number of solutions that survive as they are; at least the best one."""
        return min(self.population - 1, max(1, round(self.elitism * self.population)))


def begin(
    genes: Genes, rng: np.random.Generator, population: int, start: Array | None = None
) -> Array:
    """Return a first population, shape (population, d): the plans of `start`, the rest drawn.

    Plans that are given are brought into the space first.

    Raises
    ------
    UsageError
        If the plans do not fit the space or are not finite.
    """
    x = genes.sample(rng, population)
    if start is None or not len(start):
        return x
    given = np.array(start, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != genes.count or not np.isfinite(given).all():
        raise UsageError(
            f"plans to begin with must be finite, of shape (k, {genes.count}).", code="start"
        )
    x[: len(given)] = genes.space.repair(given)[: len(x)]
    return x


def offspring(
    rng: np.random.Generator,
    mothers: Array,
    fathers: Array,
    genes: Genes,
    operators: Operators,
    scale: float,
) -> Array:
    """Return one child of each pair of parents, crossed and mutated, inside the space.

    Parameters
    ----------
    rng : numpy.random.Generator
    mothers, fathers : array, shape (m, d)
        A child that is not crossed comes from its mother alone.
    genes : Genes
    operators : Operators
    scale : float
        Size of Gaussian steps.
    """
    children = mothers.copy()
    crossed = rng.random(len(children)) < operators.crossover
    pairs = np.flatnonzero(crossed)
    a, b = mothers[pairs], fathers[pairs]
    mixed = CROSSOVERS[operators.recombine](rng, a, b, genes)
    for block in genes.blocks:
        mixed[:, block] = ordered(rng, a[:, block], b[:, block])
    children[pairs] = mixed
    alone = pairs[:0] if operators.clones else np.flatnonzero(~crossed)
    mutate(rng, children, genes, operators.mutation, alone, STEPS[operators.step], scale)
    return genes.mend(children)


class Evolution:
    """A population and how it goes on; `step` makes one generation.

    Parameters
    ----------
    space : Space
    evaluate : Evaluate
        Objective to minimize and violation of every row of a matrix.
    operators : Operators
    seed : int
    start : array, shape (k, d), optional
        Solutions to begin with (rules, a relaxed optimum); the rest is drawn. They are brought
        into the space first.

    Attributes
    ----------
    x : array, shape (population, d)
        Best first.
    objective, violation : array, shape (population,)
    generation : int
    convergence : Convergence
    """

    def __init__(
        self,
        space: Space,
        evaluate: Evaluate,
        operators: Operators | None = None,
        seed: int = 0,
        start: Array | None = None,
    ) -> None:
        self.genes = Genes(space)
        self.operators = operators or Operators()
        self.evaluate = evaluate
        self.solutions = 0
        self._select = SELECTIONS[self.operators.selection]
        self.rng = generator(seed, "evolution")
        self.generation = 0
        self.scale = self.operators.scale
        self.stalled = 0
        self.restarts = 0
        self.convergence = Convergence()
        x = begin(self.genes, self.rng, self.operators.population, start)
        self._keep(x, *self._ask(x))
        self._note()

    def _ask(self, x: Array) -> tuple[Array, Array]:
        self.solutions += len(x)
        return self.evaluate(x)

    def _keep(self, x: Array, objective: Array, violation: Array) -> None:
        order = distinct_first(x, objective, violation)[: self.operators.population]
        self.x = x[order]
        self.objective = objective[order]
        self.violation = violation[order]

    def _note(self) -> None:
        self.convergence.add(
            self.objective[0],
            np.add.reduce(self.objective) / len(self.objective),
            self.violation[0],
            self.solutions,
        )

    @property
    def best(self) -> Array:
        """The best solution so far, shape (d,)."""
        return np.asarray(self.x[0])

    def step(self) -> None:
        """Make the next generation."""
        before = (float(self.violation[0]), float(self.objective[0]))
        k = self.operators.elite
        count = self.operators.population - k
        if self.operators.restart_after and self.stalled >= self.operators.restart_after:
            children = self.genes.sample(self.rng, count)
            self.scale, self.stalled = self.operators.scale, 0
            self.restarts += 1
            objective, violation = self._ask(children)
        else:
            if self.operators.survival == "best":
                k = count = self.operators.population
            children, mothers = self._children(count)
            objective, violation = self._ask(children)
            if self.operators.step == "adaptive":
                better = (objective < self.objective[mothers]) & (
                    violation <= self.violation[mothers]
                )
                factor = _GROW if better.mean() > _SUCCESS else _SHRINK
                self.scale = float(np.clip(self.scale * factor, *_SCALES))
        self._keep(
            np.concatenate([self.x[:k], children]),
            np.concatenate([self.objective[:k], objective]),
            np.concatenate([self.violation[:k], violation]),
        )
        self.generation += 1
        after = (float(self.violation[0]), float(self.objective[0]))
        self.stalled = 0 if after < before else self.stalled + 1
        self._note()

    def _children(self, count: int) -> tuple[Array, NDArray[np.intp]]:
        parents = self._select(self.rng, len(self.x), 2 * count)
        mothers = parents[:count]
        pairs = self.x[mothers], self.x[parents[count:]]
        return offspring(self.rng, *pairs, self.genes, self.operators, self.scale), mothers

    def reached(self, target: float | None) -> bool:
        """Tell whether the best plan keeps all constraints and is at `target` or below."""
        return target is not None and self.violation[0] == 0 and self.objective[0] <= target

    def run(self, generations: int, target: float | None = None) -> None:
        """Go on for at most `generations`, or until `target` is reached."""
        for _ in range(generations):
            if self.reached(target):
                return
            self.step()

    # Checkpoints ----------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """Return everything a resumed run needs, as safetensors bytes."""
        state = {
            "schema": SCHEMA,
            "rng": self.rng.bit_generator.state,
            "generation": self.generation,
            "scale": self.scale,
            "stalled": self.stalled,
            "restarts": self.restarts,
            "solutions": self.solutions,
        }
        text = json.dumps(state, sort_keys=True).encode()
        return pack(
            {
                "x": self.x,
                "objective": self.objective,
                "violation": self.violation,
                "convergence": self.convergence.to_array(),
                "state": np.frombuffer(text, np.uint8),
            }
        )

    def restore(self, data: bytes) -> None:
        """Take back what `to_bytes` returned; the run goes on as if never stopped.

        Raises
        ------
        IntegrityError
            If the bytes are no checkpoint of a population of this size and space.
        """
        arrays = unpack(data)
        try:
            state = json.loads(arrays["state"].tobytes())
            x = arrays["x"]
            fits = (
                state["schema"] == SCHEMA
                and x.shape == self.x.shape
                and not self.genes.space.misfit(x).any()
            )
            if not fits:
                raise IntegrityError("this checkpoint is of another problem or population.")
            self.rng.bit_generator.state = state["rng"]
            self.generation = int(state["generation"])
            self.scale = float(state["scale"])
            self.stalled, self.restarts = int(state["stalled"]), int(state["restarts"])
            self.solutions = int(state["solutions"])
            self.convergence = Convergence.from_array(arrays["convergence"])
            self.objective, self.violation = arrays["objective"], arrays["violation"]
            self.x = x
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("these bytes are no checkpoint of an evolution.") from error
