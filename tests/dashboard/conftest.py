import datetime as dt
import importlib.util
import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("jinja2", reason="the extra 'serve' is not installed")

if "serving_doubles" not in sys.modules:
    _spec = importlib.util.spec_from_file_location(
        "serving_doubles", Path(__file__).parents[1] / "serving" / "doubles.py"
    )
    sys.modules["serving_doubles"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["serving_doubles"])

from esgml.core.settings import Settings
from esgml.dashboard.forecast.report import STORED
from esgml.dashboard.site import pages
from esgml.serving.app import create_app
from esgml.serving.server import DrainingServer, open_socket, url_of

doubles = sys.modules["serving_doubles"]


def report(entities=("Plant North", "Plant South", "Head office"), horizon=30, days=240):
    rng = np.random.default_rng(3)
    start = dt.datetime(2026, 1, 5)
    out = {
        "title": "Scope 1 and 2 forecast",
        "unit": "kgCO2e",
        "history": [],
        "forecasts": [],
    }
    for k, entity in enumerate(entities):
        level = 120_000 / (k + 1)
        t = np.arange(days + horizon)
        wave = 1 + 0.08 * np.sin(2 * np.pi * t / 7) - 0.0004 * t
        values = level * (wave + rng.normal(0, 0.02, len(t)))
        times = [(start + dt.timedelta(days=int(i))).isoformat() for i in t]
        seen = [None if i in (200, 201) else float(v) for i, v in enumerate(values[:days])]
        mean = level * wave[days:]
        spread = level * 0.02 * np.sqrt(1 + np.arange(horizon) / 6)
        out["history"].append(
            {
                "entity": entity,
                "target": "scope1_kg",
                "timestamps": times[:days],
                "values": seen,
            }
        )
        out["forecasts"].append(
            {
                "entity": entity,
                "target": "scope1_kg",
                "unit": "kgCO2e",
                "timestamps": times[days:],
                "mean": mean.tolist(),
                "lower": {
                    "80": (mean - 1.28 * spread).tolist(),
                    "90": (mean - 1.64 * spread).tolist(),
                },
                "upper": {
                    "80": (mean + 1.28 * spread).tolist(),
                    "90": (mean + 1.64 * spread).tolist(),
                },
            }
        )
    return out


def target(entity="Plant North", **more):
    """Return what ``esgml target`` stores of one series: from 128 to 96 kg a day in 3 years."""
    years = {2024: 128.0, 2025: 117.0, 2026: 107.0, 2027: 96.0}
    result = {
        "entity": entity,
        "target": "scope1_kg",
        "unit": "tCO2e",
        "status": "open",
        "probability": 0.62,
        "path": [{"year": year, "path": v * 365.2425} for year, v in years.items()],
        **more,
    }
    return {"base_year": 2024, "target_year": 2027, "reduction": 25.0, "results": [result]}


def store(workspace, document, stored=STORED):
    path = stored.path(Settings(workspace=workspace))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


@pytest.fixture
def make_report():
    return report


@pytest.fixture
def make_target():
    return target


@pytest.fixture
def application(tmp_path):
    """Build the service with its pages over a workspace; returns it and a way to store."""
    registry = doubles.Registry()
    registry.register(doubles.trained())
    registry.promote("emissions", "1")
    task = doubles.SeasonalMeanTask()
    settings = Settings(workspace=tmp_path, port=0)
    app = create_app(
        settings, registry, pages=pages, task_of=lambda name: task, tasks=("emissions",)
    )
    app.store = lambda document, *stored: store(tmp_path, document, *stored)
    return app


@pytest.fixture
def live(application):
    """Serve on a free port of the loopback address; yields the application and the URL."""
    listener = open_socket(Settings(port=0))
    listening = threading.Event()
    server = DrainingServer(application, on_ready=listening.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    assert listening.wait(20)
    yield application, url_of(listener)
    server.should_exit = True
    thread.join(20)
    listener.close()
