"""The networks as ONNX, written operator by operator from their weights; needs no torch.

Batch size (and the horizon of the encoder-decoder) stay free. Weights are inside the file;
there is no external data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import MissingExtraError
from esgml.nn.weights import prefixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 17


class _Graph:
    """Collects nodes and constants under made-up names."""

    def __init__(self) -> None:
        try:
            import onnx
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("onnx", "train") from error
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def const(self, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def add(
        self, kind: str, *inputs: str, outputs: int = 1, keep: int = 0, **attributes: Any
    ) -> str:
        """Add a node and return the name of its output number `keep`."""
        names = [f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names[keep]

    def floats(self, value: Any) -> str:
        """Add a float32 constant and return its name."""
        return self.const(np.asarray(value, dtype=np.float32))

    def ints(self, *value: int) -> str:
        """Add a vector of integers and return its name."""
        return self.const(np.array(value, dtype=np.int64))

    def dense(self, x: str, weights: Mapping[str, NDArray[Any]], name: str) -> str:
        """Add a linear layer over the last axis."""
        product = self.add("MatMul", x, self.floats(weights[f"{name}.weight"].T.copy()))
        return self.add("Add", product, self.floats(weights[f"{name}.bias"]))

    def lstm(
        self, x: str, weights: Mapping[str, NDArray[Any]], name: str, state: Sequence[str] = ()
    ) -> tuple[str, str, str]:
        """Add an LSTM over (steps, n, inputs); returns its outputs and last states."""
        w, r = (_gates(weights[f"{name}.weight_{k}_l0"])[None] for k in ("ih", "hh"))
        b = np.concatenate([_gates(weights[f"{name}.bias_{k}_l0"]) for k in ("ih", "hh")])[None]
        inputs = [x, self.floats(w), self.floats(r), self.floats(b)]
        if state:
            inputs += ["", *state]
        y = self.add("LSTM", *inputs, outputs=3, hidden_size=r.shape[-1])
        return self.add("Squeeze", y, self.ints(1)), f"{y[:-1]}1", f"{y[:-1]}2"

    def model(self, inputs: Sequence[Any], output: str, shape: Sequence[str | int]) -> bytes:
        """Return the graph as ONNX bytes, checked."""
        helper, proto = self.onnx.helper, self.onnx.TensorProto
        self.nodes.append(helper.make_node("Identity", [output], ["output"]))
        graph = helper.make_graph(
            self.nodes,
            "esgml",
            list(inputs),
            [helper.make_tensor_value_info("output", proto.FLOAT, list(shape))],
            [self.onnx.numpy_helper.from_array(v, k) for k, v in self.constants.items()],
        )
        made = helper.make_model(
            graph, producer_name="esgml", opset_imports=[helper.make_opsetid("", OPSET)]
        )
        made.ir_version = 8  # read by every onnxruntime since 1.12
        self.onnx.checker.check_model(made, full_check=True)
        return bytes(made.SerializeToString())

    def input(self, name: str, shape: Sequence[str | int], integer: bool = False) -> Any:
        """Declare an input."""
        proto = self.onnx.TensorProto
        kind = proto.INT64 if integer else proto.FLOAT
        return self.onnx.helper.make_tensor_value_info(name, kind, list(shape))


def _gates(value: NDArray[Any]) -> NDArray[Any]:
    """Reorder torch's gates (input, forget, cell, output) to ONNX's (i, o, f, c)."""
    i, f, c, o = np.split(value, 4)
    return np.concatenate([i, o, f, c])


def stacked_lstm(
    weights: Mapping[str, NDArray[Any]],
    window: int,
    scaling: Sequence[NDArray[Any]] | None = None,
) -> bytes:
    """Return `blocks.StackedLSTM` as ONNX: ``input`` (batch, window, features) -> ``output``.

    Parameters
    ----------
    weights : mapping of parameter name to array
    window : int
        Steps of the input.
    scaling : four arrays, optional
        Mean and deviation of the inputs, mean and deviation of the outputs.
    """
    graph = _Graph()
    features = weights["lstm1.weight_ih_l0"].shape[1]
    outputs = len(weights["output.bias"])
    x = "input"
    if scaling is not None:
        x = graph.add("Sub", x, graph.floats(scaling[0]))
        x = graph.add("Div", x, graph.floats(scaling[1]))
    x = graph.add("Transpose", x, perm=[1, 0, 2])
    first, _, _ = graph.lstm(x, weights, "lstm1")
    _, last, _ = graph.lstm(first, weights, "lstm2")
    hidden = graph.dense(graph.add("Squeeze", last, graph.ints(0)), weights, "dense")
    y = graph.dense(graph.add("Relu", hidden), weights, "output")
    if scaling is not None:
        y = graph.add("Mul", y, graph.floats(scaling[3]))
        y = graph.add("Add", y, graph.floats(scaling[2]))
    return graph.model([graph.input("input", ["batch", window, features])], y, ["batch", outputs])


def encoder_decoder(
    weights: Mapping[str, NDArray[Any]], members: int, window: int, median: int
) -> bytes:
    """Return the mean of the members' `blocks.EncoderDecoder` as ONNX.

    Inputs ``past`` (batch, window, p), ``future`` (batch, horizon, f), ``candidates`` (batch,
    horizon, s) and ``series`` (batch,) of integers; ``output`` (batch, horizon, quantiles) in
    ratios to the level.
    """
    graph = _Graph()
    total = ""
    for member in range(members):
        one = _one_member(graph, prefixed(weights, f"{member}/"), median)
        total = graph.add("Add", total, one) if total else one
    mean = graph.add("Div", total, graph.floats(members))
    first = prefixed(weights, "0/")
    embedding = first["embedding.weight"].shape[1]
    return graph.model(
        [
            graph.input("past", ["batch", window, _inputs(first, "encoder") - embedding]),
            graph.input("future", ["batch", "horizon", _inputs(first, "decoder") - embedding]),
            graph.input("candidates", ["batch", "horizon", len(first["gate.bias"])]),
            graph.input("series", ["batch"], integer=True),
        ],
        mean,
        ["batch", "horizon", len(first["head.bias"])],
    )


def _inputs(weights: Mapping[str, NDArray[Any]], name: str) -> int:
    return int(weights[f"{name}.weight_ih_l0"].shape[1])


def _one_member(graph: _Graph, weights: Mapping[str, NDArray[Any]], median: int) -> str:
    """Add one encoder-decoder; returns the name of its quantiles."""
    who = graph.add("Gather", graph.floats(weights["embedding.weight"]), "series")
    who = graph.add("Unsqueeze", who, graph.ints(1))

    def beside(x: str) -> str:
        column = graph.add("Slice", x, graph.ints(0), graph.ints(1), graph.ints(2))
        zero = graph.add("Mul", column, graph.floats(0.0))
        return graph.add("Concat", x, graph.add("Add", zero, who), axis=2)

    past = graph.add("Transpose", beside("past"), perm=[1, 0, 2])
    future = beside("future")
    _, h, c = graph.lstm(past, weights, "encoder")
    seen, _, _ = graph.lstm(
        graph.add("Transpose", future, perm=[1, 0, 2]), weights, "decoder", (h, c)
    )
    seen = graph.add("Transpose", seen, perm=[1, 0, 2])
    hidden = graph.add(
        "Relu", graph.dense(graph.add("Concat", seen, future, axis=2), weights, "hidden")
    )
    gate = graph.add("Softmax", graph.dense(hidden, weights, "gate"), axis=-1)
    weighed = graph.add("Mul", gate, "candidates")
    base = graph.add("ReduceSum", weighed, graph.ints(2), keepdims=1)
    out = graph.dense(hidden, weights, "head")
    quantiles = len(weights["head.bias"])

    def cut(x: str, begin: int, end: int) -> str:
        return graph.add("Slice", x, graph.ints(begin), graph.ints(end), graph.ints(2))

    middle = graph.add("Add", base, cut(out, median, median + 1))
    steps = graph.add("Softplus", out)
    parts = [middle]
    axis = graph.const(np.array(2, dtype=np.int64))
    if median:
        below = graph.add("CumSum", cut(steps, 0, median), axis, reverse=1)
        parts.insert(0, graph.add("Sub", middle, below))
    if median + 1 < quantiles:
        above = graph.add("CumSum", cut(steps, median + 1, quantiles), axis)
        parts.append(graph.add("Add", middle, above))
    return graph.add("Concat", *parts, axis=2) if len(parts) > 1 else middle


def perceptron(
    weights: Mapping[str, NDArray[Any]],
    scaling: Sequence[NDArray[Any]],
    *,
    dueling: bool = False,
) -> bytes:
    """Return layers of ReLU units as ONNX: ``input`` (batch, features) -> ``output``.

    Parameters
    ----------
    weights : mapping of parameter name to array
        ``hidden.0.weight`` ..., and ``head``.
    scaling : two arrays
        Mean and deviation of the inputs.
    dueling : bool
        Whether the first output is the value of the state, to which the others, less their
        mean, are added.
    """
    graph = _Graph()
    x = graph.add("Sub", "input", graph.floats(scaling[0]))
    x = graph.add("Div", x, graph.floats(scaling[1]))
    layer = 0
    while f"hidden.{layer}.weight" in weights:
        x = graph.add("Relu", graph.dense(x, weights, f"hidden.{layer}"))
        layer += 1
    y = graph.dense(x, weights, "head")
    outputs = len(weights["head.bias"])
    if dueling:
        axis = graph.ints(1)
        state = graph.add("Slice", y, graph.ints(0), graph.ints(1), axis)
        added = graph.add("Slice", y, graph.ints(1), graph.ints(outputs), axis)
        centre = graph.add("ReduceMean", added, axes=[1], keepdims=1)
        y = graph.add("Add", state, graph.add("Sub", added, centre))
    shape: list[str | int] = ["batch", outputs - int(dueling)]
    return graph.model([graph.input("input", ["batch", len(scaling[0])])], y, shape)
