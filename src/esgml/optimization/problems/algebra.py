"""One's own linear or quadratic problem, written as coefficients by variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pydantic

from esgml.core.errors import DataError, UnitError
from esgml.core.units import factor
from esgml.optimization.expressions import AlgebraicProblem, Expression, Model
from esgml.optimization.library import Document, LibraryProblem, Name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Unit = Annotated[str, pydantic.Field(max_length=40)]
Terms = Annotated[dict[Name, float], pydantic.Field(max_length=5_000)]


class VariableSpec(pydantic.BaseModel):
    """A variable; without an upper bound it is open above."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Name
    kind: Literal["real", "integer", "binary"] = "real"
    lower: float = 0.0
    upper: float | None = None
    unit: Unit = ""


class ObjectiveSpec(pydantic.BaseModel):
    """The sum of coefficient x variable, plus coefficient x variable x variable (``"x*y"``)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Name
    sense: Literal["min", "max"] = "min"
    unit: Unit = ""
    linear: Terms = {}
    quadratic: Terms = {}
    constant: float = 0.0
    weight: float | None = None


class ConstraintSpec(pydantic.BaseModel):
    """lower <= sum of coefficient x variable <= upper."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Name
    unit: Unit = ""
    linear: Terms
    lower: float | None = None
    upper: float | None = None


class AlgebraSpec(Document):
    """The document. With units, coefficients of 1 add like with like: others are refused."""

    name: Name = "own problem"
    variables: Annotated[list[VariableSpec], pydantic.Field(min_length=1, max_length=2_000)]
    objectives: Annotated[list[ObjectiveSpec], pydantic.Field(min_length=1, max_length=10)]
    constraints: Annotated[tuple[ConstraintSpec, ...], pydantic.Field(max_length=2_000)] = ()


class Algebra(LibraryProblem, AlgebraicProblem):
    """A problem from coefficients; there is no baseline and no rule to compare with."""

    Spec: ClassVar[type[Document]] = AlgebraSpec

    def __init__(self, model: Model) -> None:
        AlgebraicProblem.__init__(self, model)

    @classmethod
    def build(cls, spec: AlgebraSpec) -> Self:
        """Build the problem from its checked document."""
        model = Model(spec.name)
        variables: dict[str, Expression] = {}
        units = {v.name: v.unit for v in spec.variables}
        for v in spec.variables:
            upper = np.inf if v.upper is None else v.upper
            low, high = (0.0, 1.0) if v.kind == "binary" else (v.lower, upper)
            variables[v.name] = model.variable(v.name, v.kind, low, high, unit=v.unit)
        for i, o in enumerate(spec.objectives):
            where = f"objectives[{i}]"
            total = _sum(o.linear, variables, where) + _finite(o.constant, f"{where}.constant")
            for pair, coefficient in o.quadratic.items():
                a, _, b = pair.partition("*")
                terms = [_known(n.strip(), variables, f"{where}.quadratic") for n in (a, b)]
                total = total + terms[0] * terms[1] * _finite(coefficient, f"{where}.{pair}")
            add = model.minimize if o.sense == "min" else model.maximize
            add(o.name, total, unit=o.unit, weight=o.weight)
        for i, c in enumerate(spec.constraints):
            where = f"constraints[{i}]"
            left = _sum(c.linear, variables, where)
            _same_units(c, units, where)
            if c.lower is None and c.upper is None:
                raise DataError("neither lower nor upper is given.", code="limit", where=where)
            if c.lower is not None and c.lower == c.upper:
                model.require(c.name, left == _finite(c.lower, f"{where}.lower"), unit=c.unit)
                continue
            if c.upper is not None:
                model.require(c.name, left <= _finite(c.upper, f"{where}.upper"), unit=c.unit)
            if c.lower is not None:
                name = c.name if c.upper is None else f"{c.name} (least)"
                model.require(name, left >= _finite(c.lower, f"{where}.lower"), unit=c.unit)
        return cls(model)

    @classmethod
    def example(cls, seed: int = 0) -> dict[str, Any]:
        """Return a mix of three supplies for one demand under a carbon cap."""
        rng = np.random.default_rng(seed)
        cost = np.round(rng.uniform([35, 50, 80], [45, 65, 100]), 1).tolist()
        names = ["gas", "wind", "storage"]
        return {
            "problem": cls.problem_name(),
            "name": "supply mix",
            "variables": [
                {"name": "gas", "upper": 80.0, "unit": "MWh"},
                {"name": "wind", "upper": 60.0, "unit": "MWh"},
                {"name": "storage", "upper": 30.0, "unit": "MWh"},
            ],
            "objectives": [
                {"name": "cost", "unit": "USD", "linear": dict(zip(names, cost, strict=True))},
                {"name": "carbon", "unit": "tCO2e", "linear": {"gas": 0.37}},
            ],
            "constraints": [
                {
                    "name": "demand",
                    "unit": "MWh",
                    "linear": dict.fromkeys(names, 1.0),
                    "lower": 100.0,
                },
                {"name": "carbon cap", "unit": "tCO2e", "linear": {"gas": 0.37}, "upper": 18.0},
            ],
        }


def _finite(value: float, where: str) -> float:
    if not np.isfinite(value):
        raise DataError("not a finite number.", code="not_finite", where=where)
    return value


def _known(name: str, variables: dict[str, Expression], where: str) -> Expression:
    if name not in variables:
        raise DataError(
            f"no variable {name!r}.",
            code="variable_unknown",
            where=where,
            remedy=f"Known: {', '.join(list(variables)[:20])}.",
        )
    return variables[name]


def _sum(terms: dict[str, float], variables: dict[str, Expression], where: str) -> Expression:
    width = next(reversed(variables.values())).linear.shape[1]
    linear = np.zeros((1, width))
    for name, coefficient in terms.items():
        one = _known(name, variables, f"{where}.linear")
        linear[:, : one.linear.shape[1]] += one.linear * _finite(coefficient, f"{where}.{name}")
    return Expression(linear, np.zeros(1))


def _same_units(c: ConstraintSpec, units: dict[str, str], where: str) -> None:
    """Refuse to add a MWh to a kWh: a coefficient of 1 converts nothing."""
    plain = [
        name for name, coefficient in c.linear.items() if abs(coefficient) == 1 and units[name]
    ]
    wanted = c.unit or (units[plain[0]] if plain else "")
    for name in plain:
        if wanted and units[name] != wanted and factor(units[name], wanted) != 1:
            raise UnitError(
                f"{name} is in {units[name]}, the constraint in {wanted}.",
                code="unit_mixed",
                where=f"{where}.linear.{name}",
                remedy=f"Use the coefficient {factor(units[name], wanted):g}, or one unit for all.",
            )
