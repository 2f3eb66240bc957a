"""Sentence embeddings and logistic regression: sees meaning where the words differ."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pydantic

from esgml.core.errors import IntegrityError
from esgml.core.interfaces import Files, Hyperparameters, tunable
from esgml.nn.weights import pack, unpack
from esgml.regulatory.classifier import Evidence, TextClassifier
from esgml.regulatory.encoder import SentenceEncoder
from esgml.regulatory.encoder_files import DEFAULT
from esgml.regulatory.linear import fit_logistic, stored_logistic
from esgml.regulatory.words import sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEAD, _ENCODER = "head.safetensors", "encoder.json"
#: Most sentences of one text that are encoded to find the evidence.
_MOST_SENTENCES = 64


class EmbeddingParams(Hyperparameters):
    """Hyperparameters of `EmbeddingClassifier`."""

    strength: float = tunable(3.0, 0.1, 100.0, log=True, description="inverse ridge penalty")
    balanced: bool = tunable(True, choices=[True, False], description="weigh rare labels up")
    # A package name and never a path: a saved model must not choose what is read from disk.
    encoder: str = pydantic.Field(
        DEFAULT, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$", description="installed encoder package"
    )
    precision: Literal["int8", "fp32"] = pydantic.Field("int8", description="of the encoder")


@functools.cache
def _encoder(package: str, precision: Literal["int8", "fp32"]) -> SentenceEncoder:
    return SentenceEncoder(package, precision=precision)


@functools.lru_cache(maxsize=20_000)
def _vector(package: str, precision: Literal["int8", "fp32"], text: str) -> NDArray[np.float32]:
    # Remembered because cross-validation asks for the same texts again and again.
    vector: NDArray[np.float32] = _encoder(package, precision).encode([text])[0]
    return vector


class EmbeddingClassifier(TextClassifier):
    """Classify texts by a sentence encoder's embeddings, over windows of the whole text.

    When to use it: for labels that few examples describe in many wordings. Its known weakness:
    on long legal texts the frozen encoder does not beat pieces of words, it is a hundred times
    slower, and its evidence is the sentence nearest to the label (of 64 spread over a long text),
    not an exact share.

    Attributes
    ----------
    weights_ : array, shape (dimension, labels)
    bias_ : array, shape (labels,)
    encoder_name_ : str
        The exact encoder learned with; another one is refused.

    References
    ----------
    Reimers and Gurevych (2019), Sentence-BERT.
    """

    Params = EmbeddingParams

    def embed(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the unit vectors of texts, shape (n, dimension)."""
        p = self.params
        rows = [_vector(p.encoder, p.precision, text) for text in texts]
        width = _encoder(p.encoder, p.precision).dimension
        return np.array(rows, dtype=np.float64).reshape(len(texts), width)

    def read_in_part(self, text: str) -> str:
        """Return which windows of a long text are judged; empty where all of it is."""
        return _encoder(self.params.encoder, self.params.precision).read_in_part(text)

    def _fit(self, texts: Sequence[str], truth: NDArray[np.float64], seed: int) -> None:
        p = self.params
        self.encoder_name_ = _encoder(p.encoder, p.precision).name
        weights, bias = fit_logistic(self.embed(texts), truth, p.strength, balanced=p.balanced)
        self.weights_ = weights.astype(np.float32).astype(np.float64)
        self.bias_ = bias.astype(np.float32).astype(np.float64)

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        name = _encoder(self.params.encoder, self.params.precision).name
        if name != self.encoder_name_:
            raise IntegrityError(
                f"learned with the encoder {self.encoder_name_!r}, found {name!r}.",
                remedy="Install the encoder it was trained with, or train again.",
            )
        return np.asarray(self.embed(texts) @ self.weights_ + self.bias_)

    def _evidence(self, text: str, label: int) -> Evidence | None:
        spans = sentences(text)
        if not spans:
            return None
        if len(spans) > _MOST_SENTENCES:
            chosen = np.linspace(0, len(spans) - 1, _MOST_SENTENCES).round().astype(int)
            spans = [spans[i] for i in chosen.tolist()]
        near = self.embed([text[start:end] for start, end in spans]) @ self.weights_[:, label]
        best = int(near.argmax())
        return Evidence(*spans[best], float(near[best]) / len(spans))

    def _dump(self) -> Files:
        arrays = {"weights": self.weights_, "bias": self.bias_}
        head = pack({name: array.astype(np.float32) for name, array in arrays.items()})
        return {
            **super()._dump(),
            _HEAD: head,
            _ENCODER: json.dumps({"name": self.encoder_name_}).encode(),
        }

    def _restore(self, files: Mapping[str, bytes]) -> None:
        super()._restore(files)
        try:
            self.weights_, self.bias_ = stored_logistic(unpack(files[_HEAD]), len(self.labels_))
            self.encoder_name_ = str(json.loads(files[_ENCODER])["name"])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("this saved classifier is incomplete.") from error
