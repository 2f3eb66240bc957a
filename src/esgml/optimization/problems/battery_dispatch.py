"""Batteries beside load and solar: when to charge and discharge, for cost and carbon."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
import pydantic

from esgml.core.errors import DataError
from esgml.optimization.dispatch.foreseen import ForecastAnswer, Foreseen, foreseen
from esgml.optimization.dispatch.matrix import Grid, dispatch_matrix
from esgml.optimization.dispatch.rules import fill_late, self_consumption, tariff
from esgml.optimization.dispatch.store import Store
from esgml.optimization.library import (
    Document,
    LibraryProblem,
    Series,
    converter,
    hourly,
    money_and_carbon,
)
from esgml.optimization.problem import Constraint
from esgml.optimization.space import Variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.optimization.matrix import MatrixForm

    Floats = NDArray[np.float64]

Sites = Series | Annotated[list[Series], pydantic.Field(min_length=1, max_length=100)]


class BatterySpec(pydantic.BaseModel):
    """The battery of each site; `efficiency` is that of a round trip."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    capacity: float = 6.4
    power: float = 5.0
    efficiency: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.9
    start: float = 0.0
    end_least: float = 0.0


class History(pydantic.BaseModel):
    """Steps before the plan, for controllers that forecast; one value per step and site."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    load: Sites
    solar: Sites | None = None
    carbon: Series | None = None
    price: Series | None = None


class DispatchSpec(Document):
    """The document: load and solar in kWh per step (of one site, or a list of sites).

    Where load or solar are not known yet (left out, or null), `forecast` stands in for them:
    the answer of the forecast route, mean and intervals.
    `start` is the time of the first step, for controllers that know the hour and weekday.
    `price_published` is the hour of day at which the prices of the next day become known to
    them; without it the whole tariff is known.
    """

    load: Sites | None = None
    solar: Sites | None = None
    forecast: ForecastAnswer | None = None
    price: Series | float
    carbon: Series | float = 0.0
    export_price: Series | float = 0.0
    battery: BatterySpec = BatterySpec()
    start: Annotated[str, pydantic.Field(max_length=40)] | None = None
    price_published: Annotated[int, pydantic.Field(ge=0, le=24)] | None = None
    step_hours: Annotated[float, pydantic.Field(gt=0, le=24)] = 1.0
    carbon_price: Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)] = 0.0
    carbon_cap: float | None = None
    site_limit: float | None = None
    history: History | None = None


class BatteryDispatch(LibraryProblem):
    """Power of each battery in every step; positive charges.

    The simulator carries out what power, room and stored energy allow, so every plan is
    physically possible. Objectives are cost and carbon of what is drawn from the grid.

    Attributes
    ----------
    grid : Grid
        Net load, prices, limits; H sites and T steps.
    store : Store
    history : dict of str to array
        ``load``, ``solar`` (H, before) and ``carbon`` (before,), where given.
    first_hour : int
        Hour of the week of the first step, 0 = Monday 00:00.
    price_published : int or None
        Hour at which the prices of the next day become known; None = all are known.
    foreseen : Foreseen or None
        What stands in for load and solar that are not known yet: `load` and `solar` hold its
        mean there, and so do plans and costs.
    """

    Spec: ClassVar[type[Document]] = DispatchSpec

    def __init__(
        self,
        load: Floats,
        solar: Floats,
        grid: Grid,
        store: Store,
        *,
        currency: str = "USD",
        carbon_price: float = 0.0,
        history: dict[str, Floats] | None = None,
        first_hour: int = 0,
        price_published: int | None = None,
        foreseen: Foreseen | None = None,
    ) -> None:
        sites, steps = grid.shape
        names = ["battery"] if sites == 1 else [f"battery_{i + 1}" for i in range(sites)]
        constraints = []
        if np.isfinite(grid.limit):
            constraints.append(Constraint("site limit", "kWh"))
        if np.isfinite(grid.carbon_cap):
            constraints.append(Constraint("carbon cap", "kgCO2e"))
        if grid.end_least > 0:
            constraints.append(Constraint("end level", "kWh"))
        super().__init__(
            self.problem_name(),
            [Variable(n, "real", -store.power, store.power, "kW", steps) for n in names],
            money_and_carbon(currency, carbon_price),
            constraints,
        )
        self.load, self.solar, self.grid, self.store = load, solar, grid, store
        self.history = history or {}
        self.first_hour, self.price_published = first_hour, price_published
        self.foreseen = foreseen

    @classmethod
    def build(cls, spec: DispatchSpec) -> Self:
        """Build the problem from its checked document."""
        money = spec.currency
        scale = converter(
            spec,
            {
                "load": "kWh",
                "solar": "kWh",
                "price": f"{money}/kWh",
                "export_price": f"{money}/kWh",
                "carbon": "kgCO2e/kWh",
                "carbon_cap": "kgCO2e",
                "site_limit": "kW",
                "carbon_price": f"{money}/kgCO2e",
            },
        )
        ahead = _ahead(spec)
        load = _sites(spec.load, "load", scale["load"], expected=ahead.load if ahead else None)
        sites, steps = load.shape
        solar = _sites(
            spec.solar,
            "solar",
            scale["solar"],
            load.shape,
            expected=ahead.solar if ahead else None,
        )
        price = hourly(spec.price, steps, "price", scale["price"])
        export = hourly(spec.export_price, steps, "export_price", scale["export_price"])
        carbon = hourly(spec.carbon, steps, "carbon", scale["carbon"])
        if (load < 0).any() or (solar < 0).any() or (carbon < 0).any():
            raise DataError(
                "load, solar and carbon intensity are 0 or more.", code="negative", where="load"
            )
        if (dear := export > price).any() and (export[dear] > 0).any():
            hour = int(np.argmax(dear))
            raise DataError(
                f"in hour {hour} feeding in pays more than drawing costs, which no meter can"
                " allow at once.",
                code="unbounded",
                where=f"export_price[{hour}]",
                remedy="Check the units and the order of the two prices.",
            )
        b = spec.battery
        way = float(np.sqrt(b.efficiency))
        store = Store(b.capacity, b.power, way, way, b.start, spec.step_hours)
        grid = Grid(
            load - solar,
            price,
            carbon,
            export,
            _limit(spec.site_limit, "site_limit", scale["site_limit"] * spec.step_hours),
            _limit(spec.carbon_cap, "carbon_cap", scale["carbon_cap"]),
            b.end_least,
        )
        if b.end_least > b.capacity:
            raise DataError(
                "the store must end with more than it holds.",
                code="infeasible",
                where="battery.end_least",
            )
        return cls(
            load,
            solar,
            grid,
            store,
            currency=money,
            carbon_price=spec.carbon_price * scale["carbon_price"],
            history=_history(spec.history, sites, scale),
            first_hour=hour_of_week(spec.start or (ahead.start if ahead else None)),
            price_published=spec.price_published,
            foreseen=ahead,
        )

    @property
    def value(self) -> Floats:
        """Value of one kWh drawn in each step, in the unit that is minimized, shape (T,)."""
        return np.asarray(self.weights[0] * self.grid.price + self.weights[1] * self.grid.carbon)

    def simulate(self, X: Floats) -> tuple[Floats, Floats]:
        """Return cost and carbon, and by how much limits are broken."""
        sites, steps = self.grid.shape
        power = np.ascontiguousarray(X.reshape(len(X), sites, steps).transpose(2, 0, 1))
        energy, level = self.store.run(power)
        meter = energy + self.grid.net.T[:, None, :]
        drawn = np.maximum(meter, 0.0)
        total = drawn.sum(axis=2) if sites > 1 else drawn[:, :, 0]  # (T, n)
        cost = self.grid.price @ total
        if self.grid.export.any():
            cost = cost - self.grid.export @ (drawn - meter).sum(axis=2)
        carbon = self.grid.carbon @ total
        broken = []
        if np.isfinite(self.grid.limit):
            broken.append(np.maximum(total - self.grid.limit, 0.0).sum(axis=0))
        if np.isfinite(self.grid.carbon_cap):
            broken.append(carbon - self.grid.carbon_cap)
        if self.grid.end_least > 0:
            broken.append(np.maximum(self.grid.end_least - level[-1], 0.0).sum(axis=1))
        violations = np.stack(broken, axis=1) if broken else np.zeros((len(X), 0))
        return np.stack([cost, carbon], axis=1), violations

    def baseline(self) -> Floats:
        """Return the plan that leaves the battery idle."""
        return np.zeros(self.dimension)

    def rules(self) -> dict[str, Floats]:
        """Return self-consumption, filling up before dear hours, and filling late for them."""
        net, value = self.grid.net, self.value
        past = self.history["load"] - self.history["solar"] if self.history else None
        return {
            "self-consumption": self_consumption(net, value, self.store).reshape(-1),
            "tariff": tariff(net, value, self.store).reshape(-1),
            "fill late": fill_late(net, value, self.store, past).reshape(-1),
        }

    @cached_property
    def _form(self) -> MatrixForm:
        return dispatch_matrix(self.grid, self.store)

    def matrix(self) -> MatrixForm:
        """Return the linear program."""
        return self._form

    def env(self) -> Any:
        """Return a `gymnasium.Env` of one hour a step; see `dispatch.env`."""
        from esgml.optimization.dispatch.env import DispatchEnv

        return DispatchEnv(self)

    @classmethod
    def example(cls, seed: int = 0) -> dict[str, Any]:
        """Return three days of a generated house with a two-price tariff."""
        return example_document(seed, days=3)


def example_document(seed: int, days: int) -> dict[str, Any]:
    """Return a generated house over some days, after as many days and a week of history."""
    rng = np.random.default_rng(seed)
    steps = 24 * (2 * days + 7)
    hour = np.arange(steps) % 24
    shape = 0.4 + 0.5 * np.exp(-((hour - 7.5) ** 2) / 4) + 1.3 * np.exp(-((hour - 19) ** 2) / 6)
    load = shape * rng.lognormal(0, 0.25, steps)
    clear = np.repeat(rng.uniform(0.3, 1.0, steps // 24), 24)
    solar = np.maximum(0, 3.2 * np.sin((hour - 6) / 12 * np.pi)) * (hour > 6) * (hour < 18) * clear
    carbon = 0.18 + 0.06 * np.sin((hour - 13) / 24 * 2 * np.pi) + rng.normal(0, 0.005, steps)
    price = np.where((hour >= 16) & (hour < 21), 0.54, 0.22)
    cut = steps - 24 * days
    return {
        "problem": BatteryDispatch.problem_name(),
        "load": load[cut:].round(3).tolist(),
        "solar": solar[cut:].round(3).tolist(),
        "price": price[cut:].tolist(),
        "carbon": carbon[cut:].round(4).tolist(),
        "battery": {"capacity": 6.4, "power": 5.0, "efficiency": 0.9},
        "history": {
            "load": load[:cut].round(3).tolist(),
            "solar": solar[:cut].round(3).tolist(),
            "carbon": carbon[:cut].round(4).tolist(),
        },
    }


def hour_of_week(start: str | None) -> int:
    """Return the hour of the week of an ISO 8601 time, 0 = Monday 00:00 (and where None)."""
    if start is None:
        return 0
    try:
        moment = dt.datetime.fromisoformat(start)
    except ValueError as error:
        raise DataError(
            "start is no timestamp.",
            code="timestamp",
            where="start",
            remedy="Give the start of the first step as ISO 8601.",
        ) from error
    return moment.weekday() * 24 + moment.hour


def _limit(value: float | None, name: str, scale: float) -> float:
    if value is None:
        return float(np.inf)
    if not np.isfinite(value) or value < 0:
        raise DataError("a limit is a finite number, 0 or more.", code="not_finite", where=name)
    return value * scale


def _ahead(spec: DispatchSpec) -> Foreseen | None:
    """Return the forecast as scenarios, over as many steps as are planned."""
    if spec.forecast is None:
        if spec.load is None:
            raise DataError(
                "neither the load nor a forecast of it is given.",
                code="hours_missing",
                where="load",
                remedy="Give load, or forecast; esgml optimize --history DATA makes one.",
            )
        return None
    series: Any = spec.load if spec.load is not None else spec.price
    series = series[0] if isinstance(series, list) and isinstance(series[0], list) else series
    steps = len(series) if isinstance(series, list) else len(spec.forecast.forecasts[0].mean)
    return foreseen(spec.forecast, steps)


def _sites(
    values: Any,
    name: str,
    scale: float,
    shape: tuple[int, int] | None = None,
    *,
    expected: Floats | None = None,
) -> Floats:
    """Return a series per site, shape (H, T); `expected` where values are null or left out."""
    if values is None:
        return np.zeros(shape or (1, 1)) if expected is None else expected
    rows = values if isinstance(values[0], list) else [values]
    sites, steps = shape if shape is not None else (len(rows), len(rows[0]))
    if len(rows) != sites or (expected is not None and len(expected) != sites):
        other = sites if len(rows) != sites or expected is None else len(expected)
        raise DataError(
            f"it has {len(rows)} sites, {'the load' if expected is None else 'the forecast'}"
            f" {other}.",
            code="length",
            where=name,
        )
    labels = [name] if len(rows) == 1 else [f"{name}[{i}]" for i in range(len(rows))]
    if expected is not None:
        rows = [
            [mean if v is None else v for v, mean in zip(row, means / scale, strict=False)]
            if len(row) == len(means)
            else row
            for row, means in zip(rows, expected, strict=True)
        ]
    return np.stack(
        [hourly(row, steps, label, scale) for row, label in zip(rows, labels, strict=True)]
    )


def _history(given: History | None, sites: int, scale: dict[str, float]) -> dict[str, Floats]:
    if given is None:
        return {}
    load = _sites(given.load, "history.load", scale["load"])
    if len(load) != sites:
        raise DataError("the history has other sites.", code="length", where="history.load")
    found = {
        "load": load,
        "solar": _sites(given.solar, "history.solar", scale["solar"], load.shape),
    }
    for name in ("carbon", "price"):
        if (values := getattr(given, name)) is not None:
            found[name] = hourly(values, load.shape[1], f"history.{name}", scale[name])
    return found
