"""Which driver moved a forecast: exact Shapley values over the covariates known ahead.

::

    forecast = baseline + contribution of driver 1 + ... + contribution of driver k

The baseline is what the same forecaster says if every driver takes its usual course: the
median of the same season over the latest cycles. A driver's contribution is the mean change
of the forecast when its real course replaces the usual one, over all orders in which drivers
can be replaced. Every forecast in between comes from the whole forecaster, so contributions
hold for the combined, reconciled forecast that is published, and those of sites add up to
those of their sums. The calendar and the history stay as they are.

Contributions say what moved the model, not what causes emissions.

References
----------
Shapley (1953), a value for n-person games; Castro, Gomez & Tejada (2009), polynomial
calculation of the Shapley value based on sampling. Deviation: sampled orders come in pairs,
each with its reverse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import ColumnError, UsageError
from esgml.core.figures import figure
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.core.random import generator
from esgml.core.units import convert, is_unit, shown_unit

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from esgml.forecast.ensemble import Ensemble

#: Most drivers whose every subset is forecast; with more, orders are sampled.
MOST_EXACT = 8
#: Cycles whose median is the usual course of a driver; odd, so that a flag stays a flag.
CYCLES = 5
#: Name of the rows of the table that hold the forecast under usual drivers.
BASELINE = "(usual drivers)"

Coalition = frozenset[int]


@dataclass(frozen=True)
class Explanation:
    """What each driver added to the forecasts of n series.

    Attributes
    ----------
    keys : tuple of SeriesKey, length n
    time : array of datetime64[us], shape (n, horizon)
    drivers : tuple of str, length k
    forecast : array, shape (n, horizon)
        The published forecast, in the unit of the target.
    baseline : array, shape (n, horizon)
        The forecast under the usual course of every driver.
    contributions : array, shape (k, n, horizon)
        What each driver added; baseline plus their sum is the forecast.
    units : dict of target name to unit
    exact : bool
        Whether all orders of drivers were counted, not a sample.
    """

    keys: tuple[SeriesKey, ...]
    time: NDArray[np.datetime64]
    drivers: tuple[str, ...]
    forecast: NDArray[np.float64]
    baseline: NDArray[np.float64]
    contributions: NDArray[np.float64]
    units: dict[str, str]
    exact: bool = True

    def to_frame(self, *, baseline: bool = False) -> pl.DataFrame:
        """Return rows ``entity, timestamp, target, driver, contribution, unit``.

        Parameters
        ----------
        baseline : bool
            Add the baseline as a driver of its own, so that the rows of a period add up to
            its forecast.
        """
        import polars as pl

        n, horizon = self.forecast.shape
        names = [*([BASELINE] if baseline else []), *self.drivers]
        parts = [*([self.baseline] if baseline else []), *self.contributions]
        k = len(names)
        values = np.stack(parts, axis=-1) if parts else np.empty((n, horizon, 0))
        by_row = [key for key in self.keys for _ in range(horizon * k)]
        return pl.DataFrame(
            {
                "entity": [key.entity for key in by_row],
                "timestamp": np.repeat(self.time.reshape(-1), k),
                "target": [key.target for key in by_row],
                "driver": names * (n * horizon),
                "contribution": values.reshape(-1),
                "unit": [self.units.get(key.target, "") for key in by_row],
            },
            schema={
                "entity": pl.String,
                "timestamp": pl.Datetime("us"),
                "target": pl.String,
                "driver": pl.String,
                "contribution": pl.Float64,
                "unit": pl.String,
            },
        )

    def largest(self, i: int) -> str | None:
        """Return the driver that moved series `i` most, None where none did.

        The size of a driver is the sum of the absolute contributions over the horizon.
        """
        size = np.abs(self.contributions[:, i]).sum(axis=1)
        scale = np.abs(self.forecast[i]).sum() + np.abs(self.baseline[i]).sum()
        if len(size) == 0 or size.max() <= 1e-9 * max(float(scale), 1e-300):
            return None
        return self.drivers[int(size.argmax())]

    def sentence(self, i: int) -> str:
        """Return what moved series `i`, in one sentence: driver, direction, amount, unit."""
        key, horizon = self.keys[i], self.forecast.shape[1]
        span = f"the next {horizon} periods" if horizon > 1 else "the next period"
        name = f"{key.entity} ({key.target})"
        if not self.drivers:
            return f"{name}: no driver is known ahead; the forecast follows history and calendar."
        driver = self.largest(i)
        if driver is None:
            return f"{name}: no driver moves the forecast of {span} away from its usual course."
        own = self.contributions[self.drivers.index(driver), i]
        added, total = float(own.sum()), float(self.forecast[i].sum())
        whole = f" of {self._amount(total, key.target)} in all"
        if abs(added) >= 0.5 * float(np.abs(own).sum()):
            word = "raises" if added > 0 else "lowers"
            amount = f"{self._amount(abs(added), key.target)}{whole}"
            text = f"{driver} {word} the forecast of {span} by {amount}"
        else:
            up = self._amount(float(own[own > 0].sum()), key.target)
            down = self._amount(float(-own[own < 0].sum()), key.target)
            text = f"{driver} raises the forecast by {up} in some of {span} and lowers it"
            text += f" by {down} in others,{whole}"
        return f"{name}: {text}, against its usual course."

    def sentences(self) -> dict[SeriesKey, str]:
        """Return the sentence of every series."""
        return {key: self.sentence(i) for i, key in enumerate(self.keys)}

    def _amount(self, value: float, target: str) -> str:
        """Return an amount in the unit it is shown in."""
        unit = self.units.get(target, "")
        if unit and is_unit(unit):
            shown = shown_unit(unit)
            value, unit = float(convert(value, unit, shown)), shown
        return f"{figure(value, 3)} {unit}".strip()


def explain(
    ensemble: Ensemble, history: Panel, future: Future, *, seed: int = 0, pairs: int = 16
) -> Explanation:
    """Say which driver moved each forecast, per series and step.

    A driver is one covariate known ahead; the flags a text covariate became
    (``weather=rain``, ``weather=sun``) are one driver. Where a driver's future is not
    given, it has no part. The forecaster is run 2^k times for k drivers that leave their
    usual course, so with many drivers and slow models this takes a while.

    Parameters
    ----------
    ensemble : Ensemble
    history : Panel
    future : Future
        As for `Ensemble.forecast`.
    seed : int
        Of the sampled orders, with more than `MOST_EXACT` drivers.
    pairs : int
        Pairs of orders sampled then.

    Returns
    -------
    Explanation
        Its series are those that `Ensemble.forecast` returns, sums included.

    Raises
    ------
    ColumnError
        If covariates the forecaster was trained with are missing.
    UsageError
        If `pairs` is less than one.
    EsgmlError
        What `Ensemble.forecast` raises.

    Examples
    --------
    >>> found = explain(ensemble, history, future)  # doctest: +SKIP
    >>> found.sentence(0)  # doctest: +SKIP
    'oslo (scope2_kg): temperature raises the forecast of the next 7 periods by 1.24 tCO2e ...'
    """
    if pairs < 1:
        raise UsageError(f"pairs must be at least 1, got {pairs}.")
    if missing := [name for name in ensemble.known if name not in future.known_names]:
        raise ColumnError(
            f"covariates {', '.join(missing)} are missing.",
            code="column_missing",
            remedy="Give the covariates the forecaster was trained with.",
        )
    drivers = _drivers(ensemble.known)
    names = tuple(drivers)
    usual = usual_future(history, future)
    columns = [[future.known_names.index(name) for name in drivers[driver]] for driver in names]
    published = ensemble.forecast(history, future)
    told: dict[Coalition, NDArray[np.float64]] = {}
    active = [d for d in range(len(names)) if _differs(usual, future, columns[d])]
    everyone = frozenset(active)
    told[everyone] = published.mean

    def value(real: Coalition) -> NDArray[np.float64]:
        """Return the forecast if only the drivers in `real` take their real course."""
        if real not in told:
            known = usual.known.copy()
            for driver in real:
                known[:, :, columns[driver]] = future.known[:, :, columns[driver]]
            mixed = ensemble.forecast(history, replace(usual, known=known))
            told[real] = mixed.mean
        return told[real]

    exact = len(active) <= MOST_EXACT
    parts = np.zeros((len(names), *published.mean.shape))
    if exact:
        parts[active] = _exact(active, value, published.mean.shape)
    else:
        rng = generator(seed, "shapley")
        parts[active] = _sampled(active, value, published.mean.shape, rng, pairs)
    return Explanation(
        published.keys,
        published.time,
        names,
        published.mean,
        value(frozenset()),
        parts,
        dict(published.units),
        exact,
    )


def usual_future(history: Panel, future: Future) -> Future:
    """Return the future in which every known covariate takes its usual course.

    That is the median of the same season over the latest `CYCLES` cycles of its history; of
    all its history where that season was never observed. A value that is not given stays
    missing.
    """
    season = history.frequency.season
    known = np.array(future.known, dtype=np.float64)
    for c, name in enumerate(future.known_names):
        if name not in history.known_names:
            continue
        column = history.known_names.index(name)
        for i in range(len(history)):
            course = _usual_course(history.known[history.rows_of(i)][:, column], season)
            known[i, :, c] = np.resize(course, future.horizon)
    known[~np.isfinite(future.known)] = np.nan
    return replace(future, known=known)


def _usual_course(past: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return one season of the usual values that follow `past`, shape (season,)."""
    observed = past[np.isfinite(past)]
    if len(observed) == 0:
        return np.full(season, np.nan)
    cycles = min(CYCLES, max(len(past) // season, 1))
    padded = np.concatenate([np.full(max(season * cycles - len(past), 0), np.nan), past])
    table = padded[len(padded) - season * cycles :].reshape(cycles, season)
    course = np.full(season, float(np.median(observed[-season * CYCLES :])))
    for place in range(season):
        seen = table[:, place][np.isfinite(table[:, place])]
        if len(seen):
            course[place] = np.median(seen)
    return course


def _drivers(known: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the columns of each driver: flags of one text covariate belong together."""
    found: dict[str, list[str]] = {}
    for name in known:
        found.setdefault(name.partition("=")[0] or name, []).append(name)
    return found


def _differs(usual: Future, future: Future, columns: list[int]) -> bool:
    """Whether a driver leaves its usual course anywhere."""
    one, two = usual.known[:, :, columns], future.known[:, :, columns]
    return not np.array_equal(one, two, equal_nan=True)


def _exact(
    active: list[int],
    value: Callable[[Coalition], NDArray[np.float64]],
    shape: tuple[int, ...],
) -> NDArray[np.float64]:
    """Return Shapley values by all subsets, shape (drivers, n, horizon)."""
    k = len(active)
    parts = np.zeros((k, *shape))
    for number in range(2**k):
        inside = [bool(number >> j & 1) for j in range(k)]
        size = sum(inside)
        told = value(frozenset(d for d, real in zip(active, inside, strict=True) if real))
        for j in range(k):
            if inside[j]:
                parts[j] += told / (k * math.comb(k - 1, size - 1))
            else:
                parts[j] -= told / (k * math.comb(k - 1, size))
    return parts


def _sampled(
    active: list[int],
    value: Callable[[Coalition], NDArray[np.float64]],
    shape: tuple[int, ...],
    rng: np.random.Generator,
    pairs: int,
) -> NDArray[np.float64]:
    """Return Shapley values over sampled orders; they add up exactly for every order."""
    parts = np.zeros((len(active), *shape))
    for _ in range(pairs):
        order = rng.permutation(len(active)).tolist()
        for one in (order, order[::-1]):
            real: Coalition = frozenset()
            for j in one:
                before = value(real)
                real = real | {active[j]}
                parts[j] += value(real) - before
    return parts / (2 * pairs)
