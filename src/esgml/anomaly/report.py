"""Detections as rows, as JSON, and as the report that the page of alarms shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.anomaly.explain import Stakes, explain
from esgml.anomaly.incidents import Event, baselines_of, events_of, kinds_of, stakes_of
from esgml.anomaly.wording import wording
from esgml.core.panel import SeriesKey

if TYPE_CHECKING:
    import polars as pl

    from esgml.anomaly.detect import Detection

COLUMNS = (
    "entity",
    "timestamp",
    "value",
    "expected",
    "score",
    "p_value",
    "alarm",
    "kind",
    "explanation",
)
#: Events the page of alarms can hold, and readings on either side of one.
_MOST_EVENTS = 500
_AROUND = 60
_BAND = 3.0


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def rows_of(
    detection: Detection,
    kinds: Mapping[SeriesKey, list[str]],
    stakes: Stakes | None = None,
) -> pl.DataFrame:
    """Return one row for each judged reading, alarms explained.

    Columns are ``entity, timestamp, value, expected, score, p_value, alarm, kind,
    explanation``, and ``target`` behind the entity where there are several.
    """
    import polars as pl

    frames = []
    words = wording(detection.frequency)
    for key, watched in detection.found.items():
        unit = detection.units.get(key.target, "")
        worth = stakes_of(unit, stakes or Stakes())
        said = [""] * len(watched.time)
        for row in np.flatnonzero(watched.decisions.alarm).tolist():
            why = explain(watched, row, kinds[key][row], words=words, stakes=worth, unit=unit)
            said[row] = why.sentence()
        frames.append(
            pl.DataFrame(
                {
                    "entity": [key.entity] * len(said),
                    "target": [key.target] * len(said),
                    "timestamp": watched.time,
                    "value": watched.value,
                    "expected": watched.expected,
                    "score": watched.score,
                    "p_value": watched.decisions.p_value,
                    "alarm": watched.decisions.alarm,
                    "kind": kinds[key],
                    "explanation": said,
                }
            ).with_columns(pl.col("value", "expected", "score", "p_value").fill_nan(None))
        )
    table = pl.concat(frames)
    several = len({key.target for key in detection.found}) > 1
    return table if several else table.drop("target")


def name_of(key: SeriesKey, detection: Detection) -> str:
    """Return how a meter is called in reports: its entity, and the target where several are."""
    several = len({k.target for k in detection.found}) > 1
    return f"{key.entity}/{key.target}" if several else key.entity


def summary(detection: Detection, events: Sequence[Event]) -> dict[str, Any]:
    """Return what was found as plain values."""
    return {
        "fit_until": str(detection.until.astype("datetime64[s]")),
        "frequency": detection.frequency.code,
        "budget": detection.settings.rate,
        "alarm_rate": {name_of(k, detection): r for k, r in detection.alarm_rate().items()},
        "not_judged": {name_of(k, detection): why for k, why in detection.not_judged.items()},
        "events": [_event(event, detection) for event in events],
    }


def _event(event: Event, detection: Detection) -> dict[str, Any]:
    why = event.explanation
    return {
        "id": event.identity,
        "entity": event.key.entity,
        "target": event.key.target,
        "kind": event.kind,
        "start": str(event.start.astype("datetime64[s]")),
        "end": str(event.end.astype("datetime64[s]")),
        "readings": len(event.rows),
        "observed": _plain(why.observed),
        "expected": _plain(why.expected),
        "excess": _plain(event.excess),
        "unit": why.unit,
        "tco2e": _plain(event.carbon_t),
        "cost": _plain(event.cost),
        "p_value": _plain(why.p_value),
        "explanation": why.sentence(),
        "proposed": why.action,
        "baselines": baselines_of(detection, event),
    }


def page_report(detection: Detection, events: Sequence[Event]) -> dict[str, Any]:
    """Return the report of the page of alarms, each event with its expected band."""
    document = summary(detection, events[:_MOST_EVENTS])
    for event, entry in zip(events, document["events"], strict=False):
        watched = detection.found[event.key]
        first = max(0, int(event.rows[0]) - _AROUND)
        part = slice(first, min(int(event.rows[-1]) + _AROUND, first + 4 * _AROUND))
        expected, scale = watched.expected[part], _BAND * watched.context.scale[part, 0]
        entry["timeline"] = {
            "timestamps": [str(t.astype("datetime64[s]")) for t in watched.time[part]],
            "observed": [_plain(v) for v in watched.value[part]],
            "expected": [_plain(v) for v in expected],
            "lower": [_plain(v) for v in expected - scale],
            "upper": [_plain(v) for v in expected + scale],
            "alarm": watched.decisions.alarm[part].tolist(),
        }
    keep = ("budget", "alarm_rate", "not_judged", "events")
    return {"title": "Alarms", **{name: document[name] for name in keep}}


def write_rows(path: Path, rows: pl.DataFrame) -> None:
    """Write rows as CSV or Parquet, by the ending of the path."""
    from esgml.core.storage import explained

    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".parquet":
            rows.write_parquet(path)
        else:
            rows.write_csv(path)


def report_of(
    detection: Detection, stakes: Stakes | None = None
) -> tuple[pl.DataFrame, list[Event]]:
    """Return the rows and the events of a detection."""
    kinds = kinds_of(detection)
    return rows_of(detection, kinds, stakes), events_of(detection, kinds, stakes)
