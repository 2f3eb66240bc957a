"""The training loop: minibatches, early stopping on later data, best weights, resume.

All randomness of an epoch comes from the seed and the epoch's number, so a run that is killed
and resumed from its last checkpoint ends with the same bytes as one that was not.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from esgml.core.errors import IntegrityError, UsageError
from esgml.core.progress import track
from esgml.core.random import derive_seed, generator
from esgml.core.storage import explained, write_atomic
from esgml.nn import weights as stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

Batch = tuple[Tensor, ...]
#: ``loss(module, batch) -> (loss, metric, weight)``: means over the batch, and its weight.
Loss = Callable[[nn.Module, Batch], tuple[Tensor, Tensor, float]]


#: torch has one random state and one number of threads for the whole process, so two runs must
#: not train at once; whoever wants them side by side uses processes.
_ONE_AT_A_TIME = threading.RLock()


class Examples(Protocol):
    """What is learned from: examples that can be fetched by number."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Return the tensors of the examples numbered `index`."""


class Checkpoints(Protocol):
    """Where the state of an unfinished training run is kept."""

    def load(self, name: str) -> bytes | None:
        """Return what was last saved under `name`, or None."""

    def save(self, name: str, data: bytes) -> None:
        """Keep `data` under `name`, replacing what was there."""


class FileCheckpoints:
    """Checkpoints as files in a folder, replaced atomically."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def load(self, name: str) -> bytes | None:
        """Return what was last saved under `name`, or None."""
        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            return None
        with explained(path):
            return path.read_bytes()

    def save(self, name: str, data: bytes) -> None:
        """Keep `data` under `name`, replacing what was there."""
        write_atomic(self.folder / f"{name}.safetensors", data)


@dataclass(frozen=True)
class FitSettings:
    """How to train.

    Attributes
    ----------
    epochs : int
        Most epochs.
    batch_size : int
    learning_rate, weight_decay : float
        Of Adam (AdamW where there is weight decay).
    patience : int
        Epochs without improvement on the later data before training stops.
    clip : float
        Largest norm of the gradient.
    examples_per_epoch : int
        An epoch sees that many examples, drawn anew each time; 0 = all.
    cosine : bool
        Let the learning rate fall to a twentieth along a half cosine over the epochs.
    threads : int
        Threads torch may use; results are reproducible for a fixed number.
    """

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    patience: int = 5
    clip: float = 1.0
    examples_per_epoch: int = 0
    cosine: bool = False
    threads: int = 1


@dataclass
class Fit:
    """What happened in training.

    Attributes
    ----------
    history : list of dict
        Per epoch: ``loss``, ``metric``, ``val_loss``, ``val_metric``.
    best_epoch : int
        Number (from 0) of the epoch whose weights were kept.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1


