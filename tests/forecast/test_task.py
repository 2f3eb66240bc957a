"""The emissions task: from a table to files to a predictor that answers the same."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from esgml.core.errors import DataError, HistoryError, IntegrityError, NotFoundError
from esgml.core.frames import SeriesSpec
from esgml.core.tasks import Task, TaskOptions, get_task
from esgml.forecast import candidates
from esgml.forecast.combine import BASELINE
from esgml.registry.bundle import Bundle

SPEC = SeriesSpec(targets=("scope2_kg",), known=("temperature",), hierarchy=("region",))


def table_of(panel):
    """Return the canonical wide table of a panel."""
    lengths = panel.lengths
    entities = np.repeat([key.entity for key in panel.keys], lengths)
    return pl.DataFrame(
        {
            "entity": entities,
            "timestamp": panel.time,
            "scope2_kg": panel.values,
            "temperature": panel.known[:, 0],
            "energy_kwh": panel.past[:, 0],
            "region": [panel.groups[entity][0] for entity in entities],
        }
    )


@pytest.fixture(scope="module")
def table(make_panel):
    return table_of(make_panel((130, 130, 130), groups=True, gaps=0.03))


@pytest.fixture(scope="module")
def task():
    return get_task("emissions")


@pytest.fixture(scope="module")
def trained(task, table):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "SEASONAL", (BASELINE, "ridge"))
        return task.train(table, SPEC, TaskOptions(seed=3))


@pytest.fixture
def request_(table):
    one = table.filter(pl.col("entity") == "s1")
    return {
        "series": [
            {
                "entity": "s1",
                "target": "scope2_kg",
                "start": "2023-01-02",
                "values": [v if np.isfinite(v) else None for v in one["scope2_kg"]],
                "known": {"temperature": [*one["temperature"], *([10.0] * 7)]},
                "past": {"energy_kwh": [v if np.isfinite(v) else None for v in one["energy_kwh"]]},
            }
        ]
    }


def times_in(value):
    """Return the names of all entries that hold wall-clock times."""
    if not isinstance(value, dict):
        return []
    here = [k for k in value if "second" in k or "time" in k]
    return here + [k for v in value.values() for k in times_in(v)]


def test_is_a_task_of_this_installation(task):
    assert isinstance(task, Task)
    assert (task.name, task.capability, task.default_model) == ("emissions", "forecast", "auto")
    assert "ridge" in task.models()


def test_what_training_yields(trained):
    assert trained.task == "emissions"
    assert trained.model_name == "ridge"
    assert trained.schema == {
        "frequency": "D",
        "horizon": 7,
        "levels": [80, 90],
        "known": ["temperature"],
        "past": ["energy_kwh"],
        "targets": ["scope2_kg"],
        "entities": ["s0", "s1", "s2", "total", "north", "south"],
        "units": {"scope2_kg": "kgCO2e"},
    }
    assert trained.params == {"model": "auto", "horizon": 7, "levels": [80, 90], "seed": 3}
    metrics = trained.metrics
    assert metrics["primary"] in metrics
    assert metrics["wape"] < metrics["naive"]["wape"]
    assert trained.card["data"]["rows"] == 390
    assert trained.card["weights"] == {"ridge": 1.0}
    assert "Ridge" in trained.card["layers"]
    for part in (trained.params, trained.schema, trained.card):
        json.dumps(part, allow_nan=False)


def test_metrics_hold_no_times(trained):
    assert (
        times_in({k: v for k, v in trained.metrics.items() if k not in ("errors", "actuals")}) == []
    )
    assert set(trained.metrics["models"]) == {BASELINE, "ridge"}


def test_errors_are_kept_for_paired_comparisons(trained):
    errors, actuals = trained.metrics["errors"], trained.metrics["actuals"]
    assert list(errors) == list(actuals) == ["s0/scope2_kg", "s1/scope2_kg", "s2/scope2_kg"]
    for name, windows in errors.items():
        assert windows.keys() == actuals[name].keys()
        assert len(windows) == trained.metrics["windows"]
        assert all(len(row) == 7 for row in windows.values())
    first = [e for w in errors["s0/scope2_kg"].values() for e in w if e is not None]
    truth = [
        abs(a)
        for w, row in actuals["s0/scope2_kg"].items()
        for a, e in zip(row, errors["s0/scope2_kg"][w], strict=True)
        if e is not None
    ]
    assert sum(first) / sum(truth) == pytest.approx(trained.metrics["by_entity"]["s0"]["wape"])


def test_files_answer_the_same_again(task, trained, request_):
    one, two = (task.predictor(dict(trained.files)) for _ in range(2))
    answer = one.predict(request_)
    assert json.dumps(answer) == json.dumps(two.predict(request_))
    assert len(answer["forecasts"][0]["mean"]) == 7
    assert np.isfinite(answer["forecasts"][0]["mean"]).all()


@pytest.mark.usefixtures("quick")
def test_same_seed_same_bytes(task, table, trained):
    again = task.train(table, SPEC, TaskOptions(seed=3, threads=2))
    assert again.files == trained.files
    assert json.dumps(again.metrics) == json.dumps(trained.metrics)
    assert again.card == trained.card
    assert Bundle.from_trained(again).digest == Bundle.from_trained(trained).digest
    assert again.schema == trained.schema


@pytest.mark.usefixtures("quick")
def test_order_of_rows_is_irrelevant(task, table, trained):
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=1)
    assert task.train(shuffled, SPEC, TaskOptions(seed=3)).files == trained.files


def test_the_default_pool_gives_the_same_bytes_twice(task, make_panel):
    """The models as shipped, trees included, on a panel just long enough for them."""
    table = table_of(make_panel((60,), groups=True))
    spec = SeriesSpec(targets=("scope2_kg",), known=("temperature",))
    one, two = (task.train(table, spec, TaskOptions(seed=1)) for _ in range(2))
    assert one.files == two.files
    assert json.dumps(one.metrics) == json.dumps(two.metrics)
    assert all(name.endswith((".json", ".txt", ".safetensors", ".onnx")) for name in one.files)
    assert one.metrics["wape"] <= one.metrics["naive"]["wape"] * 1.05


def test_the_one_model_inside(task, trained):
    model = task.model_from(trained.files)
    assert model is not None and model.model_name() == "ridge"


@pytest.mark.usefixtures("quick")
def test_bad_tables_and_options(task, table):
    with pytest.raises(DataError, match="no target"):
        task.train(table, SeriesSpec(), TaskOptions())
    with pytest.raises(HistoryError):
        task.train(table.head(4), SPEC, TaskOptions())
    with pytest.raises(NotFoundError):
        task.train(table, SPEC, TaskOptions(model="oracle"))
    with pytest.raises(IntegrityError):
        task.predictor({"ensemble.json": b"{}"})
