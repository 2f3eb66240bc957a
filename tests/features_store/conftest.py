"""A store with a clock that tests move, over both online stores."""

import contextlib
import shutil
import socket
import subprocess
import time
from datetime import datetime, timedelta

import pytest

from esgml.core.settings import Settings
from esgml.features.store import Feature, FeatureStore, FeatureView
from esgml.features.store.online_sqlite import SqliteOnlineStore

DAY0 = datetime(2026, 1, 1)


class MovableClock:
    def __init__(self, now=DAY0 + timedelta(days=100)):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def settings(tmp_path):
    return Settings(workspace=tmp_path / "ws")


@pytest.fixture
def store(settings, clock):
    with FeatureStore(settings, clock=clock) as made:
        yield made


@pytest.fixture
def day():
    return lambda n: DAY0 + timedelta(days=n)


@pytest.fixture
def energy():
    """A view of every type, with a time to live of ten days."""
    return FeatureView(
        "energy",
        ("entity",),
        (
            Feature("load", "float64", "kWh"),
            Feature("count", "int64"),
            Feature("open", "bool"),
            Feature("label", "string"),
            Feature("seen", "timestamp"),
        ),
        owner="data team",
        ttl=timedelta(days=10),
    )


@pytest.fixture
def load():
    """A view of one number without a time to live."""
    return FeatureView("load", ("entity",), (Feature("kwh", unit="kWh"),))


@pytest.fixture(scope="session")
def redis_url():
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    pytest.importorskip("redis")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(params=["sqlite", "redis"])
def online(request, tmp_path):
    if request.param == "sqlite":
        made = SqliteOnlineStore(tmp_path / "online.db")
    else:
        from esgml.features.store.online_redis import RedisOnlineStore

        # a namespace of its own keeps tests apart on the one server
        made = RedisOnlineStore(request.getfixturevalue("redis_url"), namespace=tmp_path.name)
    with made:
        yield made
