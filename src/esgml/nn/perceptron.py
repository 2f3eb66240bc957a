"""A small perceptron that learns in NumPy: forward, backward and Adam on one flat vector.

For networks of some ten thousand weights and batches of some hundred rows, torch spends more
time on calls than on arithmetic; this is several times as fast and needs no torch. Parameter
names are those of `inference` and `onnx_export`: ``hidden.0.weight`` ... ``head.bias``. Gradients
are checked against torch.

References
----------
Kingma, D. P., Ba, J. (2015). Adam: a method for stochastic optimization.
He, K. et al. (2015). Delving deep into rectifiers (first weights).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-5


class Perceptron:
    """Layers of ReLU units and a linear head, all weights in one flat float32 vector.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, units of each hidden layer, outputs.
    rng : numpy.random.Generator
        Draws the first weights.

    Attributes
    ----------
    flat, gradient : array of float32, shape (p,)
    weights : dict of parameter name to array
        Views of `flat`: they change as it does.
    """

    def __init__(self, sizes: Sequence[int], rng: np.random.Generator) -> None:
        self.sizes = tuple(sizes)
        shapes: list[tuple[str, tuple[int, ...]]] = []
        last = len(sizes) - 2
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            name = "head" if i == last else f"hidden.{i}"
            shapes += [(f"{name}.weight", (outputs, inputs)), (f"{name}.bias", (outputs,))]
        count = sum(int(np.prod(shape)) for _, shape in shapes)
        self.flat = np.zeros(count, np.float32)
        self.gradient = np.zeros(count, np.float32)
        self.weights = self._views(self.flat, shapes)
        self._slopes = self._views(self.gradient, shapes)
        self.names = [name.removesuffix(".weight") for name, _ in shapes[::2]]
        for name in self.names:
            w = self.weights[f"{name}.weight"]
            gain = 1.0 if name == "head" else 2.0
            w[:] = rng.standard_normal(w.shape) * np.sqrt(gain / w.shape[1])
        self._first = np.zeros(count, np.float32)
        self._second = np.zeros(count, np.float32)
        self._steps = 0
        self._kept: list[Array] = []

    @staticmethod
    def _views(
        flat: Array, shapes: Sequence[tuple[str, tuple[int, ...]]]
    ) -> dict[str, NDArray[np.float32]]:
        views, at = {}, 0
        for name, shape in shapes:
            size = int(np.prod(shape))
            views[name] = flat[at : at + size].reshape(shape)
            at += size
        return views

    def forward(self, x: Array, keep: int = 0) -> Array:
        """Return the outputs for inputs (n, inputs), shape (n, outputs).

        Parameters
        ----------
        x : array of float32
        keep : int
            Of how many of the first rows to remember what `backward` needs.
        """
        kept = [x[:keep]]
        for name in self.names[:-1]:
            x = x @ self.weights[f"{name}.weight"].T
            x += self.weights[f"{name}.bias"]
            np.maximum(x, 0.0, out=x)
            kept.append(x[:keep])
        if keep:
            self._kept = kept
        out = x @ self.weights["head.weight"].T
        out += self.weights["head.bias"]
        return out

    def backward(self, slope: Array) -> None:
        """Set `gradient` from the loss's derivative by the outputs of the rows kept last.

        Parameters
        ----------
        slope : array of float32, shape (keep, outputs)
        """
        for i in range(len(self.names) - 1, -1, -1):
            name, x = self.names[i], self._kept[i]
            np.matmul(slope.T, x, out=self._slopes[f"{name}.weight"])
            np.add.reduce(slope, axis=0, out=self._slopes[f"{name}.bias"])
            if i:
                slope = slope @ self.weights[f"{name}.weight"]
                slope *= x > 0

    def adam(self, rate: float, clip: float = np.inf) -> None:
        """Move the weights against the gradient, its norm limited to `clip`."""
        g = self.gradient
        norm = math.sqrt(np.dot(g, g))
        if norm > clip:
            g *= clip / norm
        self._steps += 1
        # Both moments are kept without their factors 1 - beta; the numbers below make up for it.
        wide = math.sqrt((1.0 - _BETA2) / (1.0 - _BETA2**self._steps))
        m, v = self._first, self._second
        m *= _BETA1
        m += g
        g *= g
        v *= _BETA2
        v += g
        np.sqrt(v, out=g)
        g += _EPSILON / wide
        np.divide(m, g, out=g)
        g *= rate * (1.0 - _BETA1) / (1.0 - _BETA1**self._steps) / wide
        self.flat -= g

    def move_to(self, other: Perceptron, share: float = 1.0) -> None:
        """Move the weights towards those of another perceptron; 1 = take them over."""
        if share == 1.0:
            self.flat[:] = other.flat
        else:
            self.flat += np.float32(share) * (other.flat - self.flat)


def dueling(out: NDArray[Any]) -> NDArray[Any]:
    """Return the values of actions from outputs whose first column is the state's value.

    The others are what an action adds to it, less their mean (Wang et al. 2016).
    """
    added = out[:, 1:]
    return np.asarray(out[:, :1] + added - added.mean(axis=1, keepdims=True))
