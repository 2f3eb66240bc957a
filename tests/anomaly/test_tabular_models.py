"""Each tabular model against what it must equal: scikit-learn, torch, a slow loop."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from esgml.anomaly.flat_forest import FlatForest, path_length
from esgml.anomaly.models.autoencoder import Autoencoder
from esgml.anomaly.models.ensemble import Ensemble
from esgml.anomaly.models.histogram import Histogram
from esgml.anomaly.models.isolation_forest import IsolationForest
from esgml.anomaly.models.pca import PCA
from esgml.anomaly.models.sampled_neighbours import SampledNeighbours
from esgml.anomaly.spread import NEVER_SEEN, Spread
from esgml.anomaly.state import ARRAYS, dump_state, restore_state
from esgml.core.errors import EsgmlError, IntegrityError, UsageError
from esgml.core.interfaces import MANIFEST
from esgml.core.random import derive_seed
from esgml.core.storage import sha256

QUICK = {"epochs": 2, "hidden": (8, 3)}


def rows(n=400, d=5, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-4, 4, d)
    table[rng.random(table.shape) < missing] = np.nan
    return table


def grown(X, seed, **settings):
    """Return scikit-learn's forest as the model grows it."""
    sklearn = pytest.importorskip("sklearn.ensemble")
    settings = {"n_estimators": 100, "max_samples": min(256, len(X)), **settings}
    state = derive_seed(seed, "isolation forest") % 2**32
    forest = sklearn.IsolationForest(random_state=state, contamination=0.1, **settings)
    return forest.fit(X.astype(np.float32))


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(("n", "d"), [(1, 3), (2, 1), (30, 2), (700, 6)])
def test_forest_scores_and_labels_are_those_of_scikit_learn(n, d, missing):
    X = rows(n, d, missing=missing if n > 2 else 0.0)
    ours, theirs = IsolationForest().train(X, seed=4), grown(X, 4)
    asked = np.concatenate([X, 3 * X, rows(50, d, seed=9, missing=0.3)])
    expected = -theirs.score_samples(asked.astype(np.float32))
    if n == 1:  # scikit-learn answers 1/2 there as well
        assert (expected == 0.5).all()
    np.testing.assert_allclose(ours.score(asked), expected, rtol=0, atol=1e-12)
    labels = theirs.predict(asked.astype(np.float32)) == -1
    np.testing.assert_array_equal(ours.is_anomaly(asked), labels)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 4), st.booleans())
def test_forest_walks_agree_to_the_bit_and_paths_add_up(seed, n, d, ties):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, (n, d)).astype(float) if ties else rng.normal(size=(n, d))
    forest = IsolationForest(trees=5, samples=16).train(X, seed=seed).forest_
    asked = np.concatenate([X, np.where(rng.random((n, d)) < 0.3, np.nan, 2 * X)])
    compiled, plain = (forest.depths(asked, compiled=c) for c in (True, False))
    np.testing.assert_array_equal(compiled, plain)
    root = forest.expected[forest.roots].mean()
    added = root - forest.contributions(asked).sum(axis=1)
    np.testing.assert_allclose(added, plain / len(forest.roots), atol=1e-9)


def test_forest_without_numba_scores_the_same(monkeypatch):
    X = rows()
    model = IsolationForest(trees=20).train(X, seed=1)
    fast = model.score(X)
    monkeypatch.setattr("esgml.anomaly.flat_forest.has_numba", lambda: False)
    np.testing.assert_array_equal(model.score(X), fast)


def test_path_length_is_that_of_the_paper():
    assert path_length(np.array([0.0, 1.0, 2.0])).tolist() == [0.0, 0.0, 1.0]
    assert path_length(np.array([256.0]))[0] == pytest.approx(10.24, abs=0.01)


def test_sampled_neighbours_equal_a_slow_loop_and_their_parts_add_up():
    X = rows(200, 3, missing=0.1)
    model = SampledNeighbours(rounds=7, samples=9).train(X, seed=2)
    scaled = Spread.of(X).filled(X)
    expected = [
        np.mean([min(np.abs(row - one).sum() for one in sample) for sample in model.samples_])
        for row in scaled[:20]
    ]
    np.testing.assert_allclose(model.score(X)[:20], expected, rtol=1e-12)
    parts = model.feature_contributions(X)
    np.testing.assert_allclose(parts.sum(axis=1), model.score(X), rtol=1e-12)
    assert (parts[np.isnan(X)] <= parts.max()).all()


def test_sampled_neighbours_see_a_group_of_strange_rows():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(600, 4)), 6 + 0.05 * rng.normal(size=(6, 4))])
    score = SampledNeighbours().train(X, seed=0).score(X)
    assert score[600:].min() > np.quantile(score[:600], 0.99)


