import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from esgml.core.errors import UsageError
from esgml.core.settings import Settings
from esgml.data.panels import to_panel
from esgml.training.showcase import ORIGIN, faults_found, gaps_estimated, held_out, showcase
from esgml.training.story import histories, write_forecast


@pytest.fixture(scope="module")
def made():
    return showcase(seed=1, sites=2, horizon=10)


def test_nothing_measured_is_left_after_the_origin(made):
    after = made.frame.filter(pl.col("timestamp") >= ORIGIN)
    assert after.height == 20
    for column in (*made.spec.targets, "energy_kwh", "production", "economic_index"):
        assert after[column].null_count() == 20
    assert after["temperature"].null_count() == after["holiday"].null_count() == 0
    assert made.labels["timestamp"].max() < ORIGIN
    assert made.truth.height == 20 and made.truth["scope1_kg"].null_count() < 20


def test_faults_are_counted_by_episode(made):
    found = faults_found(made.frame, made.spec, made.labels)
    assert set(found) == set(made.labels["kind"].unique())
    for kind in ("missing", "negative", "unit_x1000"):
        assert found[kind]["found"] == found[kind]["injected"] > 0
    none = faults_found(made.frame, made.spec, made.labels.clear())
    assert none == {}


def test_perfect_and_naive_forecasts_score_as_they_should(made):
    panel, _ = to_panel(made.frame, made.spec)
    truth = made.truth.fill_null(0.0)
    answers = []
    for entity, target in [(k.entity, k.target) for k in panel.keys] + [("total", "scope1_kg")]:
        values = truth.filter(pl.col("entity") == entity)[target].to_list() or [0.0] * 10
        bounds = {"80": values}
        answers.append(
            {"entity": entity, "target": target, "mean": values, "lower": bounds, "upper": bounds}
        )
    scores = held_out(panel, answers, made.truth)
    assert scores["wape"] == 0 and scores["naive"]["wape"] > 0
    assert scores["coverage"] == {"80": 1.0} and scores["series"] == 6
    assert held_out(panel, [], made.truth)["wape"] is None


def test_the_stored_forecast_reads_back_as_the_page_wants_it(made, tmp_path):
    from esgml.dashboard.forecast.report import ForecastReport

    panel, _ = to_panel(made.frame, made.spec)
    times = [str(ORIGIN + dt.timedelta(days=d))[:10] for d in range(3)]
    answer = [
        {
            "entity": entity,
            "target": "scope1_kg",
            "unit": "kgCO2e",
            "timestamps": times,
            "mean": [1.0, 2.0, 3.0],
            "lower": {"80": [0.0] * 3},
            "upper": {"80": [4.0] * 3},
        }
        for entity in ("total", "company-A", "site-01")
    ]
    settings = Settings(workspace=tmp_path)
    file = write_forecast(settings, panel, answer, title="T")
    report = ForecastReport.model_validate_json(file.read_bytes())
    assert report.unit == "kgCO2e"
    site, total = report.history[2], report.history[0]
    other = panel.series([k.entity for k in panel.keys].index("site-02"))
    assert site.timestamps[-1] == total.timestamps[-1] == ORIGIN - dt.timedelta(days=1)
    assert total.values[-1] == pytest.approx(site.values[-1] + other[-1])
    assert report.history[1].values == total.values  # one company only


def test_sums_of_unequal_series_cover_what_all_have(made):
    frame = made.frame.filter(
        (pl.col("entity") == "site-01") | (pl.col("timestamp") >= dt.datetime(2024, 1, 1))
    )
    panel, _ = to_panel(frame, made.spec)
    (found,) = histories(panel, [{"entity": "total", "target": "scope2_kg"}])
    assert found["timestamps"][0] == "2024-01-01T00:00:00"
    assert len(found["values"]) == len(found["timestamps"]) == 31


def test_gaps_are_estimated_from_the_same_weekdays_around(made):
    panel, _ = to_panel(made.frame, made.spec)
    filled, count = gaps_estimated(panel)
    missing = ~np.isfinite(panel.values)
    assert count == missing.sum() > 0
    np.testing.assert_array_equal(filled.values[~missing], panel.values[~missing])
    at = int(np.flatnonzero(missing)[0])
    around = panel.values[[at + 7 * k for k in (-4, -3, -2, -1, 1, 2, 3, 4)]]
    assert filled.values[at] == pytest.approx(np.nanmean(around))


@pytest.mark.parametrize("horizon", [0, 181])
def test_a_horizon_out_of_range_is_refused(horizon):
    with pytest.raises(UsageError):
        showcase(horizon=horizon)


def test_the_report_is_strict_json(made, tmp_path):
    panel, _ = to_panel(made.frame, made.spec)
    answer = [
        {
            "entity": "site-01",
            "target": "scope1_kg",
            "timestamps": ["2024-02-01"],
            "mean": [1.0],
            "lower": {},
            "upper": {},
        }
    ]
    file = write_forecast(Settings(workspace=tmp_path), panel, answer, title="T")
    document = json.loads(file.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert set(document) == {"title", "unit", "history", "forecasts"}
