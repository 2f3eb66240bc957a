"""The anomaly task: trained, saved, asked; requests checked field by field."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from esgml.anomaly.operation import DETECT, detect_afresh
from esgml.anomaly.task import TASK
from esgml.core.errors import EsgmlError, HistoryError, IntegrityError
from esgml.core.frames import SeriesSpec
from esgml.core.tasks import TaskOptions, get_task

_spec = importlib.util.spec_from_file_location(
    "buildings", Path(__file__).with_name("buildings.py")
)
buildings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(buildings)

SPEC = SeriesSpec(targets=("load_kwh",))


def table(weeks=20, meters=2):
    frames = []
    for i in range(meters):
        time, values = buildings.building(24 * 7 * weeks, seed=i, base=50 * (i + 1))
        frames.append(pl.DataFrame({"entity": f"m{i}", "timestamp": time, "load_kwh": values}))
    return pl.concat(frames)


@pytest.fixture(scope="module")
def trained():
    return TASK.train(table(), SPEC, TaskOptions(seed=1))


def ahead(n=48, meter=0, weeks=20):
    time, values = buildings.building(24 * 7 * weeks + n, seed=meter, base=50 * (meter + 1))
    return time[-n:], values[-n:]


def asked(values, start, **more):
    return {
        "series": [
            {
                "entity": "m0",
                "target": "load_kwh",
                "start": str(start),
                "values": [None if np.isnan(v) else float(v) for v in values],
                **more,
            }
        ]
    }


def test_the_task_is_known_and_scores_beside_the_naive_one(trained):
    assert get_task("anomaly") is TASK and TASK.operations() == (DETECT,)
    metrics = trained.metrics
    assert metrics["average_precision"] > metrics["naive"]["average_precision"]
    assert metrics["recall_of_faults"] > 0.6 and metrics["faults_put_in"] > 30
    assert 0 <= metrics["alarm_rate"] <= 0.02
    json.dumps([metrics, trained.schema, trained.card, trained.params], allow_nan=False)


def test_same_data_and_seed_give_the_same_bundle(trained):
    again = TASK.train(table(), SPEC, TaskOptions(seed=1))
    assert again.files == trained.files and again.metrics == trained.metrics


def test_a_known_meter_goes_on_from_its_last_reading(trained):
    predictor = TASK.predictor(trained.files)
    time, values = ahead()
    values[30] *= 5
    request = asked(values, time[0])
    answer = predictor.predict(request)
    columns = answer["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in answer["rows"]]
    assert len(rows) == 48 and rows[30]["alarm"] and rows[30]["kind"] == "spike"
    assert sum(r["alarm"] for r in rows) <= 6
    assert answer["events"] and not answer["not_judged"]
    assert json.dumps(answer, allow_nan=False) == json.dumps(predictor.predict(request))


def test_batch_equals_single(trained):
    predictor = TASK.predictor(trained.files)
    time, values = ahead()
    requests = [asked(values, time[0]), asked(values[:10], time[0])]
    assert predictor.predict_batch(requests) == [predictor.predict(r) for r in requests]


def test_an_unknown_meter_is_learned_from_its_own_first_half(trained):
    time, values = buildings.building(24 * 7 * 16, seed=9)
    values[-20:-8] = 0.0
    request = asked(values, time[0], entity="new", target="load_kwh")
    answers = [TASK.predictor(trained.files).predict(request), detect_afresh(request)]
    for answer in answers:
        kinds = [row[answer["columns"].index("kind")] for row in answer["rows"]]
        assert kinds[-20:-8] == ["zero"] * 12


def test_no_meter_with_enough_history():
    with pytest.raises(HistoryError, match="too short"):
        TASK.train(table(weeks=2), SPEC, TaskOptions())


def test_changed_files_are_refused(trained):
    for files in (
        {**trained.files, "fleet.json": b"{}"},
        {k: v for k, v in trained.files.items() if not k.startswith("meters/00001")},
    ):
        with pytest.raises(IntegrityError):
            TASK.predictor(files)


START = "2024-06-01T00:00:00"


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        ([], ""),
        ({}, "series"),
        ({"series": []}, "series"),
        ({"series": [1]}, "series[0]"),
        ({"series": [{"values": [1.0], "start": START}]}, "series[0].entity"),
        ({"series": [{"entity": "a", "values": [1.0]}]}, "series[0].start"),
        ({"series": [{"entity": "a", "values": [1.0], "start": "now"}]}, "series[0].start"),
        ({"series": [{"entity": "a", "values": ["1"], "start": START}]}, "series[0].values[0]"),
        ({"series": [{"entity": "a", "values": [True], "start": START}]}, "series[0].values[0]"),
        (
            {"series": [{"entity": "a", "values": [float("inf")], "start": START}]},
            "series[0].values[0]",
        ),
        ({"series": [{"entity": "a", "values": [], "start": START}]}, "series[0].values"),
        (
            {"series": [{"entity": "a", "values": [1.0], "timestamps": []}]},
            "series[0].timestamps",
        ),
        (
            {"series": [{"entity": "a", "values": [1, 2], "timestamps": [START, "2024-01-01"]}]},
            "series[0].timestamps",
        ),
        ({"series": [{"entity": "a", "values": [1.0], "start": START}] * 2}, "series"),
        ({"series": [{"entity": "a", "values": [1.0], "start": START, "x": 1}]}, "series[0]"),
        ({"series": [{"entity": "a", "values": [1.0] * 9, "start": START}], "levels": 1}, ""),
        (
            {"series": [{"entity": "a", "values": [1.0] * 9, "start": START}], "alarm_rate": 2},
            "alarm_rate",
        ),
        (
            {"series": [{"entity": "a", "values": [1.0] * 9, "start": START}], "events": [{}]},
            "events[0]",
        ),
        (
            {
                "series": [{"entity": "a", "values": [1.0] * 9, "start": START}],
                "fit_until": "1999-01-01",
            },
            "fit_until",
        ),
    ],
)
def test_bad_requests_say_where(request_, where):
    with pytest.raises(EsgmlError) as caught:
        detect_afresh(request_)
    assert caught.value.where == where


def test_two_years_of_days_are_enough_to_train():
    from esgml.data.synthetic import portfolio

    made = portfolio(seed=0, sites=2, years=2)
    spec = replace(made.spec, targets=("energy_kwh",))
    trained = TASK.train(made.frame, spec, TaskOptions(seed=1))
    assert trained.metrics["average_precision"] > trained.metrics["naive"]["average_precision"]
    assert trained.files