def test_pca_score_and_parts_are_those_of_the_inverse_covariance():
    X = np.random.default_rng(0).normal(size=(500, 4))
    X[:, 1] += 3 * X[:, 0]
    model = PCA().train(X, seed=0)
    table = Spread.of(X).squeezed(X)
    inverse = np.linalg.inv(np.cov(table.T, bias=True))
    away = table - table.mean(axis=0)
    expected = np.sqrt(np.einsum("ij,jk,ik->i", away, inverse, away))
    np.testing.assert_allclose(model.score(X), expected, rtol=1e-6)
    # masking: put a column where the others imply it, and see by how much the distance falls
    j = 2
    implied = away.copy()
    implied[:, j] -= (away @ inverse)[:, j] / inverse[j, j]
    fall = expected**2 - np.einsum("ij,jk,ik->i", implied, inverse, implied)
    np.testing.assert_allclose(model.feature_contributions(X)[:, j], fall, rtol=1e-4, atol=1e-6)


def test_histogram_counts_what_falls_into_a_bin():
    X = np.concatenate([np.repeat([0.0, 1.0], [300, 95]), [0.5] * 5])[:, None]
    model = Histogram(floor=0.05).train(X)
    share = np.array([300, 95, 5, 0, 0]) / 300
    expected = -np.log((share + 0.05) / 1.05)
    asked = [[0.0], [1.0], [0.5], [0.25], [7.0]]
    np.testing.assert_allclose(model.score(asked), expected, rtol=1e-12)
    assert model.score([[np.nan]])[0] == 0


def test_autoencoder_scores_without_torch_what_torch_would():
    torch = pytest.importorskip("torch")
    X = rows(300, 6, missing=0.05)
    model = Autoencoder(**QUICK).train(X, seed=1)
    inputs, observed = model._inputs(X)
    with torch.no_grad():
        made = model.build_model()(torch.from_numpy(inputs.astype(np.float32))).numpy()
    error = np.where(observed > 0, made - model._standardised(X), 0.0) ** 2
    expected = error.sum(axis=1) / observed.sum(axis=1)
    np.testing.assert_allclose(model.score(X), expected, rtol=1e-3)
    back = model.reconstruct(X)
    assert back.shape == X.shape
    assert np.isfinite(back).all()


def test_autoencoder_has_the_layers_of_the_mission_and_learns():
    pytest.importorskip("torch")
    widths = [layer.out_features for layer in Autoencoder().build_model().layers]
    assert widths == [64, 32, 16, 32, 64, 100]
    assert "100" in Autoencoder().summary()
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(800, 2))
    X = np.tanh(hidden @ rng.normal(size=(2, 12)))
    model = Autoencoder(hidden=(16, 6), batch_size=32, epochs=15).train(X, seed=0)
    losses = [row["val_loss"] for row in model.history_]
    assert min(losses) < 0.6 * losses[0]
    shuffled = np.column_stack([rng.permutation(column) for column in X.T])
    assert model.evaluate(np.concatenate([X, shuffled]), np.repeat([0, 1], len(X)))["roc_auc"] > 0.9


def test_ensemble_is_the_mean_of_levels_and_names_its_members():
    X = rows()
    model = Ensemble().train(X, seed=3)
    levels = model.member_scores(X)
    assert list(levels) == ["isolation_forest", "sampled_neighbours", "pca", "histogram"]
    np.testing.assert_allclose(model.score(X), np.mean(list(levels.values()), axis=0))
    for level in levels.values():
        assert (level >= 0).all()
        assert 0.4 <= (level == 0).mean() <= 0.6
    parts = model.feature_contributions(X)
    np.testing.assert_allclose(parts.sum(axis=1), model.score(X), atol=1e-9)


@pytest.mark.parametrize(
    "members", [("no_such",), ("pca", "pca"), ("ensemble",), ()], ids=lambda m: "+".join(m)
)
def test_ensemble_refuses_wrong_members(members):
    with pytest.raises(UsageError):
        Ensemble(members=members)


def test_changing_units_changes_no_score():
    X = rows(300, 4)
    factor = np.array([1e-3, 1e3, 1e6, 1.0])
    for kind in (SampledNeighbours, PCA, Histogram):
        a = kind().train(X, seed=1).score(X)
        b = kind().train(X * factor + 5 * factor, seed=1).score(X * factor + 5 * factor)
        np.testing.assert_allclose(a, b, rtol=1e-6)


# Spreads ----------------------------------------------------------------------------------


