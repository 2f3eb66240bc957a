"""What forecasters learned, as JSON and safetensors-like arrays: readable, free of code."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError
from esgml.core.interfaces import Files, TimeSeriesModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

STATE = "state.json"


def pack(array: NDArray[Any]) -> dict[str, Any]:
    """Return an array as JSON values that keep every bit."""
    array = np.ascontiguousarray(array)
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "base64": base64.b64encode(array.tobytes()).decode(),
    }


def unpack(value: Mapping[str, Any]) -> NDArray[Any]:
    """Return the array that `pack` packed.

    Raises
    ------
    IntegrityError
        If the values do not describe a numeric array.
    """
    dtype = np.dtype(value["dtype"])
    if dtype.kind not in "fiub":
        raise IntegrityError(f"arrays of type {dtype} are not stored.")
    data = base64.b64decode(value["base64"], validate=True)
    return np.frombuffer(data, dtype=dtype).reshape(value["shape"]).copy()


def dump_state(model: TimeSeriesModel, **state: Any) -> Files:
    """Return the state of a forecaster as one JSON file, its interface included."""
    document = {
        "horizon": model.horizon_,
        "known": list(model.known_names_),
        "past": list(model.past_names_),
        "state": {
            name: {"array": pack(value)} if isinstance(value, np.ndarray) else {"value": value}
            for name, value in state.items()
        },
    }
    return {STATE: json.dumps(document, sort_keys=True).encode()}


def restore_state(model: TimeSeriesModel, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Give a forecaster its interface back and return the rest of its state."""
    try:
        document = json.loads(files[STATE])
        model.horizon_ = int(document["horizon"])
        model.known_names_ = tuple(document["known"])
        model.past_names_ = tuple(document["past"])
        return {
            name: unpack(entry["array"]) if "array" in entry else entry["value"]
            for name, entry in document["state"].items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError("the saved state of this forecaster is unreadable.") from error
