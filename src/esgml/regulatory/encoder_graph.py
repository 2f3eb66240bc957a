"""The encoder as an ONNX graph, built node by node from its weights, in float32 or int8.

The graph is written out here rather than exported from a training library: it needs no torch,
gives the same bytes everywhere, and every node in it is known. Input: the tokens of one window,
without padding; output: the sum-free mean of the last layer over the window's tokens, of unit
length.

In int8 every weight matrix has one scale a column, every word's embedding one of its own, and
every token's activations one of their own, found as they come. One scale for all tokens of a
window, as libraries do by default, lets the largest token take the precision of the others: it
costs twice as much cosine and makes a vector depend on what stands beside it.

Processors with AVX2 and no 8-bit dot product clip the sum of two products at 16 bits, so that
vectors differ a little between machines. Weights of 7 bits would be exact everywhere and cost more
cosine than the clipping does, measured on articles of EU acts: they stay at 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Raised whenever the graph changes, so that cached files of older graphs are not taken.
VERSION = 2
_OPSET = 20
_IR = 9
#: Largest of the whole numbers a weight or an activation becomes, and where those are shifted to.
_MOST, _MIDDLE = 127, 128
#: Least range that is scaled, so that zeros stay zeros.
_LEAST = 1e-9


class _Graph:
    """Nodes and initializers under construction."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], *, int8: bool) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self.int8 = int8
        self._helper, self._array, self._type = helper, numpy_helper.from_array, TensorProto
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        if name not in self.constants:
            self.constants[name] = self._array(np.asarray(value, order="C"), name)
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
        if self.int8:
            product = self._product(x, kernel, name)
        else:
            inputs = [x, self.constant(f"{name}.kernel", kernel)]
            product = self.add("MatMul", inputs, f"{name}.product")
        return self.add("Add", [product, self.constant(f"{name}.bias", bias)], name)

    def _product(self, x: str, kernel: NDArray[Any], name: str) -> str:
        """Add a product of 8-bit numbers: one scale a token of `x`, one a column of the kernel."""
        whole, scale = _rounded(kernel, axis=0)
        largest = self.add("Abs", [x], f"{name}.size")
        last = self.constant("axis.last", np.array([-1]))
        largest = self.add("ReduceMax", [largest, last], f"{name}.largest", keepdims=1)
        least = self.constant("least", np.array(_LEAST, np.float32))
        largest = self.add("Max", [largest, least], f"{name}.range")
        step = self.constant("step", np.array(1 / _MOST, np.float32))
        token = self.add("Mul", [largest, step], f"{name}.scale")
        shifted = self.add("Div", [x, token], f"{name}.steps")
        # Shifted to be positive: products of unsigned and signed numbers are the fast ones.
        middle = self.constant("middle", np.array(_MIDDLE, np.float32))
        shifted = self.add("Add", [shifted, middle], f"{name}.shifted")
        shifted = self.add("Round", [shifted], f"{name}.rounded")
        small = self.add("Cast", [shifted], f"{name}.small", to=self._type.UINT8)
        zero = self.constant("zero", np.array(_MIDDLE, np.uint8))
        inputs = [small, self.constant(f"{name}.kernel", whole), zero]
        total = self.add("MatMulInteger", inputs, f"{name}.integers")
        total = self.add("Cast", [total], f"{name}.total", to=self._type.FLOAT)
        column = self.constant(f"{name}.columns", scale)
        total = self.add("Mul", [total, column], f"{name}.scaled")
        return self.add("Mul", [total, token], f"{name}.product")

    def rows(self, table: str, index: str, name: str) -> str:
        """Add the rows of a table of weights that an index names."""
        if not self.int8:
            return self.add("Gather", [self.weight(table), index], name)
        whole, scale = _rounded(self.array(table), axis=1)
        row = self.add("Gather", [self.constant(table, whole), index], f"{name}.small")
        row = self.add("Cast", [row], f"{name}.whole", to=self._type.FLOAT)
        each = self.add("Gather", [self.constant(f"{table}.rows", scale), index], f"{name}.scale")
        return self.add("Mul", [row, each], name)

    def norm(self, x: str, name: str, epsilon: float) -> str:
        inputs = [x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.add("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon)


def _rounded(matrix: NDArray[Any], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return a matrix as whole numbers of 8 bits, and the scales along an axis."""
    scale = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True), _LEAST) / _MOST
    return np.round(matrix / scale).astype(np.int8), scale.astype(np.float32)


def build(
    weights: Mapping[str, NDArray[Any]],
    config: Mapping[str, Any],
    length: int,
    *,
    int8: bool = False,
) -> bytes:
    """Return the graph of a BERT with mean pooling and unit length.

    Parameters
    ----------
    weights : mapping of parameter name to array
        Named as in the published checkpoints, with or without the prefix ``bert.``.
    config : mapping
        ``hidden_size``, ``num_attention_heads``, ``num_hidden_layers``, ``layer_norm_eps``.
    length : int
        Most tokens of a window: positions beyond it are left out of the file.
    int8 : bool
        Weights and products in 8 bits: a quarter of the size, cosine to float32 above .99.

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
    graph = _Graph(weights, int8=int8)
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
    word = graph.rows("embeddings.word_embeddings.weight", "tokens", "words")
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
