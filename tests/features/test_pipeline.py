from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from esgml.checks.features import sample_panel
from esgml.core.errors import (
    IntegrityError,
    LookAheadError,
    NotFoundError,
    NotTrainedError,
    UsageError,
)
from esgml.core.panel import Future
from esgml.features.calendar import Calendar
from esgml.features.degree_days import DegreeDays
from esgml.features.lags import Covariates, Lags
from esgml.features.pipeline import FeaturePipeline, extended, series_labels, tail
from esgml.features.rolling import Expanding, Rolling, SeasonalRolling
from esgml.features.scaling import Scaler
from esgml.features.seasonality import SeasonalWaves
from esgml.features.validation import look_ahead_features


def steps():
    return [
        Lags(lags=(3, 7)),
        Rolling(windows=(7, 14), statistics=("mean", "std"), lag=3),
        SeasonalRolling(season=7, windows=(3,)),
        Calendar(year_order=1),
        SeasonalWaves(periods=(7,)),
        DegreeDays(),
        Covariates(),
    ]


def split(panel, horizon):
    kept = np.flatnonzero(panel.lengths > horizon).tolist()
    panel = panel.select(kept)
    rows = panel.indptr[1:, None] - horizon + np.arange(horizon)
    return (
        panel,
        panel.before(horizon),
        rows,
        Future(panel.time[rows], panel.known[rows], panel.known_names),
    )


def test_columns_follow_the_steps_and_know_their_warm_up():
    panel = sample_panel()
    pipeline = FeaturePipeline(steps()).fit(panel)
    found = pipeline.transform(panel)
    assert found.shape == (panel.rows, len(pipeline.names))
    assert len(set(pipeline.names)) == len(pipeline.names)
    assert pipeline.warm_up == 7 + 2 * 7
    assert pipeline.min_lag == 3
    at = 0
    for step in pipeline.steps:
        np.testing.assert_array_equal(found[:, at : at + len(step.names)], step.transform(panel))
        at += len(step.names)
    assert FeaturePipeline([*steps(), Expanding()]).warm_up is None
    assert FeaturePipeline([Calendar()]).min_lag is None


@pytest.mark.parametrize("scaler", [None, Scaler(), Scaler("robust", per_entity=True)])
def test_saved_and_loaded_it_gives_the_same_bytes(scaler, tmp_path):
    panel = sample_panel()
    pipeline = FeaturePipeline(steps(), scaler).fit(panel)
    pipeline.save(tmp_path / "features.json")
    loaded = FeaturePipeline.load(tmp_path / "features.json")
    assert loaded.names == pipeline.names
    assert loaded.transform(panel).tobytes() == pipeline.transform(panel).tobytes()
    assert loaded.to_json() == pipeline.to_json()
    assert look_ahead_features(loaded, panel) == []


@pytest.mark.parametrize("per_entity", [False, True])
def test_served_ahead_it_gives_what_training_saw(per_entity):
    panel, history, rows, future = split(sample_panel(), 3)
    pipeline = FeaturePipeline(steps(), Scaler(per_entity=per_entity)).fit(panel)
    ahead = pipeline.transform_ahead(history, future)
    assert ahead.shape == (len(panel), 3, len(pipeline.names))
    np.testing.assert_allclose(ahead, pipeline.transform(panel)[rows], rtol=1e-6, atol=1e-6)


def test_further_ahead_than_the_lags_is_refused():
    panel, history, _, future = split(sample_panel(), 4)
    with pytest.raises(LookAheadError, match="3 periods"):
        FeaturePipeline(steps()).fit(panel).transform_ahead(history, future)
    free = FeaturePipeline([Calendar(), Covariates()]).fit(panel)
    assert free.transform_ahead(history, future).shape[1] == 4


def test_tail_and_extended():
    panel = sample_panel()
    assert tail(panel, 10).lengths.tolist() == [10, 1, 10, 10, 10]
    assert tail(panel, None) is panel
    whole, history, rows, future = split(panel, 5)
    again = extended(history, future)
    np.testing.assert_array_equal(again.time, whole.time)
    np.testing.assert_array_equal(again.known, whole.known)
    assert np.isnan(again.values[rows]).all()
    assert np.isnan(again.past[rows]).all()
    with pytest.raises(UsageError, match="covariates"):
        extended(history, replace(future, known_names=("x", "y")))
    with pytest.raises(UsageError, match="series"):
        extended(history.select([0]), future)


def test_only_the_features_asked_for():
    panel = sample_panel()
    whole = FeaturePipeline(steps(), Scaler()).fit(panel)
    names = ("temperature_hdd", "target_lag7")
    few = whole.select(names).fit(panel)
    assert few.names == names
    assert len(few.steps) == 2
    places = [whole.names.index(n) for n in names]
    np.testing.assert_array_equal(few.transform(panel), whole.transform(panel)[:, places])
    assert FeaturePipeline.from_json(few.to_json()).names == names
    clash = [Calendar(country="FR"), Covariates()]
    with pytest.raises(UsageError, match="holiday"):
        FeaturePipeline(clash).fit(panel)
    for wrong in (("nope",), ()):
        with pytest.raises(UsageError):
            whole.select(wrong)
    with pytest.raises(UsageError, match="nope"):
        FeaturePipeline([Lags()], keep=["nope"]).fit(panel)


def test_wrong_use_is_said(tmp_path):
    panel = sample_panel()
    with pytest.raises(UsageError, match="at least one"):
        FeaturePipeline([])
    with pytest.raises(UsageError, match="target_lag1"):
        FeaturePipeline([Lags(), Lags(lags=(1, 2))]).fit(panel)
    with pytest.raises(NotTrainedError):
        FeaturePipeline([Lags()]).transform(panel)
    with pytest.raises(NotFoundError):
        FeaturePipeline.load(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("steps"),
        lambda d: d.update(schema="esgml.features/99"),
        lambda d: d.update(steps=None),
        lambda d: d["steps"][0].pop("params"),
        lambda d: d.update(scaler={"method": "standard"}),
    ],
)
def test_a_damaged_file_is_refused(change, tmp_path):
    document = json.loads(FeaturePipeline([Lags()], Scaler()).fit(sample_panel()).to_json())
    change(document)
    with pytest.raises(IntegrityError):
        FeaturePipeline.from_dict(document)
    (tmp_path / "f.json").write_bytes(b"{")
    with pytest.raises(IntegrityError):
        FeaturePipeline.load(tmp_path / "f.json")
    with pytest.raises(IntegrityError):
        FeaturePipeline.from_json(b"[]")


def test_series_labels_tell_targets_apart():
    panel = sample_panel().select([1])
    assert series_labels(panel).tolist() == ["site-1|scope2_kg"]
    assert series_labels(panel.select([])).tolist() == []
