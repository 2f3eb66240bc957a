"""Compiled loops are kept where there is a place, and work where there is none."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba", reason="the extra 'serve' is not installed")

SCRIPT = """
from esgml.core.compiled import compiled, told_when_compiling

{nowhere}

@compiled
def inner(x):
    return x + 1

@compiled
def twice(x):
    return 2 * inner(x)

with told_when_compiling(lambda: print("compiling")):
    print(twice(3), twice(4))
"""
NOWHERE = "from numba.core import caching; caching.CacheImpl._locator_classes = []"


def run(folder, nowhere=""):
    script = folder / "loops.py"
    script.write_text(SCRIPT.format(nowhere=nowhere))
    os.utime(script, (1e9, 1e9))  # numba keeps code by the time of its source
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "kept")},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_the_first_run_says_that_it_compiles_and_the_next_need_not(tmp_path):
    assert run(tmp_path) == ["compiling", "8 10"]
    assert run(tmp_path) == ["8 10"]


def test_without_a_place_every_run_compiles(tmp_path):
    for _ in range(2):
        assert run(tmp_path, NOWHERE) == ["compiling", "8 10"]
