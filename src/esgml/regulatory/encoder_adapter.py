"""An adapter: low-rank changes of an encoder's matrices, merged into its weights to be served.

A matrix ``W`` of shape (outputs, inputs) becomes ``W + up @ down``. The merged encoder is the same
graph with other numbers, so that serving needs nothing that training needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError
from esgml.core.storage import sha256
from esgml.nn.weights import Weights, pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOWN, UP = ".down", ".up"


def digest(adapter: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of an adapter, which names it exactly."""
    return sha256(pack(adapter))


def merged(weights: Mapping[str, NDArray[Any]], adapter: Mapping[str, NDArray[Any]]) -> Weights:
    """Return an encoder's weights with an adapter's changes added.

    Parameters
    ----------
    weights : mapping of parameter name to array
        Of the encoder, named with or without the prefix ``bert.``.
    adapter : mapping of name to array
        ``NAME.down`` (rank, inputs) and ``NAME.up`` (outputs, rank) for every changed matrix.

    Raises
    ------
    IntegrityError
        If the adapter does not fit the encoder.
    """
    result = {name.removeprefix("bert."): value for name, value in weights.items()}
    names = {name.removesuffix(DOWN).removesuffix(UP) for name in adapter}
    for name in sorted(names):
        try:
            matrix, down, up = result[name], adapter[name + DOWN], adapter[name + UP]
        except KeyError as error:
            raise IntegrityError(
                f"the adapter changes {name!r}, which is not whole here."
            ) from error
        shapes = (up.shape[:1] + down.shape[1:], up.shape[1:], down.shape[:1])
        if down.ndim != 2 or up.ndim != 2 or shapes[0] != matrix.shape or shapes[1] != shapes[2]:
            raise IntegrityError(f"the adapter's change of {name!r} does not fit the encoder.")
        change = up.astype(np.float32) @ down.astype(np.float32)
        if not np.isfinite(change).all():
            raise IntegrityError(f"the adapter's change of {name!r} is not finite.")
        result[name] = (np.asarray(matrix, dtype=np.float32) + change).astype(np.float32)
    return result
