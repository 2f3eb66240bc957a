"""The task: a controller is tried on a site's last weeks, guarded by the rules, and serves."""

import json

import polars as pl
import pytest

from esgml.core.errors import DataError, HistoryError, IntegrityError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.tasks import TaskOptions, get_task
from esgml.optimization import library
from esgml.optimization.trial import sites

TASK = get_task("optimization")


@pytest.fixture(scope="module")
def trained(table):
    return TASK.train(table(), SeriesSpec(), TaskOptions())


def test_training_is_a_trial_beside_rules_and_limit(trained):
    m = trained.metrics
    assert m["primary"] == "share_of_attainable" and m["higher_is_better"]
    assert m["cost"]["limit"] <= m["cost"]["mpc"] <= m["cost"]["idle"]
    assert m["share_of_attainable"] >= m["rule_share"] - 1e-12
    assert m["naive"]["share_of_attainable"] == 0
    json.dumps(trained.metrics)


def test_same_table_same_bytes(trained, table):
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


def test_bad_tables_are_named(table):
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
    solve, control = TASK.operations()
    assert (solve.path, solve.learned) == ("/v1/optimization/solve", False)
    assert solve.run(library.example("algebra"))["method"] == "exact"
    assert (control.path, control.learned) == ("/v1/optimization/control", True)
    assert control.run(library.example("battery_dispatch"))["method"] == "mpc"
    for bad in ({"problem": "portfolio"}, {"method": "exact"}):
        with pytest.raises(UsageError):
            control.run({**library.example("battery_dispatch"), **bad})
