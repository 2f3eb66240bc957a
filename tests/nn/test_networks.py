"""The same network three ways - torch, NumPy, ONNX - gives the same numbers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from esgml.core.errors import IntegrityError
from esgml.nn import inference, onnx_export, weights
from esgml.nn.blocks import EncoderDecoder, StackedLSTM, masked_mae, masked_mse, pinball
from esgml.nn.loop import arrays_of, seeded


def _run(data: bytes, **inputs):
    onnx.checker.check_model(onnx.load_from_string(data))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def _noisy(module, seed=0):
    """Give every parameter random values, so that nothing is hidden by zeros."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.from_numpy(rng.normal(0, 0.3, p.shape).astype(np.float32)))
    return module.eval()


@pytest.mark.parametrize("n", [1, 7])
def test_stacked_lstm(n):
    module = _noisy(StackedLSTM())
    x = np.random.default_rng(1).normal(size=(n, 30, 10)).astype(np.float32)
    held = arrays_of(module)
    ours = inference.stacked_lstm(x, held)
    np.testing.assert_allclose(ours, module(torch.from_numpy(x)).detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(ours, _run(onnx_export.stacked_lstm(held, 30), input=x), atol=1e-5)


def test_scaling_is_part_of_the_graph():
    held = arrays_of(_noisy(StackedLSTM()))
    rng = np.random.default_rng(2)
    x = rng.normal(50, 9, size=(3, 30, 10)).astype(np.float32)
    scaling = [np.full(10, 50.0), np.full(10, 9.0), np.array([1.0, 2, 3]), np.array([4.0, 5, 6])]
    expected = inference.stacked_lstm((x - 50.0) / 9.0, held) * scaling[3] + scaling[2]
    got = _run(onnx_export.stacked_lstm(held, 30, scaling), input=x)
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize(("quantiles", "median"), [(5, 2), (1, 0), (2, 0), (2, 1)])
def test_encoder_decoder(quantiles, median):
    module = _noisy(EncoderDecoder(6, 9, 4, 3, quantiles, median, units=8, hidden=8))
    rng = np.random.default_rng(3)
    past, future = rng.normal(size=(5, 12, 6)), rng.normal(size=(5, 7, 9))
    candidates = rng.normal(size=(5, 7, 4))
    series = np.array([0, 1, 2, 3, 1])
    held = arrays_of(module)
    ours = inference.encoder_decoder(past, future, candidates, series, held, median)
    assert ours.shape == (5, 7, quantiles)
    assert (np.diff(ours, axis=-1) >= 0).all()
    floats = [a.astype(np.float32) for a in (past, future, candidates)]
    theirs = module(*map(torch.from_numpy, floats), torch.from_numpy(series)).detach().numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    twice = {f"{m}/{k}": v for m in (0, 1) for k, v in held.items()}
    data = onnx_export.encoder_decoder(twice, 2, 12, median)
    inputs = dict(zip(("past", "future", "candidates"), floats, strict=True))
    np.testing.assert_allclose(ours, _run(data, **inputs, series=series), atol=1e-5)


def test_large_batches_are_cut_without_a_trace(monkeypatch):
    held = arrays_of(seeded(StackedLSTM, 1))
    x = np.random.default_rng(4).normal(size=(9, 30, 10))
    whole = inference.stacked_lstm(x, held)
    monkeypatch.setattr(inference, "CHUNK", 4)
    np.testing.assert_allclose(inference.stacked_lstm(x, held), whole, rtol=1e-12)
    assert inference.stacked_lstm(x[:0], held).shape == (0, 3)


def test_batch_equals_single():
    held = arrays_of(seeded(StackedLSTM, 1))
    x = np.random.default_rng(5).normal(size=(33, 30, 10))
    alone = np.concatenate([inference.stacked_lstm(row[None], held) for row in x])
    np.testing.assert_allclose(inference.stacked_lstm(x, held), alone, rtol=1e-11, atol=1e-12)


def test_extreme_inputs_stay_finite():
    held = arrays_of(seeded(StackedLSTM, 1))
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(inference.stacked_lstm(np.full((1, 30, 10), 1e6), held)).all()
    assert inference.softplus(np.array([800.0, -800.0])).tolist() == [800.0, 0.0]


def test_losses_ignore_what_has_no_weight():
    predicted, actual = torch.tensor([1.0, 5.0]), torch.tensor([3.0, float(9)])
    weight = torch.tensor([1.0, 0.0])
    assert float(masked_mse(predicted, actual, weight)) == 4.0
    assert float(masked_mae(predicted, actual, weight)) == 2.0
    levels = torch.tensor([0.1, 0.5])
    loss = pinball(predicted[:, None].expand(2, 2), actual, weight, levels)
    assert float(loss) == pytest.approx((0.1 * 2 + 0.5 * 2) / 2)
    assert float(masked_mse(predicted, actual, weight * 0)) == 0.0


def test_weights_survive_and_their_bytes_are_the_same():
    arrays = arrays_of(seeded(StackedLSTM, 3)) | {"step": np.array(3.0, dtype=np.float32)}
    data = weights.pack(arrays)
    assert data == weights.pack(dict(reversed(arrays.items())))
    back = weights.unpack(data)
    assert set(back) == set(arrays)
    for name, value in arrays.items():
        assert back[name].shape == value.shape
        np.testing.assert_array_equal(back[name], value)
    with pytest.raises(IntegrityError, match="safetensors"):
        weights.unpack(data[:-3])
