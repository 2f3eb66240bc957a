"""Weights as named float32 arrays, and as safetensors bytes: a format that carries no code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import IntegrityError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weights = dict[str, "NDArray[Any]"]


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return named arrays as safetensors bytes; the same arrays give the same bytes.

    Raises
    ------
    MissingExtraError
        If safetensors is not installed.
    """
    try:
        from safetensors.numpy import save
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("safetensors", "serve") from error
    return bytes(save({name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}))


def unpack(data: bytes) -> Weights:
    """Return the named arrays in safetensors bytes.

    Raises
    ------
    IntegrityError
        If the bytes are no safetensors file.
    MissingExtraError
        If safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("safetensors", "serve") from error
    try:
        return {name: np.array(value) for name, value in sorted(load(data).items())}
    except SafetensorError as error:
        raise IntegrityError(f"these bytes are no safetensors file: {error}.") from error


def prefixed(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Weights:
    """Return the arrays whose names start with `prefix`, the prefix taken off."""
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }
