"""From a table of meters to judged readings: learn before a moment, run forward after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from esgml.anomaly.alarm import AlarmSettings
from esgml.anomaly.context import SCORED
from esgml.anomaly.dated import DatedEvent, excused
from esgml.anomaly.models.tails import Tails
from esgml.anomaly.watch import RESOLUTION, MeterWatch, Watched, fit_meter, joined
from esgml.core.errors import DataError, HistoryError, UsageError
from esgml.core.frames import SeriesSpec, require_columns
from esgml.core.panel import SeriesKey

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from esgml.core.frequency import Frequency

#: Share of the table's time that is learned from where no moment is given.
LEARN_SHARE = 0.5
#: Usual names of the column with the temperature outside, in degrees Celsius.
WEATHER = ("temperature", "air_temperature", "temperature_c", "outdoor_temperature")
#: Rows taken from each meter for the score that young meters share.
_SHARED_ROWS = 500


class Series(NamedTuple):
    """Readings of one meter, in time order, with the temperature outside where known."""

    key: SeriesKey
    time: NDArray[np.datetime64]
    values: NDArray[np.float64]
    temperature: NDArray[np.float64] | None = None

    def cut(self, start: int, stop: int | None = None) -> Series:
        """Return the readings from `start` to before `stop`."""
        rows = slice(start, stop)
        warm = None if self.temperature is None else self.temperature[rows]
        return Series(self.key, self.time[rows], self.values[rows], warm)


class Judged(NamedTuple):
    """A person's verdict on an event, applied when the event has ended."""

    start: np.datetime64
    end: np.datetime64
    verdict: str


@dataclass(frozen=True)
class Detection:
    """What was found.

    Attributes
    ----------
    until : datetime64
        Readings before it were learned from, the others judged.
    frequency : Frequency
    meters : dict of key to MeterWatch
        Ready for further readings.
    found : dict of key to Watched
        The judged readings.
    not_judged : dict of key to str
        Why a meter still raises no alarms by score at the end.
    units : dict of target to unit
    settings : AlarmSettings
    """

    until: np.datetime64
    frequency: Frequency
    meters: dict[SeriesKey, MeterWatch]
    found: dict[SeriesKey, Watched]
    not_judged: dict[SeriesKey, str]
    units: dict[str, str] = field(default_factory=dict)
    settings: AlarmSettings = field(default_factory=AlarmSettings)

    def alarm_rate(self) -> dict[SeriesKey, float]:
        """Return the share of judged readings that are alarms, for each meter."""
        rates = {}
        for key, watched in self.found.items():
            seen = np.isfinite(watched.value)
            rates[key] = float(watched.decisions.alarm[seen].mean()) if seen.any() else 0.0
        return rates


def series_of(frame: pl.DataFrame, spec: SeriesSpec, weather: str = "") -> list[Series]:
    """Return the series of a canonical table, one an entity and target, in time order.

    `weather` names the column of the temperature outside; left empty, one of the usual names
    is taken where the table has it.

    Raises
    ------
    DataError
        If no target is named or none has a value.
    """
    import polars as pl

    if not spec.targets:
        raise DataError(
            "no target column is named.", code="no_target", remedy="Name it with --target."
        )
    require_columns(frame, [spec.entity, spec.time, *spec.targets, weather])
    usual = (c for c in WEATHER if c in frame.columns and c not in spec.targets)
    weather = weather or next((c for c in usual if frame.schema[c].is_numeric()), "")
    ordered = frame.with_columns(
        pl.col(spec.entity).cast(pl.String), pl.col(spec.time).cast(pl.Datetime("us"))
    ).sort(spec.entity, spec.time, maintain_order=True)
    found = []
    for (entity,), part in ordered.group_by(spec.entity, maintain_order=True):
        time = part[spec.time].to_numpy().astype("datetime64[us]")
        warm = part[weather].cast(pl.Float64).to_numpy().astype(np.float64) if weather else None
        for target in spec.targets:
            values = part[target].cast(pl.Float64).to_numpy().astype(np.float64)
            values = np.where(np.isfinite(values), values, np.nan)
            if np.isfinite(values).any():
                found.append(Series(SeriesKey(str(entity), target), time, values, warm))
    if not found:
        raise DataError(
            "no target has a single finite value.",
            code="no_values",
            remedy="Check the target column, or choose another with --target.",
        )
    return found


