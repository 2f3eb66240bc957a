"""Kills and crowds: what was acknowledged is there, what was not is not half there."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from esgml.core.settings import Settings
from esgml.registry.registry import ModelRegistry

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(scope="module")
def child():
    environment = {k: v for k, v in os.environ.items() if k != "ESGML_REGISTRY_URL"}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("crash_child.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
        env=environment,
    )
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait(30)


def start(child, first, workers, rounds, workspace):
    child.stdin.write(f"{first} {workers} {rounds} {workspace}\n")
    child.stdin.flush()
    return int(child.stdout.readline().split()[1])


def rest(child):
    """Return all words told until the children are gone."""
    told = []
    while (line := child.stdout.readline().split()) != ["dead"]:
        assert line, "the child ended"
        assert line[0] != "error", line
        told.append(line)
    return told


def check(workspace, acknowledged, promoted=""):
    """Everything told is there, loads and verifies; nothing else is half there."""
    registry = ModelRegistry(Settings(workspace=workspace))
    listed = {v.version: v for v in registry.list("emissions")}
    for number, version in acknowledged.items():
        found = registry.get("emissions", version)
        assert found.files["model.json"] == b'{"i": %d}' % number
    for version in listed:
        assert registry.get("emissions", version).model_name == "linear"
    assert sorted(map(int, listed)) == list(range(1, len(listed) + 1))
    report = registry.verify()
    assert report.ok, report.faults
    entries = registry.history()
    assert sum(e.act == "register" for e in entries) == len(listed)
    if promoted:
        current = next(v.version for v in listed.values() if "champion" in v.aliases)
        assert int(current) >= int(promoted)
    return len(listed)


def kill_often(child, workspace, rounds, seed):
    rng = random.Random(seed)
    acknowledged, promoted, number = {}, "", 0
    for _ in range(rounds):
        pid = start(child, number, 1, 500, workspace)
        told = [child.stdout.readline().split() for _ in range(rng.randrange(4))]
        time.sleep(rng.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        told += rest(child)
        for what, i, version in told:
            if what == "ok":
                acknowledged[int(i)] = version
            else:
                promoted = version
        number = max([number, *acknowledged]) + 1
    listed = check(workspace, acknowledged, promoted)
    assert len(acknowledged) <= listed <= len(acknowledged) + rounds
    assert len(acknowledged) > rounds // 2


def test_killed_while_registering(child, template, tmp_path):
    shutil.copy(template, tmp_path / "registry.db")
    kill_often(child, tmp_path, 15, seed=1)


@pytest.mark.slow
def test_killed_fifty_times_while_registering(child, template, tmp_path):
    shutil.copy(template, tmp_path / "registry.db")
    kill_often(child, tmp_path, 50, seed=2)


def test_killed_while_the_database_is_being_made(child, tmp_path):
    rng = random.Random(3)
    for _ in range(3):
        pid = start(child, 0, 1, 5, tmp_path)
        time.sleep(rng.uniform(0, 0.8))
        os.kill(pid, signal.SIGKILL)
        rest(child)
        check(tmp_path, {}) if (tmp_path / "registry.db").exists() else None
    start(child, 100, 1, 3, tmp_path)
    told = rest(child)
    check(tmp_path, {int(i): v for what, i, v in told if what == "ok"})


@pytest.mark.parametrize("fresh", [False, True])
def test_several_processes_register_at_once(child, template, tmp_path, fresh):
    if not fresh:
        shutil.copy(template, tmp_path / "registry.db")
    start(child, 0, 4, 12, tmp_path)
    told = [line for line in rest(child) if line[0] == "ok"]
    acknowledged = {int(i): version for _, i, version in told}
    assert len(acknowledged) == 48
    assert len(set(acknowledged.values())) == 48
    assert check(tmp_path, acknowledged) == 48
    leftovers = [p.name for p in tmp_path.rglob(".tmp-*")]
    assert leftovers == []
