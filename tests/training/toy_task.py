"""A small real task for tests: forecasts the mean of each weekday, kept as JSON."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np

from esgml.core.errors import HistoryError
from esgml.core.frames import Column, FrameContract, Kind
from esgml.core.frequency import Frequency
from esgml.core.tasks import Predictor, Task, Trained
from esgml.data.panels import to_panel

STATE = "state.json"


class WeekdayMeans(Predictor):
    def __init__(self, state):
        self.state = state

    def predict(self, request):
        frequency = Frequency(self.state["frequency"])
        found = []
        for item in request["series"]:
            start = np.datetime64(item["start"], "us")
            steps = np.arange(request["horizon"]) + len(item["values"])
            times = frequency.advance(start, steps)
            means = self.state["means"][f"{item['entity']}|{item['target']}"]
            mean = np.array([means[int(p % 7)] for p in frequency.ordinals(times)])
            spread = self.state["spread"]
            found.append(
                {
                    "entity": item["entity"],
                    "target": item["target"],
                    "timestamps": [str(t.astype("datetime64[s]")) for t in times],
                    "mean": mean.tolist(),
                    "lower": {"80": (mean - spread).tolist(), "90": (mean - 2 * spread).tolist()},
                    "upper": {"80": (mean + spread).tolist(), "90": (mean + 2 * spread).tolist()},
                }
            )
        return {"forecasts": found, "model": "weekday", "horizon": request["horizon"]}


class WeekdayTask(Task):
    name = "toy"
    capability = "forecast"
    title = "Weekday means"
    frame = FrameContract("toy", (Column("entity", Kind.TEXT), Column("timestamp", Kind.TIME)))
    default_model = "weekday"

    def models(self):
        return ("weekday",)

    def train(self, frame, spec, options):
        panel, _ = to_panel(frame, spec)
        checkpoint = options.checkpoint or (lambda _, compute: compute())
        interrupt(options)

        def fit():
            means = {}
            for i, key in enumerate(panel.keys):
                rows = panel.rows_of(i)
                day = panel.frequency.ordinals(panel.time[rows]) % 7
                values = panel.values[rows]
                means[f"{key.entity}|{key.target}"] = [
                    float(np.nanmean(values[day == d])) for d in range(7)
                ]
            note("fit")
            return json.dumps(means).encode()

        means = json.loads(checkpoint("fit", fit))
        interrupt(options, after="fit")
        noise = np.random.default_rng(options.seed).normal()

        def score():
            note("score")
            return json.dumps({"noise": noise}).encode()

        spread = json.loads(checkpoint("score", score))["noise"] ** 2 + 1
        state = {"means": means, "frequency": panel.frequency.code, "spread": spread}
        wape = float(os.environ.get("TOY_WAPE", "0.1"))
        return Trained(
            "toy",
            "weekday",
            {STATE: json.dumps(state, sort_keys=True).encode()},
            {
                "wape": wape,
                "naive": {"wape": 0.2},
                "errors": {"a": {"w": [1.0]}},
                "train_seconds": time.time(),
                "models": {"weekday": {"seconds": time.time(), "wape": wape}},
            },
            {"seed": options.seed},
            {
                "frequency": panel.frequency.code,
                "horizon": options.horizon or 7,
                "known": [],
                "past": [],
                "targets": [*spec.targets],
                "levels": [*options.levels],
            },
            {},
        )

    def predictor(self, files):
        return WeekdayMeans(json.loads(files[STATE]))


def note(step):
    """Write down that a step was really computed."""
    path = os.environ.get("TOY_NOTES")
    if path:
        with open(path, "a") as file:
            file.write(step + "\n")


def interrupt(options, after=""):
    mode = os.environ.get("TOY_MODE", "")
    if mode == f"fail{after}":
        raise HistoryError("too short for a toy.", remedy="Give more.")
    if mode == f"crash{after}":
        raise ZeroDivisionError("toy")
    if mode == f"die{after}":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == f"wait{after}":
        Path(os.environ["TOY_READY"]).write_text(str(os.getpid()))
        while True:
            time.sleep(0.05)


TASK = WeekdayTask()
