import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from esgml.registry.registry import ModelRegistry
from esgml.training.runs import RunTracker
from esgml.training.train import ModelTrainingPipeline

HERE = Path(__file__).parent
KILLS = 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kills_at_random_points_lose_nothing_acknowledged(settings, sites, tmp_path):
    """Training and registering, killed with SIGKILL again and again, in one workspace."""
    table = tmp_path / "table.parquet"
    sites.frame.select("entity", "timestamp", "scope1_kg").write_parquet(table)
    random = np.random.default_rng(0)
    acknowledged: dict[int, str] = {}
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    child = [sys.executable, str(HERE / "training_child.py")]
    for _ in range(KILLS):
        seed = len(acknowledged)
        process = subprocess.Popen(
            [*child, str(settings.workspace), str(table), str(seed)],
            stdout=subprocess.PIPE,
            env=environment,
        )
        # the first second is spent on imports alone
        time.sleep(0.5 + random.uniform(0, 6))
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
        for line in out.decode().splitlines(keepends=True):
            if line.endswith("\n"):
                number, version = line.split()
                acknowledged[int(number)] = version
        registry = ModelRegistry(settings)
        assert registry.verify().ok
        listed = registry.list("toy")
        assert {v.version for v in listed} >= set(acknowledged.values())
        for item in listed:
            assert registry.get("toy", item.version).digest == item.digest
        assert sum("champion" in v.aliases for v in listed) <= 1
    assert acknowledged, "every run was killed before its first version"
    for record in RunTracker(settings).list():
        assert record.status in ("done", "interrupted", "running")
    seeds = {r.seed: r.result["version"] for r in RunTracker(settings).list() if r.result}
    assert {s: v for s, v in seeds.items() if s in acknowledged} == acknowledged
    pipeline = ModelTrainingPipeline(settings, modules={"toy": "toy_task"})
    (model,) = pipeline.train_all_models(sites.frame, spec=sites.spec, seed=999).models
    assert model.version == str(len(ModelRegistry(settings).list("toy")))
