"""Degree days: how much heating and cooling the weather asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pydantic

from esgml.core.errors import HistoryError, UsageError
from esgml.core.interfaces import Hyperparameters
from esgml.features.step import FeatureStep, label, source_values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from esgml.core.frequency import Frequency
    from esgml.core.panel import Panel

    Floats = NDArray[np.float64]

#: unit -> (degC per degree, what 0 degC is in it)
_TO_CELSIUS = {"degC": (1.0, 0.0), "degF": (5 / 9, 32.0), "K": (1.0, 273.15)}


def heating_degree_days(
    temperature: ArrayLike, base: float = 15.5, days: ArrayLike = 1.0
) -> Floats:
    """Return the heating degree days of periods of `days` with the given mean temperature.

    Parameters
    ----------
    temperature : array, degC
        Mean of each period; NaN stays NaN.
    base : float, degC
        Outdoor temperature below which heating runs; 15.5 in Europe, 18.3 in the US.
    days : array or float
        Length of the periods in days. Means over weeks or months give too few degree days
        in spring and autumn, where single days lie on both sides of the base.

    Returns
    -------
    array, K d
    """
    gap = np.asarray(base - np.asarray(temperature, dtype=np.float64))
    return np.asarray(np.maximum(gap, 0.0) * np.asarray(days, dtype=np.float64))


def cooling_degree_days(
    temperature: ArrayLike, base: float = 22.0, days: ArrayLike = 1.0
) -> Floats:
    """Return the cooling degree days, as `heating_degree_days` for temperatures above `base`."""
    return heating_degree_days(-np.asarray(temperature, dtype=np.float64), -base, days)


def period_days(time: NDArray[np.datetime64], frequency: Frequency) -> Floats:
    """Return the length in days of the period that begins at each timestamp."""
    if frequency.months:
        first = time.astype("datetime64[M]")
        last = first + frequency.months
        span = last.astype("datetime64[D]") - first.astype("datetime64[D]")
        return np.asarray(span.astype(np.float64))
    return np.full(len(time), frequency.seconds / 86_400)


def balance_point(
    temperature: ArrayLike, energy: ArrayLike, *, cooling: bool = False
) -> tuple[float, float, float]:
    """Find the outdoor temperature at which heating (or cooling) starts to use energy.

    Fits ``energy = base load + slope * degree days(base)`` for every base on a grid of half
    degrees and returns the best: a three-parameter change-point model (ASHRAE 14).

    Parameters
    ----------
    temperature : array, degC
    energy : array
        Use in the same periods; pairs with NaN are left out.
    cooling : bool
        Whether to look for a cooling balance point.

    Returns
    -------
    base : float, degC
    slope : float
        Energy per degree and period, at least 0.
    base_load : float
        Energy per period without any heating or cooling.

    Raises
    ------
    UsageError
        If the two are not as long as each other.
    HistoryError
        With fewer than 10 usable periods, or when the temperature never changes.
    """
    t = np.asarray(temperature, dtype=np.float64)
    e = np.asarray(energy, dtype=np.float64)
    if t.shape != e.shape or t.ndim != 1:
        raise UsageError(
            f"temperature {t.shape} and energy {e.shape} are not of the same periods.",
            remedy="Give one value of each for every period.",
        )
    usable = np.isfinite(t) & np.isfinite(e)
    t, e = t[usable], e[usable]
    if len(t) < 10 or np.ptp(t) == 0.0:
        raise HistoryError(
            f"a balance point needs 10 periods of differing temperature, got {len(t)}.",
            remedy="Give a longer history, with weather.",
        )
    degree_days = cooling_degree_days if cooling else heating_degree_days
    best = (np.inf, float("nan"), 0.0, float(e.mean()))
    for base in np.arange(np.ceil(t.min() * 2) / 2, t.max(), 0.5):
        x = degree_days(t, float(base))
        centred = x - x.mean()
        square = float(centred @ centred)
        slope = max(0.0, float(centred @ e) / square) if square > 0 else 0.0
        load = float(e.mean() - slope * x.mean())
        error = float(((e - load - slope * x) ** 2).sum())
        if error < best[0]:
            best = (error, float(base), slope, load)
    return best[1], best[2], best[3]


class DegreeDays(FeatureStep):
    """Heating and cooling degree days of each period, from a temperature known ahead.

    Parameters
    ----------
    temperature : str
        Covariate with the mean outdoor temperature.
    unit : {"auto", "degC", "degF", "K"}
        Unit of that covariate. ``auto`` tells it from the median when fitted: above 150 it
        is K, above 45 degF. A cold place in degF looks like a mild one in degC, so name
        the unit where you know it.
    heating_base, cooling_base : float, degC
    lag : int
        Rows to look back; 0 needs a temperature known ahead.

    Attributes
    ----------
    unit_ : str
        The unit in use, once fitted.

    Raises
    ------
    UsageError
        If ``lag=0`` and the temperature is not known ahead.
    """

    kind = "degree_days"
    unit_: str = "degC"

    class Params(Hyperparameters):
        """Settings of `DegreeDays`."""

        temperature: str = "temperature"
        unit: Literal["auto", "degC", "degF", "K"] = "auto"
        heating_base: float = pydantic.Field(15.5, ge=-50.0, le=60.0)
        cooling_base: float = pydantic.Field(22.0, ge=-50.0, le=60.0)
        lag: int = pydantic.Field(0, ge=0)

    @property
    def names(self) -> tuple[str, ...]:
        """Heating, then cooling."""
        p = self.params
        tail = f"_lag{p.lag}" if p.lag else ""
        return tuple(f"{label(p.temperature)}_{kind}{tail}" for kind in ("hdd", "cdd"))

    @property
    def warm_up(self) -> int:
        """The lag."""
        return int(self.params.lag)

    @property
    def min_lag(self) -> int | None:
        """None at lag 0 (the temperature is known ahead), else the lag."""
        return int(self.params.lag) or None

    def _fit(self, panel: Panel) -> None:
        values = source_values(panel, self.params.temperature)
        seen = values[np.isfinite(values)]
        middle = float(np.median(seen)) if len(seen) else 0.0
        guess = "K" if middle > 150.0 else "degF" if middle > 45.0 else "degC"
        self.unit_ = guess if self.params.unit == "auto" else self.params.unit

    def _state(self) -> dict[str, Any]:
        return {"unit": self.unit_}

    def _restore(self, state: Mapping[str, Any]) -> None:
        if state["unit"] not in _TO_CELSIUS:
            raise ValueError(f"unit {state['unit']!r}")
        self.unit_ = state["unit"]

    def _columns(self, panel: Panel) -> list[Floats]:
        from esgml.features.kernels import Grouped

        p = self.params
        if p.lag == 0 and p.temperature not in panel.known_names:
            source_values(panel, p.temperature)
            raise UsageError(
                f"{p.temperature!r} is not known ahead, so its present value is not a feature.",
                remedy="Name it with --known, or set lag to at least 1.",
            )
        scale, zero = _TO_CELSIUS[self.unit_]
        raw = Grouped(source_values(panel, p.temperature), panel.indptr).values
        values = (raw - zero) * scale
        days = period_days(panel.time, panel.frequency)
        both = (
            heating_degree_days(values, p.heating_base, days),
            cooling_degree_days(values, p.cooling_base, days),
        )
        return [Grouped(column, panel.indptr).lag(p.lag) for column in both]
