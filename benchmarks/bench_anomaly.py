"""False alarms, recall and precision on labelled series, beside scikit-learn and PyOD.

``python benchmarks/bench_anomaly.py [--quick]``

Every meter is learned from unlabelled readings before a moment and judged forward in time.
Peers run on the same readings with their defaults. Ablations leave out one part each. The
labels choose nothing here.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.anomaly_sets import Labelled, boiler, data_folder, meters, nab

import esgml.anomaly.watch as watch_module
from esgml.anomaly.alarm import AlarmSettings
from esgml.anomaly.context import PROFILES, SCORED, Context, MeterState
from esgml.anomaly.detect import detect
from esgml.anomaly.metrics import alarm_scores, average_precision, roc_auc
from esgml.anomaly.rules import Rules
from esgml.anomaly.watch import MeterWatch, fit_meter

#: What the issue asks of the five meters, and of a single one.
TARGETS = {"fpr": 0.0075, "recall": 0.45, "event_recall": 0.70, "ap": 0.70}
SCORES = ("fpr", "recall", "event_recall", "ap")


def judged(one: Labelled, score: np.ndarray, alarm: np.ndarray) -> dict[str, float]:
    """Return the scores of the readings after the moment, missing ones left out."""
    after = one.series.time >= one.until
    seen = np.isfinite(one.series.values[after])
    label, score = one.label[after][seen], np.nan_to_num(score[seen], nan=-1.0)
    return {
        **alarm_scores(label, alarm[seen]),
        "ap": average_precision(label, score),
        "roc_auc": roc_auc(label, score),
        "labelled": int(label.sum()),
        "alarms": int(alarm[seen].sum()),
    }


def ours(one: Labelled, settings: AlarmSettings | None = None) -> dict[str, float]:
    """Run the detector as ``esgml detect`` does."""
    found = detect([one.series], one.frequency, until=one.until, settings=settings)
    watched = found.found[one.series.key]
    return judged(one, watched.score, watched.decisions.alarm)


def mean(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    result = {name: float(np.nanmean([r[name] for r in rows.values()])) for name in SCORES}
    return {**result, "fpr_worst": max(r["fpr"] for r in rows.values())}


def peers(one: Labelled) -> dict[str, dict[str, float]]:
    """Run scikit-learn and, where installed, PyOD: defaults on value, hour and weekday."""
    time_, values = one.series.time, one.series.values
    hour = time_.astype("datetime64[h]").astype(int)
    table = np.column_stack([values, hour % 24, (hour // 24 + 3) % 7])
    before = (time_ < one.until) & np.isfinite(values)
    after = time_ >= one.until
    train, test = table[before], np.nan_to_num(table[after], nan=np.nanmedian(values[before]))
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor

    made: dict[str, Any] = {
        "sklearn IsolationForest, value only, 0.1": (
            IsolationForest(contamination=0.1, random_state=0),
            [0],
        ),
        "sklearn IsolationForest, 0.1": (
            IsolationForest(contamination=0.1, random_state=0),
            [0, 1, 2],
        ),
        "sklearn LocalOutlierFactor": (LocalOutlierFactor(novelty=True), [0, 1, 2]),
    }
    if importlib.util.find_spec("pyod") is not None:
        from pyod.models.copod import COPOD
        from pyod.models.ecod import ECOD
        from pyod.models.iforest import IForest
        from pyod.models.knn import KNN
        from pyod.models.lof import LOF

        for kind in (IForest, KNN, ECOD, COPOD, LOF):
            made[f"PyOD {kind.__name__}"] = (kind(), [0, 1, 2])
    found = {}
    for name, (model, columns) in made.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(train[:, columns])
            if name.startswith("PyOD"):
                score, alarm = (
                    model.decision_function(test[:, columns]),
                    model.predict(test[:, columns]) == 1,
                )
            else:
                score = -model.score_samples(test[:, columns])
                alarm = model.predict(test[:, columns]) == -1
        found[name] = judged(one, score, alarm)
    return found


@contextlib.contextmanager
def without(profile: str) -> Iterator[None]:
    """Blank one baseline."""
    column = [p.name for p in PROFILES].index(profile)
    known = MeterState.update

    def update(self: MeterState, *readings: np.ndarray | None) -> Context:
        context = known(self, *readings)
        context.z[:, column] = np.nan if column else context.z[:, column]
        if not column:  # the first column says which readings are known: keep that
            context.z[:, 0] = np.where(np.isfinite(context.z[:, 0]), 0.0, np.nan)
        return context

    with mock.patch.object(MeterState, "update", update):
        yield


def ablations(sets: dict[str, Labelled]) -> dict[str, dict[str, float]]:
    """Return the mean scores with one part left out each."""
    found = {"all": mean({k: ours(s) for k, s in sets.items()})}
    for profile in (PROFILES[i] for i in SCORED):
        with without(profile.name):
            found[f"without {profile.name}"] = mean({k: ours(s) for k, s in sets.items()})
    with mock.patch.object(Rules, "learn", classmethod(lambda cls, *a: cls())):
        found["without rules"] = mean({k: ours(s) for k, s in sets.items()})
    with mock.patch.object(watch_module, "MEMORY", 0.0):
        found["without persistence"] = mean({k: ours(s) for k, s in sets.items()})
    for name, changed in {
        "fixed rate (no adaptation)": {"speed": 0.0, "most": 1.5},
        "no waiting for verdicts": {"hold_days": 1e-9},
        "waiting a month": {"hold_days": 30.0},
    }.items():
        settings = AlarmSettings(**changed)
        found[name] = mean({k: ours(s, settings) for k, s in sets.items()})
    return found


def speed(one: Labelled, n: int = 1_000_000) -> dict[str, float]:
    """Score many readings on one core, the state saved and restored half-way."""
    start = one.series.time[0]
    time_ = start + np.arange(n) * np.timedelta64(1, "h")
    values = np.resize(one.series.values, n)
    learn = 4000
    meter, _ = fit_meter(time_[:learn], values[:learn], one.frequency)
    whole, _ = fit_meter(time_[:learn], values[:learn], one.frequency)
    half = (learn + n) // 2
    clock, busy = time.perf_counter(), time.process_time()
    first = meter.update(time_[learn:half], values[learn:half])
    again = MeterWatch.from_files(meter.to_files())
    second = again.update(time_[half:], values[half:])
    seconds, cpu = time.perf_counter() - clock, time.process_time() - busy
    at_once = whole.update(time_[learn:], values[learn:])
    both = np.concatenate([first.score, second.score])
    gap = np.nanmax(np.abs(both - at_once.score))
    busy = time.process_time()
    for i in range(2000):
        again.update(time_[-1:] + (i + 1) * np.timedelta64(1, "h"), values[i : i + 1])
    single = (time.process_time() - busy) / 2000
    return {
        "readings": n - learn,
        "cpu_seconds": cpu,  # on one core; the clock also counts what else the machine does
        "seconds": seconds,
        "readings_per_cpu_second": (n - learn) / cpu,
        "largest_difference": float(gap),
        "alarms_differ": int(
            (
                np.concatenate([first.decisions.alarm, second.decisions.alarm])
                != at_once.decisions.alarm
            ).sum()
        ),
        "single_reading_cpu_us": single * 1e6,
    }


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    columns = [c for c in (*SCORES, "roc_auc", "fpr_worst") if any(c in r for r in rows.values())]
    print(f"\n{title}", file=sys.stderr)
    print(f"{'':42}" + "".join(f"{c:>14}" for c in columns), file=sys.stderr)
    for name, row in rows.items():
        cells = (f"{row[c]:>14.4f}" if c in row else f"{'':>14}" for c in columns)
        print(f"{name:42}" + "".join(cells), file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no ablations")
    given = parser.parse_args()
    root = data_folder()
    if root is None:
        print(json.dumps({"skipped": "ESGML_DATA names no folder with anomaly sets"}))
        return
    sets = meters(root)
    own = {name: ours(one) for name, one in sets.items()}
    result: dict[str, Any] = {"meters": own, "mean": mean(own), "targets": TARGETS}
    show("five meters, judged July to December", {**own, "mean": result["mean"]})
    compared: dict[str, dict[str, dict[str, float]]] = {}
    for name, one in sets.items():
        for peer, row in peers(one).items():
            compared.setdefault(peer, {})[name] = row
    if importlib.util.find_spec("pyod") is None:
        print("PyOD: not installed", file=sys.stderr)
    result["peers"] = {peer: mean(rows) for peer, rows in compared.items()}
    show("peers with their defaults, mean of the meters", result["peers"])
    result["others"] = {
        name: ours(one) for name, one in {"boiler_gas": boiler(root), **nab(root)}.items()
    }
    show("other series", result["others"])
    if not given.quick:
        result["ablations"] = ablations(sets)
        show("ablations, mean of the meters", result["ablations"])
    result["speed"] = speed(sets["118"])
    print(f"\nspeed: {result['speed']}", file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