@contextlib.contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use that many threads, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a module whose initial weights depend on `seed` alone."""
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        return build()


def arrays_of(module: nn.Module) -> stored.Weights:
    """Return the parameters of a module as named float32 arrays."""
    return {k: v.detach().cpu().numpy().copy() for k, v in module.state_dict().items()}


def fit(
    module: nn.Module,
    examples: Examples,
    loss: Loss,
    settings: FitSettings,
    *,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    seed: int,
    label: str = "training",
    checkpoints: Checkpoints | None = None,
) -> Fit:
    """Train `module` in place and leave the best weights in it.

    Parameters
    ----------
    module : Module
    examples : Examples
    loss : callable
        ``loss(module, batch) -> (loss, metric, weight)``.
    settings : FitSettings
    train, validation : array of int
        Numbers of the examples to learn from, and of later ones that decide when to stop.
        Without validation examples all epochs are run and the last weights kept.
    seed : int
    label : str
        Names the progress bar and the checkpoint.
    checkpoints : Checkpoints, optional
        Where to keep the state after every epoch, and to resume from.

    Raises
    ------
    UsageError
        If there is nothing to train on, or the loss is not finite.
    IntegrityError
        If the checkpoint belongs to another run.
    """
    if len(train) == 0:
        raise UsageError("there are no training examples.", code="no_examples")
    run = _Run(module, settings, _identity(module, settings, train, validation, seed))
    if checkpoints is not None and (state := checkpoints.load(label)) is not None:
        run.restore(state)
    with (
        _ONE_AT_A_TIME,
        torch_threads(settings.threads),
        torch.random.fork_rng(devices=[]),
    ):
        for epoch in track(range(run.epoch, settings.epochs), label):
            if run.bad >= settings.patience:
                break
            torch.manual_seed(derive_seed(seed, "epoch", epoch))
            order = generator(seed, "order", epoch).permutation(train)
            if settings.examples_per_epoch:
                order = order[: settings.examples_per_epoch]
            run.schedule(epoch)
            row = run.learn(examples, loss, order)
            if not np.isfinite(row["loss"]):
                raise UsageError(
                    "training diverged: the loss is not finite.",
                    code="diverged",
                    remedy="Lower the learning rate, or check the data for extreme values.",
                )
            run.judge(row, evaluate(module, examples, loss, validation, settings.batch_size))
            if checkpoints is not None:
                checkpoints.save(label, run.state())
    if run.best:
        module.load_state_dict({k: torch.from_numpy(v) for k, v in run.best.items()})
    module.eval()
    return run.outcome


def evaluate(
    module: nn.Module, examples: Examples, loss: Loss, index: NDArray[np.int64], batch_size: int
) -> dict[str, float]:
    """Return the mean ``val_loss`` and ``val_metric`` over examples, dropout off."""
    if len(index) == 0:
        return {}
    module.eval()
    total = np.zeros(3)
    with torch.no_grad():
        for start in range(0, len(index), 4 * batch_size):
            value, metric, weight = loss(
                module, examples.batch(index[start : start + 4 * batch_size])
            )
            total += [float(value) * weight, float(metric) * weight, weight]
    scale = max(total[2], 1e-9)
    return {"val_loss": float(total[0] / scale), "val_metric": float(total[1] / scale)}


def _identity(
    module: nn.Module,
    settings: FitSettings,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    seed: int,
) -> NDArray[np.uint8]:
    """Return a digest of what makes a run: shapes, initial weights, settings, examples, seed."""
    digest = hashlib.sha256(repr((sorted(asdict(settings).items()), seed)).encode())
    for index in (train, validation):
        digest.update(np.ascontiguousarray(index, dtype=np.int64).tobytes())
    for name, value in arrays_of(module).items():
        digest.update(f"{name}{value.shape}".encode() + value.tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)


class _Run:
    """The state of a training run, all of which a checkpoint holds."""

    COLUMNS = ("loss", "metric", "val_loss", "val_metric")

    def __init__(
        self, module: nn.Module, settings: FitSettings, identity: NDArray[np.uint8]
    ) -> None:
        self.module, self.settings, self.identity = module, settings, identity
        self.parameters = list(module.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.epoch = 0
        self.bad = 0
        self.best: stored.Weights = {}
        self.best_loss = float("inf")
        self.outcome = Fit()

    def schedule(self, epoch: int) -> None:
        """Set the learning rate of an epoch."""
        if self.settings.cosine:
            done = epoch / max(1, self.settings.epochs - 1)
            factor = 0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * done))
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.learning_rate * float(factor)

    def learn(self, examples: Examples, loss: Loss, order: NDArray[np.int64]) -> dict[str, float]:
        """Run one epoch and return its mean loss and metric."""
        self.module.train()
        total = np.zeros(3)
        for start in range(0, len(order), self.settings.batch_size):
            batch = examples.batch(order[start : start + self.settings.batch_size])
            self.optimizer.zero_grad(set_to_none=True)
            value, metric, weight = loss(self.module, batch)
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
            self.optimizer.step()
            total += [float(value.detach()) * weight, float(metric.detach()) * weight, weight]
        scale = max(total[2], 1e-9)
        return {"loss": float(total[0] / scale), "metric": float(total[1] / scale)}

    def judge(self, row: dict[str, float], later: dict[str, float]) -> None:
        """Record an epoch, and keep its weights if they are the best so far."""
        row = {**row, **later}
        self.outcome.history.append(row)
        # without later data every epoch counts as the best one: the last weights are kept
        score = row.get("val_loss", -float(self.epoch))
        if score < self.best_loss:
            self.best_loss, self.bad, self.outcome.best_epoch = score, 0, self.epoch
            self.best = arrays_of(self.module)
        else:
            self.bad += 1
        self.epoch += 1

    def state(self) -> bytes:
        """Return everything needed to go on, as safetensors bytes."""
        nan = float("nan")
        out: dict[str, NDArray[Any]] = {
            "run": self.identity,
            "counters": np.array([self.epoch, self.bad, self.outcome.best_epoch], dtype=np.int64),
            "best_loss": np.array([self.best_loss]),
            "history": np.array(
                [[row.get(c, nan) for c in self.COLUMNS] for row in self.outcome.history]
            ).reshape(-1, len(self.COLUMNS)),
        }
        out |= {f"module/{k}": v for k, v in arrays_of(self.module).items()}
        out |= {f"best/{k}": v for k, v in self.best.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            out |= {f"adam/{i}/{k}": v.detach().numpy() for k, v in state.items()}
        return stored.pack(out)

    def restore(self, data: bytes) -> None:
        """Take back what `state` returned."""
        held = stored.unpack(data)
        if not np.array_equal(held.get("run"), self.identity):  # type: ignore[arg-type]
            raise IntegrityError(
                "this checkpoint belongs to another training run.",
                code="checkpoint_other_run",
                remedy="Delete it, or train with the same data, settings and seed.",
            )
        self.epoch, self.bad, self.outcome.best_epoch = (int(x) for x in held["counters"])
        self.best_loss = float(held["best_loss"][0])
        self.outcome.history = [
            {c: float(x) for c, x in zip(self.COLUMNS, row, strict=True) if np.isfinite(x)}
            for row in held["history"]
        ]
        self.best = stored.prefixed(held, "best/")
        self.module.load_state_dict(
            {k: torch.from_numpy(v) for k, v in stored.prefixed(held, "module/").items()}
        )
        full = self.optimizer.state_dict()
        full["state"] = {}
        for name, value in stored.prefixed(held, "adam/").items():
            i, key = name.split("/")
            full["state"].setdefault(int(i), {})[key] = torch.from_numpy(value)
        self.optimizer.load_state_dict(full)
