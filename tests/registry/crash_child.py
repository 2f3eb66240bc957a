"""Registers models until it is killed; forks one child for each line on standard input.

A line is ``START WORKERS ROUNDS WORKSPACE``; each child tells ``pid P``, then ``ok I V`` once
`register` has returned version V for bundle I. The parent tells ``dead`` when all are gone.
"""

import os
import sys

import mlflow.store.model_registry.sqlalchemy_store  # noqa: F401  slow, so once for all

from esgml.core.settings import Settings
from esgml.core.tasks import Trained
from esgml.registry.registry import ModelRegistry


def tell(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def work(start, rounds, workspace):
    tell("pid", os.getpid())
    registry = ModelRegistry(Settings(workspace=workspace))
    for i in range(start, start + rounds):
        files = {"model.json": b'{"i": %d}' % i, "deep/er/notes.txt": b"x" * 20_000}
        trained = Trained("emissions", "linear", files, {"wape": 0.1, "naive": {"wape": 0.2}})
        version = registry.register(trained)
        tell("ok", i, version)
        if i % 3 == 0:
            registry.promote("emissions", version)
            tell("promoted", i, version)


for line in sys.stdin:
    start, workers, rounds, workspace = line.split()
    children = []
    for k in range(int(workers)):
        child = os.fork()
        if child == 0:
            try:
                work(int(start) + 1000 * k, int(rounds), workspace)
            except BaseException as error:
                tell("error", repr(error).replace("\n", " "))
                os._exit(1)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    tell("dead")
