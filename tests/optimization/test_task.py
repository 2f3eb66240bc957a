"""The task: a controller is tried on a site's last weeks, guarded by the rules, and serves."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from esgml.core.errors import DataError, HistoryError, IntegrityError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.tasks import TaskOptions, get_task
from esgml.optimization import library
from esgml.optimization.trial import sites

TASK = get_task("optimization")


def table(weeks=6, seed=0, **changed):
    rng = np.random.default_rng(seed)
    n = 168 * weeks
    hour = np.arange(n) % 24
    start = datetime(2026, 1, 5, tzinfo=UTC)
    columns = {
        "entity": ["house"] * n,
        "timestamp": [start + timedelta(hours=i) for i in range(n)],
        "load_kwh": 0.5 + np.exp(-((hour - 19) ** 2) / 8) * rng.lognormal(0, 0.3, n),
        "solar_kwh": np.maximum(0, 2 * np.sin((hour - 6) / 12 * np.pi)) * rng.uniform(0.3, 1, n),
        "price": np.where((hour >= 16) & (hour < 21), 0.5, 0.2),
        "carbon_intensity_kg_kwh": np.full(n, 0.2),
    }
    return pl.DataFrame({**columns, **changed})


@pytest.fixture(scope="module")
def trained():
    return TASK.train(table(), SeriesSpec(), TaskOptions())


def test_training_is_a_trial_beside_rules_and_limit(trained):
    m = trained.metrics
    assert m["primary"] == "share_of_attainable" and m["higher_is_better"]
    assert m["cost"]["limit"] <= m["cost"]["mpc"] <= m["cost"]["idle"]
    assert m["share_of_attainable"] >= m["rule_share"] - 1e-12
    assert m["naive"]["share_of_attainable"] == 0
    json.dumps(trained.metrics)


def test_same_table_same_bytes(trained):
    again = TASK.train(table(), SeriesSpec(), TaskOptions())
    assert again.files == trained.files and again.metrics == trained.metrics


def test_the_predictor_answers_and_checks(trained):
    predictor = TASK.predictor(trained.files)
    document = library.example("battery_dispatch")
    found = predictor.predict(document)
    assert found["method"] in ("mpc", "rule") and len(found["solution"]["battery"]) == 72
    assert predictor.predict(document) == found
    with pytest.raises(UsageError):
        predictor.predict(library.example("portfolio"))
    with pytest.raises(DataError):
        predictor.predict({"load": [1.0, None], "price": 0.2})


def test_a_rule_that_won_is_what_runs(trained):
    state = json.loads(trained.files["dispatch.json"]) | {"chosen": "self-consumption"}
    predictor = TASK.predictor({"dispatch.json": json.dumps(state).encode()})
    found = predictor.predict(library.example("battery_dispatch"))
    assert found["method"] == "rule"
    assert found["value"] == pytest.approx(found["comparison"]["rule self-consumption"]["cost"])


@pytest.mark.parametrize("files", [{}, {"dispatch.json": b"{}"}, {"dispatch.json": b"[1]"}])
def test_other_files_are_refused(files):
    with pytest.raises(IntegrityError):
        TASK.predictor(files)


def test_bad_tables_are_named():
    with pytest.raises(HistoryError):
        sites(table(4), SeriesSpec())
    holes = table().with_columns(
        pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise(pl.col("price")).alias("price")
    )
    with pytest.raises(DataError) as caught:
        sites(holes, SeriesSpec())
    assert (caught.value.code, caught.value.where) == ("hours_missing", "house")
    with pytest.raises(DataError) as caught:
        sites(table().filter(pl.int_range(pl.len()) != 7), SeriesSpec())
    assert caught.value.code == "not_hourly"
    with pytest.raises(UsageError):
        TASK.train(table(), SeriesSpec(), TaskOptions(model="exact"))


def test_the_route_is_declared():
    (operation,) = TASK.operations()
    assert operation.path == "/v1/optimization/solve"
    assert operation.run(library.example("algebra"))["method"] == "exact"
