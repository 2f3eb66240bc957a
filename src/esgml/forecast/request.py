"""Forecast requests and answers as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import ColumnError, DataError, UsageError
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.core.units import factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.results import Forecast
    from esgml.forecast.ensemble import Ensemble


def decode(request: Mapping[str, Any], ensemble: Ensemble) -> tuple[Panel, Future]:
    """Turn a request into a history and the periods to forecast.

    A request is ``{"series": [{"entity", "target", "unit"?, "start", "values", "known"?,
    "past"?}], "horizon"?}``; values may be null where missing, known covariates go on over
    the horizon, covariates not given are missing.

    Raises
    ------
    DataError, ColumnError, UsageError
        Naming the series and field at fault.
    """
    horizon = request.get("horizon") or ensemble.horizon
    if not isinstance(horizon, int) or isinstance(horizon, bool) or horizon < 1:
        raise UsageError("horizon must be a whole number of at least 1.", where="horizon")
    series = request.get("series")
    if not isinstance(series, list) or not series:
        raise DataError("a request needs at least one series.", code="empty", where="series")
    keys, lengths, times, values, known, past = [], [], [], [], [], []
    future_time, future_known = [], []
    for number, one in enumerate(series):
        where = f"series[{number}]"
        key = SeriesKey(str(one.get("entity", "")), str(one.get("target") or _target(ensemble)))
        history = _numbers(one.get("values"), f"{where}.values")
        if len(history) == 0:
            raise DataError("values are empty.", code="empty", where=where)
        unit, stored = one.get("unit"), ensemble.units.get(key.target, "")
        if unit and stored and unit != stored:
            history = history * factor(str(unit), stored)
        n = len(history)
        try:
            start = np.datetime64(str(one["start"]).removesuffix("Z").replace("+00:00", ""), "us")
        except (KeyError, ValueError) as error:
            raise DataError(
                "start is no timestamp.",
                code="timestamp",
                where=f"{where}.start",
                remedy="Give the start of the first period as ISO 8601, in UTC.",
            ) from error
        grid = ensemble.frequency.advance(start, np.arange(n + horizon))
        ahead = np.full((n + horizon, len(ensemble.known)), np.nan)
        for c, name in enumerate(ensemble.known):
            column = _numbers((one.get("known") or {}).get(name, []), f"{where}.known.{name}")
            if len(column) > n + horizon:
                raise ColumnError(
                    f"{name} has {len(column)} values for {n} periods and {horizon} ahead.",
                    where=f"{where}.known.{name}",
                )
            ahead[: len(column), c] = column
        behind = np.full((n, len(ensemble.past)), np.nan)
        for c, name in enumerate(ensemble.past):
            column = _numbers((one.get("past") or {}).get(name, []), f"{where}.past.{name}")
            if len(column) > n:
                raise ColumnError(
                    f"{name} has {len(column)} values for {n} periods.",
                    where=f"{where}.past.{name}",
                )
            behind[: len(column), c] = column
        keys.append(key)
        lengths.append(n)
        times.append(grid[:n])
        values.append(history)
        known.append(ahead[:n])
        past.append(behind)
        future_time.append(grid[n:])
        future_known.append(ahead[n:])
    if len(set(keys)) != len(keys):
        raise DataError("a series appears twice.", code="duplicate_series", where="series")
    panel = Panel(
        tuple(keys),
        np.cumsum([0, *lengths], dtype=np.int64),
        np.concatenate(times),
        np.concatenate(values),
        ensemble.frequency,
        np.concatenate(known),
        np.concatenate(past),
        ensemble.known,
        ensemble.past,
        dict(ensemble.units),
    )
    return panel, Future(np.stack(future_time), np.stack(future_known), ensemble.known)


def _target(ensemble: Ensemble) -> str:
    return ensemble.keys[0].target


def _numbers(values: Any, where: str) -> NDArray[np.float64]:
    if not isinstance(values, list):
        raise DataError("expected a list of numbers.", code="number", where=where)
    for i, value in enumerate(values):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise DataError(f"{value!r} is no number.", code="number", where=f"{where}[{i}]")
    array = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    if np.isinf(array).any():
        raise DataError("values must be finite or null.", code="not_finite", where=where)
    return array


def encode(forecast: Forecast, levels: tuple[int, ...]) -> dict[str, Any]:
    """Turn a forecast into plain JSON values.

    Raises
    ------
    UsageError
        If a level was not calibrated.
    """
    missing = set(levels) - set(forecast.levels)
    if missing:
        raise UsageError(
            f"no interval of level {min(missing)} % was calibrated.",
            where="levels",
            remedy=f"Use {', '.join(map(str, forecast.levels))}, or train with other levels.",
        )
    return {
        "forecasts": [
            {
                "entity": key.entity,
                "target": key.target,
                "unit": forecast.units.get(key.target, ""),
                "timestamps": [str(t.astype("datetime64[s]")) for t in forecast.time[i]],
                "mean": forecast.mean[i].tolist(),
                "lower": {str(level): forecast.lower[level][i].tolist() for level in levels},
                "upper": {str(level): forecast.upper[level][i].tolist() for level in levels},
            }
            for i, key in enumerate(forecast.keys)
        ],
        "model": forecast.model,
        "horizon": forecast.horizon,
    }
