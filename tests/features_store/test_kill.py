"""A kill at any moment loses nothing acknowledged and leaves nothing half-done."""

import random
import signal
import subprocess
import sys
import time
from datetime import datetime

import polars as pl

from esgml.features.store import FeatureStore
from esgml.features.store.online_sqlite import SqliteOnlineStore

# ingests and materializes batches of 200 entities, one minute a batch, telling what is done
WRITER = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from esgml.core.settings import Settings
from esgml.features.store import FeatureStore
store = FeatureStore(Settings(workspace=Path(sys.argv[1])), clock=lambda: datetime(2027, 1, 1))
first, last = int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
for number in range(first, last):
    store.ingest("load", {
        "entity": [f"s{i}" for i in range(200)],
        "event_timestamp": [datetime(2026, 1, 1) + timedelta(minutes=number)] * 200,
        "kwh": [float(number)] * 200,
    })
    print("stored", number, flush=True)
    store.materialize()
    print("online", number, flush=True)
"""
ASKED = pl.DataFrame(
    {
        "entity": [f"s{i}" for i in range(200)],
        "event_timestamp": [datetime(2026, 12, 1)] * 200,
    }
)


def start_writer(settings, first, last):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(settings.workspace), str(first), str(last)],
        stdout=subprocess.PIPE,
        text=True,
    )


def only(values):
    """The one value all entities share: a batch is there for all of them or for none."""
    (value,) = set(values)
    return 0.0 if value is None else value


def test_killed_writers_lose_nothing(settings, load):
    dice = random.Random(0)
    store = FeatureStore(settings, clock=lambda: datetime(2027, 1, 1))
    store.register(load)
    stored = online = 0
    for _ in range(8):
        # starts with what may have been stored without being told: a retry
        writer = start_writer(settings, stored + 1, 1_000_000)
        assert writer.stdout.readline() == "ready\n"
        time.sleep(dice.random() * 0.15)
        writer.send_signal(signal.SIGKILL)
        lines = writer.communicate()[0].splitlines(keepends=True)
        told = [line.split() for line in lines if line.endswith("\n")]
        stored = max([stored, *(int(n) for what, n in told if what == "stored")])
        online = max([online, *(int(n) for what, n in told if what == "online")])
        assert only(store.get_historical_features(ASKED)["kwh"]) in (stored, stored + 1)
        answer = store.get_online_features(ASKED.select("entity"), ["load"])
        assert online <= only(row["kwh"].value for row in answer.rows) <= stored + 1
    assert stored > 0
    store.materialize()
    answer = store.get_online_features(ASKED.select("entity"), ["load"])
    assert only(row["kwh"].value for row in answer.rows) in (stored, stored + 1)
    store.close()


def test_writers_side_by_side(settings, load):
    with FeatureStore(settings, clock=lambda: datetime(2027, 1, 1)) as store:
        store.register(load)
        writers = [start_writer(settings, 1 + 10 * i, 11 + 10 * i) for i in range(3)]
        for writer in writers:
            writer.communicate()
        assert [writer.returncode for writer in writers] == [0, 0, 0]
        parts = sorted(p.name for p in settings.workspace.glob("features/offline/load/v1/part-*"))
        assert [int(name[5:13]) for name in parts] == list(range(1, 31))
        answer = store.get_online_features(ASKED.select("entity"), ["load"])
        assert only(row["kwh"].value for row in answer.rows) == 30


def test_a_connection_is_not_shared_with_a_forked_process(tmp_path):
    store = SqliteOnlineStore(tmp_path / "o.db")
    assert store.read("v@1", "a") is None
    first = store._local.connection
    store._local.pid = -1  # as a forked child finds it
    assert store.read("v@1", "a") is None
    assert store._local.connection is not first
    store.close()
