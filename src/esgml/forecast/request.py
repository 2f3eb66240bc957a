"""Forecast requests and answers as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.documents import moment, numbers
from esgml.core.errors import ColumnError, DataError, HistoryError, UsageError
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
    DataError, ColumnError, HistoryError, UnitError, UsageError
        Naming the series and field at fault.
    """
    if not isinstance(request, Mapping):
        raise UsageError("a request is an object.")
    horizon = _horizon(request.get("horizon"), ensemble)
    series = request.get("series")
    if not isinstance(series, list) or not series:
        raise DataError("a request needs at least one series.", code="empty", where="series")
    keys, lengths, times, values, known, past = [], [], [], [], [], []
    future_time, future_known = [], []
    for number, one in enumerate(series):
        where = f"series[{number}]"
        if not isinstance(one, Mapping):
            raise DataError("a series is an object.", code="series", where=where)
        key = _key(one, where, ensemble)
        history = numbers(one.get("values"), f"{where}.values")
        if not np.isfinite(history).any():
            raise HistoryError("there is no observed value.", code="no_values", where=where)
        unit, stored = one.get("unit"), ensemble.units.get(key.target, "")
        if unit and stored and unit != stored:
            if not isinstance(unit, str) or len(unit) > 40:
                raise DataError("unit is no name of a unit.", code="unit", where=f"{where}.unit")
            history = history * factor(unit, stored)
        n = len(history)
        start = moment(one.get("start"), f"{where}.start")
        grid = ensemble.frequency.advance(start, np.arange(n + horizon))
        ahead = _covariates(one, "known", ensemble.known, n + horizon, where)
        keys.append(key)
        lengths.append(n)
        times.append(grid[:n])
        values.append(history)
        known.append(ahead[:n])
        past.append(_covariates(one, "past", ensemble.past, n, where))
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


def _horizon(value: Any, ensemble: Ensemble) -> int:
    """Return the horizon; checked first, since the size of everything else follows from it."""
    if value is None:
        return ensemble.horizon
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= ensemble.horizon:
        raise UsageError(
            f"horizon must be a whole number from 1 to {ensemble.horizon}, the one trained for.",
            where="horizon",
        )
    return value


def _key(one: Mapping[str, Any], where: str, ensemble: Ensemble) -> SeriesKey:
    targets = dict.fromkeys(key.target for key in ensemble.keys)
    entity, target = one.get("entity"), one.get("target")
    target = next(iter(targets)) if target is None else target
    if not isinstance(entity, str) or not entity:
        raise DataError("the name of the entity is missing.", code="entity", where=where)
    if not isinstance(target, str) or target not in targets:
        raise ColumnError(
            f"no target {str(target)[:40]!r} was learned.",
            code="target_unknown",
            where=f"{where}.target",
            remedy=f"Use {', '.join(targets)}.",
        )
    return SeriesKey(entity, target)


def _covariates(
    one: Mapping[str, Any], kind: str, names: tuple[str, ...], length: int, where: str
) -> NDArray[np.float64]:
    """Return the covariates of a series, shape (length, names); NaN where not given."""
    given = one.get(kind)
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise DataError("expected lists by name.", code=kind, where=f"{where}.{kind}")
    if unknown := [str(name) for name in given if name not in names]:
        raise ColumnError(
            f"no covariate {', '.join(unknown)} was learned.",
            where=f"{where}.{kind}",
            remedy=f"Use {', '.join(names) or 'none'}.",
        )
    table = np.full((length, len(names)), np.nan)
    for c, name in enumerate(names):
        column = numbers(given.get(name, []), f"{where}.{kind}.{name}")
        if len(column) > length:
            raise ColumnError(
                f"{name} has {len(column)} values for {length} periods.",
                where=f"{where}.{kind}.{name}",
            )
        table[: len(column), c] = column
    return table


def encode(forecast: Forecast, levels: tuple[int, ...]) -> dict[str, Any]:
    """Turn a forecast into plain JSON values.

    Raises
    ------
    UsageError
        If a level was not calibrated.
    """
    forecast = forecast.at(levels)
    return {
        "forecasts": [
            {
                "entity": key.entity,
                "target": key.target,
                "unit": forecast.units.get(key.target, ""),
                "timestamps": [str(t.astype("datetime64[s]")) for t in forecast.time[i]],
                "mean": forecast.mean[i].tolist(),
                "lower": {str(k): bound[i].tolist() for k, bound in forecast.lower.items()},
                "upper": {str(k): bound[i].tolist() for k, bound in forecast.upper.items()},
            }
            for i, key in enumerate(forecast.keys)
        ],
        "model": forecast.model,
        "horizon": forecast.horizon,
    }
