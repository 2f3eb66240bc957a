"""Trains the toy task with one seed after the other and says which versions it was given.

``python training_child.py WORKSPACE TABLE FIRST_SEED``
"""

import sys
from pathlib import Path

from esgml.core.frames import SeriesSpec
from esgml.core.settings import Settings
from esgml.training import train


def main(workspace, table, first):
    train.code_version = lambda: "test"
    spec = SeriesSpec(targets=("scope1_kg",))
    pipeline = train.ModelTrainingPipeline(
        Settings(workspace=Path(workspace)), modules={"toy": "toy_task"}
    )
    for seed in range(int(first), int(first) + 100):
        report = pipeline.train_all_models(table, spec=spec, seed=seed)
        print(seed, report.models[0].version, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
