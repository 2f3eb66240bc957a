"""A forecast with intervals as scenarios: paths through the bands of load and sun.

What is read is the answer of the forecast route, so that it can be pasted into a problem.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pydantic

from esgml.core.errors import DataError
from esgml.core.units import factor
from esgml.optimization.library import LONGEST, Name, hourly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Quantiles that a path runs along, and how likely it is.
QUANTILES = ((0.05, 0.1), (0.25, 0.25), (0.5, 0.3), (0.75, 0.25), (0.95, 0.1))

_Values = Annotated[list[float | None], pydantic.Field(min_length=1, max_length=LONGEST)]
_Levels = Annotated[dict[Annotated[int, pydantic.Field(ge=1, le=99)], _Values], pydantic.Field()]


class SeriesForecast(pydantic.BaseModel):
    """The forecast of one series: mean, and bounds by level in percent."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    entity: Name
    target: Name
    unit: Annotated[str, pydantic.Field(max_length=40)] | None = None
    timestamps: Annotated[list[str], pydantic.Field(max_length=LONGEST)] = []
    mean: _Values
    lower: _Levels = {}
    upper: _Levels = {}


class ForecastAnswer(pydantic.BaseModel):
    """What ``/v1/emissions/forecast`` answers; `load` and `solar` say which target is which."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    forecasts: Annotated[list[SeriesForecast], pydantic.Field(min_length=1, max_length=200)]
    model: Annotated[str, pydantic.Field(max_length=400)] = ""
    load: Name = "load_kwh"
    solar: Name = "solar_kwh"


@dataclass(frozen=True)
class Foreseen:
    """Load and sun of H sites over T steps as they are forecast.

    Attributes
    ----------
    load, solar : array, shape (H, T)
        Means, kWh per step.
    net : array, shape (T, H, K)
        Load minus solar along K paths.
    weights : array, shape (H, K)
    model : str
        What made the forecast.
    start : str or None
        Time of the first step.
    """

    load: Floats
    solar: Floats
    net: Floats
    weights: Floats
    model: str = ""
    start: str | None = None


def foreseen(answer: ForecastAnswer, steps: int) -> Foreseen:
    """Return the first `steps` steps of a forecast as scenarios.

    A path runs along one quantile of its band: what makes an evening needier than usual is
    taken to last (see `worth.Scenarios.persistence`). Load and sun go their own ways.

    Raises
    ------
    DataError
        ``hours_missing`` where a forecast is shorter, ``not_finite``, ``length``; or
        ``forecast`` where no series is called as the load is.
    """
    by_target: dict[str, dict[str, tuple[int, SeriesForecast]]] = {}
    for i, one in enumerate(answer.forecasts):
        by_target.setdefault(one.target, {})[one.entity] = (i, one)
    loads, suns = by_target.get(answer.load, {}), by_target.get(answer.solar, {})
    if not loads:
        raise DataError(
            f"no series of it is called {answer.load!r}.",
            code="forecast",
            where="forecast.load",
            remedy=f"Name the target that is the load: {', '.join(sorted(by_target))}.",
        )
    none = np.zeros((1, steps))
    likely = {1: np.ones(1), len(QUANTILES): np.array([w for _, w in QUANTILES])}
    means, paths, chances = [], [], []
    for site, (i, one) in loads.items():
        load = _quantiles(one, i, steps)
        sun = _quantiles(suns[site][1], suns[site][0], steps) if site in suns else none
        means.append((_mean(load), _mean(sun)))
        paths.append([a - b for a, b in itertools.product(load, sun)])
        chances.append(np.outer(likely[len(load)], likely[len(sun)]).reshape(-1))
    if len({len(p) for p in paths}) > 1:
        raise DataError(
            "some sites have a forecast of sun or intervals, others have none.",
            code="length",
            where="forecast",
            remedy="Forecast every site alike.",
        )
    net = np.array(paths).transpose(2, 0, 1)  # (T, H, K)
    load, solar = (np.stack([m[k] for m in means]) for k in (0, 1))
    _, first = next(iter(loads.values()))
    start = first.timestamps[0] if first.timestamps else None
    return Foreseen(load, solar, net, np.array(chances), answer.model, start)


def _mean(quantiles: Floats) -> Floats:
    return np.asarray(quantiles[len(quantiles) // 2])


def _quantiles(one: SeriesForecast, number: int, steps: int) -> Floats:
    """Return the quantiles of one series, shape (5, T), or its mean alone, (1, T); 0 or more."""
    where = f"forecast.forecasts[{number}]"
    scale = factor(one.unit, "kWh") if one.unit and one.unit != "kWh" else 1.0

    def read(values: list[float | None], name: str) -> Floats:
        if len(values) < steps:
            raise DataError(
                f"{len(values)} of {steps} hours are forecast.",
                code="hours_missing",
                where=f"{where}.{name}",
                remedy=f"Forecast at least {steps} hours, or plan fewer.",
            )
        return hourly(values[:steps], steps, f"{where}.{name}", scale)

    mean = read(one.mean, "mean")
    if set(one.lower) != set(one.upper):
        raise DataError("a level has one bound only.", code="forecast", where=where)
    found = [mean]
    if one.lower:
        known = sorted(one.lower)
        at = [0.0, *(NormalDist().inv_cdf(0.5 + level / 200) for level in known)]
        sides = {
            -1: [mean, *(read(one.lower[level], f"lower.{level}") for level in known)],
            1: [mean, *(read(one.upper[level], f"upper.{level}") for level in known)],
        }
        found = []
        for share, _ in QUANTILES:
            z = NormalDist().inv_cdf(share)
            bounds = np.array(sides[-1 if z < 0 else 1])
            found.append(_between(abs(z), at, bounds))
    return np.maximum(np.array(found), 0.0)


def _between(z: float, at: list[float], bounds: Floats) -> Floats:
    """Return the bound at `z` deviations, in a straight line between and beyond those known."""
    k = min(int(np.searchsorted(at, z)), len(at) - 1)
    if k == 0:
        return np.asarray(bounds[0])
    share = (z - at[k - 1]) / (at[k] - at[k - 1])
    return np.asarray(bounds[k - 1] + share * (bounds[k] - bounds[k - 1]))
