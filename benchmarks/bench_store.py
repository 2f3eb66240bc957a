"""Feature store: the point-in-time join beside Polars' own, and one online read.

The join: one million entity rows and three views of one million rows each. Polars' peer
number is its plain ``join_asof`` by entity over frames it has in memory already sorted,
the left side sorted inside the timing, as it must be; ours restores the row order too and
answers as known then. ``cold`` reads the Parquet partitions first; the peer's ``cold`` reads
the same Parquet files and sorts them. ``restated`` has 30 % of the values corrected later;
plain ``join_asof`` has no right answer there, so its share of wrong rows is reported.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from esgml.core.settings import Settings
from esgml.features.store import Feature, FeatureStore, FeatureView
from esgml.features.store.online_redis import RedisOnlineStore

ENTITIES, HOURS, ROWS, VIEWS = 500, 2_000, 1_000_000, 3
START = datetime(2024, 1, 1)
HOUR = 3_600_000_000


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return {"join": _join(Path(folder) / "join"), "online": _online(Path(folder) / "online")}


def _join(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    settings = Settings(workspace=folder)
    store = FeatureStore(settings)
    plain = [_rows(rng, i) for i in range(VIEWS)]
    left = _left(rng)
    for i, frame in enumerate(plain):
        store.register(_view(f"view{i}", i))
        store.ingest(f"view{i}", frame)
    names = [f"view{i}" for i in range(VIEWS)]
    sorted_views = [f.sort("event_timestamp") for f in plain]

    def peer() -> pl.DataFrame:
        return _peer(left, sorted_views)

    def peer_cold() -> pl.DataFrame:
        columns = [f.columns for f in plain]
        read = [
            pl.read_parquet(folder / f"features/offline/{n}/v1/*.parquet", columns=c)
            for n, c in zip(names, columns, strict=True)
        ]
        return _peer(left, [f.sort("event_timestamp") for f in read])

    def ours() -> pl.DataFrame:
        return store.get_historical_features(left, features=names)

    def ours_cold() -> pl.DataFrame:
        return FeatureStore(settings).get_historical_features(left, features=names)

    keys = ["entity", "event_timestamp"]
    same = ours().sort(keys).equals(peer().select(ours().columns).sort(keys))
    seconds = _interleaved(
        {"ours": ours, "polars": peer, "ours_cold": ours_cold, "polars_cold": peer_cold}
    )
    result: dict[str, Any] = {
        "rows": ROWS,
        "views": VIEWS,
        "same_answer": same,
        **{f"{name}_seconds": round(value, 3) for name, value in seconds.items()},
        "ratio": round(seconds["ours"] / seconds["polars"], 3),
        "ratio_cold": round(seconds["ours_cold"] / seconds["polars_cold"], 3),
    }
    for i, frame in enumerate(plain):
        corrected = frame.filter(pl.lit(rng.random(frame.height) < 0.3)).with_columns(
            (pl.col("event_timestamp") + pl.duration(hours=30)).alias("created_timestamp"),
            pl.col(f"f{i}_0") + 1.0,
        )
        store.ingest(f"view{i}", corrected)
    right = ours()
    naive = _peer(
        left,
        [
            pl.read_parquet(folder / f"features/offline/{n}/v1/*.parquet")
            .sort("created_timestamp")
            .unique(keys, keep="last")
            .drop("created_timestamp")
            .sort("event_timestamp")
            for n in names
        ],
    )
    seconds = _interleaved({"restated": ours})
    result["restated_seconds"] = round(seconds["restated"], 3)
    wrong = right.sort(keys)["f0_0"].ne_missing(naive.sort(keys)["f0_0"]).mean()
    result["event_time_only_wrong_share"] = round(float(wrong or 0.0), 3)  # type: ignore[arg-type]
    return result


def _online(folder: Path) -> dict[str, Any]:
    clock = START + timedelta(days=2)
    rng = np.random.default_rng(1)
    entities = [f"site-{i:05d}" for i in range(10_000)]
    frame = pl.DataFrame(
        {
            "entity": entities,
            "event_timestamp": [START] * len(entities),
            **{f"f0_{j}": rng.normal(size=len(entities)) for j in range(10)},
        }
    )
    view = _view("view0", 0, count=10)
    asked = [entities[i] for i in rng.integers(0, len(entities), 20_000)]
    plain = {key: (START, row) for key, *row in frame.drop("event_timestamp").iter_rows()}
    result: dict[str, Any] = {
        "entities": len(entities),
        "features": 10,
        "dict": _latency(lambda key: plain[key], asked),
    }
    with FeatureStore(Settings(workspace=folder), clock=lambda: clock) as store:
        store.register(view)
        store.ingest("view0", frame)
        store.materialize(end=clock)
        names = ["view0"]
        result["sqlite"] = _latency(
            lambda k: store.get_online_features([{"entity": k}], names), asked
        )
        result["sqlite_row_only"] = _latency(lambda k: store._online.read("view0@1", k), asked)
    with _redis() as url:
        if url is None:
            result["redis"] = "skipped: no redis-server on this machine"
            return result
        online = RedisOnlineStore(url)
        with FeatureStore(Settings(workspace=folder), online=online, clock=lambda: clock) as store:
            store.materialize(end=clock)
            result["redis"] = _latency(
                lambda k: store.get_online_features([{"entity": k}], names), asked[:5000]
            )
    return result


def _rows(rng: np.random.Generator, i: int) -> pl.DataFrame:
    names = [f"site-{e:05d}" for e in range(ENTITIES)]
    hours = np.arange(HOURS) * HOUR
    return pl.DataFrame(
        {
            "entity": np.repeat(names, HOURS),
            "event_timestamp": pl.Series(np.tile(hours, ENTITIES))
            .cast(pl.Int64)
            .cast(pl.Duration("us")),
            **{f"f{i}_{j}": rng.normal(size=ENTITIES * HOURS) for j in range(3)},
        }
    ).with_columns(pl.col("event_timestamp") + pl.lit(START, pl.Datetime("us")))


def _left(rng: np.random.Generator) -> pl.DataFrame:
    names = np.array([f"site-{e:05d}" for e in range(ENTITIES)])
    offset = pl.Series(rng.integers(0, HOURS * HOUR, ROWS)).cast(pl.Duration("us"))
    return pl.DataFrame(
        {"entity": names[rng.integers(0, ENTITIES, ROWS)], "event_timestamp": offset}
    ).with_columns(pl.col("event_timestamp") + pl.lit(START, pl.Datetime("us")))


def _view(name: str, i: int, count: int = 3) -> FeatureView:
    features = tuple(Feature(f"f{i}_{j}") for j in range(count))
    return FeatureView(name, ("entity",), features, ttl=timedelta(days=3650))


def _peer(left: pl.DataFrame, views: list[pl.DataFrame]) -> pl.DataFrame:
    out = left.sort("event_timestamp")
    for view in views:
        out = out.join_asof(view, on="event_timestamp", by="entity", check_sortedness=False)
    return out


def _interleaved(tasks: dict[str, Callable[[], Any]], repeats: int = 7) -> dict[str, float]:
    """Median seconds of each task, taken in turns so that a busy machine hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def _latency(read: Callable[[str], Any], keys: list[str]) -> dict[str, float]:
    for key in keys[:500]:
        read(key)
    taken = np.empty(len(keys))
    for i, key in enumerate(keys):
        start = time.perf_counter_ns()
        read(key)
        taken[i] = time.perf_counter_ns() - start
    p50, p99 = np.percentile(taken, [50, 99]) / 1000
    return {"p50_us": round(float(p50), 2), "p99_us": round(float(p99), 2)}


@contextlib.contextmanager
def _redis() -> Iterator[str | None]:
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--daemonize",
        "no",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
