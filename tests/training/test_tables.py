"""Tasks that read tables in different ways, trained from one call."""

import polars as pl
import pytest

from esgml.core.errors import DataError
from esgml.core.frames import SeriesSpec
from esgml.registry.registry import ModelRegistry
from esgml.training.train import ModelTrainingPipeline

BOTH = {"toy": "toy_task", "texts": "text_task"}
TEXTS = pl.DataFrame(
    {
        "text": ["coal plants close", "forests grow back", "coal is taxed"],
        "label": ["energy", "land", "energy"],
    }
)
SPEC = SeriesSpec(targets=("label",))


def test_a_table_of_texts_trains_the_task_that_reads_it(settings):
    pipeline = ModelTrainingPipeline(settings, modules=BOTH)
    report = pipeline.train_all_models(TEXTS, spec=SPEC)
    (model,) = report.models
    assert (model.task, model.champion) == ("texts", True)
    assert "toy" in report.skipped
    bundle = ModelRegistry(settings).get("texts")
    assert bundle.data_fingerprint.rows == 3 and bundle.data_fingerprint.start == ""
    kept = pl.read_parquet(settings.workspace / "data" / f"{report.data['sha256']}.parquet")
    assert kept.equals(TEXTS)


def test_a_table_of_series_leaves_the_task_of_texts_out(settings, sites):
    told = []
    pipeline = ModelTrainingPipeline(settings, modules=BOTH, notice=told.append)
    report = pipeline.train_all_models(sites.frame, spec=sites.spec)
    assert [m.task for m in report.models] == ["toy"]
    assert "'text'" in report.skipped["texts"]
    assert any("missing_value" in line for line in told)


def test_a_table_that_fits_no_task_is_refused_with_the_reason(settings):
    pipeline = ModelTrainingPipeline(settings, modules=BOTH)
    with pytest.raises(DataError, match=r"timestamp|entity"):
        pipeline.train_all_models(pl.DataFrame({"a": [1, 2]}))
    with pytest.raises(DataError, match=r"'label'|'text'"):
        pipeline.train_all_models(pl.DataFrame({"a": [1, 2]}), tasks="texts")


def test_a_table_without_rows_is_refused(settings):
    pipeline = ModelTrainingPipeline(settings, modules=BOTH)
    with pytest.raises(DataError) as caught:
        pipeline.train_all_models(TEXTS.clear(), spec=SPEC, tasks="texts")
    assert caught.value.code == "empty"
