"""Forward passes in NumPy: what every prediction of a network is made with.

Training keeps float32 weights; here they are widened to float64, so that a row predicted alone
and the same row in a batch agree to 1e-12 whatever order the products are summed in. Checked
against torch to 1e-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: Most rows computed at once; bounds the memory of a large batch.
CHUNK = 2048


def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))`` without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))`` without overflow."""
    return np.asarray(np.logaddexp(0.0, x))


def softmax(x: Array) -> Array:
    """Return the softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def dense(x: Array, weights: Mapping[str, NDArray[Any]], name: str) -> Array:
    """Return ``x W' + b`` of the linear layer `name`; `x` of shape (..., inputs)."""
    w = weights[f"{name}.weight"].astype(np.float64)
    return np.asarray(x @ w.T + weights[f"{name}.bias"].astype(np.float64))


def dense_stack(x: Array, weights: Mapping[str, NDArray[Any]], layers: int) -> Array:
    """Run `autoencoder.Autoencoder`: dense layers ``layers.0``, ``layers.1``, ..., ReLU between.

    Parameters
    ----------
    x : array, shape (n, inputs)
    weights : mapping of parameter name to array
    layers : int
        Number of layers; the last one is linear.

    Returns
    -------
    array, shape (n, outputs)
    """
    for layer in range(layers - 1):
        x = np.maximum(dense(x, weights, f"layers.{layer}"), 0.0)
    return dense(x, weights, f"layers.{layers - 1}")


def lstm(
    x: Array,
    weights: Mapping[str, NDArray[Any]],
    name: str,
    state: tuple[Array, Array] | None = None,
) -> tuple[Array, tuple[Array, Array]]:
    """Run one LSTM layer over a batch of sequences.

    Parameters
    ----------
    x : array, shape (n, steps, inputs)
    weights : mapping
        With ``{name}.weight_ih_l0`` of shape (4 units, inputs), ``weight_hh_l0`` and the two
        biases; gates in torch's order: input, forget, cell, output.
    name : str
    state : pair of arrays of shape (n, units), optional
        Hidden and cell state to begin with; zeros where omitted.

    Returns
    -------
    outputs : array, shape (n, steps, units)
    state : pair of arrays, shape (n, units)
        Last hidden and cell state.
    """
    recurrent = weights[f"{name}.weight_hh_l0"].astype(np.float64).T
    bias = weights[f"{name}.bias_ih_l0"].astype(np.float64) + weights[f"{name}.bias_hh_l0"]
    units = recurrent.shape[0]
    driven = x @ weights[f"{name}.weight_ih_l0"].astype(np.float64).T + bias
    h, c = state if state is not None else (np.zeros((len(x), units)), np.zeros((len(x), units)))
    outputs = np.empty((*x.shape[:2], units))
    for t in range(x.shape[1]):
        gates = driven[:, t] + h @ recurrent
        i, f, o = (sigmoid(gates[:, k * units : (k + 1) * units]) for k in (0, 1, 3))
        c = f * c + i * np.tanh(gates[:, 2 * units : 3 * units])
        h = o * np.tanh(c)
        outputs[:, t] = h
    return outputs, (h, c)


def stacked_lstm(x: Array, weights: Mapping[str, NDArray[Any]]) -> Array:
    """Run `blocks.StackedLSTM`: two LSTM layers, a ReLU layer, a linear layer.

    Parameters
    ----------
    x : array, shape (n, window, features)
    weights : mapping of parameter name to array

    Returns
    -------
    array, shape (n, outputs)
    """
    parts = []
    for start in range(0, len(x), CHUNK):
        first, _ = lstm(x[start : start + CHUNK].astype(np.float64), weights, "lstm1")
        _, (last, _) = lstm(first, weights, "lstm2")
        parts.append(dense(np.maximum(dense(last, weights, "dense"), 0.0), weights, "output"))
    outputs = len(weights["output.bias"])
    return np.concatenate(parts) if parts else np.empty((0, outputs))


def encoder_decoder(
    past: Array,
    future: Array,
    candidates: Array,
    series: NDArray[np.int64],
    weights: Mapping[str, NDArray[Any]],
    median: int,
) -> Array:
    """Run `blocks.EncoderDecoder` and return its quantiles.

    Parameters
    ----------
    past : array, shape (n, window, p)
    future : array, shape (n, horizon, f)
    candidates : array, shape (n, horizon, s)
        Simple forecasts, which the network weighs and corrects.
    series : array of int, shape (n,)
        Row of the embedding table; 0 = a series not seen in training.
    weights : mapping of parameter name to array
    median : int
        Position of the median among the quantiles.

    Returns
    -------
    array, shape (n, horizon, quantiles)
        Never decreasing along the last axis.
    """
    parts = []
    for start in range(0, len(past), CHUNK):
        cut = slice(start, start + CHUNK)
        who = weights["embedding.weight"].astype(np.float64)[series[cut]]
        _, state = lstm(_beside(past[cut], who), weights, "encoder")
        seen, _ = lstm(_beside(future[cut], who), weights, "decoder", state)
        hidden = np.maximum(
            dense(np.concatenate([seen, _beside(future[cut], who)], -1), weights, "hidden"), 0.0
        )
        base = (softmax(dense(hidden, weights, "gate")) * candidates[cut]).sum(-1)
        out = dense(hidden, weights, "head")
        middle = base + out[..., median]
        steps = softplus(out)
        above = np.cumsum(steps[..., median + 1 :], axis=-1)
        below = np.cumsum(steps[..., :median][..., ::-1], axis=-1)[..., ::-1]
        parts.append(
            np.concatenate(
                [middle[..., None] - below, middle[..., None], middle[..., None] + above], -1
            )
        )
    quantiles = len(weights["head.bias"])
    return np.concatenate(parts) if parts else np.empty((0, future.shape[1], quantiles))


def _beside(x: Array, who: Array) -> Array:
    """Append the series' embedding to every step of `x`."""
    tiled = np.broadcast_to(who[:, None, :], (*x.shape[:2], who.shape[-1]))
    return np.concatenate([x.astype(np.float64), tiled], axis=-1)
