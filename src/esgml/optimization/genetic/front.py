"""NSGA-II: a population that spreads along the best trade-offs between objectives.

Parents and children compete: the better fronts survive, and of the last one that fits only in
part the lonelier plans. Plans with equal objectives are kept once. The loop and its checkpoints
work as in `evolution`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import IntegrityError
from esgml.core.random import generator
from esgml.nn.weights import pack, unpack
from esgml.optimization.genetic.dominance import crowding, fronts, non_dominated, repeated
from esgml.optimization.genetic.evolution import Operators, begin, offspring
from esgml.optimization.genetic.genes import Genes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.space import Space

    Array = NDArray[np.float64]

#: ``evaluate(X) -> (objectives, violations)`` of n plans, of shapes (n, m) and (n,).
EvaluateMany = Callable[["Array"], "tuple[Array, Array]"]

SCHEMA = "esgml.front/1"


class FrontEvolution:
    """A population and how it goes on; `step` makes one generation.

    Parameters
    ----------
    space : Space
    evaluate : EvaluateMany
        Objectives to make small and violation of every row of a matrix.
    operators : Operators
        Elitism and restarts are not used: every plan that none beats survives.
    seed : int
    start : array, shape (k, d), optional
        Plans to begin with; the rest is drawn.

    Attributes
    ----------
    x : array, shape (population, d)
    objectives : array, shape (population, m)
    violation : array, shape (population,)
    rank, lonely : array, shape (population,)
        Front (0 = best) and crowding distance.
    generation, solutions : int
    """

    def __init__(
        self,
        space: Space,
        evaluate: EvaluateMany,
        operators: Operators,
        seed: int = 0,
        start: Array | None = None,
    ) -> None:
        self.genes = Genes(space)
        self.evaluate = evaluate
        self.operators = operators
        self.rng = generator(seed, "front")
        self.generation = 0
        x = begin(self.genes, self.rng, operators.population, start)
        self.solutions = len(x)
        self._keep(x, *evaluate(x))

    def _keep(self, x: Array, objectives: Array, violation: Array) -> None:
        """Let the best of `x` survive, as many as the population holds."""
        rank = fronts(objectives, violation)
        rank = np.where(repeated(objectives, violation), rank + len(x), rank)
        lonely = crowding(objectives, rank)
        order = np.lexsort((-lonely, rank))[: self.operators.population]
        self.x, self.objectives, self.violation = x[order], objectives[order], violation[order]
        self.rank, self.lonely = rank[order], lonely[order]

    def _parents(self, count: int) -> Array:
        """Draw the better of two: the lower front, then the lonelier. Survivors are sorted so."""
        drawn = self.rng.integers(0, len(self.x), (2, count)).min(axis=0)
        return np.asarray(self.x[drawn])

    def step(self) -> None:
        """Make the next generation."""
        n = self.operators.population
        mothers, fathers = self._parents(n), self._parents(n)
        children = offspring(
            self.rng, mothers, fathers, self.genes, self.operators, self.operators.scale
        )
        self.solutions += n
        objectives, violation = self.evaluate(children)
        self._keep(
            np.concatenate([self.x, children]),
            np.concatenate([self.objectives, objectives]),
            np.concatenate([self.violation, violation]),
        )
        self.generation += 1

    def run(self, generations: int) -> None:
        """Go on for `generations`."""
        for _ in range(generations):
            self.step()

    def best(self) -> NDArray[np.intp]:
        """Return the numbers of the plans that none beats, by their first objective."""
        found = non_dominated(self.objectives, self.violation)
        return np.asarray(found[self.objectives[found, 0].argsort(kind="stable")])

    def to_bytes(self) -> bytes:
        """Return everything a resumed run needs, as safetensors bytes."""
        state = {
            "schema": SCHEMA,
            "rng": self.rng.bit_generator.state,
            "generation": self.generation,
            "solutions": self.solutions,
        }
        text = json.dumps(state, sort_keys=True).encode()
        names = ("x", "objectives", "violation", "rank", "lonely")
        arrays = {name: getattr(self, name) for name in names}
        return pack(arrays | {"state": np.frombuffer(text, np.uint8)})

    def restore(self, data: bytes) -> None:
        """Take back what `to_bytes` returned; the run goes on as if never stopped.

        Raises
        ------
        IntegrityError
            If the bytes are no checkpoint of a population of this size and space.
        """
        arrays = unpack(data)
        try:
            state = json.loads(arrays.pop("state").tobytes())
            fits = state["schema"] == SCHEMA and arrays["x"].shape == self.x.shape
            if not fits or arrays["objectives"].shape != self.objectives.shape:
                raise IntegrityError("this checkpoint is of another problem or population.")
            self.rng.bit_generator.state = state["rng"]
            self.generation, self.solutions = int(state["generation"]), int(state["solutions"])
            for name in ("x", "objectives", "violation", "rank", "lonely"):
                setattr(self, name, arrays[name])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("these bytes are no checkpoint of a front.") from error
