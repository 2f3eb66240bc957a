"""LightGBM trees without LightGBM: the text model read into flat arrays and evaluated.

Serving needs no compiled tree library, and training and serving predict by the same code.
All trees walk down together, one vectorized step per level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.errors import IntegrityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ZERO = 1e-35


#: What is read of a tree, and its name in the text.
_FIELDS = {
    "feature": "split_feature",
    "threshold": "threshold",
    "decision": "decision_type",
    "left": "left_child",
    "right": "right_child",
}


def _verify(tree: dict[str, NDArray[np.float64]], leaves: int, features: int) -> None:
    """Refuse a tree of the wrong size, or whose walk could leave it or never end."""
    node = np.arange(leaves - 1)
    if any(len(column) != len(node) for column in tree.values()):
        raise IntegrityError("a tree does not have the splits it says.")
    child = np.stack([tree["left"], tree["right"]])
    inside = np.where(child >= 0, (child > node) & (child < len(node)), child >= -leaves)
    if not inside.all() or not ((tree["feature"] >= 0) & (tree["feature"] < features)).all():
        raise IntegrityError("a tree points outside of itself.")


def _numbers(text: str) -> NDArray[np.float64]:
    """Read numbers between blanks, every bit kept; ValueError where one is none."""
    return np.array(text.split(), dtype=np.float64)


@dataclass(frozen=True)
class Trees:
    """A boosted ensemble of numeric decision trees.

    Attributes
    ----------
    feature, left, right : array of int, shape (nodes,)
        Split feature and children; a negative child ``-1 - k`` is leaf k.
    threshold : array of float, shape (nodes,)
        Go left where the value is at most this.
    default_left, missing : array, shape (nodes,)
        Where missing values go, and what counts as missing (0 none, 1 zero, 2 NaN).
    leaf : array of float, shape (leaves,)
    roots : array of int, shape (trees,)
        First node of each tree; negative where a tree is a single leaf.
    features : int
    """

    feature: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    threshold: NDArray[np.float64]
    default_left: NDArray[np.bool_]
    missing: NDArray[np.int64]
    leaf: NDArray[np.float64]
    roots: NDArray[np.int64]
    features: int

    @classmethod
    def from_text(cls, text: str) -> Trees:
        """Read the text form that ``lightgbm.Booster.model_to_string`` writes.

        Raises
        ------
        IntegrityError
            If the text is no numeric single-output model.
        """
        try:
            head, *blocks = text.split("\nTree=")
            fields = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
            if fields.get("num_class") != "1":
                raise IntegrityError("only single-output tree models are read.")
            features = int(fields["max_feature_idx"]) + 1
            columns: dict[str, list[NDArray[np.float64]]] = {k: [] for k in (*_FIELDS, "leaf")}
            roots, nodes, leaves = [], 0, 0
            for block in blocks:
                body = dict(
                    line.split("=", 1)
                    for line in block.split("\n\n")[0].splitlines()
                    if "=" in line
                )
                if int(body["num_cat"]):
                    raise IntegrityError("categorical splits are not read.")
                leaf = _numbers(body["leaf_value"])
                if len(leaf) != int(body["num_leaves"]):
                    raise IntegrityError("a tree does not have the leaves it says.")
                if len(leaf) > 1:
                    tree = {k: _numbers(body[field]) for k, field in _FIELDS.items()}
                    _verify(tree, len(leaf), features)
                    for side in ("left", "right"):
                        child = tree[side].astype(np.int64)
                        tree[side] = np.where(child >= 0, child + nodes, child - leaves)
                    for k, column in tree.items():
                        columns[k].append(column)
                    roots.append(nodes)
                    nodes += len(leaf) - 1
                else:
                    roots.append(-1 - leaves)
                columns["leaf"].append(leaf)
                leaves += len(leaf)
        except (KeyError, ValueError) as error:
            raise IntegrityError("this is not a LightGBM text model.") from error
        joined = {k: np.concatenate([np.empty(0), *v]) for k, v in columns.items()}
        decision = joined["decision"].astype(np.int64)
        return cls(
            joined["feature"].astype(np.int64),
            joined["left"].astype(np.int64),
            joined["right"].astype(np.int64),
            joined["threshold"],
            (decision & 2) > 0,
            (decision >> 2) & 3,
            joined["leaf"],
            np.asarray(roots, dtype=np.int64),
            features,
        )

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of all trees for each row of `x`, shape (rows,)."""
        if x.shape[1] != self.features:
            raise IntegrityError(f"the trees take {self.features} features, got {x.shape[1]}.")
        result = np.zeros(len(x))
        block = max(1, 2_000_000 // max(len(self.roots), 1))
        for start in range(0, len(x), block):
            result[start : start + block] = self._walk(x[start : start + block])
        return result

    def _walk(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = np.arange(len(x))[:, None]
        node = np.broadcast_to(self.roots, (len(x), len(self.roots))).copy()
        while True:
            inner = node >= 0
            if not inner.any():
                break
            at = np.where(inner, node, 0)
            value = x[rows, self.feature[at]]
            kind = self.missing[at]
            nan = np.isnan(value)
            # LightGBM reads NaN as zero at splits that saw no missing value
            value = np.where(nan & (kind != 2), 0.0, value)
            absent = ((kind == 2) & nan) | ((kind == 1) & (np.abs(value) <= _ZERO))
            go_left = np.where(absent, self.default_left[at], value <= self.threshold[at])
            node = np.where(inner, np.where(go_left, self.left[at], self.right[at]), node)
        return np.asarray(self.leaf[-1 - node].sum(axis=1))

    def importance(self) -> NDArray[np.float64]:
        """Return how many splits use each feature, shape (features,)."""
        return np.bincount(self.feature, minlength=self.features).astype(np.float64)
