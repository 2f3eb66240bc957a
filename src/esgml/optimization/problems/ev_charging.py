"""Electric vehicles at one site: how much power each gets and when, under the site's limit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pydantic

from esgml.core.errors import DataError
from esgml.optimization.library import Document, Name
from esgml.optimization.linear import LinearProgram
from esgml.optimization.matrix import MatrixForm
from esgml.optimization.problem import TOLERANCE, Constraint
from esgml.optimization.site import SiteDocument, SiteProblem
from esgml.optimization.space import Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class SessionSpec(pydantic.BaseModel):
    """One stay: plugged in from step `arrival`, gone from step `departure` on."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: Name
    arrival: Annotated[int, pydantic.Field(ge=0)]
    departure: Annotated[int, pydantic.Field(ge=1)]
    energy: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
    power: Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]


class ChargingSpec(SiteDocument):
    """The document: sessions (kWh wanted, most kW) at a site."""

    sessions: Annotated[list[SessionSpec], pydantic.Field(min_length=1, max_length=2_000)]


class EvCharging(SiteProblem):
    """Power of every vehicle in every step it is plugged in; all get the energy they asked for.

    Attributes
    ----------
    window : list of range
        The steps of each session.
    """

    Spec: ClassVar[type[Document]] = ChargingSpec
    ITEMS: ClassVar[tuple[str, str]] = ("sessions", "session")
    UNITS: ClassVar[Mapping[str, str]] = {"energy": "kWh", "power": "kW"}

    def _take(
        self, spec: ChargingSpec, scale: Mapping[str, float]
    ) -> tuple[list[Variable], list[Constraint]]:
        self.names = [s.name for s in spec.sessions]
        self.energy = np.array([s.energy * scale["energy"] for s in spec.sessions])
        self.power = np.array([s.power * scale["power"] for s in spec.sessions])
        self.window = [range(s.arrival, s.departure) for s in spec.sessions]
        self.session = np.repeat(np.arange(len(self.names)), [len(w) for w in self.window])
        self.step = np.concatenate([np.arange(w.start, w.stop) for w in self.window])
        variables = [
            Variable(name, "real", 0.0, power, "kW", len(window))
            for name, power, window in zip(self.names, self.power, self.window, strict=True)
        ]
        served = [Constraint(f"energy of {name}", "kWh") for name in self.names]
        return variables, served

    @classmethod
    def _check_item(cls, item: SessionSpec, steps: int, where: str) -> None:
        if not item.arrival < item.departure <= steps:
            raise DataError(
                f"{item.name}: steps {item.arrival} to {item.departure} do not lie in 0 to"
                f" {steps}.",
                code="window",
                where=where,
            )

    def simulate(self, X: Floats) -> tuple[Floats, Floats]:
        """Return cost and carbon, kWh that each vehicle lacks or has too much, kW too many."""
        energy = X * self.hours
        values = np.stack([energy @ self.price[self.step], energy @ self.carbon[self.step]], axis=1)
        given = np.add.reduceat(energy, self._starts, axis=1)
        broken = [np.abs(given - self.energy)]
        if np.isfinite(self.limit):
            total = X @ self._together + self.base
            broken.append(np.maximum(total - self.limit, 0).max(axis=1, keepdims=True))
        return values, np.hstack(broken)

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        return np.concatenate([[0], np.cumsum([len(w) for w in self.window])[:-1]])

    @cached_property
    def _together(self) -> Floats:
        found = np.zeros((self.dimension, len(self.price)))
        found[np.arange(self.dimension), self.step] = 1.0
        return found

    @cached_property
    def _form(self) -> MatrixForm:
        from scipy import sparse

        d, n = self.dimension, len(self.names)
        each = sparse.csr_matrix((np.full(d, self.hours), (self.session, np.arange(d))), (n, d))
        rows, lower, upper = [each], [self.energy], [self.energy]
        groups = [(c.name, slice(i, i + 1)) for i, c in enumerate(self.constraints[:n])]
        if np.isfinite(self.limit):
            steps = len(self.price)
            rows.append(sparse.csr_matrix((np.ones(d), (self.step, np.arange(d))), (steps, d)))
            lower.append(np.full(steps, -np.inf))
            upper.append(self.limit - self.base)
            groups.append(("site limit", slice(n, n + steps)))
        return MatrixForm(
            np.stack([self.price[self.step], self.carbon[self.step]]) * self.hours,
            np.zeros(2),
            sparse.vstack(rows, format="csr"),
            np.concatenate(lower),
            np.concatenate(upper),
            self.space.lower,
            self.space.upper,
            self.space.integral,
            tuple(groups),
        )

    def matrix(self) -> MatrixForm:
        """Return the linear program."""
        return self._form

    def _fill(self, rank: Floats) -> Floats:
        """Return the plan that serves early departures first, each in its lowest ranks first."""
        room = np.full(len(self.price), self.limit) - self.base
        x = np.zeros(self.dimension)
        for i in sorted(range(len(self.names)), key=lambda i: self.window[i].stop):
            left = self.energy[i] / self.hours
            for column in sorted(np.flatnonzero(self.session == i), key=lambda c: rank[c]):
                t = self.step[column]
                x[column] = max(0.0, min(self.power[i], room[t], left))
                room[t] -= x[column]
                left -= x[column]
        return x

    def _kept(self, x: Floats) -> bool:
        return bool(self.evaluate(x).violations.max() <= TOLERANCE)

    def baseline(self) -> Floats | None:
        """Return charging as soon as possible under the limit."""
        x = self._fill(self.step.astype(np.float64))
        if self._kept(x):
            return x
        # where serving in turn does not fit, the earliest plan that does; None where none does
        early = np.stack([self.step.astype(np.float64), np.zeros(self.dimension)])
        try:
            from dataclasses import replace

            return LinearProgram(replace(self._form, costs=early)).solve(np.array([1.0, 0.0])).z
        except DataError:
            return None

    def rules(self) -> dict[str, Floats]:
        """Return the cheapest hours first, where that serves everybody under the limit."""
        value = self.weights[0] * self.price + self.weights[1] * self.carbon
        x = self._fill(value[self.step])
        return {"cheapest hours first": x} if self._kept(x) else {}

    @classmethod
    def example(cls, seed: int = 0) -> dict[str, Any]:
        """Return a generated night at a depot of eight vehicles."""
        rng = np.random.default_rng(seed)
        steps = 24
        hour = (np.arange(steps) + 12) % 24
        sessions = []
        for i in range(8):
            arrival = int(rng.integers(3, 9))
            departure = int(rng.integers(17, 22))
            sessions.append(
                {
                    "name": f"van {i + 1}",
                    "arrival": arrival,
                    "departure": departure,
                    "energy": round(float(rng.uniform(15, 45)), 1),
                    "power": 11.0,
                }
            )
        return {
            "problem": cls.problem_name(),
            "sessions": sessions,
            "price": np.where((hour >= 16) & (hour < 21), 0.54, 0.22).tolist(),
            "carbon": (0.2 + 0.05 * np.sin((hour - 13) / 24 * 2 * np.pi)).round(4).tolist(),
            "base_load": np.where((hour >= 7) & (hour < 19), 14.0, 6.0).tolist(),
            "site_limit": 40.0,
        }