def default_until(series: Sequence[Series]) -> np.datetime64:
    """Return the moment up to which is learned: the middle of the time the table covers."""
    first = min(s.time[0] for s in series)
    last = max(s.time[-1] for s in series)
    return np.datetime64(first + (last - first) * LEARN_SHARE, "us")


def detect(
    series: Sequence[Series],
    frequency: Frequency,
    *,
    until: np.datetime64 | None = None,
    settings: AlarmSettings | None = None,
    dated: Sequence[DatedEvent] = (),
    verdicts: Mapping[SeriesKey, Sequence[Judged]] | None = None,
    units: Mapping[str, str] | None = None,
) -> Detection:
    """Learn each meter from its readings before `until`, and judge the others in time order.

    Parameters
    ----------
    series : sequence of Series
    frequency : Frequency
        Usual step between readings; uneven ones are taken in their order.
    until : datetime64, optional
        The middle of the covered time where omitted.
    settings : AlarmSettings, optional
        Budget per meter.
    dated : sequence of DatedEvent
        Closures and holidays: no alarms, and nothing is calibrated on them.
    verdicts : mapping of key to verdicts, optional
        What people said of earlier events.

    Raises
    ------
    UsageError
        If no reading lies before or none after `until`.
    HistoryError
        If no meter at all has enough history.
    """
    settings = settings or AlarmSettings()
    until = default_until(series) if until is None else until
    cuts = {s.key: int(np.searchsorted(s.time, until, side="left")) for s in series}
    if len(cuts) != len(series):
        raise DataError("a meter appears twice.", code="duplicate_series", where="series")
    if not any(cuts.values()):
        raise UsageError(
            f"no reading lies before {until}.",
            where="fit_until",
            remedy="Choose a later moment: what comes before it is learned from.",
        )
    if all(cuts[s.key] == len(s.time) for s in series):
        raise UsageError(
            f"no reading lies after {until}.",
            where="fit_until",
            remedy="Choose an earlier moment: what comes after it is judged.",
        )
    learned = dict(_learn(series, cuts, frequency, settings))
    if all(meter.model is None for meter in learned.values()) and not any(
        np.isfinite(s.values[cuts[s.key] :]).any() for s in series
    ):
        raise HistoryError("there is nothing to judge.", code="no_values")
    found, silent = {}, {}
    for s in series:
        meter, cut = learned[s.key], cuts[s.key]
        if meter.status:
            silent[s.key] = meter.status
        rest = s.cut(cut)
        mask = excused(dated, s.key.entity, rest.time)
        parts, start = [], 0
        for said in sorted((verdicts or {}).get(s.key, ())):
            stop = int(np.searchsorted(rest.time, said.end, side="right"))
            if stop > start:
                parts.append(_feed(meter, rest.cut(start, stop), mask[start:stop]))
                start = stop
            if int(said.start.astype("datetime64[us]").astype(np.int64)) in meter.alarm.events:
                meter.alarm.judge(said.start, said.verdict)
        parts.append(_feed(meter, rest.cut(start), mask[start:]))
        found[s.key] = joined(parts)
        if meter.status:  # a threshold may be set on the way: what counts is the end
            silent[s.key] = meter.status
    return Detection(until, frequency, learned, found, silent, dict(units or {}), settings)


def _feed(meter: MeterWatch, part: Series, mask: NDArray[np.bool_]) -> Watched:
    return meter.update(part.time, part.values, mask, temperature=part.temperature)


def _learn(
    series: Sequence[Series],
    cuts: Mapping[SeriesKey, int],
    frequency: Frequency,
    settings: AlarmSettings,
) -> Iterator[tuple[SeriesKey, MeterWatch]]:
    """Fit every meter; those too young to learn from take the score of all others."""
    samples, young = [], []
    for s in series:
        cut = cuts[s.key]
        meter, past = _fit(s.cut(0, cut), frequency, settings)
        if meter.model is None:
            young.append(s)
            continue
        known = np.flatnonzero(np.isfinite(past.context.z[:, 0]))
        step = max(1, len(known) // _SHARED_ROWS)
        samples.append(past.context.z[known[::step]][:, SCORED])
        yield s.key, meter
    shared = Tails(resolution=RESOLUTION).train(np.concatenate(samples)) if samples else None
    for s in young:
        cut = cuts[s.key]
        yield s.key, _fit(s.cut(0, cut), frequency, settings, shared)[0]


def _fit(
    past: Series, frequency: Frequency, settings: AlarmSettings, shared: Tails | None = None
) -> tuple[MeterWatch, Watched]:
    return fit_meter(past.time, past.values, frequency, settings, shared, past.temperature)
