"""What problems of the library share: a document they are read from, and hourly series."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
import pydantic

from esgml.core.errors import ColumnError, DataError, NotFoundError, UnitError, UsageError
from esgml.core.units import factor
from esgml.optimization.problem import Objective, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Most numbers in one series of a document: five years of hours.
LONGEST = 50_000
PACKAGE = "esgml.optimization.problems"

Name = Annotated[str, pydantic.Field(min_length=1, max_length=80)]
Number = Annotated[float, pydantic.Field(allow_inf_nan=True)]
Series = Annotated[list[float | None], pydantic.Field(min_length=1, max_length=LONGEST)]


class Document(pydantic.BaseModel):
    """The fields every problem document has.

    Attributes
    ----------
    problem : str
        Name in the library.
    weights : dict of objective name to value per unit, optional
        What is optimized, such as ``{"cost": 1, "carbon": 0.05}`` for 0.05 money per kg.
    units : dict of field name to unit, optional
        Units of the fields that are not in the unit the problem expects.
    currency : str
        Unit of money.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    problem: Name
    weights: dict[Name, float] | None = None
    units: dict[Name, Annotated[str, pydantic.Field(max_length=40)]] = {}
    currency: Annotated[str, pydantic.Field(min_length=3, max_length=10)] = "USD"


class LibraryProblem(Problem):
    """Base of the problems of the library: built from a document, with a small example.

    A problem is one file under ``optimization/problems/``; the file name is its name.
    """

    Spec: ClassVar[type[Document]]
    spec: Any

    @classmethod
    def problem_name(cls) -> str:
        """Return the name the library knows the problem by: that of its file."""
        return cls.__module__.rsplit(".", 1)[-1]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build the problem from plain JSON values.

        Raises
        ------
        DataError
            Naming the field: missing, unknown, of the wrong form, not finite, an hour missing.
        UnitError
            If a unit does not measure what the field holds.
        """
        try:
            spec = cls.Spec.model_validate(document)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataError(
                f"{first['msg']}.".replace("..", "."),
                code="problem_document",
                where=where,
                remedy=f"Fields: {', '.join(cls.Spec.model_fields)}.",
            ) from error
        found = cls.build(spec)
        if spec.weights is None:
            return found
        for name, weight in spec.weights.items():
            if not np.isfinite(weight) or weight < 0:
                raise DataError(
                    "a weight is a finite number, 0 or more.",
                    code="not_finite",
                    where=f"weights.{name}",
                )
        return found.reweighted(spec.weights)

    @classmethod
    @abstractmethod
    def build(cls, spec: Any) -> Self:
        """Build the problem from its checked document."""

    @classmethod
    @abstractmethod
    def example(cls, seed: int = 0) -> dict[str, Any]:
        """Return a small generated document."""


def converter(spec: Document, fields: Mapping[str, str]) -> dict[str, float]:
    """Return the factor to the expected unit for every field.

    Parameters
    ----------
    spec : Document
        Whose `units` may name other units; money is in its `currency`.
    fields : mapping of field name to expected unit

    Raises
    ------
    UnitError
        If a given unit is unknown, measures something else, or is of no such field.
    """
    if unknown := sorted(set(spec.units) - set(fields)):
        raise UnitError(
            f"no field {unknown[0]!r} has a unit.",
            where=f"units.{unknown[0]}",
            remedy=f"Fields with a unit: {', '.join(fields)}.",
        )
    factors = dict.fromkeys(fields, 1.0)
    for name, unit in spec.units.items():
        if unit != fields[name]:
            try:
                factors[name] = factor(unit, fields[name])
            except UnitError as error:
                raise UnitError(
                    error.message, code=error.code, where=f"units.{name}", remedy=error.remedy
                ) from error
    return factors


def hourly(
    values: Sequence[float | None] | float, length: int, name: str, scale: float = 1.0
) -> NDArray[np.float64]:
    """Return a series of `length` steps; one number stands for every step.

    Raises
    ------
    DataError
        ``hours_missing`` naming the steps that are null, ``not_finite``, or ``length``.
    """
    if isinstance(values, int | float):
        found = np.full(length, float(values))
    else:
        missing = [i for i, v in enumerate(values) if v is None]
        if missing:
            listed = ", ".join(map(str, missing[:5])) + (" ..." if len(missing) > 5 else "")
            raise DataError(
                f"{len(missing)} of {len(values)} hours are missing: {listed}.",
                code="hours_missing",
                where=name,
                remedy="Fill them, such as with the forecast of that hour.",
            )
        found = np.asarray(values, dtype=np.float64)
        if len(found) != length:
            raise DataError(
                f"it has {len(found)} hours, the plan {length}.",
                code="length",
                where=name,
                remedy="Give every series for the same hours.",
            )
    if not np.isfinite(found).all() or (np.abs(found) > 1e12).any():
        where = int(np.argmax(~(np.abs(found) <= 1e12)))
        raise DataError(
            f"hour {where} is no finite number.", code="not_finite", where=f"{name}[{where}]"
        )
    return found * scale


def money_and_carbon(currency: str, carbon_price: float = 0.0) -> tuple[Objective, Objective]:
    """Return the two objectives of most problems: cost, and carbon at a price."""
    return (
        Objective("cost", unit=currency, weight=1.0),
        Objective("carbon", unit="kgCO2e", weight=carbon_price),
    )


def names() -> tuple[str, ...]:
    """Return the names of the problems of the library; imports none of them."""
    folder = Path(__file__).parent / "problems"
    return tuple(sorted(m.name for m in pkgutil.iter_modules([str(folder)])))


def describe(name: str) -> str:
    """Return the first line of a problem file's docstring, read without importing it."""
    path = Path(__file__).parent / "problems" / f"{name}.py"
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.splitlines()[0] if doc else ""


def problem_class(name: str) -> type[LibraryProblem]:
    """Return the class of a problem of the library.

    Raises
    ------
    NotFoundError
        If there is no such problem.
    """
    if name not in names():
        raise NotFoundError(
            f"no problem {name[:40]!r} in the library.",
            code="problem_unknown",
            where="problem",
            remedy=f"Known: {', '.join(names())}.",
        )
    module = importlib.import_module(f"{PACKAGE}.{name}")
    (found,) = (
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, LibraryProblem)
        and item.__module__ == module.__name__
    )
    return found


def load(document: Mapping[str, Any]) -> LibraryProblem:
    """Build the problem that a document names.

    Raises
    ------
    UsageError
        If it is no object.
    ColumnError
        If it does not say which problem it is.
    """
    if not isinstance(document, Mapping):
        raise UsageError("a problem is an object.", where="problem")
    name = document.get("problem")
    if not isinstance(name, str):
        raise ColumnError(
            "the field problem, the name in the library, is missing.",
            code="problem_missing",
            where="problem",
            remedy=f"Known: {', '.join(names())}.",
        )
    return problem_class(name).from_document(document)


def example(name: str, seed: int = 0) -> dict[str, Any]:
    """Return a small generated document of the problem `name`."""
    return problem_class(name).example(seed)
