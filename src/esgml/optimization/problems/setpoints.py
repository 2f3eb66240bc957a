"""Set points of a heated building: a simulator to be tuned, with no algebra to read off."""

from __future__ import annotations

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
from esgml.optimization.linear import LinearProgram
from esgml.optimization.matrix import MatrixForm
from esgml.optimization.problem import Constraint
from esgml.optimization.space import Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Plus = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]


class BuildingSpec(pydantic.BaseModel):
    """The building: kW lost per kelvin, kWh stored per kelvin, kW per kelvin of its heaters."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    loss: Plus = 0.25
    storage: Plus = 6.0
    emitters: Plus = 0.35
    power: Plus = 12.0
    gains: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 0.6
    quality: Annotated[float, pydantic.Field(gt=0, lt=1)] = 0.42


class SetpointSpec(Document):
    """The document: outdoor temperature (degC) and price by hour, whole days from midnight."""

    outdoor: Series
    price: Series | float
    carbon: Series | float = 0.0
    building: BuildingSpec = BuildingSpec()
    comfort: Annotated[float, pydantic.Field(ge=10, le=26)] = 20.0
    occupied_from: Annotated[int, pydantic.Field(ge=0, le=23)] = 7
    occupied_to: Annotated[int, pydantic.Field(ge=1, le=24)] = 22
    shortfall: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 2.0
    carbon_price: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 0.0


class Setpoints(LibraryProblem):
    """Room temperature by day and night, when the day begins, supply temperature and its slope.

    A heat pump warms one room that stores heat. It is the more efficient the cooler its
    supply, but cool heaters give less heat: there is a best setting, and no formula for it.
    Comfort allows `shortfall` kelvin-hours a day below `comfort` while people are in.
    """

    Spec: ClassVar[type[Document]] = SetpointSpec

    def __init__(self, spec: SetpointSpec, series: dict[str, Floats], scale: dict[str, float]):
        self.outdoor, self.price, self.carbon = series["outdoor"], series["price"], series["carbon"]
        self.building = spec.building
        self.comfort, self.allowed = spec.comfort, spec.shortfall * (len(self.outdoor) // 24)
        self.hour = np.arange(len(self.outdoor)) % 24
        self.people = (self.hour >= spec.occupied_from) & (self.hour < spec.occupied_to)
        self.morning = spec.occupied_from
        super().__init__(
            self.problem_name(),
            [
                Variable("day", "real", 17.0, 24.0, "degC"),
                Variable("night", "real", 12.0, 22.0, "degC"),
                Variable("lead", "integer", 0, 7, "h"),
                Variable("supply", "real", 28.0, 55.0, "degC"),
                Variable("slope", "real", 0.0, 1.5, ""),
            ],
            money_and_carbon(spec.currency, spec.carbon_price * scale["carbon_price"]),
            [Constraint("comfort", "K h")],
        )

    @classmethod
    def build(cls, spec: SetpointSpec) -> Self:
        """Build the problem from its checked document."""
        money = spec.currency
        scale = converter(
            spec,
            {
                "price": f"{money}/kWh",
                "carbon": "kgCO2e/kWh",
                "carbon_price": f"{money}/kgCO2e",
            },
        )
        steps = len(spec.outdoor)
        if steps % 24 or steps > 24 * 366:
            raise DataError(
                f"{steps} hours are no whole days, up to a year.", code="length", where="outdoor"
            )
        if spec.occupied_from >= spec.occupied_to:
            raise DataError("nobody is ever in.", code="window", where="occupied_from")
        series = {
            name: hourly(getattr(spec, name), steps, name, scale.get(name, 1.0))
            for name in ("outdoor", "price", "carbon")
        }
        if (series["price"] < 0).any() or (np.abs(series["outdoor"]) > 60).any():
            raise DataError(
                "prices are 0 or more, temperatures between -60 and 60 degC.",
                code="range",
                where="price",
            )
        return cls(spec, series, scale)

    def efficiency(self, supply: Floats, outdoor: float) -> Floats:
        """Return heat per unit of power: a share of what physics allows, at most 7."""
        lift = np.maximum(supply - outdoor, 5.0)
        return np.clip(self.building.quality * (supply + 273.15) / lift, 1.0, 7.0)

    def simulate(self, X: Floats) -> tuple[Floats, Floats]:
        """Return cost and carbon, and kelvin-hours of cold beyond what is allowed."""
        day, night, lead, base, slope = X.T
        b = self.building
        room = day.copy()
        money, kg, cold = np.zeros(len(X)), np.zeros(len(X)), np.zeros(len(X))
        begin = self.morning - np.rint(lead)
        for t, outdoor in enumerate(self.outdoor):
            awake = (self.hour[t] >= begin) & (self.people | (self.hour < self.morning))[t]
            wanted = np.where(awake, day, night)
            supply = np.clip(base + slope * (5.0 - outdoor), 25.0, 60.0)
            missing = (wanted - room) * b.storage + b.loss * (room - outdoor) - b.gains
            most = np.minimum(b.power, b.emitters * np.maximum(supply - room, 0.0))
            heat = np.clip(missing, 0.0, most)
            drawn = heat / self.efficiency(supply, outdoor)
            money += drawn * self.price[t]
            kg += drawn * self.carbon[t]
            room = room + (heat + b.gains - b.loss * (room - outdoor)) / b.storage
            if self.people[t]:
                cold += np.maximum(self.comfort - room, 0.0)
        return np.stack([money, kg], axis=1), np.maximum(cold - self.allowed, 0.0)[:, None]

    def baseline(self) -> Floats:
        """Return one warm temperature all day, with hot heaters."""
        return np.array([self.comfort + 1.5, self.comfort + 1.5, 0, 52.0, 0.0]).clip(
            self.space.lower, self.space.upper
        )

    def rules(self) -> dict[str, Floats]:
        """Return a night setback, and supply that follows the weather."""
        tried = {
            "night setback": [self.comfort + 1.0, self.comfort - 2.0, 3, 48.0, 0.0],
            "supply follows the weather": [self.comfort + 0.7, self.comfort + 0.7, 0, 38.0, 0.6],
        }
        rows = {n: np.clip(x, self.space.lower, self.space.upper) for n, x in tried.items()}
        kept = self.evaluate(np.array(list(rows.values()))).feasible
        return {n: x for (n, x), ok in zip(rows.items(), kept, strict=True) if ok}

    def bound(self) -> float:
        """Return a cost that no setting goes below.

        Any heat is allowed in any hour, at the efficiency of the coolest supply there is and
        with the heat of the hottest: a linear program that every simulated run satisfies.
        """
        from scipy import sparse

        b, steps = self.building, len(self.outdoor)
        hottest = np.clip(
            self.space.upper[3] + self.space.upper[4] * np.maximum(5.0 - self.outdoor, 0), 25, 60
        )
        coolest = np.array(
            [
                self.efficiency(np.array([s]), o)[0]
                for s, o in zip(np.full(steps, 25.0), self.outdoor, strict=True)
            ]
        )
        value = (self.weights[0] * self.price + self.weights[1] * self.carbon) / coolest
        # columns: heat, room after the hour, shortfall; the room starts as warm as `day` may be
        one, keep = sparse.identity(steps), 1 - b.loss / b.storage
        move = one - keep * sparse.eye(steps, k=-1)
        none = sparse.csr_matrix((steps, steps))
        people = np.flatnonzero(self.people)
        pick = sparse.identity(steps, format="csr")[people]
        start = np.zeros(steps)
        start[0] = keep * self.space.upper[0]
        emit = sparse.eye(steps, k=-1) * b.emitters
        heat_most = b.emitters * hottest
        heat_most[0] -= b.emitters * self.space.lower[0]
        short = np.zeros((1, 3 * steps))
        short[0, 2 * steps + people] = 1.0
        rows = sparse.vstack(
            [
                sparse.hstack([-one / b.storage, move, none]),
                sparse.hstack([one, emit, none]),
                sparse.hstack([0 * pick, -pick, -pick]),
                sparse.csr_matrix(short),
            ],
            format="csr",
        )
        balance = (b.gains + b.loss * self.outdoor) / b.storage + start
        free = np.full(steps + len(people) + 1, -np.inf)
        upper = np.concatenate([heat_most, np.full(len(people), -self.comfort), [self.allowed]])
        form = MatrixForm(
            np.concatenate([value, np.zeros(2 * steps)])[None],
            np.zeros(1),
            rows,
            np.concatenate([balance, free]),
            np.concatenate([balance, upper]),
            np.concatenate([np.zeros(steps), np.full(steps, -100.0), np.zeros(steps)]),
            np.concatenate([np.full(steps, b.power), np.full(2 * steps, np.inf)]),
            np.zeros(3 * steps, dtype=bool),
        )
        return LinearProgram(form).solve(np.ones(1)).bound

    @classmethod
    def example(cls, seed: int = 0) -> dict[str, Any]:
        """Return three generated winter days."""
        rng = np.random.default_rng(seed)
        hour = np.arange(72)
        outdoor = 2 + 4 * np.sin((hour - 9) / 24 * 2 * np.pi) + np.repeat(rng.normal(0, 2, 3), 24)
        price = np.where((hour % 24 >= 17) & (hour % 24 < 21), 0.45, 0.2)
        return {
            "problem": cls.problem_name(),
            "outdoor": outdoor.round(2).tolist(),
            "price": price.tolist(),
            "carbon": (0.2 + 0.04 * np.sin((hour - 13) / 24 * 2 * np.pi)).round(4).tolist(),
        }
