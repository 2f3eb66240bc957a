"""What every classifier of texts does: learn, calibrate on held-out folds, answer, point.

A subclass says how texts become scores; this base turns scores into calibrated probabilities,
decisions and evidence, so that all classifiers are calibrated and cited in the same way.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.core.errors import HistoryError, IntegrityError, UsageError
from esgml.core.interfaces import BaseModel, Files
from esgml.nn.weights import pack, unpack
from esgml.regulatory.calibration import best_threshold, calibration_error, f1_scores, fit_platt
from esgml.regulatory.calibration import sigmoid as _sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FOLDS = 5
#: Fewest texts with a label, and without it, for the label to be learned.
FEWEST = 10
_LABELS, _CURVES = "labels.json", "calibration.safetensors"


@dataclass(frozen=True)
class Evidence:
    """The span of a text that speaks most for a statement.

    Attributes
    ----------
    start, end : int
        Character offsets into the text.
    weight : float
        What the span adds to the score, in units of log-odds before calibration.
    """

    start: int
    end: int
    weight: float


class TextClassifier(BaseModel):
    """Base of every classifier of texts, one probability a label.

    Attributes
    ----------
    labels_ : tuple of str
    slope_, offset_ : array, shape (labels,)
        The calibration curve of each label.
    threshold_ : array, shape (labels,)
        Probability from which on the label is said to apply.
    """

    labels_: tuple[str, ...]
    slope_: Array
    offset_: Array
    threshold_: Array

    def train(
        self,
        texts: Sequence[str],
        truth: NDArray[Any],
        *,
        labels: Sequence[str],
        groups: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Learn from labelled texts; calibrate and set thresholds on folds not learned from.

        Parameters
        ----------
        texts : sequence of str
        truth : array, shape (n, labels)
            1 where the label applies, 0 where not, NaN where nobody said.
        labels : sequence of str
        groups : sequence of str, optional
            Texts of one group are never on both sides of a fold.
        seed : int

        Raises
        ------
        HistoryError
            If a label has fewer than `FEWEST` texts with or without it.
        """
        truth = np.asarray(truth, dtype=np.float64)
        if truth.shape != (len(texts), len(labels)) or not labels:
            raise UsageError(f"truth has shape {truth.shape}, wanted (texts, labels).")
        if len(set(labels)) != len(labels):
            raise UsageError("a label is named twice.", where="labels")
        for label, column in zip(labels, truth.T, strict=True):
            fewest = min(int((column == 1).sum()), int((column == 0).sum()))
            if fewest < FEWEST:
                raise HistoryError(
                    f"label {label!r} has {fewest} texts on one side, {FEWEST} are needed.",
                    code="too_few_labelled",
                    where=label,
                    remedy="Add labelled texts, or leave the label out.",
                )
        self.labels_ = tuple(labels)
        fold = _folds(groups if groups is not None else [str(i) for i in range(len(texts))], seed)
        scores = self._out_of_fold(texts, truth, fold, seed)
        self._calibrate(scores, truth)
        self._fit(texts, truth, seed)
        self.trained_ = True
        return self

    def refit(self, texts: Sequence[str], truth: NDArray[Any], *, seed: int = 0) -> Self:
        """Learn from more texts, keeping the calibration and thresholds found on held-out folds.

        For the last step before shipping: the texts that were held out are learned from too,
        and nothing is chosen on them.
        """
        self._require_trained()
        truth = np.asarray(truth, dtype=np.float64)
        if truth.shape != (len(texts), len(self.labels_)):
            raise UsageError(f"truth has shape {truth.shape}, wanted (texts, labels).")
        self._fit(texts, truth, seed)
        return self

    def predict(self, texts: Sequence[str]) -> Array:
        """Return calibrated probabilities, shape (texts, labels)."""
        self._require_trained()
        return _sigmoid(self.slope_ * self._scores(texts) + self.offset_)

    def decide(self, probability: Array) -> NDArray[np.bool_]:
        """Return which labels are said to apply, at each label's own threshold."""
        return np.asarray(probability >= self.threshold_)

    def evaluate(self, texts: Sequence[str], truth: NDArray[Any]) -> dict[str, float]:
        """Return micro and macro F1 and the calibration error, unlabelled entries left out."""
        probability, truth = self.predict(texts), np.asarray(truth, dtype=np.float64)
        seen = np.isfinite(truth)
        micro, macro = f1_scores(self.decide(probability) & seen, (truth == 1) & seen)
        error = calibration_error(probability[seen], truth[seen] == 1)
        return {"f1_micro": micro, "f1_macro": macro, "calibration_error": error}

    def evidence(self, text: str, label: str) -> Evidence | None:
        """Return the span that speaks most for a label; None for a text without known words."""
        self._require_trained()
        if label not in self.labels_:
            raise UsageError(f"no label {label!r}.", remedy=f"Known: {', '.join(self.labels_)}.")
        return self._evidence(text, self.labels_.index(label))

    def read_in_part(self, text: str) -> str:
        """Return which part of a long text is judged; empty where all of it is."""
        return ""

    @abstractmethod
    def _fit(self, texts: Sequence[str], truth: Array, seed: int) -> None:
        """Learn how texts become scores."""

    @abstractmethod
    def _scores(self, texts: Sequence[str]) -> Array:
        """Return scores, shape (texts, labels); the higher, the likelier."""

    @abstractmethod
    def _evidence(self, text: str, label: int) -> Evidence | None: ...

    @property
    def _judged_folds(self) -> int:
        """Of the folds, how many are judged by a model of the rest, and calibrated on."""
        return FOLDS

    def _out_of_fold(
        self, texts: Sequence[str], truth: Array, fold: NDArray[np.int64], seed: int
    ) -> Array:
        """Return scores of texts by a model that did not learn from their fold; NaN of others."""
        scores = np.full(truth.shape, np.nan)
        for k in range(self._judged_folds):
            held = np.flatnonzero(fold == k).tolist()
            rest = np.flatnonzero(fold != k).tolist()
            if not len(held):
                continue
            other = type(self)(**self.params.model_dump())
            other.labels_ = self.labels_
            other._fit([texts[i] for i in rest], truth[rest], seed)
            scores[held] = other._scores([texts[i] for i in held])
        return scores

    def _calibrate(self, scores: Array, truth: Array) -> None:
        curves, thresholds = [], []
        for column in range(truth.shape[1]):
            seen = np.isfinite(truth[:, column]) & np.isfinite(scores[:, column])
            score, said = scores[seen, column], truth[seen, column] == 1
            slope, offset = fit_platt(score, said)
            curves.append((slope, offset))
            thresholds.append(best_threshold(_sigmoid(slope * score + offset), said))
        self.slope_, self.offset_ = np.array(curves).T
        self.threshold_ = np.array(thresholds)

    def _dump(self) -> Files:
        curves = {"slope": self.slope_, "offset": self.offset_, "threshold": self.threshold_}
        return {_LABELS: json.dumps(list(self.labels_)).encode(), _CURVES: pack(curves)}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        try:
            labels = json.loads(files[_LABELS])
            curves = unpack(files[_CURVES])
            self.slope_, self.offset_, self.threshold_ = (
                curves[name].astype(np.float64) for name in ("slope", "offset", "threshold")
            )
        except (KeyError, ValueError) as error:
            raise IntegrityError("this saved classifier is incomplete.") from error
        if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
            raise IntegrityError("the labels are no list of names.")
        self.labels_ = tuple(labels)
        for curve in (self.slope_, self.offset_, self.threshold_):
            if curve.shape != (len(labels),) or not np.isfinite(curve).all():
                raise IntegrityError("the calibration does not fit the labels.")


def _folds(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Return the fold of each text; texts of one group share theirs."""
    names = sorted(set(groups))
    fold = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    of = dict(zip(names, fold.tolist(), strict=True))
    return np.array([of[name] for name in groups], dtype=np.int64)
