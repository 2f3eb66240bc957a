"""Isolation trees as flat arrays: depths of rows, compiled where numba is there.

All trees lie one after the other. The two children of a node are neighbours, so a step down is
``left[node] + (value > threshold[node])``, and a leaf points at itself below an infinite
threshold: every row takes the same number of steps in a tree, without a branch. Both paths, the
compiled one and the one in NumPy, compare the same float32 numbers and add the same leaves in
the same order, so they return the same bits.

Values are compared as float32, as scikit-learn does; its float64 thresholds are rounded down to
float32 here, which changes no comparison with a float32 value.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LARGEST = float(np.finfo(np.float32).max)
_CHUNK = 1024  # rows the NumPy path takes at once
_ARRAYS = {
    "roots": np.int32,
    "steps": np.int32,
    "feature": np.int32,
    "threshold": np.float32,
    "left": np.int32,
    "missing_right": np.uint8,
    "value": np.float64,
    "expected": np.float64,
}


def path_length(rows: Floats) -> Floats:
    """Return the mean depth of an unsuccessful search among so many rows (Liu et al., eq. 1)."""
    result = np.zeros(rows.shape)
    result[rows == 2] = 1.0
    many = rows > 2
    n = rows[many]
    result[many] = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return result


@dataclass(frozen=True)
class FlatForest:
    """Isolation trees, flattened.

    Attributes
    ----------
    roots, steps : array of int32, shape (trees,)
        Number of each tree's root, and steps to its deepest leaf.
    feature, left : array of int32, shape (nodes,)
        Column compared, and number of the left child (the right one follows; a leaf: itself).
    threshold : array of float32, shape (nodes,)
        A value above it goes right; infinite in leaves.
    missing_right : array of uint8, shape (nodes,)
        1 where a missing value goes right.
    value : array of float64, shape (nodes,)
        Depth of a leaf and the depth its rows would have had below it; 0 elsewhere.
    expected : array of float64, shape (nodes,)
        Mean of `value` over the training rows below a node.
    """

    roots: NDArray[np.int32]
    steps: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    missing_right: NDArray[np.uint8]
    value: Floats
    expected: Floats

    @classmethod
    def of(cls, trees: Sequence[Any], features: Sequence[NDArray[np.int64]]) -> FlatForest:
        """Flatten trees of scikit-learn, each with the columns it was given."""
        parts = []
        start = 0
        for tree, columns in zip(trees, features, strict=True):
            parts.append(_flatten(tree, np.asarray(columns), start))
            start += tree.node_count
        joined = {
            name: np.concatenate([part[name] for part in parts]).astype(dtype)
            for name, dtype in _ARRAYS.items()
        }
        return cls(**joined)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, for saving."""
        return {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], columns: int) -> FlatForest:
        """Take back what `arrays` returned.

        Raises
        ------
        IntegrityError
            If an array is missing or of another kind, or points outside the trees: compiled
            code follows these numbers without looking.
        """
        problem = _fault(arrays, columns)
        if problem:
            raise IntegrityError(f"the saved trees are unusable: {problem}.")
        return cls(**{name: np.ascontiguousarray(arrays[name]) for name in _ARRAYS})

    def depths(self, X: Floats, *, compiled: bool | None = None) -> Floats:
        """Return the sum of every row's depths over all trees, shape (n,).

        Parameters
        ----------
        X : array, shape (n, columns)
            Values beyond float32 count as the largest float32; NaN = missing.
        compiled : bool, optional
            Which of the two paths to take; by default the compiled one where numba is there.
        """
        values = as_float32(X)
        if compiled is None:
            compiled = has_numba()
        if not compiled:
            return self._walk(values)
        out = np.zeros(len(values))
        kernel = _kernels()[int(bool(np.isnan(values).any()))]
        kernel(
            values,
            self.roots,
            self.steps,
            self.feature,
            self.threshold,
            self.left,
            self.missing_right,
            self.value,
            out,
        )
        return out

    def _walk(self, values: NDArray[np.float32]) -> Floats:
        out = np.zeros(len(values))
        for start in range(0, len(values), _CHUNK):
            part = values[start : start + _CHUNK]
            node = self._begin(len(part))
            for _ in range(int(self.steps.max(initial=0))):
                node = self._down(part, node)
            leaf = self.value[node]
            for tree in range(len(self.roots)):  # one after the other, as the compiled path adds
                out[start : start + _CHUNK] += leaf[:, tree]
        return out

    def _begin(self, rows: int) -> NDArray[np.int32]:
        return np.repeat(self.roots[None, :], rows, axis=0)

    def _down(self, part: NDArray[np.float32], node: NDArray[np.int32]) -> NDArray[np.int32]:
        value = np.take_along_axis(part, self.feature[node], axis=1)
        right = np.where(
            np.isnan(value), self.missing_right[node] == 1, value > self.threshold[node]
        )
        return np.asarray(self.left[node] + right, dtype=np.int32)

    def contributions(self, X: Floats) -> Floats:
        """Return by how much each column shortened each row's path, mean over trees, shape (n, d).

        A split's share is what it takes off the expected depth (Saabas' decomposition), so a
        row's shares add up to the forest's expected depth less the row's own, exactly.
        """
        values = as_float32(X)
        rows, columns = values.shape
        out = np.zeros((rows, columns))
        for start in range(0, rows, _CHUNK):
            part = values[start : start + _CHUNK]
            node = self._begin(len(part))
            flat = np.zeros(part.size)
            base = np.arange(len(part))[:, None] * columns
            for _ in range(int(self.steps.max(initial=0))):
                child = self._down(part, node)
                gain = self.expected[node] - self.expected[child]
                where = (base + self.feature[node]).ravel()
                flat += np.bincount(where, gain.ravel(), minlength=part.size)
                node = child
            out[start : start + _CHUNK] = flat.reshape(part.shape) / len(self.roots)
        return out


