"""A task with real arithmetic and a registry in memory, for the tests of the service."""

from __future__ import annotations

import json
import threading
import time

import numpy as np

from esgml.core.errors import HistoryError, NotFoundError
from esgml.core.frequency import Frequency
from esgml.core.interfaces import BaseModel
from esgml.core.tasks import Predictor, Task, Trained
from esgml.forecast.operation import FORECAST
from esgml.registry.bundle import Bundle
from esgml.registry.versions import VersionInfo

SCHEMA = {
    "frequency": "D",
    "horizon": 7,
    "known": ["temperature"],
    "past": ["production"],
    "targets": ["scope1_kg", "scope2_kg"],
    "levels": [80, 90],
    "example": {
        "series": [
            {
                "entity": "a",
                "target": "scope1_kg",
                "start": "2026-01-01",
                "values": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
            }
        ]
    },
}


class SeasonalMean(Predictor):
    """Mean of the values one, two, ... weeks before, times a learned factor."""

    def __init__(self, factor: float, width: float, delay: float = 0.0) -> None:
        self.factor = factor
        self.width = width
        self.delay = delay
        self.batches: list[int] = []
        self.hold = threading.Event()
        self.hold.set()

    def predict(self, request):
        return self.predict_batch([request])[0]

    def predict_batch(self, requests):
        self.batches.append(len(requests))
        self.hold.wait(20)
        if self.delay:
            time.sleep(self.delay)
        return [self._one(r) for r in requests]

    def _one(self, request):
        horizon = request["horizon"]
        forecasts = []
        for series in request["series"]:
            values = np.array([np.nan if v is None else v for v in series["values"]], dtype=float)
            if len(values) < 2:
                raise HistoryError("needs at least 2 values.", where="values")
            if series["entity"] == "crash":
                raise RuntimeError("secret detail")
            start = np.datetime64(series["start"], "us")
            time_ = Frequency(SCHEMA["frequency"]).advance(
                start, np.arange(len(values), len(values) + horizon)
            )
            fill = float(np.nanmean(values))
            mean = []
            for step in range(horizon):
                back = values[step - 7 :: -7] if len(values) >= 7 - step else values[-1:]
                seen = back[np.isfinite(back)]
                mean.append(float(seen.mean()) * self.factor if len(seen) else fill)
            spread = self.width * float(np.nanstd(values))
            forecasts.append(
                {
                    "entity": series["entity"],
                    "target": series["target"],
                    "unit": series.get("unit", "kgCO2e"),
                    "timestamps": [str(t) for t in time_.astype("datetime64[s]")],
                    "mean": mean,
                    "lower": {str(v): [m - spread * v for m in mean] for v in request["levels"]},
                    "upper": {str(v): [m + spread * v for m in mean] for v in request["levels"]},
                }
            )
        return {"forecasts": forecasts, "model": "seasonal_mean", "horizon": horizon}


class SeasonalMeanTask(Task):
    """The double of a forecasting task; remembers the predictors it built."""

    name = "emissions"
    capability = "forecast"
    title = "Seasonal mean"
    default_model = "seasonal_mean"

    def __init__(self) -> None:
        self.built: list[SeasonalMean] = []

    def train(self, frame, spec, options) -> Trained:
        return trained()

    def predictor(self, files) -> SeasonalMean:
        learned = json.loads(files["model.json"])
        if learned.get("broken"):
            raise ValueError("weights make no sense")
        predictor = SeasonalMean(learned["factor"], learned["width"], learned.get("delay", 0.0))
        self.built.append(predictor)
        return predictor

    def operations(self):
        return (FORECAST,)

    def model_from(self, files) -> BaseModel | None:
        return None


def trained(factor: float = 1.0, task: str = "emissions", **learned) -> Trained:
    content = json.dumps({"factor": factor, "width": 0.02, **learned}).encode()
    return Trained(
        task=task,
        model_name="seasonal_mean",
        files={"model.json": content},
        metrics={"wape": 0.11, "naive": {"wape": 0.2}},
        schema=SCHEMA,
    )


class Registry:
    """Versions and aliases in memory, with the interface of the real registry."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Bundle]] = {}
        self.aliases: dict[tuple[str, str], str] = {}
        self.reads = 0

    def register(self, item: Trained, name: str | None = None) -> str:
        name = name or item.task
        known = self.versions.setdefault(name, [])
        version = str(len(known) + 1)
        bundle = Bundle.from_trained(item).registered(name, version, "2026-01-01T00:00:00+00:00")
        known.append(bundle)
        return version

    def promote(self, name: str, version: str, alias: str = "champion") -> None:
        self.aliases[name, alias] = version

    def get(self, name: str, version_or_alias: str = "champion") -> Bundle:
        self.reads += 1
        version = self.aliases.get((name, version_or_alias), version_or_alias)
        for bundle in self.versions.get(name, []):
            if bundle.version == version:
                return bundle
        raise NotFoundError(f"no {version_or_alias!r} of model {name!r}.")

    def list(self, name: str = "") -> tuple[VersionInfo, ...]:
        found = []
        for model, bundles in self.versions.items():
            for b in bundles:
                held = [a for (n, a), v in self.aliases.items() if (n, v) == (model, b.version)]
                found.append(
                    VersionInfo(
                        model,
                        b.version,
                        b.digest,
                        b.task,
                        b.model_name,
                        b.created,
                        aliases=tuple(held),
                    )
                )
        return tuple(found)


def history(n: int = 28, scale: float = 100.0, seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    week = 1 + 0.2 * np.sin(np.arange(n) * 2 * np.pi / 7)
    return (scale * week + rng.normal(0, 1, n)).round(6).tolist()


def forecast_request(n: int = 28, **more) -> dict:
    return {
        "series": [
            {
                "entity": "plant-1",
                "target": "scope1_kg",
                "unit": "kgCO2e",
                "start": "2026-01-05",
                "values": history(n),
            }
        ],
        **more,
    }
