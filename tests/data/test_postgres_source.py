"""Reading a table from a real PostgreSQL server, started for the test."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from esgml.core.errors import NotFoundError, ReadError
from esgml.data.load import load
from esgml.data.sources import read


def binary(name):
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@pytest.fixture(scope="module")
def server():
    """Address of a server that runs as an ordinary user, as PostgreSQL insists."""
    psycopg = pytest.importorskip("psycopg")
    initdb, control = binary("initdb"), binary("pg_ctl")
    if not initdb or not control:
        pytest.skip("PostgreSQL is not installed")
    as_user = {}
    root = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.getuid() == 0:
        import pwd

        known = {entry.pw_name for entry in pwd.getpwall()}
        user = next((name for name in ("postgres", "nobody") if name in known), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no other user")
        as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        shutil.chown(root, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command):
        return subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=60, check=False, **as_user
        )

    data = str(root / "data")
    made = run(
        *(initdb, "-D", data, "-U", "esgml", "-A", "trust", "--no-sync", "-E", "UTF8"),
        *("--locale", "C"),
    )
    if made.returncode:
        pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr[-200:]}")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {root} -c fsync=off"
    log = str(root / "log")
    started = run(control, "-D", data, "-o", options, "-l", log, "-w", "-t", "30", "start")
    if started.returncode:
        pytest.skip(f"PostgreSQL cannot be started here: {started.stdout[-200:]}")
    address = f"postgresql://esgml@127.0.0.1:{port}/postgres"
    with psycopg.connect(address) as connection:
        connection.execute("CREATE SCHEMA meters")
        connection.execute(
            "CREATE TABLE meters.readings"
            " (entity text, timestamp timestamptz, scope2_kg numeric, note text)"
        )
        connection.execute(
            "INSERT INTO meters.readings SELECT 'a', '2024-01-01 00:00+00'::timestamptz"
            " + i * interval '1 hour', 100 + i % 7 + 0.5, NULL FROM generate_series(0, 99) i"
        )
    yield address
    run(control, "-D", data, "-m", "immediate", "-w", "stop")
    shutil.rmtree(root, ignore_errors=True)


def test_tables_load(server):
    loaded = load(f"{server}?table=meters.readings")
    assert loaded.frame.height == 100
    assert loaded.spec.targets == ("scope2_kg",)
    assert loaded.frame["scope2_kg"].head(2).to_list() == [100.5, 101.5]
    assert str(loaded.frame["timestamp"][1]) == "2024-01-01 01:00:00"
    assert not loaded.report.errors


def test_missing_tables_and_odd_names(server):
    with pytest.raises(NotFoundError, match="no table"):
        read(f"{server}?table=absent")
    with pytest.raises(NotFoundError):
        read(f'{server}?table=readings"; DROP TABLE readings; --')
    assert read(f"{server}?table=meters.readings").height == 100


def test_what_else_the_url_says_reaches_the_server(server):
    with pytest.raises(ReadError, match="SSL"):
        read(f"{server}?sslmode=require&table=meters.readings")
    assert read(f"{server}?table=meters.readings&application_name=a%20b").height == 100
