"""Boosted trees for one probability: grown by LightGBM, kept and walked as flat arrays.

Growing needs LightGBM; answering needs numpy alone. All rows walk down a tree together, one
vectorized step a level. The arrays are saved as safetensors, which carry no code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError, MissingExtraError
from esgml.nn.weights import pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class BoostedTrees:
    """Trees whose leaves add up to the log-odds.

    Attributes
    ----------
    feature : array of int32, shape (trees, nodes)
        Feature a node splits on; -1 in a leaf.
    threshold : array of float64, shape (trees, nodes)
        Go left where the value is at most this; the value of a leaf.
    left, right : array of int32, shape (trees, nodes)
    missing_left : array of bool, shape (trees, nodes)
        Whether a missing value goes left.
    """

    feature: NDArray[np.int32]
    threshold: Array
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]

    @classmethod
    def grow(cls, X: Array, y: Array, params: dict[str, Any], rounds: int) -> BoostedTrees:
        """Learn to tell y = 1 from y = 0.

        Raises
        ------
        MissingExtraError
            If LightGBM is not installed.
        """
        try:
            import lightgbm
        except ModuleNotFoundError as error:
            raise MissingExtraError.of("lightgbm", "train") from error
        quiet = {"objective": "binary", "num_threads": 1, "verbose": -1, "deterministic": True}
        data = lightgbm.Dataset(X, label=y, free_raw_data=False)
        grown = lightgbm.train({**quiet, **params}, data, num_boost_round=rounds)
        trees: list[list[tuple[int, float, int, int, bool]]] = []
        for tree in grown.dump_model()["tree_info"]:
            nodes: list[tuple[int, float, int, int, bool]] = []
            _flatten(tree["tree_structure"], nodes)
            trees.append(nodes)
        most = max(map(len, trees))
        filled = [nodes + [(-1, 0.0, 0, 0, False)] * (most - len(nodes)) for nodes in trees]
        columns = [np.array([[n[i] for n in nodes] for nodes in filled]) for i in range(5)]
        feature, threshold, left, right, missing = columns
        return cls(
            feature.astype(np.int32),
            threshold.astype(np.float64),
            left.astype(np.int32),
            right.astype(np.int32),
            missing.astype(np.bool_),
        )

    def log_odds(self, X: Array) -> Array:
        """Return the sum of the leaves that each row of X falls into."""
        total = np.zeros(len(X))
        rows = np.arange(len(X))
        for tree in range(len(self.feature)):
            node = np.zeros(len(X), dtype=np.int64)
            while True:
                feature = self.feature[tree, node]
                inner = feature >= 0
                if not inner.any():
                    break
                value = X[rows, np.maximum(feature, 0)]
                missing = np.isnan(value)
                go_left = np.where(
                    missing, self.missing_left[tree, node], value <= self.threshold[tree, node]
                )
                child = np.where(go_left, self.left[tree, node], self.right[tree, node])
                node = np.where(inner, child, node)
            total += self.threshold[tree, node]
        return total

    def to_bytes(self) -> bytes:
        """Return the arrays as safetensors."""
        return pack({name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def from_bytes(cls, data: bytes, features: int) -> BoostedTrees:
        """Read trees back.

        Raises
        ------
        IntegrityError
            If they are no trees over so many features, or a walk through one would not end.
        """
        arrays = unpack(data)
        try:
            trees = cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        except (KeyError, TypeError) as error:
            raise IntegrityError("these are no trees.") from error
        shape = trees.feature.shape
        whole = len(shape) == 2 and all(
            getattr(trees, name).shape == shape for name in cls.__dataclass_fields__
        )
        if not whole or not len(arrays) == len(cls.__dataclass_fields__):
            raise IntegrityError("these are no trees.")
        inner = trees.feature >= 0
        node = np.broadcast_to(np.arange(shape[1]), shape)[inner]
        for child in (trees.left[inner], trees.right[inner]):
            if (child <= node).any() or (child >= shape[1]).any():
                raise IntegrityError("a tree points outside of itself.")
        if (trees.feature >= features).any() or not np.isfinite(trees.threshold).all():
            raise IntegrityError("a tree asks for a feature there is not.")
        return trees


def _flatten(node: dict[str, Any], nodes: list[tuple[int, float, int, int, bool]]) -> int:
    """Put a node and all below it into a list, and return its place."""
    place = len(nodes)
    if "leaf_value" in node:
        nodes.append((-1, float(node["leaf_value"]), 0, 0, False))
        return place
    nodes.append((0, 0.0, 0, 0, False))  # its children are known once they are placed
    left = _flatten(node["left_child"], nodes)
    right = _flatten(node["right_child"], nodes)
    nodes[place] = (
        int(node["split_feature"]),
        float(node["threshold"]),
        left,
        right,
        bool(node["default_left"]) if node["missing_type"] == "NaN" else node["threshold"] >= 0.0,
    )
    return place
