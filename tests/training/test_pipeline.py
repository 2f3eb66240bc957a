import datetime as dt

import polars as pl
import pytest

from esgml.core.errors import DataError, NotFoundError, NotTrainedError, UsageError
from esgml.training.observations import VIEW
from esgml.training.pipeline import MLPipeline, PipelineConfig


@pytest.fixture
def road(settings, sites):
    """A pipeline with the toy task on an empty workspace."""

    def build(**more):
        config = {
            "workspace": settings.workspace,
            "targets": sites.spec.targets,
            "known": sites.spec.known,
            **more,
        }
        return MLPipeline(config, modules={"toy": "toy_task"})

    return build


def test_the_whole_road(road, sites):
    pipeline = road(horizon=5, seed=3)
    loaded = pipeline.ingest(sites.frame)
    assert loaded.frame.height == sites.frame.height
    processed = pipeline.process()
    assert processed.features.shape == (processed.panel.rows, len(processed.names))
    (model,) = pipeline.train().models
    assert model.champion and [*pipeline.models] == ["toy"]
    answer = pipeline.predict(horizon=3)
    assert len(answer["forecasts"]) == 6 and len(answer["forecasts"][0]["mean"]) == 3
    last = loaded.frame["timestamp"].max()
    first = dt.datetime.fromisoformat(answer["forecasts"][0]["timestamps"][0])
    assert first == last + dt.timedelta(days=1)
    assert pipeline.model_registry.get("toy").params == {"seed": 3}


def test_ingested_rows_are_features_as_known_then_and_online(road, sites):
    pipeline = road()
    loaded = pipeline.ingest(sites.frame)
    store = pipeline.feature_store
    view = store.get_feature_view(VIEW)
    assert view.feature("energy_kwh").unit == "kWh"
    moment = dt.datetime(2023, 3, 5)
    asked = pl.DataFrame({"entity": ["site-02"], "event_timestamp": [moment]})
    row = store.get_historical_features(asked, features=[f"{VIEW}:production"])
    expected = loaded.frame.filter(
        (pl.col("entity") == "site-02") & (pl.col("timestamp") == moment)
    )
    assert row["production"].to_list() == expected["production"].to_list()
    online = store.get_online_features([{"entity": "site-01"}], [f"{VIEW}:production"])
    assert online.rows[0]["production"].value is not None
    again = pipeline.ingest(sites.frame)
    assert again.frame.equals(loaded.frame)
    assert store.get_feature_view(VIEW).version == 1


def test_a_correction_counts_from_when_it_became_known(road, sites):
    day = dt.datetime(2023, 3, 5)
    rows = sites.frame.with_columns(known_at=pl.col("timestamp") + pl.duration(days=1))
    late = rows.filter((pl.col("entity") == "site-01") & (pl.col("timestamp") == day))
    late = late.with_columns(production=pl.lit(1e4), known_at=dt.datetime(2023, 6, 1))
    pipeline = road()
    for _ in range(2):  # asked again, it changes nothing
        loaded = pipeline.ingest(pl.concat([rows, late]))
    assert loaded.quarantine["reason"].to_list() == ["superseded"]
    asked = pl.DataFrame({"entity": ["site-01"], "event_timestamp": [day]})

    def at(moment):
        store = pipeline.feature_store
        found = store.get_historical_features(asked, moment, features=[f"{VIEW}:production"])
        return found["production"].item()

    before = late["timestamp"].item() - dt.timedelta(days=1)
    values = dict(
        rows.filter(pl.col("entity") == "site-01").select("timestamp", "production").iter_rows()
    )
    assert at(day + dt.timedelta(hours=12)) == values[before]
    assert at(dt.datetime(2023, 5, 31)) == values[day]
    assert at(dt.datetime(2023, 6, 2)) == 1e4


def test_columns_called_like_those_of_the_store_are_kept(road, sites):
    pipeline = road()
    pipeline.ingest(sites.frame.with_columns(event_timestamp=pl.lit(1.0), as_of=pl.lit(2.0)))
    names = pipeline.feature_store.get_feature_view(VIEW).feature_names
    assert {"event_timestamp_2", "as_of_2"} <= set(names)


def test_other_columns_are_a_new_version_of_the_view(road, sites):
    pipeline = road()
    pipeline.ingest(sites.frame)
    extra = sites.frame.with_columns(
        pl.lit(1.0).alias("Größe (m²)"), pl.lit(2.0).alias("größe m²"), pl.lit(3.0).alias("2nd")
    )
    pipeline.ingest(extra)
    view = pipeline.feature_store.get_feature_view(VIEW)
    assert view.version == 2
    assert {"gr_e_m", "gr_e_m_2", "c_2nd"} <= set(view.feature_names)


def test_a_request_is_answered_as_it_is(road, sites):
    pipeline = road()
    pipeline.train(sites.frame)
    series = {"entity": "site-01", "target": "scope1_kg", "start": "2024-01-01", "values": [1.0]}
    answer = pipeline.predict({"series": [series], "horizon": 2})
    assert answer["forecasts"][0]["timestamps"] == ["2024-01-02T00:00:00", "2024-01-03T00:00:00"]


def test_a_version_that_was_not_released_does_not_answer(road, sites, monkeypatch):
    monkeypatch.setenv("TOY_WAPE", "0.5")
    pipeline = road()
    (model,) = pipeline.train(sites.frame).models
    assert not model.champion and "does not beat" in model.reason
    with pytest.raises(NotFoundError):
        pipeline.predict()


def test_a_task_that_cannot_be_trained_raises_its_error(road, sites, monkeypatch):
    monkeypatch.setenv("TOY_MODE", "fail")
    with pytest.raises(DataError, match="too short for a toy"):
        road().train(sites.frame)


def test_before_anything_was_ingested(road):
    pipeline = road()
    for call in (pipeline.process, pipeline.train):
        with pytest.raises(NotTrainedError):
            call()
    with pytest.raises(NotFoundError):
        pipeline.predict(task="nothing")
    with pytest.raises(NotFoundError):
        pipeline.predict()


@pytest.mark.parametrize(
    "config", [{"unknown": 1}, {"horizon": 0}, {"seed": -1}, {"scaling": "none"}]
)
def test_a_bad_configuration_is_refused(config):
    with pytest.raises(UsageError, match="configuration"):
        MLPipeline(config)


def test_several_tasks_must_be_named(settings):
    pipeline = MLPipeline(
        PipelineConfig(workspace=settings.workspace),
        modules={"toy": "toy_task", "failing": "failing_task"},
    )
    with pytest.raises(UsageError, match="which task"):
        pipeline.predict()
