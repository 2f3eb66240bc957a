"""Pieces of words and logistic regression: the plain model that is hard to beat on legal text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pydantic

from esgml.core.errors import IntegrityError
from esgml.core.interfaces import Files, Hyperparameters, tunable
from esgml.nn.weights import pack, unpack
from esgml.regulatory.classifier import Evidence, TextClassifier
from esgml.regulatory.linear import fit_logistic, stored_logistic
from esgml.regulatory.term_vectors import TermVectors
from esgml.regulatory.words import sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TERMS, _WEIGHTS = "terms.json", "weights.safetensors"


class TfidfParams(Hyperparameters):
    """Hyperparameters of `TfidfClassifier`."""

    strength: float = tunable(1.0, 0.1, 100.0, log=True, description="inverse ridge penalty")
    unit: Literal["piece", "word", "opening", "both"] = tunable(
        "piece", choices=["piece", "word", "opening", "both"], description="what is counted"
    )
    fewest: int = tunable(2, 1, 10, description="fewest texts a term must be in")
    terms: int = tunable(50_000, 500, 200_000, log=True, description="most terms kept")
    balanced: bool = tunable(True, choices=[True, False], description="weigh rare labels up")
    ratio: bool = tunable(
        True, choices=[True, False], description="stretch terms by how unevenly a label has them"
    )
    smallest: int = tunable(
        6_000, 0, 50_000, description="terms kept after a first fit, by weight; 0 = all"
    )
    half: bool = pydantic.Field(False, description="keep weights of 16 bits: half the file")


class TfidfClassifier(TextClassifier):
    """Classify texts by the pieces of their words, each word's part in the answer exactly known.

    When to use it: by default; it needs numpy alone to predict, answers in a millisecond, and its
    evidence is exact: the score is a sum over the words of the text. Its known weakness: it knows
    only the words it was trained on, so a text in another language or wording scores near the
    base rate.

    Attributes
    ----------
    vectors_ : TermVectors
    weights_ : array, shape (terms, labels)
    bias_ : array, shape (labels,)

    References
    ----------
    Joachims (1998), text categorization with many relevant features; Wang and Manning (2012), naive
    Bayes ratios as features of a linear model.
    """

    Params = TfidfParams

    def _fit(self, texts: Sequence[str], truth: NDArray[np.float64], seed: int) -> None:
        p = self.params
        self.vectors_ = TermVectors.fit(texts, unit=p.unit, fewest=p.fewest, most=p.terms)
        design = self.vectors_.matrix(texts)
        pruned = 0 < p.smallest < len(self.vectors_.terms)
        # To rank the terms, a coarse fit does.
        tolerance = 0.1 if pruned else 0.01
        self.weights_, self.bias_ = fit_logistic(
            design, truth, p.strength, balanced=p.balanced, ratio=p.ratio, tolerance=tolerance
        )
        if pruned:
            self._prune(texts, truth)
        # Rounded at once, so that a saved model answers exactly as the one that was trained.
        kept = np.float16 if p.half else np.float32
        self.vectors_ = TermVectors(self.vectors_.terms, self.vectors_.idf.astype(kept), p.unit)
        self.weights_ = self.weights_.astype(kept).astype(np.float64)
        self.bias_ = self.bias_.astype(np.float32).astype(np.float64)

    def _prune(self, texts: Sequence[str], truth: NDArray[np.float64]) -> None:
        """Keep the terms of the largest weights and fit those again, so that the file is small."""
        # The largest weight over labels, each label on its own scale.
        scale = np.linalg.norm(self.weights_, axis=0) + 1e-12
        rank = np.argsort(-np.abs(self.weights_ / scale).max(axis=1), kind="stable")
        self.vectors_ = self.vectors_.kept(np.sort(rank[: self.params.smallest]))
        design = self.vectors_.matrix(texts)
        p = self.params
        self.weights_, self.bias_ = fit_logistic(
            design, truth, p.strength, balanced=p.balanced, ratio=p.ratio
        )

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        scores = np.tile(self.bias_, (len(texts), 1))
        for row, text in enumerate(texts):
            counted = self.vectors_.count(text)
            scores[row] += counted.value @ self.weights_[counted.index]
        return scores

    def _evidence(self, text: str, label: int) -> Evidence | None:
        found = self.contributions(text, self.labels_[label])
        return Evidence(*max(found, key=lambda one: one[2])) if found else None

    def contributions(self, text: str, label: str) -> list[tuple[int, int, float]]:
        """Return every sentence's part in a label's score; they and the bias add up to it."""
        counted = self.vectors_.count(text)
        part = self.vectors_.parts(counted, self.weights_[:, self.labels_.index(label)])
        spans = sentences(text)
        begins = np.array([start for start, _ in spans])
        span = np.maximum(np.searchsorted(begins, counted.tokens.start, side="right") - 1, 0)
        sums = np.bincount(span, weights=part[counted.tokens.which], minlength=len(spans))
        return [(*place, value) for place, value in zip(spans, sums.tolist(), strict=True)]

    def _dump(self) -> Files:
        kept = np.float16 if self.params.half else np.float32
        arrays = {
            "idf": self.vectors_.idf.astype(kept),
            "weights": self.weights_.astype(kept),
            "bias": self.bias_.astype(np.float32),
        }
        return {**super()._dump(), _TERMS: self.vectors_.to_json(), _WEIGHTS: pack(arrays)}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        super()._restore(files)
        try:
            arrays = unpack(files[_WEIGHTS])
            self.vectors_ = TermVectors.from_json(files[_TERMS], arrays["idf"])
            self.weights_, self.bias_ = stored_logistic(
                arrays, len(self.labels_), len(self.vectors_.terms)
            )
        except (KeyError, ValueError) as error:
            raise IntegrityError("this saved classifier is incomplete.") from error
