"""What anomaly models learned, as JSON and safetensors: readable, free of code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError
from esgml.core.interfaces import Files

if TYPE_CHECKING:
    from numpy.typing import NDArray

STATE = "state.json"
ARRAYS = "arrays.safetensors"


def dump_state(**state: Any) -> Files:
    """Return plain values as one JSON file and arrays as one safetensors file, every bit kept."""
    from safetensors.numpy import save

    arrays = {k: np.ascontiguousarray(v) for k, v in state.items() if isinstance(v, np.ndarray)}
    plain = {k: v for k, v in state.items() if not isinstance(v, np.ndarray)}
    files = {STATE: json.dumps(plain, sort_keys=True, allow_nan=False).encode()}
    if arrays:
        files[ARRAYS] = save(arrays)
    return files


def restore_state(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what `dump_state` was given.

    Raises
    ------
    IntegrityError
        If the files are unreadable.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        state: dict[str, Any] = json.loads(files[STATE])
        if not isinstance(state, dict):
            raise TypeError("not an object")
        if ARRAYS in files:
            state.update(load(files[ARRAYS]))
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise IntegrityError("the saved state of this anomaly model is unreadable.") from error
    return state


def stored_arrays(
    state: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[Any]]:
    """Return the named arrays of a restored state, each of the shape it must have.

    Raises
    ------
    IntegrityError
        If one is missing or of another shape.
    """
    found = {}
    for name, shape in shapes.items():
        array = state.get(name)
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise IntegrityError(f"the saved {name} is not as it must be.")
        found[name] = array.copy()
    return found
