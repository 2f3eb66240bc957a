"""Abatement measures under a budget: which to take, how much they abate, how sure the target is."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
import pydantic

from esgml.core.errors import DataError
from esgml.optimization.library import Document, LibraryProblem, Name, converter
from esgml.optimization.matrix import MatrixForm
from esgml.optimization.problem import TOLERANCE, Constraint, Objective
from esgml.optimization.space import Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Finite = Annotated[float, pydantic.Field(allow_inf_nan=False)]
Positive = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]


class MeasureSpec(pydantic.BaseModel):
    """One measure: money over its life (negative = it saves), tonnes a year, how unsure.

    Attributes
    ----------
    excludes : list of names
        Measures that cannot be taken together with it.
    needs : list of names
        Measures without which it cannot be taken.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Name
    cost: Finite
    abatement: Positive
    uncertainty: Positive = 0.0
    excludes: Annotated[list[Name], pydantic.Field(max_length=500)] = []
    needs: Annotated[list[Name], pydantic.Field(max_length=500)] = []


class EmissionsSpec(pydantic.BaseModel):
    """Where emissions go without measures: mean and standard deviation, tCO2e a year."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    mean: Finite
    deviation: Positive = 0.0


class PortfolioSpec(Document):
    """The document: measures, a budget or a target, and where emissions go without them."""

    measures: Annotated[list[MeasureSpec], pydantic.Field(min_length=1, max_length=500)]
    budget: Positive | None = None
    emissions: EmissionsSpec | None = None
    target: Finite | None = None


class Portfolio(LibraryProblem):
    """Take a measure (1) or not (0).

    With a budget the most tonnes are wanted; without one the target is a constraint and the
    least money is wanted. The probability of hitting the target takes errors of the forecast
    and of the measures as normal and independent: it is a judgement of scale, no promise.
    """

    Spec: ClassVar[type[Document]] = PortfolioSpec

    def __init__(self, spec: PortfolioSpec, scale: dict[str, float]) -> None:
        self.measures = spec.measures
        self.cost = np.array([m.cost for m in spec.measures]) * scale["cost"]
        self.abatement = np.array([m.abatement for m in spec.measures]) * scale["abatement"]
        self.spread = np.array([m.uncertainty for m in spec.measures]) * scale["abatement"]
        self.budget = np.inf if spec.budget is None else spec.budget * scale["budget"]
        place = {m.name: i for i, m in enumerate(spec.measures)}
        self.excluded = sorted(
            {
                (min(i, place[n]), max(i, place[n]))
                for i, m in enumerate(spec.measures)
                for n in m.excludes
            }
        )
        self.needed = [(i, place[n]) for i, m in enumerate(spec.measures) for n in m.needs]
        self.mean = self.deviation = self.target = np.nan
        self.required = 0.0
        if spec.emissions is not None and spec.target is not None:
            self.mean = spec.emissions.mean * scale["emissions"]
            self.deviation = spec.emissions.deviation * scale["emissions"]
            self.target = spec.target * scale["target"]
            self.required = max(0.0, self.mean - self.target) if spec.budget is None else 0.0
        most = spec.budget is not None or not self.required
        objectives = [
            Objective("abatement", "max", "tCO2e", 1.0 if most else 0.0),
            Objective("cost", "min", spec.currency, 0.0 if most else 1.0),
        ]
        if np.isfinite(self.target):
            objectives.append(Objective("probability", "max", "", 0.0))
        constraints = []
        if np.isfinite(self.budget):
            constraints.append(Constraint("budget", spec.currency))
        if self.required:
            constraints.append(Constraint("target", "tCO2e"))
        if self.excluded:
            constraints.append(Constraint("exclusions", "measures"))
        if self.needed:
            constraints.append(Constraint("needs", "measures"))
        super().__init__(
            self.problem_name(),
            [Variable(m.name, "binary") for m in spec.measures],
            objectives,
            constraints,
        )

    @classmethod
    def build(cls, spec: PortfolioSpec) -> Self:
        """Build the problem from its checked document."""
        scale = converter(
            spec,
            {
                "cost": spec.currency,
                "budget": spec.currency,
                "abatement": "tCO2e",
                "emissions": "tCO2e",
                "target": "tCO2e",
            },
        )
        names = [m.name for m in spec.measures]
        if len(set(names)) < len(names):
            raise DataError("a measure appears twice.", code="duplicate", where="measures")
        for i, m in enumerate(spec.measures):
            for field in ("excludes", "needs"):
                if unknown := [n for n in getattr(m, field) if n not in names or n == m.name]:
                    raise DataError(
                        f"no other measure {unknown[0]!r}.",
                        code="measure_unknown",
                        where=f"measures[{i}].{field}",
                    )
        if spec.target is not None and spec.emissions is None:
            raise DataError(
                "a target needs to know where emissions go without measures.",
                code="emissions",
                where="emissions",
                remedy='Add "emissions": {"mean": ..., "deviation": ...} from a forecast.',
            )
        return cls(spec, scale)

    def simulate(self, X: Floats) -> tuple[Floats, Floats]:
        """Return tonnes, money (and the probability of the target), and what is broken."""
        tonnes, money = X @ self.abatement, X @ self.cost
        values = [tonnes, money]
        if np.isfinite(self.target):
            values.append(self.probability(X))
        broken = []
        if np.isfinite(self.budget):
            broken.append(money - self.budget)
        if self.required:
            broken.append(self.required - tonnes)
        if self.excluded:
            a, b = np.array(self.excluded).T
            broken.append(np.maximum(X[:, a] + X[:, b] - 1, 0).sum(axis=1))
        if self.needed:
            a, b = np.array(self.needed).T
            broken.append(np.maximum(X[:, a] - X[:, b], 0).sum(axis=1))
        violations = np.stack(broken, axis=1) if broken else np.zeros((len(X), 0))
        return np.stack(values, axis=1), violations

    def probability(self, X: Floats) -> Floats:
        """Return the probability that emissions end at or below the target, shape (n,)."""
        from scipy.special import ndtr

        left = self.mean - X @ self.abatement
        deviation = np.sqrt(self.deviation**2 + X**2 @ self.spread**2)
        sure = (left <= self.target).astype(np.float64)
        z = np.divide(self.target - left, deviation, out=np.zeros_like(left), where=deviation > 0)
        return np.where(deviation > 0, ndtr(z), sure)

    @cached_property
    def _form(self) -> MatrixForm:
        from scipy import sparse

        d = self.dimension
        rows: list[Floats] = []
        lower: list[float] = []
        upper: list[float] = []
        groups: list[tuple[str, slice]] = []

        def add(name: str, block: list[Floats], most: float, least: float = -np.inf) -> None:
            groups.append((name, slice(len(rows), len(rows) + len(block))))
            rows.extend(block)
            lower.extend([least] * len(block))
            upper.extend([most] * len(block))

        one = np.eye(d)
        if np.isfinite(self.budget):
            add("budget", [self.cost], self.budget)
        if self.required:
            add("target", [self.abatement], np.inf, self.required)
        if self.excluded:
            add("exclusions", [one[a] + one[b] for a, b in self.excluded], 1.0)
        if self.needed:
            add("needs", [one[a] - one[b] for a, b in self.needed], 0.0)
        costs = np.zeros((len(self.objectives), d))
        costs[0], costs[1] = self.abatement, self.cost
        return MatrixForm(
            costs,
            np.zeros(len(self.objectives)),
            sparse.csr_matrix(np.array(rows).reshape(len(rows), d)),
            np.array(lower),
            np.array(upper),
            self.space.lower,
            self.space.upper,
            self.space.integral,
            tuple(groups),
        )

    def matrix(self) -> MatrixForm | None:
        """Return the program; None where the probability, which is not linear, is wanted."""
        return None if self.weights[2:].any() else self._form

    def _take(self, order: list[int]) -> Floats:
        """Return the plan that takes measures in turn as they fit, with what they need."""
        x = np.zeros(self.dimension)
        needs: dict[int, list[int]] = {}
        for a, b in self.needed:
            needs.setdefault(a, []).append(b)
        for i in order:
            if self.required and x @ self.abatement >= self.required - TOLERANCE:
                break
            wanted, queue = {i}, [i]
            while queue:
                for b in needs.get(queue.pop(), []):
                    if b not in wanted:
                        wanted.add(b)
                        queue.append(b)
            tried = x.copy()
            tried[list(wanted)] = 1.0
            clash = any(tried[a] and tried[b] for a, b in self.excluded)
            if not clash and tried @ self.cost <= self.budget + TOLERANCE:
                x = tried
        return x

    def baseline(self) -> Floats:
        """Return nothing taken; where a target must be met, measures in the order given."""
        if not self.required:
            return np.zeros(self.dimension)
        return self._take(list(range(self.dimension)))

    def rules(self) -> dict[str, Floats]:
        """Return cheapest per tonne first, and most tonnes first."""
        per_tonne = self.cost / np.maximum(self.abatement, 1e-12)
        found = {
            "cheapest per tonne first": self._take(np.argsort(per_tonne, kind="stable").tolist()),
            "most tonnes first": self._take(np.argsort(-self.abatement, kind="stable").tolist()),
        }
        if self.required:
            found = {n: x for n, x in found.items() if x @ self.abatement >= self.required}
        return found

    def cost_curve(self) -> list[dict[str, Any]]:
        """Return the measures by money per tonne, as the bars of an abatement cost curve."""
        order = np.argsort(self.cost / np.maximum(self.abatement, 1e-12), kind="stable")
        return [
            {
                "name": self.measures[i].name,
                "abatement": float(self.abatement[i]),
                "cost_per_tonne": float(self.cost[i] / max(self.abatement[i], 1e-12)),
            }
            for i in order
        ]

    @classmethod
    def example(cls, seed: int = 0) -> dict[str, Any]:
        """Return twelve generated measures, some excluding or needing each other."""
        rng = np.random.default_rng(seed)
        names = ["LED light", "solar roof", "heat pump", "gas boiler upgrade", "insulation",
                 "electric vans", "vans on biofuel", "charge points", "heat recovery",
                 "green tariff", "night setback", "variable speed drives"]  # fmt: skip
        measures: list[dict[str, Any]] = []
        for name in names:
            tonnes = round(float(rng.uniform(20, 220)), 0)
            measures.append(
                {
                    "name": name,
                    "cost": round(float(tonnes * rng.uniform(-40, 260)), 0),
                    "abatement": tonnes,
                    "uncertainty": round(0.15 * tonnes, 1),
                }
            )
        measures[2]["excludes"] = ["gas boiler upgrade"]
        measures[5] |= {"excludes": ["vans on biofuel"], "needs": ["charge points"]}
        return {
            "problem": cls.problem_name(),
            "measures": measures,
            "budget": 60_000.0,
            "emissions": {"mean": 2_000.0, "deviation": 120.0},
            "target": 1_250.0,
        }
