"""A sentence encoder tuned to the labels, beside the words: meaning as the labels draw it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pydantic

from esgml.core.errors import IntegrityError, MissingExtraError
from esgml.core.interfaces import Files, Hyperparameters, tunable
from esgml.core.random import generator
from esgml.nn.weights import Weights, pack, unpack
from esgml.regulatory.classifier import Evidence, TextClassifier
from esgml.regulatory.encoder import SentenceEncoder
from esgml.regulatory.encoder_files import DEFAULT, read
from esgml.regulatory.linear import stored_logistic
from esgml.regulatory.models.tfidf import TfidfClassifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEAD, _ADAPTER, _ENCODER = "head.safetensors", "adapter.safetensors", "encoder.json"
#: Share of the texts that decide when to stop, and the fewest texts for any to be set aside.
_SET_ASIDE, _FEWEST_TEXTS = 0.1, 50


class TunedParams(Hyperparameters):
    """Hyperparameters of `TunedClassifier`."""

    layers: int = tunable(3, 1, 24, description="last layers of the encoder that are changed")
    rank: int = tunable(16, 1, 64, log=True, description="rank of the changes")
    rate: float = tunable(2e-3, 1e-5, 1e-1, log=True, description="learning rate")
    epochs: int = tunable(8, 1, 100, description="most epochs")
    patience: int = tunable(4, 1, 100, description="epochs without gain before stopping")
    batch: int = tunable(32, 1, 256, log=True, description="texts a step")
    dropout: float = tunable(0.1, 0.0, 0.9, description="share of inputs left out in training")
    windows: int = tunable(8, 1, 64, description="most windows of a text that are learned from")
    share: float = tunable(0.3, 0.0, 1.0, description="share of the encoder in the log-odds")
    unit: Literal["piece", "word", "opening", "both"] = tunable(
        "both", choices=["piece", "word", "opening", "both"], description="what is counted"
    )
    strength: float = tunable(1.0, 0.1, 100.0, log=True, description="inverse penalty of the words")
    smallest: int = tunable(8_000, 0, 50_000, description="terms kept after a first fit; 0 = all")
    folds: int = tunable(1, 1, 5, description="folds of five that are tuned to calibrate on")
    # A package name and never a path: a saved model must not choose what is read from disk.
    encoder: str = pydantic.Field(
        DEFAULT, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$", description="installed encoder package"
    )
    precision: Literal["int8", "fp32"] = pydantic.Field("int8", description="of the tuned encoder")
    threads: int = pydantic.Field(1, ge=1, description="of torch; other threads, other last bits")
    device: Literal["cpu", "cuda"] = pydantic.Field("cpu", description="where it is tuned")


@functools.cache
def _untouched(package: str) -> SentenceEncoder:
    return SentenceEncoder(package, precision="fp32")


class TunedClassifier(TextClassifier):
    """Classify texts by words and by an encoder whose last layers were tuned to the labels.

    When to use it: where what a text says differs from how it says it, there are a thousand texts
    or more, and minutes of training are no matter. Its known weakness: with labels that editors
    gave freely it learns the training texts by heart and the words alone are as good; measure it.
    It answers as slowly as `embedding`, and its evidence is that of the words.

    Attributes
    ----------
    words_ : TfidfClassifier
    adapter_ : dict of name to array
        Low-rank changes of the encoder, 16 bits, about 0.1 MB a layer and rank 8; merged into the
        encoder's own graph to answer, so that no torch is needed then.
    weights_ : array, shape (dimension, labels)
    bias_ : array, shape (labels,)
    encoder_name_ : str
        The exact encoder that was tuned; another one is refused.
    epochs_ : int
        Epochs that were kept.

    References
    ----------
    Hu et al. (2022), LoRA: changes of low rank; Kumar et al. (2022), a fitted head first.
    Deviations: the last layers alone; a vector of a text is the mean over windows of all of it.
    """

    Params = TunedParams

    adapter_: Weights
    _made: SentenceEncoder | None

    @property
    def _judged_folds(self) -> int:
        return int(self.params.folds)

    def _fit(self, texts: Sequence[str], truth: NDArray[np.float64], seed: int) -> None:
        p = self.params
        try:
            from esgml.nn.loop import FitSettings
            from esgml.regulatory.encoder_tuning import tune
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("torch", "train") from error
        self.words_ = self._word_part()
        self.words_.labels_ = self.labels_
        self.words_._fit(texts, truth, seed)
        base, files = _untouched(p.encoder), read(p.encoder)
        chosen = [_some(base.windows(text) or base.windows("."), p.windows) for text in texts]
        aside = int(_SET_ASIDE * len(texts)) if len(texts) >= _FEWEST_TEXTS else 0
        held = generator(seed, "set aside").permutation(len(texts))[:aside]
        settings = FitSettings(
            epochs=p.epochs,
            batch_size=p.batch,
            learning_rate=p.rate,
            weight_decay=0.01,
            patience=p.patience,
            cosine=True,
            threads=p.threads,
        )
        tuned = tune(
            unpack(files.weights),
            files.config,
            chosen,
            truth,
            settings,
            layers=p.layers,
            rank=p.rank,
            dropout=p.dropout,
            validation=np.sort(held),
            seed=seed,
            device=p.device,
        )
        self.encoder_name_, self.adapter_ = base.name, tuned.adapter
        # Rounded at once, so that a saved model answers exactly as the one that was trained.
        self.weights_ = tuned.weights.astype(np.float32).astype(np.float64)
        self.bias_ = tuned.bias.astype(np.float32).astype(np.float64)
        self.epochs_ = tuned.fit.best_epoch + 1
        self._made = None

    def _word_part(self) -> TfidfClassifier:
        p = self.params
        return TfidfClassifier(unit=p.unit, strength=p.strength, smallest=p.smallest)

    def read_in_part(self, text: str) -> str:
        """Return which part of a long text the encoder judges; the words are of all of it."""
        return self.encoder_.read_in_part(text)

    @property
    def encoder_(self) -> SentenceEncoder:
        """The tuned encoder, built when it is first asked for."""
        if self._made is None:
            p = self.params
            found = _untouched(p.encoder).name
            if found != self.encoder_name_:
                raise IntegrityError(
                    f"tuned from the encoder {self.encoder_name_!r}, found {found!r}.",
                    remedy="Install the encoder it was tuned from, or train again.",
                )
            self._made = SentenceEncoder(
                p.encoder, precision=p.precision, adapter=self.adapter_, threads=p.threads
            )
        return self._made

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        share = self.params.share
        words = self.words_._scores(texts)
        vectors = self.encoder_.encode(texts).astype(np.float64)
        return np.asarray((1 - share) * words + share * (vectors @ self.weights_ + self.bias_))

    def _evidence(self, text: str, label: int) -> Evidence | None:
        return self.words_._evidence(text, label)

    def _details(self) -> dict[str, Any]:
        if not self.trained_:
            return {}
        return {"encoder": self.encoder_name_, "epochs": self.epochs_}

    def _dump(self) -> Files:
        head = {"weights": self.weights_, "bias": self.bias_}
        about = {"name": self.encoder_name_, "epochs": self.epochs_}
        part = self.words_
        # The part is never asked for probabilities: the curves are those of the whole.
        part.slope_, part.offset_, part.threshold_ = self.slope_, self.offset_, self.threshold_
        return {
            **super()._dump(),
            **{f"words/{name}": data for name, data in part._dump().items()},
            _HEAD: pack({name: array.astype(np.float32) for name, array in head.items()}),
            _ADAPTER: pack(self.adapter_),
            _ENCODER: json.dumps(about).encode(),
        }

    def _restore(self, files: Mapping[str, bytes]) -> None:
        super()._restore(files)
        try:
            self.weights_, self.bias_ = stored_logistic(unpack(files[_HEAD]), len(self.labels_))
            self.adapter_ = unpack(files[_ADAPTER])
            about = json.loads(files[_ENCODER])
            self.encoder_name_, self.epochs_ = str(about["name"]), int(about["epochs"])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("this saved classifier is incomplete.") from error
        self.words_ = self._word_part()
        words = {k.removeprefix("words/"): v for k, v in files.items() if k.startswith("words/")}
        self.words_._restore(words)
        self._made = None


def _some(windows: list[NDArray[np.int64]], most: int) -> list[NDArray[np.int64]]:
    """Return at most so many windows, evenly spaced."""
    if len(windows) <= most:
        return windows
    chosen = np.linspace(0, len(windows) - 1, most).round().astype(int)
    return [windows[i] for i in chosen.tolist()]