def as_float32(X: Floats) -> NDArray[np.float32]:
    """Return values as float32, those beyond its range as its largest."""
    return np.clip(X, -_LARGEST, _LARGEST).astype(np.float32)


@functools.cache
def has_numba() -> bool:
    """Return whether trees can be walked by compiled code."""
    return importlib.util.find_spec("numba") is not None


def _flatten(tree: Any, columns: NDArray[np.int64], start: int) -> dict[str, NDArray[Any]]:
    """Return one tree's arrays, its nodes numbered level by level from `start`."""
    left, right = tree.children_left, tree.children_right
    order, depth = [0], [0]
    place = np.zeros(tree.node_count, dtype=np.int64)
    for i, node in enumerate(order):  # grows while it is walked
        place[node] = i
        if left[node] >= 0:
            order += [int(left[node]), int(right[node])]
            depth += [depth[i] + 1] * 2
    nodes = np.array(order)
    leaf = left[nodes] < 0
    rows = tree.n_node_samples[nodes].astype(np.float64)
    value = np.where(leaf, np.array(depth) + path_length(rows), 0.0)
    expected = value * rows
    first = np.where(leaf, np.arange(len(nodes)), place[np.where(leaf, 0, left[nodes])])
    for i in range(len(nodes) - 1, -1, -1):  # children come after their parent
        if not leaf[i]:
            expected[i] = expected[first[i]] + expected[first[i] + 1]
    exact = tree.threshold[nodes]
    threshold = exact.astype(np.float32)
    above = threshold.astype(np.float64) > exact
    threshold[above] = np.nextafter(threshold[above], np.float32(-np.inf))
    return {
        "roots": np.array([start]),
        "steps": np.array([max(depth)]),
        "feature": np.where(leaf, 0, columns[np.where(leaf, 0, tree.feature[nodes])]),
        "threshold": np.where(leaf, np.float32(np.inf), threshold),
        "left": start + first,
        "missing_right": np.where(leaf, 0, 1 - tree.missing_go_to_left[nodes]),
        "value": value,
        "expected": expected / rows,
    }


def _fault(arrays: Mapping[str, Any], columns: int) -> str:
    """Return what makes arrays no forest over so many columns; empty where they are one."""
    for name, dtype in _ARRAYS.items():
        array = arrays.get(name)
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
            return f"{name} is no list of {np.dtype(dtype).name}"
    roots, steps, left = arrays["roots"], arrays["steps"], arrays["left"]
    nodes, trees = len(left), len(roots)
    if trees == 0 or len(steps) != trees:
        return "there is no tree, or not one number of steps for each"
    if any(len(arrays[k]) != nodes for k in list(_ARRAYS)[2:]):
        return "not one entry for each node"
    leaf = left == np.arange(nodes)
    if ((left < np.arange(nodes)) | (left + 1 >= nodes + leaf) | (left < 0)).any():
        return "a child lies outside"
    if ((roots < 0) | (roots >= nodes) | (steps < 0) | (steps > 4096)).any():
        return "a root lies outside"
    if ((arrays["feature"] < 0) | (arrays["feature"] >= columns)).any():
        return "a column lies outside"
    if (arrays["threshold"][leaf] != np.inf).any() or (arrays["missing_right"][leaf] != 0).any():
        return "a leaf has children"
    if (arrays["missing_right"] > 1).any() or np.isnan(arrays["threshold"]).any():
        return "a comparison is undefined"
    if not (np.isfinite(arrays["value"]).all() and np.isfinite(arrays["expected"]).all()):
        return "a depth is not finite"
    return ""


@functools.cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the compiled walks: for rows without and with missing values."""
    from esgml.core.compiled import compiled

    return compiled(_walk_complete, nogil=True), compiled(_walk_missing, nogil=True)


def _walk_complete(  # type: ignore[no-untyped-def]
    X, roots, steps, feature, threshold, left, missing_right, value, out
):
    """Add every row's leaves to `out`; blocks of rows keep a tree in the nearest cache."""
    n = len(X)
    for begin in range(0, n, 256):
        end = min(begin + 256, n)
        fours = begin + (end - begin) // 4 * 4
        for t in range(len(roots)):
            root, deep = roots[t], steps[t]
            for i in range(begin, fours, 4):  # four rows at once: their loads overlap
                a = b = c = d = root
                for _ in range(deep):
                    a = left[a] + (X[i, feature[a]] > threshold[a])
                    b = left[b] + (X[i + 1, feature[b]] > threshold[b])
                    c = left[c] + (X[i + 2, feature[c]] > threshold[c])
                    d = left[d] + (X[i + 3, feature[d]] > threshold[d])
                out[i] += value[a]
                out[i + 1] += value[b]
                out[i + 2] += value[c]
                out[i + 3] += value[d]
            for i in range(fours, end):
                a = root
                for _ in range(deep):
                    a = left[a] + (X[i, feature[a]] > threshold[a])
                out[i] += value[a]


def _walk_missing(  # type: ignore[no-untyped-def]
    X, roots, steps, feature, threshold, left, missing_right, value, out
):
    """Add every row's leaves to `out`, a missing value going where it went in training."""
    for begin in range(0, len(X), 256):
        end = min(begin + 256, len(X))
        for t in range(len(roots)):
            for i in range(begin, end):
                a = roots[t]
                for _ in range(steps[t]):
                    x = X[i, feature[a]]
                    a = left[a] + (missing_right[a] if x != x else x > threshold[a])
                out[i] += value[a]
