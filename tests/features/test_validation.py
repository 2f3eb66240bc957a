from __future__ import annotations

import json

import numpy as np
import pytest

from esgml.checks.features import sample_panel
from esgml.core.errors import IntegrityError, UsageError
from esgml.core.frames import Severity
from esgml.features.lags import Lags
from esgml.features.validation import FeatureProfile, look_ahead_features, validate_features


def codes(faults):
    return sorted((f.code, f.column) for f in faults)


def test_every_fault_of_a_table_at_once():
    x = np.random.default_rng(0).normal(size=(100, 5))
    x[:, 1] = 4.0
    x[:60, 2] = np.nan
    x[3, 3] = np.inf
    x[:, 4] = np.nan
    faults = validate_features(x, list("abcde"))
    assert codes(faults) == [
        ("feature_constant", "b"),
        ("feature_empty", "e"),
        ("feature_infinite", "d"),
        ("feature_missing", "c"),
    ]
    by_column = {f.column: f for f in faults}
    assert by_column["d"].rows == (3,)
    assert by_column["d"].severity is Severity.ERROR
    assert by_column["c"].count == 60
    assert len(by_column["c"].rows) == 20
    assert all(f.remedy for f in faults)


def test_drift_from_training():
    rng = np.random.default_rng(0)
    train, later = rng.normal(size=(2, 1000, 3))
    profile = FeatureProfile.of(train, list("abc"))
    assert validate_features(later, list("abc"), reference=profile) == []
    later[:, 0] *= 1000
    later[:400, 1] = np.nan
    faults = validate_features(later, list("abc"), reference=profile)
    assert codes(faults) == [("feature_drifted", "a"), ("feature_missing_more", "b")]
    again = FeatureProfile.from_dict(json.loads(json.dumps(profile.to_dict(), allow_nan=False)))
    assert validate_features(later, list("abc"), reference=again) == faults
    with pytest.raises(UsageError):
        validate_features(later, list("abd"), reference=profile)
    with pytest.raises(IntegrityError):
        FeatureProfile.from_dict({"names": ["a"]})


def test_empty_tables_are_no_fault_and_odd_shapes_are():
    assert validate_features(np.empty((0, 2)), ["a", "b"]) == []
    profile = FeatureProfile.of(np.full((3, 1), np.nan), ["a"])
    assert profile.to_dict()["low"] == [None]
    assert codes(validate_features([[1.0], [2.0]], ["a"], reference=profile)) == []
    with pytest.raises(UsageError):
        validate_features(np.ones((3, 2)), ["a"])


def test_look_ahead_is_named():
    panel = sample_panel()
    step = Lags(lags=(1, 7)).fit(panel)
    assert look_ahead_features(step, panel) == []

    class Leaks:
        names = ("fine", "leaks")
        min_lag = 1

        def transform(self, panel):
            fine = step.transform(panel)[:, 0]
            return np.column_stack([fine, np.nan_to_num(panel.values)])

    assert look_ahead_features(Leaks(), panel) == ["leaks"]
