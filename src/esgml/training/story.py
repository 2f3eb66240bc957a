"""What pages show of a forecast: history, forecasts with bands, and the way to a target."""

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


def write_forecast(
    settings: Settings,
    panel: Panel,
    forecasts: Sequence[Mapping[str, Any]],
    *,
    title: str,
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
    path = settings.folder("reports", "forecast.json")
    write_atomic(path, json.dumps(document, allow_nan=False).encode())
    return path


def write_target(settings: Settings, assessed: Mapping[str, Any]) -> Path:
    """Store ``reports/target.json`` of a workspace, in place of an earlier one.

    Parameters
    ----------
    settings : Settings
    assessed : mapping
        The answer of `esgml.forecast.targets.assess_target` as plain values.

    Raises
    ------
    StorageError
        If the workspace cannot be written.
    """
    path = settings.folder("reports", "target.json")
    write_atomic(path, json.dumps(assessed, allow_nan=False).encode())
    return path
