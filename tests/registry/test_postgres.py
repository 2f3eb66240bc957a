"""The registry on a real PostgreSQL server, started for the test."""

import os
import shutil
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from esgml.core.errors import NotFoundError, StorageError
from esgml.core.settings import Settings
from esgml.registry.registry import ModelRegistry

PASSWORD = "n0t-t0-be-seen"


def binary(name):
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@pytest.fixture(scope="module")
def server():
    """URL of a server that runs as an ordinary user, as PostgreSQL insists."""
    initdb, control = binary("initdb"), binary("pg_ctl")
    if not initdb or not control:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg")
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
    secret = root / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command):
        return subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=60, **as_user
        )

    data = str(root / "data")
    made = run(
        *(initdb, "-D", data, "-U", "esgml", "-A", "scram-sha-256", "--no-sync"),
        *("--pwfile", str(secret), "-E", "UTF8", "--locale", "C"),
    )
    if made.returncode:
        shutil.rmtree(root, ignore_errors=True)
        pytest.skip(f"initdb does not work here: {made.stderr.strip()[-200:]}")
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {root} -c fsync=off"
    log = str(root / "log")
    started = run(control, "-D", data, "-w", "-l", log, "-o", options, "start")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield f"postgresql://esgml:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run(control, "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(root, ignore_errors=True)


def test_the_whole_road_on_postgres(server, tmp_path, trained):
    settings = Settings(workspace=tmp_path, registry_url=server)
    assert ModelRegistry(settings).list() == ()
    with ThreadPoolExecutor(3) as pool:  # each its own registry, on an empty server
        versions = list(pool.map(lambda n: ModelRegistry(settings).register(trained(n)), range(9)))
    assert sorted(versions, key=int) == [str(n) for n in range(1, 10)]
    registry = ModelRegistry(settings)
    registry.promote("emissions", "1")
    registry.promote("emissions", "2")
    assert registry.rollback("emissions") == "1"
    assert registry.get("emissions").version == "1"
    with pytest.raises(NotFoundError):
        registry.get("emissions", "99")
    report = registry.verify()
    assert (report.ok, report.versions, report.entries) == (True, 9, 12)
    import sqlalchemy

    engine = sqlalchemy.create_engine(registry.database.url, poolclass=sqlalchemy.NullPool)
    for statement in ("UPDATE esgml_ledger SET who = 'x'", "TRUNCATE esgml_ledger"):
        with (
            pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"),
            engine.begin() as connection,
        ):
            connection.execute(sqlalchemy.text(statement))


def test_an_unreachable_server_is_told_without_the_password(tmp_path, server, trained):
    wrong = server.replace("/postgres", "/missing").replace(":postgres", "")
    registry = ModelRegistry(Settings(workspace=tmp_path, registry_url=wrong))
    for call in (registry.list, lambda: registry.register(trained())):
        with pytest.raises(StorageError, match="missing") as error:
            call()
        assert PASSWORD not in str(error.value) + error.value.where
