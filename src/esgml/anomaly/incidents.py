"""Events: alarms of a meter that belong together, with what they add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.anomaly.context import PROFILES
from esgml.anomaly.explain import Explanation, Stakes, explain, similar_events
from esgml.anomaly.kinds import classify
from esgml.anomaly.rules import KINDS as RULES
from esgml.anomaly.wording import wording
from esgml.core.panel import SeriesKey
from esgml.core.units import compatible, factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.anomaly.detect import Detection
    from esgml.anomaly.watch import Watched

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Event:
    """Alarms of one meter with no longer pause than the short window between them.

    Attributes
    ----------
    key : SeriesKey
    rows : array of int
        Its alarms, as numbers into the meter's judged readings.
    start, end : datetime64
        First and last alarm.
    kind : str
        The rule most of its alarms break, or else the kind of its peak.
    excess : float
        Observed minus expected, summed over its readings, in the unit of the meter.
    cost, carbon_t : float
        Of the absolute excess; NaN where not known.
    peak : int
        The reading with the highest score.
    explanation : Explanation
        Of the peak.
    """

    key: SeriesKey
    rows: NDArray[np.int64]
    start: np.datetime64
    end: np.datetime64
    kind: str
    excess: float
    cost: float
    carbon_t: float
    peak: int
    explanation: Explanation

    @property
    def identity(self) -> str:
        """A name that stays the same when detection is run again."""
        return f"{self.key.entity}/{self.key.target}/{self.start.astype('datetime64[s]')}"


def stakes_of(unit: str, stakes: Stakes) -> Stakes:
    """Return what a unit is worth: a meter of CO2 counts in tonnes of itself."""
    if np.isfinite(stakes.carbon_kg) or not unit or not compatible(unit, "kgCO2e"):
        return stakes
    return Stakes(stakes.price, factor(unit, "kgCO2e"))


def kinds_of(detection: Detection) -> dict[SeriesKey, list[str]]:
    """Return the kind of each judged reading of each meter; empty where it is no alarm.

    Where two meters of one target are alarms at once, and each shows what the other was
    expected to, the readings were swapped.
    """
    found = {}
    for key, watched in detection.found.items():
        rows = np.flatnonzero(watched.decisions.alarm)
        kinds = [""] * len(watched.time)
        for row, kind in zip(
            rows.tolist(), classify(watched, rows, detection.meters[key].state), strict=True
        ):
            kinds[row] = kind
        found[key] = kinds
    for (a, row_a), (b, row_b) in swapped(detection.found):
        found[a][row_a] = found[b][row_b] = "swap"
    return found


def swapped(
    found: Mapping[SeriesKey, Watched],
) -> list[tuple[tuple[SeriesKey, int], tuple[SeriesKey, int]]]:
    """Return pairs of readings that look exchanged between two meters of the same target."""
    at: dict[tuple[str, int], list[tuple[SeriesKey, int]]] = {}
    for key, watched in found.items():
        rows = np.flatnonzero(watched.decisions.alarm)
        for row, moment in zip(rows.tolist(), watched.time[rows].astype(np.int64), strict=True):
            at.setdefault((key.target, int(moment)), []).append((key, row))
    pairs = []
    for together in at.values():
        for i, (a, row_a) in enumerate(together):
            for b, row_b in together[i + 1 :]:
                one, two = found[a], found[b]
                near_a = abs(one.value[row_a] - two.expected[row_b])
                near_b = abs(two.value[row_b] - one.expected[row_a])
                usual_a = 3 * two.context.scale[row_b, 0]
                usual_b = 3 * one.context.scale[row_a, 0]
                apart = abs(one.expected[row_a] - two.expected[row_b])
                if near_a <= usual_a and near_b <= usual_b and apart > usual_a + usual_b:
                    pairs.append(((a, row_a), (b, row_b)))
    return pairs


def events_of(
    detection: Detection, kinds: Mapping[SeriesKey, list[str]], stakes: Stakes | None = None
) -> list[Event]:
    """Return all events, those with most at stake first."""
    found = []
    words = wording(detection.frequency)
    for key, watched in detection.found.items():
        alarm = np.flatnonzero(watched.decisions.alarm)
        if not len(alarm):
            continue
        unit = detection.units.get(key.target, "")
        worth = stakes_of(unit, stakes or Stakes())
        excess = watched.value - watched.expected
        earlier: list[tuple[str, str, Floats]] = []
        first = np.flatnonzero(watched.decisions.begins[alarm])
        for rows in np.split(alarm, first[first > 0]):
            named = [kinds[key][int(row)] for row in rows]
            peak = int(rows[np.argmax(np.nan_to_num(watched.score[rows], nan=-np.inf))])
            broken = [k for k in named if k in RULES] or [kinds[key][peak]]
            kind = max(dict.fromkeys(broken), key=broken.count)
            moved = float(np.nansum(excess[rows]))
            start = watched.time[rows[0]]
            vector = np.nan_to_num(watched.surprise[peak])
            why = explain(
                watched,
                peak,
                kind,
                words=words,
                stakes=worth,
                unit=unit,
                similar=similar_events(vector, kind, earlier),
            )
            earlier.append((str(start.astype("datetime64[m]")), kind, vector))
            size = float(np.nansum(np.abs(excess[rows])))
            found.append(
                Event(
                    key,
                    rows,
                    start,
                    watched.time[rows[-1]],
                    kind,
                    moved,
                    size * worth.price,
                    size * worth.carbon_kg / 1000,
                    peak,
                    why,
                )
            )
    return sorted(found, key=_stake)


def _stake(event: Event) -> tuple[float, float, str]:
    return (-np.nan_to_num(event.carbon_t), -abs(np.nan_to_num(event.excess)), event.identity)


def baselines_of(detection: Detection, event: Event) -> list[dict[str, Any]]:
    """Return what the baselines in the unit of the meter expected at the peak of an event."""
    words, expected = wording(detection.frequency), detection.found[event.key].context.expected
    return [
        {"name": words.baseline(profile.name), "expected": float(expected[event.peak, j])}
        for j, profile in enumerate(PROFILES)
        if profile.quantity == 0 and np.isfinite(expected[event.peak, j])
    ]
