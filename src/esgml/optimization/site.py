"""What problems at one metered site share: hourly prices, what else it draws, its limit."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
import pydantic

from esgml.core.errors import DataError
from esgml.optimization.library import (
    Document,
    LibraryProblem,
    Series,
    converter,
    hourly,
    money_and_carbon,
)
from esgml.optimization.problem import Constraint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from esgml.optimization.space import Variable

    Floats = NDArray[np.float64]


class SiteDocument(Document):
    """The fields of a site: tariff, carbon intensity, what else it draws and may draw (kW)."""

    price: Series
    carbon: Series | float = 0.0
    base_load: Series | float = 0.0
    site_limit: float | None = None
    step_hours: Annotated[float, pydantic.Field(gt=0, le=24)] = 1.0
    carbon_price: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 0.0


class SiteProblem(LibraryProblem):
    """Base of the problems that place named items in the steps of one site.

    Subclasses say which field of the document lists the items, which further fields have a
    unit, what an item decides (`_take`) and what makes it impossible (`_check_item`).

    Attributes
    ----------
    price, carbon : array, shape (T,)
        Money and kgCO2e per kWh.
    base : array, shape (T,)
        kW that are drawn besides.
    limit : float
        Most kW in a step, infinite where there is none.
    hours : float
        Length of a step.
    """

    #: The field that lists the items, and what one of them is called.
    ITEMS: ClassVar[tuple[str, str]]
    #: Units of the fields of an item.
    UNITS: ClassVar[Mapping[str, str]]

    def __init__(self, spec: Any, series: Mapping[str, Floats], scale: Mapping[str, float]) -> None:
        self.price, self.carbon, self.base = series["price"], series["carbon"], series["base_load"]
        self.hours = spec.step_hours
        self.limit = np.inf if spec.site_limit is None else spec.site_limit * scale["site_limit"]
        variables, constraints = self._take(spec, scale)
        limited = [Constraint("site limit", "kW")] if np.isfinite(self.limit) else []
        super().__init__(
            self.problem_name(),
            variables,
            money_and_carbon(spec.currency, spec.carbon_price * scale["carbon_price"]),
            [*constraints, *limited],
        )

    @abstractmethod
    def _take(
        self, spec: Any, scale: Mapping[str, float]
    ) -> tuple[Sequence[Variable], Sequence[Constraint]]:
        """Keep the items of a checked document; return what is decided and what must hold."""

    @classmethod
    @abstractmethod
    def _check_item(cls, item: Any, steps: int, where: str) -> None:
        """Refuse an item that no plan of `steps` steps can hold."""

    @classmethod
    def build(cls, spec: Any) -> Self:
        """Build the problem from its checked document."""
        money = spec.currency
        units = {
            "price": f"{money}/kWh",
            "carbon": "kgCO2e/kWh",
            "base_load": "kW",
            "site_limit": "kW",
            "carbon_price": f"{money}/kgCO2e",
        }
        scale = converter(spec, units | dict(cls.UNITS))
        steps, (field, one) = len(spec.price), cls.ITEMS
        items = getattr(spec, field)
        if len({item.name for item in items}) < len(items):
            raise DataError(f"a {one} appears twice.", code="duplicate", where=field)
        for i, item in enumerate(items):
            cls._check_item(item, steps, f"{field}[{i}]")
        series = {
            name: hourly(getattr(spec, name), steps, name, scale[name])
            for name in ("price", "carbon", "base_load")
        }
        if spec.site_limit is not None and not np.isfinite(spec.site_limit):
            raise DataError("the limit is no number.", code="not_finite", where="site_limit")
        return cls(spec, series, scale)
