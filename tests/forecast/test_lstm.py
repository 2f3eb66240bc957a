"""The encoder-decoder LSTM: quantiles, covariates, seasons, and the same numbers everywhere."""

from __future__ import annotations

import doctest
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from esgml.checks.samples import sample_future, sample_panel
from esgml.core.errors import HistoryError, NotTrainedError, StorageError, UsageError
from esgml.core.panel import SeriesKey
from esgml.forecast.models import lstm
from esgml.forecast.models.lstm import LSTMForecaster
from esgml.nn.loop import FileCheckpoints
from esgml.nn.windows import Layout, WindowedPanel

QUICK = {"epochs": 2, "members": 1}


@pytest.fixture(scope="module")
def panel():
    return sample_panel((200, 200, 120))


@pytest.fixture(scope="module")
def trained(panel):
    return LSTMForecaster(epochs=3, members=2).train(panel, horizon=7, seed=1)


def test_quantiles_surround_the_median(panel, trained):
    future = sample_future(panel, 7)
    quantiles = trained.predict_quantiles(panel, future)
    assert quantiles.shape == (3, 7, 5)
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    np.testing.assert_array_equal(quantiles[..., 2], trained.predict(panel, future))
    assert (quantiles >= 0).all()


def test_future_covariates_move_the_forecast(panel):
    """A target that doubles with a covariate known ahead follows it."""
    rng = np.random.default_rng(0)
    driver = rng.choice([1.0, 2.0], panel.rows)
    driven = replace(
        panel, known=driver[:, None], values=100 * driver + rng.normal(0, 1, panel.rows)
    )
    model = LSTMForecaster(epochs=10, members=1).train(driven, horizon=3, seed=1)
    future = driven.future(3)
    known = np.array([1.0, 2.0, 1.0])[None, :, None] * np.ones((3, 1, 1))
    result = model.predict(driven, replace(future, known=known))
    assert (result[:, 1] > 1.4 * result[:, 0]).all()
    assert (result[:, 1] > 1.4 * result[:, 2]).all()


def test_a_weekly_pattern_is_found():
    pattern = np.array([10.0, 12, 14, 11, 9, 2, 1])
    panel = sample_panel((210, 210))
    panel = replace(panel, values=np.tile(pattern, 60))
    model = LSTMForecaster(epochs=8, members=1).train(panel, horizon=7, seed=1)
    result = model.predict(panel, sample_future(panel, 7))
    np.testing.assert_allclose(result, np.tile(pattern, (2, 1)), atol=1.2)


def test_forecasts_scale_with_the_series(panel, trained):
    future = sample_future(panel, 7)
    larger = replace(panel, values=panel.values * 1000)
    np.testing.assert_allclose(
        trained.predict(larger, future), 1000 * trained.predict(panel, future), rtol=1e-9
    )


def test_a_shorter_horizon_gives_the_first_steps(panel, trained):
    long = trained.predict(panel, sample_future(panel, 7))
    short = trained.predict(panel, sample_future(panel, 2))
    np.testing.assert_allclose(short, long[:, :2], rtol=1e-12)


def test_onnx_gives_the_same_quantiles(panel, trained):
    future = sample_future(panel, 7)
    table = WindowedPanel(panel, Layout.of(panel.frequency, 7), future)
    batch = table.gather(table.last_origins()[1])
    session = onnxruntime.InferenceSession(trained.to_onnx(), providers=["CPUExecutionProvider"])
    ratios = session.run(
        None,
        {
            "past": batch.past.astype(np.float32),
            "future": batch.future.astype(np.float32),
            "candidates": batch.candidates.astype(np.float32),
            "series": np.array([1, 2, 3]),
        },
    )[0]
    np.testing.assert_allclose(
        ratios * batch.level[:, None, None], trained.predict_quantiles(panel, future), rtol=1e-5
    )


def test_summary_draws_the_layers(trained):
    text = trained.summary()
    for word in ("encoder", "decoder", "gate", "head", "2 such networks"):
        assert word in text
    drawn = 2 * sum(count for _, _, count in trained.layers())
    assert drawn == trained.metadata().details["weights"]
    untrained = LSTMForecaster()
    assert "not trained" in untrained.summary()
    with pytest.raises(NotTrainedError):
        untrained.to_onnx()


def test_unknown_series_and_other_keys(panel, trained):
    keys = tuple(SeriesKey(f"new{i}", "x") for i in range(3))
    result = trained.predict(replace(panel, keys=keys), sample_future(panel, 7))
    assert np.isfinite(result).all()
    future = sample_future(panel, 7)
    nobody = replace(future, time=future.time[:0], known=future.known[:0])
    assert trained.predict(panel.select([]), nobody).shape == (0, 7)


def test_series_without_a_value_is_named(panel, trained):
    values = panel.values.copy()
    values[panel.rows_of(1)] = np.nan
    with pytest.raises(HistoryError, match="site1"):
        trained.predict(replace(panel, values=values), sample_future(panel, 7))
    with pytest.raises(HistoryError, match="two observed"):
        LSTMForecaster(**QUICK).train(sample_panel((1, 1)), horizon=2)
    assert "too few" in LSTMForecaster.unsuited(sample_panel((9, 9)), 2)
    assert LSTMForecaster.unsuited(panel, 2) == ""


@pytest.mark.parametrize("quantiles", [(0.1, 0.9), (0.5, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_bad_quantiles_are_refused(quantiles):
    with pytest.raises(UsageError, match="quantiles"):
        LSTMForecaster(quantiles=quantiles)


def test_a_single_quantile(panel):
    model = LSTMForecaster(**QUICK, quantiles=(0.5,)).train(panel, horizon=2)
    assert model.predict_quantiles(panel, sample_future(panel, 2)).shape == (3, 2, 1)


def test_killed_training_resumes_to_the_same_bytes(panel, tmp_path):
    settings = {"epochs": 2, "members": 2}
    expected = LSTMForecaster(**settings).train(panel, horizon=2, seed=5).to_files()

    class Dying(FileCheckpoints):
        left = 3

        def save(self, name, data):
            super().save(name, data)
            Dying.left -= 1
            if Dying.left == 0:
                raise StorageError("killed")

    model = LSTMForecaster(**settings)
    model.checkpoints = Dying(tmp_path)
    with pytest.raises(StorageError, match="killed"):
        model.train(panel, horizon=2, seed=5)
    assert model.train(panel, horizon=2, seed=5).to_files() == expected


def test_predicts_in_a_process_without_torch(tmp_path, panel, trained):
    trained.save(tmp_path / "model")
    code = textwrap.dedent(
        """
        import sys
        import numpy as np
        sys.modules["torch"] = None  # importing it now fails
        from esgml.checks.samples import sample_future, sample_panel
        from esgml.forecast.models.lstm import LSTMForecaster
        from esgml.core.errors import MissingExtraError
        panel = sample_panel((200, 200, 120))
        model = LSTMForecaster.load(sys.argv[1] + "/model")
        np.save(sys.argv[1] + "/y.npy", model.predict(panel, sample_future(panel, 7)))
        try:
            LSTMForecaster().train(panel, horizon=2)
        except MissingExtraError as error:
            assert "esgml[train]" in str(error)
        else:
            raise SystemExit("torch was found")
        """
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_array_equal(
        np.load(tmp_path / "y.npy"), trained.predict(panel, sample_future(panel, 7))
    )


def test_examples_in_docstrings():
    assert doctest.testmod(lstm).failed == 0
