from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from esgml.core.errors import DataError, NotFoundError, NotTrainedError
from esgml.core.frames import SeriesSpec
from esgml.data.synthetic import portfolio
from esgml.features.data_pipeline import DataPipeline
from esgml.features.lags import Lags


@pytest.fixture(scope="module")
def sites():
    return portfolio(seed=3, sites=2, years=1)


def test_a_raw_table_becomes_scaled_features(sites):
    pipeline = DataPipeline(sites.spec, country="DE")
    done = pipeline.process(sites.frame)
    assert done.features.shape == (done.panel.rows, len(done.names))
    assert done.report.rows == sites.frame.height
    assert done.frame.height <= sites.frame.height
    assert {k.target for k in done.panel.keys} == set(sites.spec.targets)
    seen = np.isfinite(done.features)
    assert seen.mean() > 0.8
    first = done.features[done.panel.rows_of(0)]
    np.testing.assert_allclose(np.nanmean(first, axis=0), 0, atol=1e-6)
    assert not [f for f in done.faults if f.code in ("feature_infinite", "feature_drifted")]


def test_the_four_stages_are_what_process_runs(sites):
    pipeline = DataPipeline(sites.spec)
    assert pipeline.validate(sites.frame).rows == sites.frame.height
    loaded = pipeline.clean(sites.frame)
    engineered = pipeline.engineer(loaded)
    scaled = pipeline.scale(engineered)
    whole = DataPipeline(sites.spec).process(sites.frame)
    np.testing.assert_array_equal(scaled, whole.features)
    assert engineered.names == whole.names


def test_each_stage_takes_a_raw_table_too(sites):
    expected = DataPipeline(sites.spec, repair="stuck_run").process(sites.frame)
    for repair in ("stuck_run", ("stuck_run",)):
        pipeline = DataPipeline(sites.spec, repair=repair)
        assert pipeline.engineer(sites.frame).names == expected.names
        np.testing.assert_array_equal(pipeline.scale(sites.frame), expected.features)


def test_later_data_is_treated_as_training_data_was(sites, tmp_path):
    pipeline = DataPipeline(sites.spec, scaling="robust")
    train = sites.frame.filter(pl.col("timestamp") < pl.col("timestamp").median())
    pipeline.process(train)
    learned = pipeline.pipeline().to_json()
    again = pipeline.process(sites.frame)
    assert pipeline.pipeline().to_json() == learned
    pipeline.pipeline().save(tmp_path / "p.json")
    from esgml.features.pipeline import FeaturePipeline

    served = FeaturePipeline.load(tmp_path / "p.json").transform(again.panel)
    np.testing.assert_array_equal(served, again.features)
    pipeline.process(sites.frame, refit=True)
    assert pipeline.pipeline().to_json() != learned


def test_a_unit_slip_in_later_data_is_reported(sites):
    pipeline = DataPipeline(sites.spec, steps=[Lags()])
    pipeline.process(sites.frame)
    wrong = sites.frame.with_columns(pl.col(t) * 1000 for t in sites.spec.targets)
    faults = pipeline.process(wrong).faults
    assert "feature_drifted" in {f.code for f in faults}


def test_from_a_file_with_roles_detected(tmp_path):
    rows = 60
    frame = pl.DataFrame(
        {
            "entity": ["a"] * rows,
            "timestamp": pl.datetime_range(
                pl.datetime(2024, 1, 1), pl.datetime(2024, 2, 29), "1d", eager=True
            ),
            "co2_t": np.random.default_rng(0).uniform(5, 10, rows),
        }
    )
    frame.write_csv(tmp_path / "t.csv")
    done = DataPipeline().process(tmp_path / "t.csv")
    assert done.panel.rows == rows
    assert done.future is None


def test_bad_input_is_refused_with_a_reason(tmp_path):
    with pytest.raises(NotFoundError):
        DataPipeline().process(tmp_path / "nothing.csv")
    (tmp_path / "empty.csv").write_text("entity,timestamp,co2_t\n")
    with pytest.raises(DataError) as caught:
        DataPipeline(SeriesSpec(targets=("co2_t",))).process(tmp_path / "empty.csv")
    assert caught.value.remedy
    with pytest.raises(NotTrainedError):
        DataPipeline().pipeline()
