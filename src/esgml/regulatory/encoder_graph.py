"""The encoder as an ONNX graph, built node by node from its weights, in float32 or int8.

The graph is written out here rather than exported from a training library: it needs no torch,
gives the same bytes everywhere, and every node in it is known. Input: the tokens of one window,
without padding; output: the sum-free mean of the last layer over the window's tokens, of unit
length. One window at a time is on purpose: the int8 graph scales activations by the largest of
what it is given, so that in a padded batch an embedding would depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Raised whenever the graph changes, so that cached files of older graphs are not taken.
VERSION = 1
_OPSET = 20
_IR = 9


class _Graph:
    """Nodes and initializers under construction."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._array = helper, numpy_helper.from_array
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        if name not in self.constants:
            self.constants[name] = self._array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.array(name))

    def array(self, name: str) -> NDArray[np.float32]:
        try:
            return np.asarray(self.weights[name], dtype=np.float32)
        except KeyError:
            raise IntegrityError(f"the encoder's weights lack {name!r}.") from None

    def add(self, op: str, inputs: list[str], name: str, outputs: int = 1, **attrs: Any) -> str:
        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(self._helper.make_node(op, inputs, names, name=name, **attrs))
        return name

    def dense(self, x: str, kernel: NDArray[Any], bias: NDArray[Any], name: str) -> str:
        product = self.add(
            "MatMul", [x, self.constant(f"{name}.kernel", kernel)], f"{name}.product"
        )
        return self.add("Add", [product, self.constant(f"{name}.bias", bias)], name)

    def norm(self, x: str, name: str, epsilon: float) -> str:
        inputs = [x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.add("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon)


def build(weights: Mapping[str, NDArray[Any]], config: Mapping[str, Any], length: int) -> bytes:
    """Return the float32 graph of a BERT with mean pooling and unit length.

    Parameters
    ----------
    weights : mapping of parameter name to array
        Named as in the published checkpoints, with or without the prefix ``bert.``.
    config : mapping
        ``hidden_size``, ``num_attention_heads``, ``num_hidden_layers``, ``layer_norm_eps``.
    length : int
        Most tokens of a window: positions beyond it are left out of the file.

    Returns
    -------
    bytes
        ONNX model: ``tokens`` int64 (1, length) -> ``embedding`` float32 (1, hidden).

    Raises
    ------
    IntegrityError
        If a parameter is missing or of the wrong shape.
    MissingExtraError
        If onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("onnx", "text") from error
    weights = {name.removeprefix("bert."): value for name, value in weights.items()}
    graph = _Graph(weights)
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    epsilon = float(config.get("layer_norm_eps", 1e-12))
    x = _embeddings(graph, hidden, epsilon, length)
    for layer in range(int(config["num_hidden_layers"])):
        x = _layer(graph, x, f"encoder.layer.{layer}", hidden, heads, epsilon)
    mean = graph.add(
        "ReduceMean", [x, graph.constant("axis.1", np.array([1]))], "pooled", keepdims=0
    )
    graph.add("LpNormalization", [mean], "embedding", axis=-1, p=2)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence_encoder",
            [helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "length"])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, hidden])],
            list(graph.constants.values()),
        ),
        producer_name="esgml",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
    )
    return bytes(model.SerializeToString())


def _embeddings(graph: _Graph, hidden: int, epsilon: float, length: int) -> str:
    words = graph.array("embeddings.word_embeddings.weight")
    if words.ndim != 2 or words.shape[1] != hidden:
        raise IntegrityError("the encoder's word embeddings do not have its hidden size.")
    # All tokens are of type 0, so that its embedding is added to the positions once.
    places = graph.array("embeddings.position_embeddings.weight")[:length]
    places = places + graph.array("embeddings.token_type_embeddings.weight")[0]
    word = graph.add(
        "Gather", [graph.weight("embeddings.word_embeddings.weight"), "tokens"], "words"
    )
    shape = graph.add("Shape", ["tokens"], "length", start=1, end=2)
    zero, one = graph.constant("start", np.array([0])), graph.constant("axis.0", np.array([0]))
    place = graph.add("Slice", [graph.constant("places", places), zero, shape, one], "place")
    total = graph.add("Add", [word, place], "embedded")
    return graph.norm(total, "embeddings.LayerNorm", epsilon)


def _layer(graph: _Graph, x: str, name: str, hidden: int, heads: int, epsilon: float) -> str:
    """Add one transformer layer: attention, feed-forward, each with residual and norm."""
    size = hidden // heads
    kernels, biases = [], []
    for part in ("query", "key", "value"):
        kernels.append(graph.array(f"{name}.attention.self.{part}.weight").T)
        biases.append(graph.array(f"{name}.attention.self.{part}.bias"))
    # The scale of the scores goes into the query, and all three become one product.
    kernels[0], biases[0] = kernels[0] / np.sqrt(size), biases[0] / np.sqrt(size)
    kernel = np.concatenate(kernels, axis=1).astype(np.float32)
    bias = np.concatenate(biases).astype(np.float32)
    if kernel.shape != (hidden, 3 * hidden):
        raise IntegrityError(f"the attention of {name} does not have the hidden size.")
    mixed = graph.dense(x, kernel, bias, f"{name}.qkv")
    split = graph.constant("shape.heads", np.array([0, 0, 3, heads, size]))
    apart = graph.add("Reshape", [mixed, split], f"{name}.apart")
    turned = graph.add("Transpose", [apart], f"{name}.turned", perm=[2, 0, 3, 1, 4])
    graph.add("Split", [turned], f"{name}.parts", outputs=3, axis=0, num_outputs=3)
    axis = graph.constant("axis.0", np.array([0]))
    q, k, v = (graph.add("Squeeze", [f"{name}.parts.{i}", axis], f"{name}.{i}") for i in range(3))
    across = graph.add("Transpose", [k], f"{name}.across", perm=[0, 1, 3, 2])
    scores = graph.add("MatMul", [q, across], f"{name}.scores")
    shares = graph.add("Softmax", [scores], f"{name}.shares", axis=-1)
    seen = graph.add("MatMul", [shares, v], f"{name}.seen")
    back = graph.add("Transpose", [seen], f"{name}.back", perm=[0, 2, 1, 3])
    flat = graph.add(
        "Reshape", [back, graph.constant("shape.flat", np.array([0, 0, hidden]))], f"{name}.flat"
    )
    x = _residual(graph, flat, x, f"{name}.attention.output", epsilon)
    inner = _project(graph, x, f"{name}.intermediate.dense")
    active = graph.add("Gelu", [inner], f"{name}.active")
    return _residual(graph, active, x, f"{name}.output", epsilon)


def _project(graph: _Graph, x: str, name: str) -> str:
    return graph.dense(x, graph.array(f"{name}.weight").T, graph.array(f"{name}.bias"), name)


def _residual(graph: _Graph, x: str, before: str, name: str, epsilon: float) -> str:
    total = graph.add("Add", [_project(graph, x, f"{name}.dense"), before], f"{name}.sum")
    return graph.norm(total, f"{name}.LayerNorm", epsilon)


def quantize(model: bytes) -> bytes:
    """Return the graph with int8 weights, one scale a column, activations scaled as they come.

    One scale for a whole matrix costs this encoder six hundredths of cosine; one a column costs
    about one. The word embeddings, three quarters of the file, are int8 too.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("onnxruntime", "text") from error
    import logging
    import tempfile
    from pathlib import Path

    root = logging.getLogger()
    level = root.level
    with tempfile.TemporaryDirectory(prefix="esgml-int8-") as folder:
        target = Path(folder) / "int8.onnx"
        root.setLevel(logging.ERROR)  # the quantizer advises a pre-processing this graph needs not
        try:
            quantize_dynamic(
                onnx.load_from_string(model),
                target,
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
        finally:
            root.setLevel(level)
        return target.read_bytes()
