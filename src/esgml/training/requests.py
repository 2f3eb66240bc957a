"""Requests of a forecasting task, made from the table it is to go on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import NotAllowedError
from esgml.core.frames import SeriesSpec
from esgml.core.frequency import Frequency
from esgml.core.panel import Future, Panel
from esgml.data.panels import to_panel

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


def forecasts(schema: Mapping[str, Any]) -> bool:
    """Whether requests of this schema hold series to be carried on."""
    return "horizon" in schema and "frequency" in schema


def series_request(
    history: Panel, future: Future, schema: Mapping[str, Any], levels: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the request that asks for the periods of `future` after `history`.

    Parameters
    ----------
    history : Panel
    future : Future
        With the covariates known ahead.
    schema : mapping
        Of the bundle: ``known`` and ``past`` name the covariates it takes.
    levels : sequence of int, optional
        Interval levels in percent; all calibrated ones where left out.
    """
    known = [n for n in schema.get("known", ()) if n in history.known_names]
    past = [n for n in schema.get("past", ()) if n in history.past_names]
    series = []
    for i, key in enumerate(history.keys):
        rows = history.rows_of(i)
        item: dict[str, Any] = {
            "entity": key.entity,
            "target": key.target,
            "start": _iso(history.time[rows.start]),
            "values": _numbers(history.values[rows]),
        }
        unit = history.units.get(key.target)
        if unit:
            item["unit"] = unit
        if known:
            item["known"] = {
                n: _numbers(
                    np.concatenate(
                        [
                            history.known[rows, history.known_names.index(n)],
                            future.known[i, :, future.known_names.index(n)],
                        ]
                    )
                )
                for n in known
            }
        if past:
            item["past"] = {
                n: _numbers(history.past[rows, history.past_names.index(n)]) for n in past
            }
        series.append(item)
    request: dict[str, Any] = {"series": series, "horizon": future.horizon}
    if levels is not None:
        request["levels"] = sorted(levels)
    return request


def table_request(
    frame: pl.DataFrame,
    spec: SeriesSpec,
    schema: Mapping[str, Any],
    *,
    horizon: int | None = None,
    levels: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return the request that asks what comes after the end of a clean table.

    Rows after the last observed target give the covariates known ahead, as far as they go.

    Raises
    ------
    NotAllowedError
        If the schema is not that of a forecasting task.
    """
    if not forecasts(schema):
        raise NotAllowedError("this model does not forecast series.", code="no_forecaster")
    panel, given = to_panel(frame, spec, Frequency(schema["frequency"]))
    future = panel.future(horizon or int(schema["horizon"]))
    if given is not None:
        shared = min(given.horizon, future.horizon)
        future.known[:, :shared] = given.known[:, :shared]
    return series_request(panel, future, schema, levels)


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def _iso(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[s]"))
