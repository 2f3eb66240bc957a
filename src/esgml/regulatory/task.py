"""The regulatory task: what training, registry and serving know of reading regulation.

Training learns the labels of a table of texts; the routes answer without it, from the heads that
come with the package and the knowledge base.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from esgml.core import catalog
from esgml.core.errors import DataError, IntegrityError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.interfaces import BaseModel
from esgml.core.operations import Operation
from esgml.core.tasks import Predictor, Task, TaskOptions, Trained
from esgml.regulatory import request as analysis
from esgml.regulatory import risk_request
from esgml.regulatory.calibration import f1_scores
from esgml.regulatory.classifier import TextClassifier
from esgml.regulatory.document import MOST_BYTES
from esgml.regulatory.heads import readable
from esgml.regulatory.labelled import held_out
from esgml.regulatory.text_table import TEXTS, TextContract, read_table

if TYPE_CHECKING:
    import polars as pl

_ABOUT = "task.json"
_MODEL = "model/"
#: Models of this package that read tables of numbers.
_NOT_OF_TEXTS = frozenset({"ets_shortfall"})


class TextPredictor(Predictor):
    """Answers ``{"text": "..."}`` with the labels a trained classifier gives it."""

    def __init__(self, model: TextClassifier) -> None:
        self.model = model

    def predict(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``labels`` (label, probability, applies, evidence), ``abstains`` and ``warnings``.

        Raises
        ------
        UsageError
            If the request holds anything but one text of at most 5 MB.
        """
        if not isinstance(request, Mapping) or set(request) != {"text"}:
            raise UsageError("a request holds one field, 'text'.", where="text")
        text = request["text"]
        if not isinstance(text, str) or len(text) > MOST_BYTES:
            raise UsageError(f"text is a string of at most {MOST_BYTES} characters.", where="text")
        reason = readable(text)
        if reason:
            return {"labels": [], "abstains": reason, "warnings": []}
        probability = self.model.predict([text])
        applies = self.model.decide(probability)[0].tolist()
        found = []
        for label, p, yes in zip(self.model.labels_, probability[0].tolist(), applies, strict=True):
            place = self.model.evidence(text, label) if yes else None
            found.append(
                {
                    "label": label,
                    "probability": round(p, 6),
                    "applies": place is not None and place.weight > 0,
                    "evidence": {
                        "text": text[place.start : place.end],
                        "start": place.start,
                        "end": place.end,
                    }
                    if place is not None and place.weight > 0
                    else None,
                }
            )
        part = self.model.read_in_part(text)
        warnings = [{"code": "judged_in_part", "message": part}] if part else []
        return {"labels": found, "abstains": "", "warnings": warnings}


class RegulatoryTask(Task):
    """Label texts: learn from labelled ones, answer with probabilities and evidence."""

    name: ClassVar[str] = "regulatory"
    capability: ClassVar[str] = "regulatory"
    title: ClassVar[str] = "Regulatory texts"
    default_model: ClassVar[str] = "tfidf"
    frame: ClassVar[TextContract] = TEXTS
    reads = "table"

    def models(self) -> tuple[str, ...]:
        """Return the names of the classifiers of texts."""
        return tuple(name for name in super().models() if name not in _NOT_OF_TEXTS)

    def train(self, frame: pl.DataFrame, spec: SeriesSpec, options: TaskOptions) -> Trained:
        """Learn the labels of a table of texts; a quarter is scored before all is learned from.

        The quarter is chosen by the hash of each text, so that it is the same in every run.

        Raises
        ------
        ColumnError
            If no column of texts or of labels is found.
        HistoryError
            If no label has enough texts with and without it.
        """
        data = read_table(frame, spec.targets)
        held = np.array([held_out(text) for text in data.texts])
        name = self.default_model if options.model == "auto" else options.model
        kind = catalog.load(self.capability, name)
        assert issubclass(kind, TextClassifier)
        rest = [i for i, out in enumerate(held.tolist()) if not out]
        judged = kind().train(
            [data.texts[i] for i in rest], data.truth[rest], labels=data.labels, seed=options.seed
        )
        rows = np.flatnonzero(held).tolist()
        metrics = _scores(judged, [data.texts[i] for i in rows], data.truth[rows])
        model = kind().train(data.texts, data.truth, labels=data.labels, seed=options.seed)
        files = {_MODEL + file: content for file, content in model.to_files().items()}
        files[_ABOUT] = json.dumps({"model": name}).encode()
        return Trained(
            task=self.name,
            model_name=name,
            files=files,
            metrics=metrics,
            params={"model": name, "seed": options.seed, **model.params.model_dump(mode="json")},
            schema={"labels": list(data.labels), "text": data.columns},
            card={
                "intended_use": "Label English texts like those it was trained on.",
                "data": {"rows": len(data.texts), "held_out": len(rows)},
                "limits": [
                    "A model estimate, not legal advice.",
                    "A text in another language, or of a few words, gets no label.",
                    "Labels left out, of too few texts or beyond the most frequent:"
                    f" {_listed(data.left_out)}.",
                ],
            },
        )

    def predictor(self, files: Mapping[str, bytes]) -> TextPredictor:
        """Build the predictor from the files of a trained classifier."""
        return TextPredictor(self.model_from(files))

    def model_from(self, files: Mapping[str, bytes]) -> TextClassifier:
        """Return the trained classifier."""
        try:
            name = str(json.loads(files[_ABOUT])["model"])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("this bundle holds no regulatory model.") from error
        kind: type[BaseModel] = catalog.load(self.capability, name)
        if not issubclass(kind, TextClassifier):
            raise IntegrityError(f"{name!r} is no classifier of texts.")
        inner = {k.removeprefix(_MODEL): v for k, v in files.items() if k.startswith(_MODEL)}
        return kind.from_files(inner)

    def operations(self) -> tuple[Operation, ...]:
        """Return the routes that analyse a text and weigh an organization's duties."""
        return (ANALYZE, RISK)


def _listed(names: Sequence[str], most: int = 200) -> str:
    """Return names as words, told how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more or "none"


def _scores(model: TextClassifier, texts: list[str], truth: Any) -> dict[str, Any]:
    """Return scores on texts held out, beside saying yes to every label."""
    if not texts:
        raise DataError(
            "too few texts: none is left to score on.", code="too_few_labelled", where="text"
        )
    seen = np.isfinite(truth)
    micro, macro = f1_scores(seen, (truth == 1) & seen)
    return {
        **model.evaluate(texts, truth),
        "naive": {"f1_micro": micro, "f1_macro": macro},
        "texts": len(texts),
        "primary": "f1_macro",
        "higher_is_better": True,
    }


def _dated(request: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the day a document is asked on, so that its answer can be computed again."""
    if not isinstance(request, Mapping) or request.get("as_of") is not None:
        return request  # type: ignore[return-value] # refused where it is answered
    return {**request, "as_of": dt.datetime.now(dt.UTC).date().isoformat()}


ANALYZE = Operation(
    name="analyze_regulation",
    path="/v1/regulations/analyze",
    summary="Impact, areas, dates, thresholds and duties of a text, each with its evidence",
    request=analysis.request_schema(),
    answer=analysis.answer_schema(),
    run=analysis.analyze,
    complete=_dated,
    learned=False,
)
RISK = Operation(
    name="compliance_risk",
    path="/v1/compliance/risk",
    summary="Which acts apply to an organization, why, and what is missing",
    request=risk_request.request_schema(),
    answer=risk_request.answer_schema(),
    run=risk_request.risk,
    complete=_dated,
    learned=False,
)
TASK = RegulatoryTask()