def test_spread_counts_a_change_in_a_constant_column_as_many_spreads():
    X = np.column_stack([np.full(50, 7.0), np.arange(50.0)])
    spread = Spread.of(X)
    away = spread.apply(np.array([[7.0, 24.5], [7.1, np.nan]]))
    np.testing.assert_allclose(away[0], 0.0)
    assert away[1, 0] == NEVER_SEEN
    assert np.isnan(away[1, 1])


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (9, 2), elements=st.floats(-1e300, 1e300) | st.just(np.nan)))
def test_spread_is_finite_whatever_is_measured(X):
    spread = Spread.of(X)
    assert np.isfinite(spread.middle).all()
    assert (spread.width >= 0).all()
    assert np.isfinite(spread.filled(X)).all()
    assert np.isfinite(spread.squeezed(X)).all()


# Artifacts of somebody else ------------------------------------------------------------------


def forged(model, file, content):
    """Return the files of a model with one replaced and the manifest made to fit."""
    files = {**model.to_files(), file: content}
    manifest = json.loads(files[MANIFEST])
    manifest["files"][file] = sha256(content)
    return {**files, MANIFEST: json.dumps(manifest).encode()}


def rearranged(model, **changes):
    """Return forged files of a model whose saved arrays were changed."""
    files = model.to_files()
    return forged(model, ARRAYS, dump_state(**{**only_arrays(files), **changes})[ARRAYS])


def only_arrays(files):
    return {k: v for k, v in restore_state(files).items() if isinstance(v, np.ndarray)}


FOREST = IsolationForest(trees=3, samples=16)
HOSTILE = {
    "child outside": lambda a: {"left": a["left"] + np.int32(10**6)},
    "child before": lambda a: {"left": np.zeros_like(a["left"])},
    "negative child": lambda a: {"left": -a["left"]},
    "column outside": lambda a: {"feature": a["feature"] + np.int32(99)},
    "negative column": lambda a: {"feature": a["feature"] - np.int32(99)},
    "root outside": lambda a: {"roots": a["roots"] + np.int32(10**6)},
    "endless walk": lambda a: {"steps": a["steps"] + np.int32(10**9)},
    "short array": lambda a: {"value": a["value"][:-1]},
    "other type": lambda a: {"value": a["value"].astype(np.float32)},
    "not finite": lambda a: {"value": a["value"] * np.nan},
    "two dimensions": lambda a: {"feature": a["feature"].reshape(1, -1)},
    "leaf with children": lambda a: {"threshold": np.zeros_like(a["threshold"])},
    "missing beyond": lambda a: {"missing_right": np.full_like(a["missing_right"], 2)},
    "no tree": lambda a: {"roots": a["roots"][:0], "steps": a["steps"][:0]},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_trees_are_refused(change):
    FOREST.train(rows(60, 2), seed=0)
    files = FOREST.to_files()
    with pytest.raises(IntegrityError):
        IsolationForest.from_files(rearranged(FOREST, **change(only_arrays(files))))
    assert len(IsolationForest.from_files(files).score(rows(5, 2))) == 5


@pytest.mark.parametrize("kind", [SampledNeighbours, PCA, Histogram, Ensemble, IsolationForest])
def test_broken_state_is_refused(kind):
    model = kind().train(rows(60, 2), seed=0)
    for file in model.to_files():
        for content in (b"", b"{}", b"[]", b"\x00" * 64):
            if file != MANIFEST:
                with pytest.raises(EsgmlError):
                    kind.from_files(forged(model, file, content))


def test_arrays_of_another_shape_are_refused():
    neighbours = SampledNeighbours(rounds=2).train(rows(60, 2), seed=0)
    axes = PCA().train(rows(60, 2), seed=0)
    bins = Histogram().train(rows(60, 2), seed=0)
    for model, changes in (
        (neighbours, {"samples": neighbours.samples_[:, :, :1]}),
        (neighbours, {"samples": neighbours.samples_ * np.inf}),
        (neighbours, {"width": -neighbours.spread_.width}),
        (axes, {"whitening": axes.whitening_[:1]}),
        (axes, {"centre": axes.centre_ * np.nan}),
        (axes, {"middle": np.zeros(9)}),
        (bins, {"surprise": bins.surprise_[:1]}),
        (bins, {"low": bins.low_ * np.nan}),
    ):
        with pytest.raises(IntegrityError):
            type(model).from_files(rearranged(model, **changes))


def test_weights_that_do_not_fit_are_refused():
    pytest.importorskip("torch")
    from esgml.nn import weights

    model = Autoencoder(**QUICK).train(rows(60, 3), seed=0)
    for name, value in (
        ("layers.0.bias", np.zeros(3, dtype=np.float32)),
        ("layers.9.bias", np.zeros(3, dtype=np.float32)),
        ("layers.0.bias", np.full(8, np.nan, dtype=np.float32)),
    ):
        packed = weights.pack({**model.weights_, name: value})
        with pytest.raises(IntegrityError):
            Autoencoder.from_files(forged(model, "weights.safetensors", packed))


def test_flat_forest_needs_its_arrays():
    with pytest.raises(IntegrityError):
        FlatForest.from_arrays({}, 3)
