"""A task that learns from a table of texts: counts words by label."""

import json

from esgml.core.frames import Column, FrameContract, Kind
from esgml.core.tasks import Predictor, Task, Trained


class WordCounts(Predictor):
    def __init__(self, counts):
        self.counts = counts

    def predict(self, request):
        words = request["text"].split()
        score = {label: sum(map(seen.count, words)) for label, seen in self.counts.items()}
        return {"label": max(score, key=score.get)}


class TextTask(Task):
    name = "texts"
    capability = "regulatory"
    title = "Words by label"
    frame = FrameContract("texts", (Column("text", Kind.TEXT), Column("label", Kind.TEXT)))
    default_model = "auto"
    reads = "table"

    def models(self):
        return ("words",)

    def train(self, frame, spec, options):
        counts = {}
        for text, label in frame.select("text", spec.targets[0]).iter_rows():
            counts.setdefault(label, []).extend(text.split())
        files = {"counts.json": json.dumps(counts, sort_keys=True).encode()}
        return Trained(self.name, "words", files, {"accuracy": 1.0})

    def predictor(self, files):
        return WordCounts(json.loads(files["counts.json"]))


TASK = TextTask()
