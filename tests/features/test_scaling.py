from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import ColumnError, IntegrityError, NotTrainedError, UsageError
from esgml.features.scaling import METHODS, Scaler


def table(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 4)) * [1, 100, 1e-6, 0] + [0, 1e6, 0, 7]
    x[rng.random(x.shape) < 0.1] = np.nan
    return x, np.repeat(["a", "b", "c"], 100)


def test_what_each_method_means():
    x = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])
    standard = Scaler("standard").fit(x).transform(x)
    assert np.isclose(standard.mean(), 0)
    assert np.isclose(standard.std(), 1)
    np.testing.assert_allclose(Scaler("robust").fit(x).transform(x).ravel(), (x.ravel() - 2) / 2)
    np.testing.assert_allclose(Scaler("minmax").fit(x).transform(x).ravel(), x.ravel() / 10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("per_entity", [False, True])
def test_there_and_back(method, per_entity):
    x, entities = table()
    kept = x.copy()
    scaler = Scaler(method, per_entity=per_entity).fit(x, entities)
    scaled = scaler.transform(x, entities)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(x))
    np.testing.assert_allclose(scaler.inverse(scaled, entities), x, rtol=1e-12, atol=1e-12)
    assert np.nanmax(np.abs(scaled[:, 3])) == 0  # a constant is only centred
    loaded = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(loaded.transform(x, entities), scaled)


@given(
    st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=30),
    st.sampled_from(METHODS),
)
def test_never_infinite_and_reversible(values, method):
    x = np.array(values)[:, None]
    scaler = Scaler(method).fit(x)
    scaled = scaler.transform(x)
    assert np.isfinite(scaled).all()
    size = np.abs(x).max()
    np.testing.assert_allclose(scaler.inverse(scaled), x, rtol=1e-9, atol=1e-9 * size + 1e-12)


def test_each_entity_on_its_own_and_strangers_on_the_common_scale():
    x, entities = table()
    scaler = Scaler("standard", per_entity=True).fit(x, entities)
    scaled = scaler.transform(x, entities)
    for name in "abc":
        np.testing.assert_allclose(
            np.nanmean(scaled[entities == name][:, :3], axis=0), 0, atol=1e-9
        )
    common = Scaler("standard").fit(x).transform(x[:5])
    np.testing.assert_array_equal(scaler.transform(x[:5], ["new"] * 5), common)


def test_a_column_nobody_observed_stays_missing():
    x = np.full((10, 1), np.nan)
    for per_entity in (False, True):
        scaler = Scaler(per_entity=per_entity).fit(x, ["a"] * 10)
        assert np.isnan(scaler.transform(x, ["a"] * 10)).all()
        assert scaler.transform([[5.0]], ["a"]).tolist() == [[5.0]]


def test_rows_of_an_entity_need_not_lie_together_and_there_may_be_none():
    x, entities = table()
    scaler = Scaler(per_entity=True).fit(x, entities)
    order = np.random.default_rng(0).permutation(len(x))
    mixed = Scaler(per_entity=True).fit(x[order], list(entities[order]))
    np.testing.assert_allclose(
        mixed.transform(x, entities), scaler.transform(x, entities), atol=1e-9
    )
    assert scaler.transform(np.empty((0, 4)), []).shape == (0, 4)


def test_infinities_are_left_out_of_the_fit():
    scaler = Scaler("minmax").fit([[0.0], [np.inf], [2.0]])
    assert scaler.transform([[1.0]]).tolist() == [[0.5]]


def test_wrong_use_is_said():
    x, entities = table()
    with pytest.raises(UsageError, match="unknown scaling"):
        Scaler("log")  # type: ignore[arg-type]
    with pytest.raises(NotTrainedError):
        Scaler().transform(x)
    with pytest.raises(UsageError, match="entity of every row"):
        Scaler(per_entity=True).fit(x)
    with pytest.raises(UsageError, match="entity of every row"):
        Scaler(per_entity=True).fit(x, entities[:3])
    with pytest.raises(ColumnError):
        Scaler().fit(x).transform(x[:, :2])
    with pytest.raises(UsageError, match="table"):
        Scaler().fit(x[:, 0])
    with pytest.raises(IntegrityError):
        Scaler.from_dict({"method": "standard"})
