"""The anomaly task: what training, registry and serving know of watching meters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from esgml.anomaly import request as asked
from esgml.anomaly.alarm import AlarmSettings
from esgml.anomaly.detect import Detection, Series, default_until, detect, series_of
from esgml.anomaly.fleet import Fleet
from esgml.anomaly.inject import inject
from esgml.anomaly.metrics import alarm_scores, average_precision
from esgml.anomaly.operation import DETECT, detect_afresh
from esgml.core.errors import HistoryError
from esgml.core.frames import Column, FrameContract, Kind, SeriesSpec
from esgml.core.operations import Operation
from esgml.core.random import generator
from esgml.core.tasks import Predictor, Task, TaskOptions, Trained
from esgml.data.panels import infer_frequency

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from esgml.core.frequency import Frequency


#: Fields with which a request asks for more than the trained meters.
_OWN_TERMS = frozenset({"alarm_rate", "fit_until", "frequency", "events"})


class FleetPredictor(Predictor):
    """Answers detection requests from a fleet of watched meters."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def predict(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Judge the series of one request; see `esgml.anomaly.request` for its form.

        Meters known from training go on from their last reading there; of others the first
        half is learned from and the second judged. A request on terms of its own (a budget, a
        moment, dated events) is answered from its own readings alone.
        """
        if isinstance(request, Mapping) and _OWN_TERMS & request.keys():
            return detect_afresh(request)
        series = asked.decode_series(request, self.fleet.frequency)
        return asked.encode(self.fleet.judge(series))


class AnomalyTask(Task):
    """Watch meters: wrong and wasteful readings, within a budget of alarms, explained."""

    name: ClassVar[str] = "anomaly"
    capability: ClassVar[str] = "anomaly"
    title: ClassVar[str] = "Anomaly detection"
    default_model: ClassVar[str] = "tails"
    frame: ClassVar[FrameContract] = FrameContract(
        "series",
        (
            Column("entity", Kind.TEXT, description="what is measured: a meter, a site"),
            Column("timestamp", Kind.TIME, description="start of the period, UTC"),
        ),
    )

    def models(self) -> tuple[str, ...]:
        """Return the models that score contextual features of meters."""
        return (self.default_model,)

    def train(self, frame: pl.DataFrame, spec: SeriesSpec, options: TaskOptions) -> Trained:
        """Learn every meter, and measure on faults put into its later readings.

        Raises
        ------
        HistoryError
            If no meter has enough history to be judged.
        """
        series, frequency = series_of(frame, spec), infer_frequency(frame, spec)
        settings = AlarmSettings()
        units = {name: spec.unit_of(name) for name in spec.targets}
        until = default_until(series)
        found = detect(series, frequency, until=until, settings=settings, units=units)
        # a threshold may be set on the way: what counts is what the meters know at the end
        silent = [meter.status for meter in found.meters.values()]
        if all(silent):
            raise HistoryError(f"no meter can be judged: {silent[0]}.")
        metrics = _measure(series, frequency, until, found, options.seed)
        fleet = Fleet(found.meters, frequency, settings, units)
        return Trained(
            task=self.name,
            model_name=self.default_model,
            files=fleet.to_files(),
            metrics=metrics,
            params={"alarm_rate": settings.rate, "seed": options.seed},
            schema={
                "frequency": frequency.code,
                "targets": list(spec.targets),
                "entities": list(dict.fromkeys(s.key.entity for s in series)),
                "units": units,
                "last": str(fleet.last.astype("datetime64[s]")),
            },
            card=_card(series, found),
        )

    def predictor(self, files: Mapping[str, bytes]) -> FleetPredictor:
        """Build the predictor from the files of a trained fleet."""
        return FleetPredictor(Fleet.from_files(files))

    def operations(self) -> tuple[Operation, ...]:
        """Return the detection route."""
        return (DETECT,)


def _measure(
    series: Sequence[Series],
    frequency: Frequency,
    until: np.datetime64,
    clean: Detection,
    seed: int,
) -> dict[str, Any]:
    """Return scores on faults put into the judged readings, beside a naive score.

    The naive score is the distance from the same hour a week earlier.
    """
    random = generator(seed, "anomaly", "faults")
    faulty, labels = [], {}
    for s in series:
        cut = int(np.searchsorted(s.time, until))
        put = inject(s.values[cut:], clean.meters[s.key].state.clock, random)
        faulty.append(s._replace(values=np.concatenate([s.values[:cut], put.values])))
        labels[s.key] = put.label
    found = detect(faulty, frequency, until=until, settings=clean.settings)
    label, score, naive, alarms = [], [], [], []
    for s in faulty:
        watched = found.found[s.key]
        span = found.meters[s.key].state.clock.span
        distance = np.abs(
            s.values - np.concatenate([np.full(span, np.nan), s.values])[: len(s.values)]
        )
        usual = float(np.nanmedian(distance)) if np.isfinite(distance).any() else 1.0
        # what broke a rule before anything was put in is a fault nobody counts
        seen = np.isfinite(watched.value) & (clean.found[s.key].rule == 0)
        label.append(labels[s.key][seen])
        score.append(np.nan_to_num(watched.score[seen]))
        naive.append(np.nan_to_num((distance / (usual or 1.0))[-len(seen) :][seen]))
        alarms.append(watched.decisions.alarm[seen])
    every, flags = np.concatenate(label), np.concatenate(alarms)
    scores = alarm_scores(every, flags)
    ordinary = [_rate(w.decisions.alarm, w.value) for w in clean.found.values()]
    return {
        "average_precision": _known(average_precision(every, np.concatenate(score))),
        "recall_of_faults": _known(scores["recall"]),
        "events_found": _known(scores["event_recall"]),
        "alarm_rate": float(np.mean(ordinary)),
        "alarm_rate_worst": float(np.max(ordinary)),
        "faults_put_in": int(every.sum()),
        "naive": {"average_precision": _known(average_precision(every, np.concatenate(naive)))},
        "primary": "average_precision",
        "higher_is_better": True,
    }


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _rate(alarm: NDArray[np.bool_], values: NDArray[np.float64]) -> float:
    seen = np.isfinite(values)
    return float(alarm[seen].mean()) if seen.any() else 0.0


def _card(series: Sequence[Series], found: Detection) -> dict[str, Any]:
    """Return the facts of the model card."""
    return {
        "intended_use": "Watch the meters it was trained on: which readings are wrong or"
        " wasteful, within a budget of alarms per meter.",
        "data": {
            "rows": int(sum(len(s.time) for s in series)),
            "series": len(series),
            "from": str(min(s.time[0] for s in series).astype("datetime64[s]")),
            "to": str(max(s.time[-1] for s in series).astype("datetime64[s]")),
        },
        "limits": [
            "A meter without about two months of history raises no alarms by score.",
            "The metrics are of faults put into later readings, not of faults people found.",
            "Repeated waste that lasts for months becomes what is usual.",
        ],
        "not_judged": {f"{k.entity}/{k.target}": why for k, why in found.not_judged.items()},
    }


TASK = AnomalyTask()
