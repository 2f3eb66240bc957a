"""How much solar and battery to buy: yearly cost and carbon over typical days."""

from __future__ import annotations

from functools import cached_property
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
from esgml.optimization.matrix import MatrixForm
from esgml.optimization.space import Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Positive = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]


class SizingSpec(Document):
    """The document: hours of typical days, how many days a year each stands for, prices.

    `solar` is kWh per hour and per kW of roof; `pv_cost` and `battery_cost` are money per kW
    and per kWh and year, all in; the battery's power is `battery_rate` kW per kWh.
    """

    load: Series
    solar: Series
    price: Series | float
    carbon: Series | float = 0.0
    days: Annotated[list[Positive], pydantic.Field(min_length=1, max_length=366)]
    pv_cost: Positive
    battery_cost: Positive
    pv_most: Positive = 100.0
    battery_most: Positive = 100.0
    battery_rate: Annotated[float, pydantic.Field(gt=0, le=10)] = 0.5
    efficiency: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.9
    carbon_price: Positive = 0.0


class Sizing(LibraryProblem):
    """kW of solar, kWh of battery, and the battery's power in every hour of the typical days.

    The battery starts every typical day empty, and what is left over in the evening is lost:
    a little too careful, and it needs no link between days that do not follow each other.
    """

    Spec: ClassVar[type[Document]] = SizingSpec

    def __init__(self, spec: SizingSpec, series: dict[str, Floats], scale: dict[str, float]):
        steps = len(series["load"])
        self.count = steps // 24
        shape = (self.count, 24)
        self.load, self.solar, self.price, self.carbon = (
            series[name].reshape(shape) for name in ("load", "solar", "price", "carbon")
        )
        self.days = np.array(spec.days)
        self.pv_cost = spec.pv_cost * scale["pv_cost"]
        self.battery_cost = spec.battery_cost * scale["battery_cost"]
        self.rate = spec.battery_rate
        self.way = float(np.sqrt(spec.efficiency))
        most = spec.battery_most * spec.battery_rate
        super().__init__(
            self.problem_name(),
            [
                Variable("pv", "real", 0.0, spec.pv_most, "kW"),
                Variable("battery", "real", 0.0, spec.battery_most, "kWh"),
                Variable("power", "real", -most, most, "kW", steps),
            ],
            money_and_carbon(spec.currency, spec.carbon_price * scale["carbon_price"]),
        )

    @classmethod
    def build(cls, spec: SizingSpec) -> Self:
        """Build the problem from its checked document."""
        money = spec.currency
        scale = converter(
            spec,
            {
                "load": "kWh",
                "price": f"{money}/kWh",
                "carbon": "kgCO2e/kWh",
                "pv_cost": f"{money}/kW",
                "battery_cost": f"{money}/kWh",
                "carbon_price": f"{money}/kgCO2e",
            },
        )
        steps = 24 * len(spec.days)
        series = {
            name: hourly(getattr(spec, name), steps, name, scale.get(name, 1.0))
            for name in ("load", "solar", "price", "carbon")
        }
        for name, values in series.items():
            if (values < 0).any():
                raise DataError("values are 0 or more.", code="negative", where=name)
        return cls(spec, series, scale)

    def simulate(self, X: Floats) -> Floats:
        """Return money and kgCO2e a year."""
        pv, size = X[:, 0], X[:, 1]
        power = X[:, 2:].reshape(len(X), self.count, 24)
        most = (self.rate * size)[:, None]
        room, level = size[:, None], np.zeros((len(X), self.count))
        money, kg = np.zeros((len(X), self.count)), np.zeros((len(X), self.count))
        for hour in range(24):
            energy = np.clip(power[:, :, hour], -most, most)
            energy = np.minimum(energy, (room - level) / self.way)
            energy = np.maximum(energy, -level * self.way)
            change = np.where(energy > 0, energy * self.way, energy / self.way)
            level = np.clip(level + change, 0.0, room)
            meter = self.load[:, hour] - pv[:, None] * self.solar[:, hour] + energy
            drawn = np.maximum(meter, 0.0)
            money += drawn * self.price[:, hour]
            kg += drawn * self.carbon[:, hour]
        yearly = money @ self.days + pv * self.pv_cost + size * self.battery_cost
        return np.stack([yearly, kg @ self.days], axis=1)

    @cached_property
    def _form(self) -> MatrixForm:
        """Columns: pv, battery, then charge, discharge, level, import of every hour."""
        from scipy import sparse

        n = self.count * 24
        one = sparse.identity(n, format="csr")
        before = sparse.kron(sparse.identity(self.count), sparse.eye(24, k=-1), format="csr")
        none, column = sparse.csr_matrix((n, n)), sparse.csr_matrix((n, 1))
        ones = sparse.csr_matrix(np.ones((n, 1)))
        sun = sparse.csr_matrix(self.solar.reshape(-1, 1))
        most = -self.rate * ones
        rows = sparse.vstack(
            [
                sparse.hstack(
                    [column, column, -self.way * one, one / self.way, one - before, none]
                ),
                sparse.hstack([-sun, column, one, -one, none, -one]),
                sparse.hstack([column, most, one, none, none, none]),
                sparse.hstack([column, most, none, one, none, none]),
                sparse.hstack([column, -ones, none, none, one, none]),
            ],
            format="csr",
        )
        zero, free = np.zeros(n), np.full(n, -np.inf)
        year = np.repeat(self.days, 24)
        costs = np.zeros((2, 2 + 4 * n))
        costs[0, :2] = self.pv_cost, self.battery_cost
        costs[0, 2 + 3 * n :] = self.price.reshape(-1) * year
        costs[1, 2 + 3 * n :] = self.carbon.reshape(-1) * year
        space = self.space

        def decode(z: Floats) -> Floats:
            return np.concatenate([z[:2], z[2 : 2 + n] - z[2 + n : 2 + 2 * n]])

        return MatrixForm(
            costs,
            np.zeros(2),
            rows,
            np.concatenate([zero, free, free, free, free]),
            np.concatenate([zero, -self.load.reshape(-1), zero, zero, zero]),
            np.concatenate([space.lower[:2], np.zeros(4 * n)]),
            np.concatenate([space.upper[:2], np.full(4 * n, np.inf)]),
            np.zeros(2 + 4 * n, dtype=bool),
            tuple(
                (name, slice(i * n, (i + 1) * n))
                for i, name in enumerate(
                    (
                        "store balance",
                        "meter balance",
                        "charging power",
                        "discharging power",
                        "room",
                    )
                )
            ),
            decode,
        )

    def matrix(self) -> MatrixForm:
        """Return the linear program."""
        return self._form

    def baseline(self) -> Floats:
        """Return buying nothing."""
        return np.zeros(self.dimension)

    def _sized(self, pv: float, battery: float) -> Floats:
        """Return a plan of these sizes that uses its own power first."""
        power = pv * self.solar - self.load
        x = np.concatenate([[pv, battery], power.reshape(-1)])
        return np.asarray(self.space.repair(x[None])[0])

    def rules(self) -> dict[str, Floats]:
        """Return solar for half the yearly load, and with it a battery for a mean evening."""
        sun = float(self.days @ self.solar.sum(axis=1))
        pv = min(
            0.5 * float(self.days @ self.load.sum(axis=1)) / max(sun, 1e-9), self.space.upper[0]
        )
        evening = float(self.load[:, 17:].sum(axis=1) @ self.days / self.days.sum())
        battery = min(evening, float(self.space.upper[1]))
        return {
            "solar for half the load": self._sized(pv, 0.0),
            "the same and a battery for the evening": self._sized(pv, battery),
        }

    @classmethod
    def example(cls, seed: int = 0) -> dict[str, Any]:
        """Return four generated seasons of a small office."""
        rng = np.random.default_rng(seed)
        hour = np.arange(24)
        load, solar, carbon = [], [], []
        for season in range(4):
            day = 8 + 6 * np.exp(-((hour - 13) ** 2) / 18) * rng.uniform(0.9, 1.1, 24)
            strength = (0.25, 0.55, 0.75, 0.5)[season]
            load.append(day)
            solar.append(strength * np.maximum(0, np.sin((hour - 6) / 12 * np.pi)))
            carbon.append(0.25 - 0.05 * np.sin((hour - 7) / 24 * 2 * np.pi))
        return {
            "problem": cls.problem_name(),
            "load": np.concatenate(load).round(3).tolist(),
            "solar": np.concatenate(solar).round(4).tolist(),
            "price": np.tile(np.where((hour >= 17) & (hour < 22), 0.5, 0.2), 4).tolist(),
            "carbon": np.concatenate(carbon).round(4).tolist(),
            "days": [91, 91, 91, 92],
            "pv_cost": 90.0,
            "battery_cost": 40.0,
        }
