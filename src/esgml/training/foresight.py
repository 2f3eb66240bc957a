"""The project's own forecaster under a battery: load and sun ahead, with intervals.

`with_forecast` puts a forecast into a problem that is to be planned now. `Foresight` makes
one anew every few hours, for a controller that walks through what is known already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import DataError, HistoryError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.data.load import load
from esgml.data.panels import to_panel
from esgml.forecast.ensemble import Ensemble
from esgml.forecast.fitting import fit_ensemble
from esgml.forecast.future import complete_future
from esgml.forecast.history import fill
from esgml.forecast.request import encode
from esgml.optimization.dispatch.foreseen import ForecastAnswer, foreseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Interval levels that scenarios are drawn from.
LEVELS = (50, 80, 90)
#: Days of history that go into a problem.
PAST = 28
_HOUR = 3600


def with_forecast(
    document: Mapping[str, Any],
    data: Any,
    *,
    load_column: str = "load_kwh",
    solar_column: str = "solar_kwh",
    entity: str = "entity",
    time: str = "timestamp",
    model: str = "auto",
    seed: int = 0,
    threads: int = 1,
) -> dict[str, Any]:
    """Return the document with load and sun of the coming hours forecast from a table.

    Every entity of the table is a site. The plan begins after the last row; its length is
    that of the prices. Values of load and solar that the document gives are kept.

    Parameters
    ----------
    document : mapping
        A ``battery_dispatch`` problem.
    data : path, URL or data frame
        Hours of load, and of solar generation where `solar_column` is not empty, kWh.
    model : str
        ``auto`` or the name of one forecaster.

    Raises
    ------
    UsageError
        If the problem is no battery, or its prices do not say how long the plan is.
    DataError
        If the table is no hourly series of load, or its series end apart.
    """
    if document.get("problem") != "battery_dispatch":
        raise UsageError(
            "only battery_dispatch plans on a forecast of load.", where="problem",
            remedy="Leave --history out.",
        )  # fmt: skip
    price = document.get("price")
    if not isinstance(price, list) or not price:
        raise UsageError(
            "the prices of the coming hours say how long the plan is.",
            where="price",
            remedy="Give price as a list, one value per hour.",
        )
    targets = tuple(name for name in (load_column, solar_column) if name)
    loaded = load(data, SeriesSpec(entity, time, targets))
    panel, given = to_panel(loaded.frame, loaded.spec)
    hours = panel.frequency.seconds / _HOUR
    if not hours or hours != document.get("step_hours", 1.0):
        raise DataError(
            f"rows are one {panel.frequency.code} apart, steps of the plan"
            f" {document.get('step_hours', 1.0)} hours.",
            code="not_hourly",
            where=time,
            remedy="Resample the history, or set step_hours.",
        )
    if len(np.unique(panel.last_time())) > 1:
        raise DataError(
            "the series of the history end at different times.",
            code="length",
            where=entity,
            remedy="Cut them where the first one ends.",
        )
    ensemble, _ = fit_ensemble(
        panel, horizon=len(price), levels=LEVELS, model=model, seed=seed, threads=threads
    )
    future, _ = complete_future(panel, given, len(price))
    answer = encode(ensemble.forecast(panel, future), LEVELS)
    answer |= {"load": load_column, "solar": solar_column or "solar_kwh"}
    found = {**document, "forecast": answer}
    sites = list(dict.fromkeys(k.entity for k in panel.keys if k.target == load_column))
    past = _past(panel, sites, targets, round(PAST * 24 / hours))
    found["history"] = {
        name: past[column].tolist()
        for name, column in (("load", load_column), ("solar", solar_column))
        if column
    }
    return found


def _past(panel: Panel, sites: list[str], targets: tuple[str, ...], most: int) -> dict[str, Floats]:
    """Return the last rows of every site, shape (H, n) by target, gaps filled."""
    place = {key: i for i, key in enumerate(panel.keys)}
    count = min(most, int(panel.lengths.min()))
    season = panel.frequency.season

    def last(site: str, target: str) -> Floats:
        if (key := SeriesKey(site, target)) not in place:
            raise DataError(
                f"{site} has no {target}.", code="column_missing", where=target,
                remedy="Give every site the same columns.",
            )  # fmt: skip
        return np.maximum(fill(panel.series(place[key]), season)[-count:], 0.0)

    return {target: np.stack([last(site, target) for site in sites]) for target in targets}


@dataclass
class Foresight:
    """A fitted forecaster as the `forecast` of a controller (see `optimization.dispatch.control`).

    Attributes
    ----------
    ensemble : Ensemble
        Fitted on targets ``load_kwh`` and ``solar_kwh`` of sites called ``1``, ``2``, ...
    begin : datetime64
        Time of the first hour of the history that the controller is given.
    every : int
        Steps between new forecasts; in between the last one is used on.
    """

    ensemble: Ensemble
    begin: np.datetime64
    every: int = 1
    _last: tuple[int, Floats, Floats] | None = field(default=None, init=False, repr=False)

    @classmethod
    def fit(
        cls,
        load: Floats,
        solar: Floats,
        begin: np.datetime64,
        horizon: int,
        *,
        every: int = 1,
        model: str = "auto",
        seed: int = 0,
    ) -> Foresight:
        """Fit a forecaster on what was seen before a controller starts.

        Parameters
        ----------
        load, solar : array, shape (H, n)
            kWh in each hour.
        horizon : int
            Hours ahead the controller looks, and `every` more.
        """
        if load.shape[1] < 14 * 24:
            raise HistoryError(
                f"{load.shape[1]} hours are too few to learn from.",
                remedy="Give at least two weeks.",
            )
        panel = _panel(load, solar, begin)
        ensemble, _ = fit_ensemble(
            panel, horizon=horizon + every, levels=LEVELS, model=model, seed=seed
        )
        return cls(ensemble, begin, every)

    def __call__(
        self, load: Floats, solar: Floats, carbon: Floats, ahead: int
    ) -> tuple[Floats, Floats, Floats]:
        """Return net load (ahead, H, K), carbon (ahead,) and weights (H, K)."""
        from esgml.optimization.dispatch.analogs import usual_ahead

        now = load.shape[1]
        if self._last is None or not 0 <= now - self._last[0] < self.every:
            panel = _panel(load, solar, self.begin)
            future, _ = complete_future(panel, None, self.ensemble.horizon)
            answer = encode(self.ensemble.forecast(panel, future), LEVELS)
            found = foreseen(ForecastAnswer.model_validate(answer), self.ensemble.horizon)
            self._last = (now, found.net, found.weights)
        made, net, weights = self._last
        return net[now - made : now - made + ahead], usual_ahead(carbon, ahead), weights


def _panel(load: Floats, solar: Floats, begin: np.datetime64) -> Panel:
    """Return hourly series of sites called 1, 2, ... as a panel."""
    sites, hours = load.shape
    grid = Frequency("h").advance(begin.astype("datetime64[us]"), np.arange(hours))
    keys = [
        SeriesKey(str(site + 1), target)
        for target in ("load_kwh", "solar_kwh")
        for site in range(sites)
    ]
    none = np.zeros((2 * sites * hours, 0))
    return Panel(
        tuple(keys),
        np.arange(2 * sites + 1) * hours,
        np.tile(grid, 2 * sites),
        np.concatenate([load.reshape(-1), solar.reshape(-1)]),
        Frequency("h"),
        none,
        none,
        units={"load_kwh": "kWh", "solar_kwh": "kWh"},
    )
