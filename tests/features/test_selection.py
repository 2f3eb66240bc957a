from __future__ import annotations

import numpy as np
import pytest

from esgml.core.errors import HistoryError, UsageError
from esgml.features.selection import (
    correlation,
    importance,
    low_variance,
    mutual_information,
    redundant,
    select_features,
    stability,
)

NAMES = ("line", "bent", "copy", "noise", "flat", "gaps")


def data(rows=1500, seed=0):
    rng = np.random.default_rng(seed)
    line, bent, noise = rng.normal(size=(3, rows))
    gaps = np.where(rng.random(rows) < 0.3, np.nan, line + rng.normal(size=rows))
    x = np.column_stack([line, bent, 2 * line + 1e-3 * noise, noise, np.full(rows, 3.0), gaps])
    y = 2 * line + 3 * np.abs(bent) + 0.1 * rng.normal(size=rows)
    return x, y


def test_filters():
    x, _ = data()
    assert low_variance(x).tolist() == [False, False, False, False, True, False]
    assert low_variance(np.array([[np.nan], [1.0]])).tolist() == [True]
    assert low_variance(np.array([[1e9], [1e9 + 1e-3]])).tolist() == [True]
    assert low_variance(np.array([[1e-200], [2e-200]])).tolist() == [False]
    assert redundant(x, [3, 2, 1, 0.5, 0, 0.1]).tolist() == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]


def test_correlation_equals_numpy_where_nothing_is_missing():
    x, y = data()
    found = correlation(x, y)
    for j in (0, 1, 2, 3):
        assert np.isclose(found[j], np.corrcoef(x[:, j], y)[0, 1])
    assert found[4] == 0
    both = np.isfinite(x[:, 5])
    assert np.isclose(found[5], np.corrcoef(x[both, 5], y[both])[0, 1])


def test_mutual_information_sees_bent_relations_and_knows_normal_ones():
    x, y = data(20_000)
    found = mutual_information(x, y)
    assert abs(correlation(x, y)[1]) < 0.05
    assert found[1] > 0.2
    assert found[3] < 0.01
    assert found[4] == 0
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 50_000))
    truth = -0.5 * np.log(1 - 0.8**2)
    assert abs(mutual_information(a[:, None], 0.8 * a + 0.6 * b)[0] - truth) < 0.06
    assert mutual_information(a[:5, None], b[:5])[0] == 0


def test_importance_finds_what_the_model_uses():
    x, y = data()
    keep = [0, 1, 3]
    linear = importance(x[:, keep], y)
    assert linear[0] > 10 * abs(linear[2])
    trees = importance(x[:, keep], y, learner="lightgbm")
    assert trees[0] > 0.3
    assert trees[1] > 0.3
    assert abs(trees[2]) < 0.05
    np.testing.assert_array_equal(trees, importance(x[:, keep], y, learner="lightgbm"))
    with pytest.raises(HistoryError):
        importance(x[:10], y[:10])


def test_stability_is_high_for_what_matters():
    x, y = data()
    shares = stability(x, y, lambda a, b: np.abs(correlation(a, b)), best=1)
    assert shares[0] + shares[2] == 1.0
    assert shares[3] == 0


@pytest.mark.parametrize("method", ["correlation", "mutual_information", "importance"])
def test_selection_tells_why(method):
    x, y = data()
    chosen = select_features(x, y, NAMES, method=method, best=3, min_stability=0.6)
    assert {"line", "copy"} & set(chosen.names[:2])
    assert chosen.dropped["flat"] == "does not vary"
    assert "repeats a better feature" in (chosen.dropped.get("copy"), chosen.dropped.get("line"))
    assert set(chosen.names) | set(chosen.dropped) == set(NAMES)
    assert not set(chosen.names) & set(chosen.dropped)
    assert chosen == select_features(x, y, NAMES, method=method, best=3, min_stability=0.6)
    if method == "mutual_information":
        assert set(chosen.names) == {"line", "bent", "gaps"} or "copy" in chosen.names


def test_wrong_use_is_said():
    x, y = data(50)
    with pytest.raises(UsageError, match="fit"):
        select_features(x, y, NAMES[:2])
    with pytest.raises(UsageError, match="repeat"):
        select_features(x, y, ("a",) * 6)
    with pytest.raises(UsageError, match="method"):
        select_features(x, y, NAMES, method="luck")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="best"):
        select_features(x, y, NAMES, best=0)


def test_settings_that_mean_nothing_are_refused():
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40.0)
    with pytest.raises(UsageError, match="learner"):
        importance(x, y, learner="forest")
    with pytest.raises(UsageError, match="share"):
        select_features(x, y, ("a", "b"), min_stability=1.5)


def test_nothing_useful_gives_nothing():
    chosen = select_features(np.full((50, 2), np.nan), np.arange(50.0), ("a", "b"))
    assert chosen.names == ()
    assert set(chosen.dropped) == {"a", "b"}
