"""The training loop: learns, stops early, keeps the best, resumes to the same bytes."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import nn

from esgml.core.errors import IntegrityError, StorageError, UsageError
from esgml.nn import loop, weights
from esgml.nn.scope_examples import ArrayExamples, squared_loss

SETTINGS = loop.FitSettings(epochs=6, batch_size=16, learning_rate=0.01, patience=3, cosine=True)


def _examples(n=120, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    y = x[:, :1] * 2 - x[:, 1:2] + rng.normal(0, noise, (n, 1))
    return ArrayExamples(x, y, np.ones_like(y))


def _module():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))


def _fit(settings=SETTINGS, checkpoints=None, examples=None, seed=1):
    module = loop.seeded(_module, seed)
    outcome = loop.fit(
        module,
        examples or _examples(),
        squared_loss,
        settings,
        train=np.arange(90),
        validation=np.arange(95, 120),
        seed=seed,
        checkpoints=checkpoints,
    )
    return weights.pack(loop.arrays_of(module)), outcome


class Memory:
    """Checkpoints in memory; raises after a number of saves, as a kill would."""

    def __init__(self, die_after=None):
        self.held, self.saves, self.die_after = {}, 0, die_after

    def load(self, name):
        return self.held.get(name)

    def save(self, name, data):
        self.held[name] = data
        self.saves += 1
        if self.saves == self.die_after:
            raise StorageError("killed")


def test_learns():
    _, outcome = _fit(loop.FitSettings(epochs=40, batch_size=16, learning_rate=0.01, patience=40))
    assert outcome.history[outcome.best_epoch]["val_loss"] < 0.3 * outcome.history[0]["val_loss"]
    assert set(outcome.history[0]) == {"loss", "metric", "val_loss", "val_metric"}


def test_same_seed_same_bytes_and_the_global_state_is_left_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    first, _ = _fit()
    second, _ = _fit()
    assert first == second
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert _fit(seed=2)[0] != first


@pytest.mark.parametrize("killed_after", [1, 3, 5])
def test_resumed_equals_uninterrupted(killed_after):
    expected, whole = _fit()
    memory = Memory(killed_after)
    with pytest.raises(StorageError, match="killed"):
        _fit(checkpoints=memory)
    memory.die_after = None
    resumed, outcome = _fit(checkpoints=memory)
    assert resumed == expected
    assert outcome.history == whole.history
    assert outcome.best_epoch == whole.best_epoch
    # resuming a finished run changes nothing
    assert _fit(checkpoints=memory)[0] == expected


def test_checkpoints_in_files(tmp_path):
    store = loop.FileCheckpoints(tmp_path / "new")
    expected, _ = _fit(checkpoints=store)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["training.safetensors"]
    assert _fit(checkpoints=loop.FileCheckpoints(str(tmp_path / "new")))[0] == expected


def test_a_checkpoint_of_another_run_is_refused():
    memory = Memory()
    _fit(checkpoints=memory)
    with pytest.raises(IntegrityError, match="another training run"):
        _fit(checkpoints=memory, seed=2)


def test_stops_early_and_keeps_the_best_weights():
    settings = loop.FitSettings(epochs=200, batch_size=8, learning_rate=0.03, patience=4)
    examples = _examples(noise=3.0)
    module = loop.seeded(_module, 1)
    later = np.arange(95, 120)
    outcome = loop.fit(
        module,
        examples,
        squared_loss,
        settings,
        train=np.arange(90),
        validation=later,
        seed=1,
    )
    assert len(outcome.history) == outcome.best_epoch + 1 + settings.patience < 200
    kept = loop.evaluate(module, examples, squared_loss, later, 8)
    best = min(row["val_loss"] for row in outcome.history)
    assert kept["val_loss"] == pytest.approx(best, rel=1e-6)


def test_without_validation_all_epochs_are_run():
    module = loop.seeded(_module, 1)
    outcome = loop.fit(
        module,
        _examples(),
        squared_loss,
        SETTINGS,
        train=np.arange(90),
        validation=np.arange(0),
        seed=1,
    )
    assert len(outcome.history) == SETTINGS.epochs
    assert outcome.best_epoch == SETTINGS.epochs - 1


def test_bad_input_is_refused():
    module = loop.seeded(_module, 1)
    nothing = np.arange(0)
    with pytest.raises(UsageError, match="no training examples"):
        loop.fit(
            module, _examples(), squared_loss, SETTINGS, train=nothing, validation=nothing, seed=1
        )
    bad = _examples()
    bad.arrays[1][3] = float("inf")
    with pytest.raises(UsageError, match="diverged"):
        _fit(examples=bad)


def test_runs_in_threads_do_not_disturb_each_other():
    expected, _ = _fit()
    results = []
    threads = [threading.Thread(target=lambda: results.append(_fit()[0])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 3
