"""LSTM encoder-decoder over all series: future covariates, seasonal skip, quantiles.

One network for all series. What it learns are ratios to each series' own recent level, so that
a small site and a national grid teach each other. It does not forecast from scratch: at every
step ahead it weighs simple forecasts (last value, same weekday, same time last year) and adds
a correction, with the bands of a quantile regression around it.

References
----------
Wen, Torkkola, Narayanaswamy & Madeka, A Multi-Horizon Quantile Recurrent Forecaster (2017):
direct multi-horizon quantiles. Salinas, Flunkert, Gasthaus & Januschowski, DeepAR (2020):
scaling by recent level, series embeddings. Lim, Arik, Loeff & Pfister, Temporal Fusion
Transformers (2021): future covariates in the decoder, gated skips. We deviate: the skip is a
softmax over candidate forecasts, and training minimises the pinball loss of a ratio.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pydantic

from esgml.core.errors import HistoryError, MissingExtraError
from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.core.random import derive_seed
from esgml.forecast.state import dump_state, restore_state
from esgml.nn import inference, weights
from esgml.nn.drawing import draw_layers
from esgml.nn.series import require_observed
from esgml.nn.windows import Layout, WindowedPanel, split_by_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel
    from esgml.nn.loop import Checkpoints

    Array = NDArray[np.float64]


#: Fewer observed periods in all series together are not worth training a network on.
LEAST_OBSERVED = 300


class LSTMParams(Hyperparameters):
    """Settings of `LSTMForecaster`."""

    window: int = pydantic.Field(
        0, ge=0, le=2000, description="past steps the encoder reads; 0 = usual for the frequency"
    )
    units: int = tunable(32, 16, 128, log=True, description="units of both LSTMs")
    hidden: int = tunable(48, 16, 128, log=True, description="units of the dense layer")
    embedding: int = pydantic.Field(4, ge=1, le=64, description="numbers that tell series apart")
    dropout: float = tunable(0.15, 0.0, 0.5, description="share dropped in training")
    learning_rate: float = tunable(3e-3, 3e-4, 1e-2, log=True)
    weight_decay: float = pydantic.Field(1e-4, ge=0)
    epochs: int = pydantic.Field(12, ge=1, le=1000)
    patience: int = pydantic.Field(4, ge=1, description="epochs without gain on later data")
    batch_size: int = pydantic.Field(128, ge=1)
    examples_per_epoch: int = pydantic.Field(
        8192, ge=0, description="windows drawn per epoch; 0 = all"
    )
    members: int = pydantic.Field(2, ge=1, le=20, description="networks whose mean is the forecast")
    validation_share: float = pydantic.Field(0.15, ge=0, lt=0.5, description="of the latest time")
    quantiles: tuple[float, ...] = pydantic.Field(
        (0.05, 0.1, 0.5, 0.9, 0.95), description="ascending, 0.5 among them"
    )
    threads: int = pydantic.Field(1, ge=1)

    @pydantic.field_validator("quantiles")
    @classmethod
    def _ordered(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if (
            0.5 not in value
            or list(value) != sorted(set(value))
            or not 0 < value[0] <= value[-1] < 1
        ):
            raise ValueError("quantiles must ascend within 0 and 1 and hold 0.5")
        return value


class LSTMForecaster(TimeSeriesModel):
    """Global LSTM encoder-decoder that corrects seasonal forecasts and yields quantiles.

    Use it where many series share their behaviour, or where covariates known ahead (weather,
    calendars, plans) drive them. Weakness: with fewer than a few hundred observed periods in
    all series together there is too little to learn from, and it stays near the average of its
    candidate forecasts.

    Parameters
    ----------
    **params
        See `LSTMParams`.

    Attributes
    ----------
    weights_ : dict of name to array
        Float32 parameters of every member, ``{member}/{layer}.{parameter}``.
    series_ : dict of str to int
        Row of the embedding table of each series seen in training.
    history_ : list of list of dict
        Losses per run and epoch: first of the scout that finds the number of epochs on later
        data (where there is enough of it), then of each member, trained on everything.
    checkpoints : Checkpoints or None
        Set before `train` to keep the state after every epoch and resume from it.

    Examples
    --------
    >>> model = LSTMForecaster(epochs=3, members=1)
    >>> model.params.quantiles
    (0.05, 0.1, 0.5, 0.9, 0.95)
    """

    Params: ClassVar[type[Hyperparameters]] = LSTMParams
    refit_every: ClassVar[int] = 6
    checkpoints: Checkpoints | None = None
    weights_: weights.Weights
    history_: list[list[dict[str, float]]]

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Levels of `predict_quantiles`, ascending."""
        return tuple(self.params.quantiles)

    @property
    def _median(self) -> int:
        return self.quantiles.index(0.5)

    @classmethod
    def unsuited(cls, panel: Panel, horizon: int) -> str:
        """Say why the model is no candidate for a panel; empty where it is one."""
        observed = int(np.isfinite(panel.values).sum())
        if observed < LEAST_OBSERVED:
            return f"{observed} observed periods are too few to train a network ({LEAST_OBSERVED})"
        return ""

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        try:
            from esgml.nn import loop
            from esgml.nn.encoder_decoder import PanelExamples, build, quantile_loss
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] == "torch":
                raise MissingExtraError.of("torch", "train") from error
            raise
        p = self.params
        layout = Layout.of(panel.frequency, horizon, p.window)
        self.window_ = layout.past
        table = WindowedPanel(panel, layout)
        series, row = table.training_origins()
        if len(row) == 0:
            raise HistoryError(
                "no series has two observed periods to learn from.",
                remedy="Give longer histories.",
            )
        self.series_ = {"\x1f".join(key): i + 1 for i, key in enumerate(panel.keys)}
        self.positive_ = bool((panel.values[np.isfinite(panel.values)] >= 0).all())
        examples = PanelExamples(table, series + 1, row, derive_seed(seed, "unknown"))
        settings = loop.FitSettings(
            epochs=p.epochs,
            batch_size=p.batch_size,
            learning_rate=p.learning_rate,
            weight_decay=p.weight_decay,
            patience=p.patience,
            examples_per_epoch=p.examples_per_epoch,
            cosine=True,
            threads=p.threads,
        )
        train, later = split_by_time(table.ordinal[row], p.validation_share, horizon)
        everything = np.arange(len(row))

        def learn(label: str, run: loop.FitSettings, *parts: NDArray[np.int64]) -> loop.Fit:
            own = derive_seed(seed, label)
            module = loop.seeded(lambda: build(examples, len(panel), p, self.quantiles), own)
            outcome = loop.fit(
                module,
                examples,
                quantile_loss(self.quantiles),
                run,
                train=parts[0],
                validation=parts[1],
                seed=own,
                label=label,
                checkpoints=self.checkpoints,
            )
            self.history_.append(outcome.history)
            self.weights_ |= {
                f"{label.removeprefix('lstm-')}/{k}": v for k, v in loop.arrays_of(module).items()
            }
            return outcome

        self.weights_, self.history_ = {}, []
        if len(later):
            # a scout finds out on later data how long to train; what serves learns from all of
            # it, for the latest months are the most telling
            best = learn("lstm-scout", settings, train, later).best_epoch
            settings = dataclasses.replace(settings, epochs=max(2, best + 1))
            self.weights_ = {}
        for member in range(p.members):
            learn(f"lstm-{member}", settings, everything, everything[:0])

    def predict_quantiles(self, history: Panel, future: Future) -> Array:
        """Forecast quantiles of every period of `future`.

        Returns
        -------
        array, shape (n, horizon, quantiles)
            In the unit of the target; never decreasing along the last axis, whose levels are
            `quantiles`.

        Raises
        ------
        NotTrainedError, ColumnError, UsageError
            As `predict`.
        HistoryError
            If a series has no observed value.
        """
        self.predict(history, future)
        return self._quantiles(history, future)

    def _predict(self, history: Panel, future: Future) -> Array:
        return self._quantiles(history, future)[..., self._median]

    def _quantiles(self, history: Panel, future: Future) -> Array:
        if len(history) == 0:
            return np.empty((0, future.horizon, len(self.quantiles)))
        require_observed(history)
        # always the trained horizon: how far ahead a step is counts relative to it
        layout = Layout.of(history.frequency, self.horizon_, self.params.window)
        table = WindowedPanel(history, layout, future)
        _, row = table.last_origins()
        batch = table.gather(row)
        ahead = future.horizon
        who = np.array([self.series_.get("\x1f".join(key), 0) for key in history.keys])
        total = np.zeros((len(history), ahead, len(self.quantiles)))
        for member in range(self.params.members):
            total += inference.encoder_decoder(
                batch.past,
                batch.future[:, :ahead],
                batch.candidates[:, :ahead],
                who,
                weights.prefixed(self.weights_, f"{member}/"),
                self._median,
            )
        result = total / self.params.members * batch.level[:, None, None]
        if self.positive_:
            result = np.maximum(result, 0.0)
        return np.asarray(np.maximum.accumulate(result, axis=-1))

    def to_onnx(self) -> bytes:
        """Return the network as ONNX, see `esgml.nn.onnx_export.encoder_decoder`.

        Its outputs are ratios to each series' recent level; needs no torch.
        """
        from esgml.nn import onnx_export

        self._require_trained()
        return onnx_export.encoder_decoder(
            self.weights_, self.params.members, self.window_, self._median
        )

    def _dump(self) -> Files:
        state = dump_state(
            self,
            series=self.series_,
            window=self.window_,
            positive=self.positive_,
            history=self.history_,
        )
        return {**state, "weights.safetensors": weights.pack(self.weights_)}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.series_ = dict(state["series"])
        self.window_ = int(state["window"])
        self.positive_ = bool(state["positive"])
        self.history_ = list(state["history"])
        self.weights_ = weights.unpack(files["weights.safetensors"])

    def layers(self) -> list[tuple[str, str, int]]:
        """Return name, output shape and number of weights of one member's layers, once trained."""
        self._require_trained()
        one = weights.prefixed(self.weights_, "0/")
        shapes = {
            "embedding": f"({one['embedding.weight'].shape[1]},)",
            "encoder": f"({self.window_}, {self.params.units})",
            "decoder": f"({self.horizon_}, {self.params.units})",
            "hidden": f"({self.horizon_}, {self.params.hidden})",
            "gate": f"({self.horizon_}, {len(one['gate.bias'])})",
            "head": f"({self.horizon_}, {len(one['head.bias'])})",
        }
        return [
            (name, shape, sum(v.size for k, v in one.items() if k.startswith(f"{name}.")))
            for name, shape in shapes.items()
        ]

    def summary(self) -> str:
        """Return a drawing of the layers with shapes and numbers of weights."""
        if not self.trained_:
            return super().summary()
        drawn = draw_layers(self.layers())
        members = f"  {self.params.members} such networks, averaged; pinball loss, AdamW"
        return f"{type(self).__name__} ({self.model_name()})\n{drawn}\n{members}\n  trained"

    def _details(self) -> dict[str, Any]:
        if not self.trained_:
            return {}
        return {
            "weights": sum(int(v.size) for v in self.weights_.values()),
            "series": len(self.series_),
            "epochs": [len(h) for h in self.history_],
        }
