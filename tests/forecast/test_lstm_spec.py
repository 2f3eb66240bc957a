"""`EmissionsPredictionModel` is what was specified, on windows and panels, without torch too."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from threadpoolctl import threadpool_limits

from esgml.checks.samples import sample_future, sample_panel
from esgml.core.errors import DataError, HistoryError, NotTrainedError, StorageError, UsageError
from esgml.core.panel import SeriesKey
from esgml.forecast.models import lstm_spec
from esgml.forecast.models.lstm_spec import EmissionsPredictionModel
from esgml.nn.loop import FileCheckpoints

QUICK = {"epochs": 2}


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(0)
    x = rng.normal(100, 20, size=(120, 30, 10))
    y = x[:, -1, :3] * [1.0, 10.0, 0.1] + rng.normal(0, 0.1, (120, 3))
    return x, y


@pytest.fixture(scope="module")
def trained(windows):
    return EmissionsPredictionModel(**QUICK).train_windows(*windows, seed=3)


def test_network_is_as_specified():
    module = EmissionsPredictionModel().build_model()
    assert isinstance(module.lstm1, torch.nn.LSTM)
    assert (module.lstm1.input_size, module.lstm1.hidden_size) == (10, 128)
    assert (module.lstm2.input_size, module.lstm2.hidden_size) == (128, 64)
    assert module.dropout.p == 0.2
    assert (module.dense.in_features, module.dense.out_features) == (64, 32)
    assert module.output.out_features == 3
    assert module(torch.zeros(5, 30, 10)).shape == (5, 3)
    params = EmissionsPredictionModel().params
    assert (params.window, params.learning_rate) == (30, 1e-3)


def test_summary_counts_what_torch_counts():
    model = EmissionsPredictionModel()
    module = model.build_model()
    counts = {
        name: sum(p.numel() for p in child.parameters()) for name, child in module.named_children()
    }
    assert [c for _, _, c in model.layers()] == [0, *counts.values()]
    text = model.summary()
    for word in ("LSTM 128", "dropout 0.2", "LSTM 64", "dense 32 ReLU", "(30, 10)", "71,680"):
        assert word in text
    assert f"weights in all: {sum(counts.values()):,}" in text
    assert "not trained" in text


def test_windows_are_learned(windows):
    x, y = windows
    model = EmissionsPredictionModel(epochs=40, patience=40, learning_rate=5e-3, batch_size=32)
    model.train_windows(x, y)
    losses = [row["val_loss"] for row in model.history_]
    assert min(losses) < 0.6 * losses[0]
    error = np.abs(model.predict_windows(x) - y).mean(axis=0) / y.std(axis=0)
    assert (error < 0.7).all()


def test_windows_predict_through_torch_numpy_onnx_alike(windows, trained):
    x = windows[0][:9]
    ours = trained.predict_windows(x)
    assert ours.shape == (9, 3)
    scale = {
        k: trained.weights_[k] for k in ("input_mean", "input_std", "output_mean", "output_std")
    }
    standard = torch.from_numpy(((x - scale["input_mean"]) / scale["input_std"]).astype(np.float32))
    theirs = trained.build_model()(standard).detach().numpy()
    theirs = theirs * scale["output_std"] + scale["output_mean"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    session = onnxruntime.InferenceSession(trained.to_onnx(), providers=["CPUExecutionProvider"])
    exported = session.run(None, {"input": x.astype(np.float32)})[0]
    np.testing.assert_allclose(ours, exported, rtol=1e-5)
    assert trained.to_onnx() == trained.to_onnx()


def test_windows_save_and_load(windows, trained):
    again = EmissionsPredictionModel.from_files(trained.to_files())
    np.testing.assert_array_equal(
        again.predict_windows(windows[0]), trained.predict_windows(windows[0])
    )
    lower, upper = again.predict_intervals(windows[0], 80)
    assert (lower < upper).all()
    wide = again.predict_intervals(windows[0], 95)
    assert (wide[0] <= lower).all()
    same = EmissionsPredictionModel(**QUICK).train_windows(*windows, seed=3)
    assert same.to_files() == trained.to_files()
    panel = sample_panel((40,))
    bare = replace(
        panel, known=panel.known[:, :0], past=panel.past[:, :0], known_names=(), past_names=()
    )
    with pytest.raises(NotTrainedError, match="bare windows"):
        again.predict(bare, bare.future(1))


def test_bad_windows_are_refused(windows, trained):
    x, y = windows
    model = EmissionsPredictionModel(**QUICK)
    with pytest.raises(NotTrainedError):
        model.predict_windows(x)
    for bad_x, bad_y in (
        (x[:, :29], y),
        (x[..., :9], y),
        (x[0], y),
        (x, y[:, :2]),
        (x, y[:5]),
        (np.where(x > 150, np.nan, x), y),
        (x, np.where(y > y.mean(), np.inf, y)),
    ):
        with pytest.raises(DataError):
            model.train_windows(bad_x, bad_y)
    with pytest.raises(HistoryError):
        model.train_windows(x[:1], y[:1])
    with pytest.raises(UsageError, match="level"):
        trained.predict_intervals(x, 100)
    assert not model.trained_


def _scopes():
    panel = sample_panel((80, 80, 80, 80))
    keys = (
        SeriesKey("a", "scope1_kg"),
        SeriesKey("a", "scope2_kg"),
        SeriesKey("a", "scope3_kg"),
        SeriesKey("b", "co2_t"),
    )
    return replace(panel, keys=keys)


def test_scopes_of_an_entity_are_forecast_together():
    panel = _scopes()
    model = EmissionsPredictionModel(**QUICK).train(panel, horizon=5)
    future = sample_future(panel, 5)
    expected = model.predict(panel, future)
    values = panel.values.copy()
    values[panel.rows_of(1)] *= np.linspace(0.5, 1.5, 80)
    changed = model.predict(replace(panel, values=values), future)
    assert not np.allclose(changed[0], expected[0], rtol=1e-9)  # its sibling is an input
    np.testing.assert_array_equal(changed[3], expected[3])
    scaled = model.predict(replace(panel, values=panel.values * 1000), future)
    np.testing.assert_allclose(scaled, expected * 1000, rtol=1e-9)
    with pytest.raises(NotTrainedError, match="train_windows"):
        model.predict_intervals(np.zeros((1, 30, 10)))


def test_steps_ahead_are_the_first_steps_of_a_longer_forecast():
    panel = _scopes()
    model = EmissionsPredictionModel(**QUICK).train(panel, horizon=5)
    long = model.predict(panel, sample_future(panel, 5))
    np.testing.assert_allclose(model.predict(panel, sample_future(panel, 2)), long[:, :2])


def test_killed_training_resumes_to_the_same_bytes(tmp_path):
    panel = _scopes()
    expected = EmissionsPredictionModel(epochs=3).train(panel, horizon=2).to_files()

    class Dying(FileCheckpoints):
        def save(self, name, data):
            super().save(name, data)
            raise StorageError("killed")

    model = EmissionsPredictionModel(epochs=3)
    model.checkpoints = Dying(tmp_path)
    with pytest.raises(StorageError, match="killed"):
        model.train(panel, horizon=2)
    assert not model.trained_
    model = EmissionsPredictionModel(epochs=3)
    model.checkpoints = FileCheckpoints(tmp_path)
    assert model.train(panel, horizon=2).to_files() == expected


def test_series_never_observed_is_left_out_of_training_and_named_in_prediction():
    panel = _scopes()
    values = panel.values.copy()
    values[panel.rows_of(3)] = np.nan
    panel = replace(panel, values=values)
    model = EmissionsPredictionModel(**QUICK).train(panel, horizon=2)
    with pytest.raises(HistoryError, match="'b'"):
        model.predict(panel, sample_future(panel, 2))


def test_too_short_and_too_few():
    panel = sample_panel((1, 1))
    with pytest.raises(HistoryError, match="two observed periods"):
        EmissionsPredictionModel(**QUICK).train(panel, horizon=1)
    assert "too few" in EmissionsPredictionModel.unsuited(panel, 1)
    assert EmissionsPredictionModel.unsuited(sample_panel((300, 300)), 1) == ""


def test_predicts_in_a_process_without_torch(tmp_path, trained, windows):
    trained.save(tmp_path / "model")
    np.save(tmp_path / "x.npy", windows[0])
    code = textwrap.dedent(
        """
        import sys
        import numpy as np
        sys.modules["torch"] = None  # importing it now fails
        from esgml.forecast.models.lstm_spec import EmissionsPredictionModel
        from esgml.core.errors import MissingExtraError
        model = EmissionsPredictionModel.load(sys.argv[1] + "/model")
        np.save(sys.argv[1] + "/y.npy", model.predict_windows(np.load(sys.argv[1] + "/x.npy")))
        model.to_onnx(), model.summary()
        try:
            model.build_model()
        except MissingExtraError as error:
            assert "esgml[train]" in str(error)
        else:
            raise SystemExit("torch was found")
        """
    )
    # the last bit of a matrix product depends on the number of threads
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=alone)
    with threadpool_limits(1):
        expected = trained.predict_windows(windows[0])
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


def test_examples_in_docstrings():
    assert doctest.testmod(lstm_spec).failed == 0
