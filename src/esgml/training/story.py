"""The stored forecast that a page shows: history, forecasts with bands, path to a target."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from esgml.core.panel import Panel
from esgml.core.settings import Settings
from esgml.core.storage import write_atomic

#: Periods of history kept for each series.
KEPT = 400


def histories(panel: Panel, forecasts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the end of the history of every forecast series, sums of groups included.

    A name that is no entity of the panel is a label of its groups; one that is neither is
    the sum of all. A period in which any member is missing is missing in the sum.
    """
    found = []
    for item in forecasts:
        entity, target = item["entity"], item["target"]
        of_target = [i for i, key in enumerate(panel.keys) if key.target == target]
        members = [i for i in of_target if panel.keys[i].entity == entity]
        if not members:
            groups = panel.groups
            members = [i for i in of_target if entity in groups.get(panel.keys[i].entity, ())]
        times, values = _sum(panel, members or of_target)
        found.append(
            {
                "entity": entity,
                "target": target,
                "timestamps": [str(t.astype("datetime64[s]")) for t in times[-KEPT:]],
                "values": [float(v) if np.isfinite(v) else None for v in values[-KEPT:]],
            }
        )
    return found


def _sum(panel: Panel, members: Sequence[int]) -> tuple[Any, Any]:
    """Add series over the periods all of them have."""
    slices = [panel.rows_of(i) for i in members]
    if not slices:
        return panel.time[:0], panel.values[:0]
    period = panel.frequency.ordinals
    first = max(int(period(panel.time[s][:1])[0]) for s in slices)
    last = min(int(period(panel.time[s][-1:])[0]) for s in slices)
    total, times = np.zeros(max(last - first + 1, 0)), panel.time[:0]
    for s in slices:
        start = int(period(panel.time[s][:1])[0])
        part = slice(s.start + first - start, s.start + last - start + 1)
        total, times = total + panel.values[part], panel.time[part]
    return times, total


def daily_path(result: Mapping[str, Any], timestamps: Sequence[str]) -> dict[str, Any] | None:
    """Return the path of an assessed annual target as a mean per day, between two moments.

    Parameters
    ----------
    result : mapping
        One assessed series: ``entity, target, probability`` and ``path``, rows of ``year``
        and ``path``.
    timestamps : sequence of str
        The first and the last are the ends.
    """
    years = [row["year"] for row in result.get("path", ())]
    if len(years) < 2 or not timestamps:
        return None
    values = [row["path"] for row in result["path"]]
    ends = [timestamps[0], timestamps[-1]]
    # the total of a year stands in its middle
    at = [np.datetime64(t, "D").astype(int) / 365.2425 + 1970 - 0.5 for t in ends]
    return {
        "timestamps": ends,
        "values": [float(np.interp(moment, years, values)) / 365.2425 for moment in at],
        "probability": result["probability"],
        "entity": result["entity"],
        "target": result["target"],
    }


def write_forecast(
    settings: Settings,
    panel: Panel,
    forecasts: Sequence[Mapping[str, Any]],
    *,
    title: str,
    target: Mapping[str, Any] | None = None,
) -> Path:
    """Store ``reports/forecast.json`` of a workspace, in place of an earlier one.

    Raises
    ------
    StorageError
        If the workspace cannot be written.
    """
    units = {item.get("unit") or "" for item in forecasts}
    past = histories(panel, forecasts)
    document: dict[str, Any] = {
        "title": title,
        "unit": units.pop() if len(units) == 1 else "",
        "history": past,
        "forecasts": [dict(item) for item in forecasts],
    }
    if target is not None:
        series = [(h["entity"], h["target"]) for h in past]
        if (target["entity"], target["target"]) in series:
            i = series.index((target["entity"], target["target"]))
            path = daily_path(target, [*past[i]["timestamps"], *forecasts[i]["timestamps"]])
            if path is not None:
                document["target_path"] = path
    path_ = settings.folder("reports", "forecast.json")
    write_atomic(path_, json.dumps(document, allow_nan=False).encode())
    return path_
