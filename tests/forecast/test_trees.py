"""Our own evaluation of LightGBM models agrees with LightGBM."""

from __future__ import annotations

import re

import lightgbm
import numpy as np
import pytest

from esgml.core.errors import IntegrityError
from esgml.forecast.trees import Trees


def booster(x, z, rounds=25, **more):
    settings = {
        "num_threads": 1,
        "verbosity": -1,
        "deterministic": True,
        "min_data_in_leaf": 5,
        **more,
    }
    data = lightgbm.Dataset(x, z, params=settings)
    return lightgbm.train(settings, data, num_boost_round=rounds)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 6))
    x[:, 3] = rng.integers(0, 4, 600)
    x[:, 4] = np.where(rng.random(600) < 0.7, 0.0, x[:, 4])
    z = np.sin(3 * x[:, 0]) + x[:, 1] * (x[:, 3] > 1) + x[:, 4] + 0.1 * rng.standard_normal(600)
    return x, z


def same(model, x):
    expected = model.predict(x, num_threads=1)
    found = Trees.from_text(model.model_to_string()).predict(x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("objective", ["l1", "l2", "huber"])
def test_equal_on_complete_data(sample, objective):
    x, z = sample
    same(booster(x, z, objective=objective), x)


def test_one_tree_is_equal_bit_for_bit(sample):
    x, z = sample
    model = booster(x, z, rounds=1)
    found = Trees.from_text(model.model_to_string()).predict(x)
    np.testing.assert_array_equal(found, model.predict(x, num_threads=1))


@pytest.mark.parametrize("settings", [{}, {"zero_as_missing": True}, {"use_missing": False}])
def test_equal_with_missing_values_learned(sample, settings):
    x, z = sample
    rng = np.random.default_rng(1)
    holes = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    model = booster(holes, z, **settings)
    same(model, holes)
    same(model, x)
    same(model, np.zeros((3, 6)))
    same(model, np.full((3, 6), np.nan))


def test_equal_where_missing_values_are_new(sample):
    x, z = sample
    model = booster(x, z)
    same(model, np.where(np.random.default_rng(2).random(x.shape) < 0.5, np.nan, x))


def test_equal_far_outside_and_on_the_thresholds(sample):
    x, z = sample
    model = booster(x, z)
    trees = Trees.from_text(model.model_to_string())
    edge = np.zeros((len(trees.threshold), 6))
    edge[np.arange(len(edge)), trees.feature] = trees.threshold
    same(model, edge)
    same(model, np.nextafter(edge, np.inf))
    same(model, np.full((2, 6), 1e300))
    same(model, np.array([[np.inf] * 6, [-np.inf] * 6]))


def test_single_leaf_trees(sample):
    x, _ = sample
    model = booster(x, np.full(len(x), 3.5), rounds=4)
    trees = Trees.from_text(model.model_to_string())
    assert (trees.roots < 0).all()
    same(model, x[:10])


def test_some_trees_stop_early(sample):
    x, z = sample
    model = booster(x, z, rounds=60, min_gain_to_split=0.5, learning_rate=0.5)
    roots = Trees.from_text(model.model_to_string()).roots
    assert (roots >= 0).any()
    same(model, x)


def test_rows_do_not_depend_on_each_other(sample):
    x, z = sample
    trees = Trees.from_text(booster(x, z).model_to_string())
    together = trees.predict(x)
    alone = np.concatenate([trees.predict(x[i : i + 1]) for i in range(40)])
    np.testing.assert_array_equal(alone, together[:40])
    assert trees.predict(x[:0]).shape == (0,)


def test_importance_counts_splits(sample):
    x, z = sample
    model = booster(x, z)
    found = Trees.from_text(model.model_to_string()).importance()
    np.testing.assert_array_equal(found, model.feature_importance("split"))


def test_what_is_no_model_is_refused(sample):
    x, z = sample
    text = booster(x, z, rounds=2).model_to_string()
    bad = [
        "",
        "{}",
        text.replace("num_class=1", "num_class=3"),
        text.replace("num_cat=0", "num_cat=1"),
        text.replace("leaf_value=", "leaf_value=x"),
        text.replace("threshold=", "threshold=1 "),
        text.replace("left_child=", "left_child=0 ", 1),
        re.sub(r"left_child=\S+", "left_child=0", text),
        re.sub(r"right_child=\S+", "right_child=-999", text),
        re.sub(r"split_feature=\S+", "split_feature=6", text),
        re.sub(r"leaf_value=\S+ ", "leaf_value=", text),
    ]
    for one in bad:
        with pytest.raises(IntegrityError):
            Trees.from_text(one)
    with pytest.raises(IntegrityError, match="6 features"):
        Trees.from_text(text).predict(x[:, :5])
