import datetime as dt

import numpy as np
import polars as pl
import pytest

from esgml.core import catalog
from esgml.core.errors import HistoryError, NotAllowedError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.tasks import TaskOptions, Trained
from esgml.data.panels import to_panel
from esgml.training.crossval import cross_validate, seasonal_naive
from esgml.training.requests import table_request

SPEC = SeriesSpec(targets=("co2_t",), known=("wind",))


def table(days=70, entities=("a", "b"), value=None, known_days=0):
    rows = days + known_days
    start = dt.datetime(2024, 1, 1)
    value = value or (lambda entity, day: 10.0 + day % 7 + (entity == "b") * 100)
    return pl.DataFrame(
        {
            "entity": [e for e in entities for _ in range(rows)],
            "timestamp": [start + dt.timedelta(days=d) for _ in entities for d in range(rows)],
            "co2_t": [value(e, d) if d < days else None for e in entities for d in range(rows)],
            "wind": [float(d) for _ in entities for d in range(rows)],
            "load": [float(d) if d < days else None for _ in entities for d in range(rows)],
        }
    )


@pytest.fixture
def toy(settings):
    import toy_task

    return toy_task.TASK


def test_a_task_is_scored_on_what_came_after_each_origin(toy):
    result = cross_validate(toy, table(), SPEC, folds=3)
    assert (result.subject, result.horizon) == ("toy", 7)
    assert [f.origin[:10] for f in result.folds] == ["2024-02-18", "2024-02-25", "2024-03-03"]
    assert result.metrics["wape"] == pytest.approx(0)  # weekdays repeat exactly
    assert result.metrics["naive"]["wape"] == pytest.approx(0)
    assert result.metrics["coverage"]["80"] == 1.0
    assert all(fold.series == 2 for fold in result.folds)


def test_no_fold_sees_what_comes_later(toy):
    """Whatever is written after an origin, the forecast from it stays the same."""
    seen = []

    class Spy(type(toy)):
        def train(self, frame, spec, options):
            seen.append((frame["timestamp"].max(), frame.height))
            return super().train(frame, spec, options)

        def predictor(self, files):
            real = super().predictor(files)
            predict = real.predict
            real.predict = lambda request: seen.append(request) or predict(request)
            return real

    changed = table().with_columns(
        pl.when(pl.col("timestamp") > dt.datetime(2024, 2, 25))
        .then(pl.col("co2_t") * 1000)
        .otherwise(pl.col("co2_t"))
        .alias("co2_t")
    )
    cross_validate(Spy(), table(), SPEC, folds=2)
    first, seen[:] = list(seen), []
    cross_validate(Spy(), changed, SPEC, folds=2)
    assert seen[:2] == first[:2]  # the first fold: same training rows, same request


@pytest.mark.parametrize("name", ["seasonal_naive"])
def test_a_model_is_trained_anew_in_every_fold(name):
    model = catalog.load("forecast", name)()
    result = cross_validate(model, table(), SPEC, TaskOptions(horizon=5), folds=2, step=9)
    assert not model.trained_
    assert (result.subject, result.horizon) == (name, 5)
    assert [f.origin[:10] for f in result.folds] == ["2024-02-25", "2024-03-05"]
    assert result.metrics["wape"] == pytest.approx(result.metrics["naive"]["wape"])


def test_a_task_that_does_not_forecast_gives_its_own_metrics(toy):
    class Other(type(toy)):
        def train(self, frame, spec, options):
            score = {"auc": frame.height / 1000, "kind": "x", "errors": [1], "naive": {"auc": 0.5}}
            return Trained("toy", "m", {}, score)

    result = cross_validate(Other(), table(), SPEC, folds=2)
    assert result.folds[0].metrics == {"auc": 0.112, "kind": "x", "naive": {"auc": 0.5}}
    assert result.metrics == {"auc": pytest.approx(0.119), "naive": {"auc": 0.5}}


def test_series_that_ended_are_learned_from_and_not_scored(toy):
    frame = table().filter(
        (pl.col("entity") == "a") | (pl.col("timestamp") < dt.datetime(2024, 2, 1))
    )
    result = cross_validate(toy, frame, SPEC, folds=2)
    assert [fold.series for fold in result.folds] == [1, 1]


@pytest.mark.parametrize(
    ("days", "options", "error"),
    [
        (70, {"folds": 0}, UsageError),
        (70, {"folds": 1, "step": 0}, UsageError),
        (10, {"folds": 3}, HistoryError),
    ],
)
def test_impossible_folds_are_refused(toy, days, options, error):
    with pytest.raises(error):
        cross_validate(toy, table(days), SPEC, **options)


def test_the_seasonal_naive_skips_gaps_and_falls_back_to_the_last_value():
    def value(entity, day):
        if entity == "b" and day < 67:
            return None
        return None if day in (64, 66) else float(day)

    panel, _ = to_panel(table(value=value), SPEC)
    assert panel.lengths.tolist() == [70, 3]
    expected = [[63, 57, 65, 59, 67, 68, 69, 63], [69] * 8]
    np.testing.assert_array_equal(seasonal_naive(panel, 8), expected)


def test_a_request_goes_on_from_the_end_of_the_table():
    schema = {"frequency": "D", "horizon": 3, "known": ["wind", "sun"], "past": ["load"]}
    request = table_request(table(days=20, known_days=2), SPEC, schema, levels=(90, 80))
    assert (request["horizon"], request["levels"]) == (3, [80, 90])
    a, b = request["series"]
    assert (a["entity"], b["entity"]) == ("a", "b")
    assert (a["target"], a["unit"], a["start"]) == ("co2_t", "tCO2e", "2024-01-01T00:00:00")
    assert len(a["values"]) == 20
    assert a["known"] == {"wind": [*map(float, range(22)), None]}
    assert a["past"] == {"load": [*map(float, range(20))]}
    with pytest.raises(NotAllowedError):
        table_request(table(), SPEC, {"inputs": ["x"]})
