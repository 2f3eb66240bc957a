"""Two stacked LSTMs on windows of 30 periods x 10 features, one step ahead for three scopes.

The reported baseline: LSTM 128 -> dropout 0.2 -> LSTM 64 -> dense 32 (ReLU) -> dense 3, Adam
with a learning rate of 1e-3, mean squared error, mean absolute error as metric, early stopping
on a validation split that is later in time. Longer horizons are reached by feeding forecasts
back in.

Reference: Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9 (1997).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic

from esgml.core.errors import (
    DataError,
    HistoryError,
    MissingExtraError,
    NotTrainedError,
    UsageError,
)
from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.forecast.state import dump_state, restore_state
from esgml.nn import inference, weights
from esgml.nn.drawing import draw_layers, lstm_weights
from esgml.nn.scope_windows import FEATURES, SCOPES, scope_table
from esgml.nn.series import LIMIT
from esgml.nn.windows import split_by_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel
    from esgml.nn.blocks import StackedLSTM
    from esgml.nn.loop import Checkpoints, Examples

    Array = NDArray[np.float64]

#: Names under which the scaling of stand-alone windows is stored beside the weights.
_SCALING = ("input_mean", "input_std", "output_mean", "output_std")
_ERRORS = "validation_errors"


#: Fewer observed periods in all series together are not worth training a network on.
LEAST_OBSERVED = 300


class EmissionsPredictionParams(Hyperparameters):
    """Settings of `EmissionsPredictionModel`; the defaults are its specification."""

    window: int = pydantic.Field(30, ge=2, le=1000, description="periods in a window")
    units1: int = pydantic.Field(128, ge=1, description="units of the first LSTM")
    units2: int = pydantic.Field(64, ge=1, description="units of the second LSTM")
    hidden: int = pydantic.Field(32, ge=1, description="units of the dense layer")
    dropout: float = tunable(0.2, 0.0, 0.5, description="between the LSTMs, in training")
    learning_rate: float = tunable(1e-3, 1e-4, 1e-2, log=True)
    epochs: int = pydantic.Field(12, ge=1, le=1000)
    patience: int = pydantic.Field(3, ge=1)
    batch_size: int = tunable(64, choices=[32, 64, 128])
    examples_per_epoch: int = pydantic.Field(
        2048, ge=0, description="windows drawn per epoch; 0 = all"
    )
    stride: int = pydantic.Field(1, ge=1, description="take every so many-th window")
    validation_share: float = pydantic.Field(0.15, ge=0, lt=0.5, description="of the latest time")
    threads: int = pydantic.Field(1, ge=1)


class EmissionsPredictionModel(TimeSeriesModel):
    """LSTM on (30, 10) windows that predicts Scope 1, 2 and 3 one step ahead.

    Use it as the plain neural baseline, on a panel (`train`, `predict`) or on windows of your
    own (`train_windows`, `predict_windows`). Weakness: it is trained for one step, so errors
    add up over a horizon, and it sees future covariates only through its own recursion.

    On a panel the series of one entity are taken together: a target whose name holds ``scope1``,
    ``scope2`` or ``scope3`` fills that slot, any other target fills the first slot of a table of
    its own; covariates are found by their names (see `esgml.nn.scope_windows`).

    Parameters
    ----------
    **params
        See `EmissionsPredictionParams`.

    Attributes
    ----------
    weights_ : dict of name to array
        Float32 parameters, names as in `build_model`.
    history_ : list of dict
        ``loss`` and ``val_loss`` (mean squared error), ``metric`` and ``val_metric`` (mean
        absolute error) per epoch.
    checkpoints : Checkpoints or None
        Set before `train` to keep the state after every epoch and resume from it.

    Examples
    --------
    >>> model = EmissionsPredictionModel()
    >>> sum(count for _, _, count in model.layers())
    123523
    """

    Params: ClassVar[type[Hyperparameters]] = EmissionsPredictionParams
    refit_every: ClassVar[int] = 12
    checkpoints: Checkpoints | None = None
    weights_: weights.Weights
    history_: list[dict[str, float]]

    def build_model(self) -> StackedLSTM:
        """Return the network as a torch module: the trained one, or a fresh one.

        Maps float32 tensors (n, 30, 10) to (n, 3); inputs and outputs are standardised.
        Raises `MissingExtraError` if torch is not installed.
        """
        try:
            import torch

            from esgml.nn.blocks import StackedLSTM
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] == "torch":
                raise MissingExtraError.of("torch", "train") from error
            raise
        p = self.params
        module = StackedLSTM(len(FEATURES), SCOPES, (p.units1, p.units2), p.hidden, p.dropout)
        if self.trained_:
            own = {k: v for k, v in self.weights_.items() if k not in (*_SCALING, _ERRORS)}
            module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in own.items()})
        return module.eval()

    # On panels ------------------------------------------------------------------------

    @classmethod
    def unsuited(cls, panel: Panel, horizon: int) -> str:
        """Say why the model is no candidate for a panel; empty where it is one."""
        observed = int(np.isfinite(panel.values).sum())
        if observed < LEAST_OBSERVED:
            return f"{observed} observed periods are too few to train a network ({LEAST_OBSERVED})"
        return ""

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        # series never observed cannot be learned from; predict names them
        seen = [i for i in range(len(panel)) if np.isfinite(panel.series(i)).any()]
        table = scope_table(panel.select(seen))
        self.positive_ = bool((panel.values[np.isfinite(panel.values)] >= 0).all())
        examples = self._import_examples().ScopeExamples(
            table, self.params.window, self.params.stride
        )
        if len(examples) == 0:
            raise HistoryError(
                "no series has two observed periods to learn from.",
                remedy="Give longer histories.",
            )
        train, later = split_by_time(table.ordinal[examples.row], self.params.validation_share, 1)
        self._fit(examples, train, later, seed)
        self.windows_only_ = False

    def _predict(self, history: Panel, future: Future) -> Array:
        if self.windows_only_:
            raise NotTrainedError(
                "this model was trained on bare windows.",
                remedy="Use predict_windows, or call train(panel, ...) first.",
            )
        result = np.empty((len(history), future.horizon))
        if len(history) == 0:
            return result
        table = scope_table(history, future)
        window = table.windows(table.indptr[1:], self.params.window)
        present = np.zeros((len(table.groups), SCOPES), dtype=bool)
        for g, group in enumerate(table.groups):
            present[g, list(group)] = True
        steps = np.empty((len(table.groups), future.horizon, SCOPES))
        for h in range(future.horizon):
            predicted = inference.stacked_lstm(window, self.weights_)
            steps[:, h] = np.where(present, np.clip(predicted, -LIMIT, LIMIT), 0.0)
            row = table.ahead[:, h].copy()
            row[:, :SCOPES] = steps[:, h]
            window = np.concatenate([window[:, 1:], row[:, None]], axis=1)
        values = steps * table.std[:, None] + table.mean[:, None]
        for g, group in enumerate(table.groups):
            for slot, i in group.items():
                result[i] = values[g, :, slot]
        return np.maximum(result, 0.0) if self.positive_ else result

    # On bare windows ------------------------------------------------------------------

    def train_windows(self, X: Array, y: Array, *, seed: int = 0) -> Self:
        """Learn from windows given in time order.

        Parameters
        ----------
        X : array, shape (n, 30, 10)
            Features in the order of `esgml.nn.scope_windows.FEATURES`, in any unit; they are
            standardised inside.
        y : array, shape (n, 3)
            Scope 1, 2 and 3 of the period after each window.
        seed : int

        Raises
        ------
        DataError
            If a shape is wrong or a value is not finite.
        HistoryError
            If there are fewer than two windows.
        """
        X = self._checked(X)
        y = np.asarray(y, dtype=np.float64)
        if y.shape != (len(X), SCOPES):
            raise DataError(
                f"targets have shape {y.shape}, expected {(len(X), SCOPES)}.", code="shape"
            )
        if not np.isfinite(y).all():
            raise DataError("targets hold NaN or infinity.", code="not_finite")
        if len(X) < 2:
            raise HistoryError("at least two windows are needed.")
        train, later = split_by_time(np.arange(len(X)), self.params.validation_share, 1)
        flat = X[train].reshape(-1, X.shape[-1])
        scaling = dict(
            zip(
                _SCALING,
                (a.astype(np.float32) for a in (*_spread(flat), *_spread(y[train]))),
                strict=True,
            )
        )
        inputs = (X - scaling["input_mean"]) / scaling["input_std"]
        targets = (y - scaling["output_mean"]) / scaling["output_std"]
        examples = self._import_examples().ArrayExamples(inputs, targets, np.ones_like(targets))
        self._fit(examples, train, later, seed)
        self.weights_ |= scaling
        self.horizon_, self.known_names_, self.past_names_ = 1, (), ()
        self.positive_, self.windows_only_, self.trained_ = False, True, True
        held = later if len(later) else train
        self.weights_[_ERRORS] = np.sort(
            np.abs(self.predict_windows(X[held]) - y[held]), axis=0
        ).astype(np.float32)
        return self

    def predict_windows(self, X: Array) -> Array:
        """Predict Scope 1, 2 and 3 of the period after each window.

        Parameters
        ----------
        X : array, shape (n, 30, 10)
            In the units of `train_windows`; after `train` on a panel, standardised.

        Returns
        -------
        array, shape (n, 3)
        """
        self._require_trained()
        X = self._checked(X)
        if "input_mean" not in self.weights_:
            return inference.stacked_lstm(X, self.weights_)
        scale = {k: self.weights_[k].astype(np.float64) for k in _SCALING}
        inputs = (X - scale["input_mean"]) / scale["input_std"]
        outputs = inference.stacked_lstm(inputs, self.weights_)
        return np.asarray(outputs * scale["output_std"] + scale["output_mean"])

    def predict_intervals(self, X: Array, level: float = 90) -> tuple[Array, Array]:
        """Return lower and upper bounds that should hold the truth `level` % of the time.

        Split conformal on the validation windows, which also decided when training stopped, so
        the bounds are slightly narrow; the forecasting pipeline calibrates its own.

        Returns
        -------
        lower, upper : array, shape (n, 3)
        """
        if not 0 < level < 100:
            raise UsageError(f"level must lie between 0 and 100 percent, got {level}.")
        point = self.predict_windows(X)
        if _ERRORS not in self.weights_:
            raise NotTrainedError(
                "intervals of windows need train_windows.", remedy="Call train_windows first."
            )
        errors = self.weights_[_ERRORS].astype(np.float64)
        rank = min(int(np.ceil((len(errors) + 1) * level / 100)), len(errors)) - 1
        return point - errors[rank], point + errors[rank]

    def _checked(self, X: Array) -> Array:
        X = np.asarray(X, dtype=np.float64)
        expected = (self.params.window, len(FEATURES))
        if X.ndim != 3 or X.shape[1:] != expected:
            raise DataError(
                f"windows have shape {X.shape}, expected (n, {expected[0]}, {expected[1]}).",
                code="shape",
            )
        if not np.isfinite(X).all():
            raise DataError(
                "windows hold NaN or infinity.", code="not_finite", remedy="Fill or drop them."
            )
        return X

    # Shared ---------------------------------------------------------------------------

    def _import_examples(self) -> Any:
        self.build_model()  # says which extra to install where torch is missing
        from esgml.nn import scope_examples

        return scope_examples

    def _fit(
        self, examples: Examples, train: NDArray[np.int64], later: NDArray[np.int64], seed: int
    ) -> None:
        from esgml.nn import loop
        from esgml.nn.scope_examples import squared_loss

        p = self.params
        self.trained_ = False  # build_model below is to give fresh weights
        module = loop.seeded(self.build_model, seed)
        settings = loop.FitSettings(
            epochs=p.epochs,
            batch_size=p.batch_size,
            learning_rate=p.learning_rate,
            patience=p.patience,
            examples_per_epoch=p.examples_per_epoch,
            threads=p.threads,
        )
        outcome = loop.fit(
            module,
            examples,
            squared_loss,
            settings,
            train=train,
            validation=later,
            seed=seed,
            label=self.model_name(),
            checkpoints=self.checkpoints,
        )
        self.history_ = outcome.history
        self.weights_ = loop.arrays_of(module)

    def to_onnx(self) -> bytes:
        """Return the network as ONNX: ``input`` (batch, 30, 10) -> ``output`` (batch, 3).

        The scaling of `train_windows` is part of the graph. Needs no torch.
        """
        from esgml.nn import onnx_export

        self._require_trained()
        scaling = None
        if "input_mean" in self.weights_:
            scaling = [self.weights_[k] for k in _SCALING]
        return onnx_export.stacked_lstm(self.weights_, self.params.window, scaling)

    def layers(self) -> list[tuple[str, str, int]]:
        """Return name, output shape and number of parameters of every layer."""
        p, f = self.params, len(FEATURES)
        return [
            ("input", f"({p.window}, {f})", 0),
            (f"LSTM {p.units1}", f"({p.window}, {p.units1})", lstm_weights(f, p.units1)),
            (f"dropout {p.dropout:g}", f"({p.window}, {p.units1})", 0),
            (f"LSTM {p.units2}", f"({p.units2},)", lstm_weights(p.units1, p.units2)),
            (f"dense {p.hidden} ReLU", f"({p.hidden},)", (p.units2 + 1) * p.hidden),
            (f"dense {SCOPES}", f"({SCOPES},)", (p.hidden + 1) * SCOPES),
        ]

    def summary(self) -> str:
        """Return a drawing of the layers with shapes and parameter counts."""
        p = self.params
        return "\n".join(
            [
                f"{type(self).__name__} ({self.model_name()})",
                f"  {self.description()}",
                "",
                draw_layers(self.layers()),
                f"  Adam {p.learning_rate:g}, mean squared error; metric: mean absolute error",
                f"  trained, {len(self.history_)} epochs" if self.trained_ else "  not trained",
            ]
        )

    def _dump(self) -> Files:
        state = dump_state(
            self,
            positive=self.positive_,
            windows_only=self.windows_only_,
            history=self.history_,
        )
        return {**state, "weights.safetensors": weights.pack(self.weights_)}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.positive_ = bool(state["positive"])
        self.windows_only_ = bool(state["windows_only"])
        self.history_ = list(state["history"])
        self.weights_ = weights.unpack(files["weights.safetensors"])

    def _details(self) -> dict[str, Any]:
        return {
            "weights": sum(n for _, _, n in self.layers()),
            "features": list(FEATURES),
            "epochs": len(self.history_) if self.trained_ else 0,
        }


def _spread(values: Array) -> tuple[Array, Array]:
    """Return mean and deviation per column; 1 where a column does not vary."""
    mean, std = values.mean(axis=0), values.std(axis=0)
    return mean, np.where(std > 1e-9 * (1 + np.abs(mean)), std, 1.0)
