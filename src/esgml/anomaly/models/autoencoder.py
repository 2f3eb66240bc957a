"""Autoencoder: rows a narrow network cannot reproduce are strange."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pydantic

from esgml.anomaly.base import AnomalyModel
from esgml.anomaly.state import dump_state, restore_state
from esgml.core.errors import IntegrityError, MissingExtraError
from esgml.core.interfaces import Files, Hyperparameters, tunable
from esgml.core.random import generator
from esgml.nn import inference, weights
from esgml.nn.drawing import draw_layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.nn.autoencoder import Autoencoder as Network

    Floats = NDArray[np.float64]

_LIMIT = 20.0  # deviations a value may lie away on the way into the network
_FAR = 1e100  # errors stay finite when squared and summed


class AutoencoderParams(Hyperparameters):
    """Hyperparameters of the autoencoder."""

    hidden: tuple[int, ...] = pydantic.Field(
        (64, 32, 16), min_length=1, max_length=8, description="layers down to the bottleneck"
    )
    epochs: int = pydantic.Field(60, ge=1, le=10_000, description="most epochs")
    batch_size: int = tunable(128, 32, 512, log=True)
    learning_rate: float = tunable(1e-3, 1e-4, 1e-2, log=True)
    patience: int = pydantic.Field(8, ge=1, description="epochs without improvement to stop after")
    validation_share: float = pydantic.Field(
        0.1, ge=0, le=0.5, description="share of the rows that decide when to stop"
    )
    examples_per_epoch: int = pydantic.Field(16_384, ge=0, description="0 = all rows")
    threads: int = pydantic.Field(1, ge=1)

    @pydantic.field_validator("hidden")
    @classmethod
    def _within(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= width <= 65_536 for width in value):
            raise ValueError("a layer must have between 1 and 65,536 units")
        return value


class Autoencoder(AnomalyModel):
    """How badly a network with a bottleneck reproduces a row: mean squared error per column.

    When to use it: many columns with relations that are not straight lines, and thousands of
    rows. Weakness: with fewer columns than the bottleneck has units it can copy its input, and
    only its bounded training keeps unusual rows apart; strange rows in the training data are
    learned like any others. On tables of some dozen columns `ensemble` is better and faster.

    Values are standardised; a missing value enters as the mean of its column and its error does
    not count. Trained with torch, scored without it.

    Parameters
    ----------
    **params
        See `AutoencoderParams`.

    Attributes
    ----------
    weights_ : dict of name to array
        Float32 parameters, names as in `build_model`.
    history_ : list of dict
        ``loss`` and ``val_loss`` (mean squared error) per epoch.

    Examples
    --------
    >>> Autoencoder().layers(100)[0]
    ('dense 64 ReLU', '(64,)', 6464)

    References
    ----------
    Hawkins et al., Outlier detection using replicator neural networks, DaWaK 2002.
    """

    Params: ClassVar[type[Hyperparameters]] = AutoencoderParams
    fewest_rows: ClassVar[int] = 1

    weights_: weights.Weights
    history_: list[dict[str, float]]

    def build_model(self, columns: int = 100) -> Network:
        """Return the network as a torch module: the trained one, or a fresh one.

        Parameters
        ----------
        columns : int
            Width of a row, where the model is not trained yet.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        """
        try:
            import torch

            from esgml.nn.autoencoder import Autoencoder as Network
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] == "torch":
                raise MissingExtraError.of("torch", "train") from error
            raise
        module = Network(self.columns_ if self.trained_ else columns, self.params.hidden)
        if self.trained_:
            own = {k: torch.from_numpy(v.copy()) for k, v in self.weights_.items()}
            module.load_state_dict(own)
        return module.eval()

    def _train(self, X: Floats, seed: int) -> None:
        self.trained_ = False  # build_model is to give fresh weights
        module = self._seeded(seed)
        from esgml.nn import loop
        from esgml.nn.autoencoder import Rows, reconstruction_loss

        p = self.params
        self.mean_, self.deviation_ = _moments(X)
        values, observed = self._inputs(X)
        order = generator(seed, "validation rows").permutation(len(X))
        later = order[: int(p.validation_share * len(X))]
        outcome = loop.fit(
            module,
            Rows(values.astype(np.float32), observed.astype(np.float32)),
            reconstruction_loss,
            loop.FitSettings(
                epochs=p.epochs,
                batch_size=p.batch_size,
                learning_rate=p.learning_rate,
                patience=p.patience,
                examples_per_epoch=p.examples_per_epoch,
                threads=p.threads,
            ),
            train=order[len(later) :],
            validation=later,
            seed=seed,
            label=self.model_name(),
        )
        self.history_ = outcome.history
        self.weights_ = loop.arrays_of(module)

    def _seeded(self, seed: int) -> Network:
        self.build_model(1)  # says which extra to install where torch is missing
        from esgml.nn import loop

        module: Any = loop.seeded(lambda: self.build_model(self.columns_), seed)
        return module  # type: ignore[no-any-return]

    def _standardised(self, X: Floats) -> Floats:
        varied = self.deviation_ > 0
        away = X - self.mean_
        with np.errstate(over="ignore"):
            # a column that never varied has no deviation: any other value counts as ten
            scaled = np.where(
                varied, away / np.where(varied, self.deviation_, 1.0), 10.0 * np.sign(away)
            )
        return np.clip(scaled, -_FAR, _FAR)

    def _inputs(self, X: Floats) -> tuple[Floats, Floats]:
        """Return what enters the network, and 1 where a value was observed."""
        scaled = self._standardised(X)
        observed = ~np.isnan(scaled)
        inputs = np.clip(np.where(observed, scaled, 0.0), -_LIMIT, _LIMIT)
        return inputs, observed.astype(np.float64)

    def reconstruct(self, X: Any) -> Floats:
        """Return the rows as the network reproduces them, in their units, shape (n, d)."""
        self._require_trained()
        table = self._known_table(X)
        return np.asarray(self._reproduced(table) * self.deviation_ + self.mean_)

    def _reproduced(self, X: Floats) -> Floats:
        inputs, _ = self._inputs(X)
        layers = len(self.weights_) // 2
        parts = [
            inference.dense_stack(inputs[i : i + inference.CHUNK], self.weights_, layers)
            for i in range(0, len(inputs), inference.CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty(X.shape)

    def _contributions(self, X: Floats) -> Floats:
        """Return the squared error of each observed column over their number; they add up."""
        scaled = self._standardised(X)
        observed = ~np.isnan(scaled)
        error = np.where(observed, scaled - self._reproduced(X), 0.0)
        return np.asarray(error**2 / np.maximum(observed.sum(axis=1, keepdims=True), 1))

    def _score(self, X: Floats) -> Floats:
        return np.asarray(self._contributions(X).sum(axis=1))

    def layers(self, columns: int = 0) -> list[tuple[str, str, int]]:
        """Return name, output shape and number of parameters of every layer."""
        columns = columns or self.columns_
        pairs = self._pairs(columns)
        return [
            (f"dense {b}" + (" ReLU" if i < len(pairs) - 1 else ""), f"({b},)", (a + 1) * b)
            for i, (a, b) in enumerate(pairs)
        ]

    def _pairs(self, columns: int) -> list[tuple[int, int]]:
        """Return the inputs and outputs of every layer."""
        hidden = self.params.hidden
        return list(itertools.pairwise([columns, *hidden, *reversed(hidden[:-1]), columns]))

    def summary(self) -> str:
        """Return a drawing of the layers with shapes and parameter counts."""
        columns = self.columns_ if self.trained_ else 100
        return "\n".join(
            [
                f"{type(self).__name__} ({self.model_name()})",
                f"  {self.description()}",
                "",
                draw_layers([("input", f"({columns},)", 0), *self.layers(columns)]),
                f"  trained, {len(self.history_)} epochs" if self.trained_ else "  not trained",
            ]
        )

    def _dump(self) -> Files:
        return {
            **dump_state(
                columns=self.columns_,
                history=self.history_,
                mean=self.mean_,
                deviation=self.deviation_,
            ),
            "weights.safetensors": weights.pack(self.weights_),
        }

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state = restore_state(files)
        try:
            self.columns_ = int(state["columns"])
            self.history_ = list(state["history"])
            self.mean_, self.deviation_ = state["mean"], state["deviation"]
            self.weights_ = weights.unpack(files["weights.safetensors"])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("the saved network is incomplete.") from error
        for array in (self.mean_, self.deviation_):
            if getattr(array, "shape", None) != (self.columns_,) or not np.isfinite(array).all():
                raise IntegrityError("the saved scaling is unusable.")
        expected: dict[str, tuple[int, ...]] = {}
        for i, (a, b) in enumerate(self._pairs(self.columns_)):
            expected[f"layers.{i}.weight"], expected[f"layers.{i}.bias"] = (b, a), (b,)
        if {name: array.shape for name, array in self.weights_.items()} != expected or not all(
            array.dtype == np.float32 and np.isfinite(array).all()
            for array in self.weights_.values()
        ):
            raise IntegrityError("the saved weights do not fit the network.")


def _moments(X: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation of the observed values of each column; 0 where they are equal."""
    mean, deviation = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for j in range(X.shape[1]):
        column = X[~np.isnan(X[:, j]), j]
        if len(column) and column.min() < column.max():
            size = np.abs(column).max()  # keeps squares of huge values finite
            mean[j] = (column / size).mean() * size
            deviation[j] = (column / size).std() * size
        elif len(column):
            mean[j] = column[0]
    return mean, deviation
