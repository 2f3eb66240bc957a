"""What every model has, whatever its capability."""

import json

import pytest

from esgml import BaseModel
from esgml.core.errors import NotTrainedError, UsageError


class Threshold(BaseModel):
    """Tells what is above the largest value seen."""

    def _train(self, values):
        self.largest_ = max(values)

    def _predict(self, values):
        return [value > self.largest_ for value in values]

    def _dump(self):
        return {"state.json": json.dumps(self.largest_).encode()}

    def _restore(self, files):
        self.largest_ = json.loads(files["state.json"])


class Rule(BaseModel):
    """Learns nothing and answers in its own way."""

    def _dump(self):
        return {}

    def _restore(self, files):
        pass


def test_any_kind_of_model_trains_predicts_saves_and_loads(tmp_path):
    model = Threshold()
    with pytest.raises(NotTrainedError):
        model.predict([1])
    assert model.train([3, 5]).predict([4, 6]) == [False, True]
    model.save(tmp_path / "model")
    assert Threshold.load(tmp_path / "model").predict([6]) == [True]
    assert model.metadata().trained
    assert "Threshold" in model.summary()


def test_what_a_model_does_not_answer_is_said():
    rule = Rule()
    with pytest.raises(NotTrainedError):
        rule.evaluate()
    rule.train()
    with pytest.raises(UsageError, match=r"Rule answers no predict\(\)"):
        rule.predict()
    with pytest.raises(UsageError, match=r"Rule answers no evaluate\(\)"):
        rule.evaluate([1], actual=[2])
