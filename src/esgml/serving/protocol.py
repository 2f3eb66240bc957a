"""Open Inference Protocol v2: tensors as JSON, or as bytes after the JSON header.

Implements the parts that public clients use: ``data`` flat or nested, the binary data
extension in both directions, and the choice of outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.errors import UsageError
from esgml.serving import wire
from esgml.serving.rows import Row
from esgml.serving.series_request import MAX_VALUE, check_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Protocol type -> little-endian numpy type.
DATATYPES = {
    "FP64": "<f8",
    "FP32": "<f4",
    "FP16": "<f2",
    "INT64": "<i8",
    "INT32": "<i4",
    "INT16": "<i2",
    "INT8": "<i1",
    "UINT64": "<u8",
    "UINT32": "<u4",
    "UINT16": "<u2",
    "UINT8": "<u1",
}
BINARY_HEADER = "inference-header-content-length"


@dataclass(frozen=True)
class Inference:
    """A decoded inference request.

    Attributes
    ----------
    rows : list of rows
    parameters : dict
        Of the request and of its tensor.
    id : str
        The caller's, sent back.
    outputs : dict of output name to whether it is wanted as bytes; None = all
    binary : bool
        Whether outputs are wanted as bytes where nothing else is said.
    """

    rows: list[Row]
    parameters: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    outputs: dict[str, bool] | None = None
    binary: bool = False


def _bad(message: str, where: str, code: str = "bad_request") -> UsageError:
    return UsageError(message, code=code, where=where)


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad("must be an object.", where)
    return value


def _flatten(data: Any, shape: list[int]) -> list[Any]:
    """Return `data` as one flat list, checking nested lists against `shape`."""
    if not isinstance(data, list):
        raise _bad("must be a list.", "inputs[0].data")
    if not any(isinstance(item, list) for item in data):
        return data
    if len(shape) != 2 or len(data) != shape[0]:
        raise _bad(f"does not have the shape {shape}.", "inputs[0].data", "wrong_shape")
    flat: list[Any] = []
    for row in data:
        if not isinstance(row, list) or len(row) != shape[1]:
            raise _bad(f"does not have the shape {shape}.", "inputs[0].data", "wrong_shape")
        flat.extend(row)
    return flat


def _shape(value: Any, max_values: int) -> list[int]:
    where = "inputs[0].shape"
    if not isinstance(value, list) or not 1 <= len(value) <= 2:
        raise _bad("must be [rows, values] or [values].", where, "wrong_shape")
    if not all(type(n) is int and n >= 1 for n in value):
        raise _bad("must hold whole numbers of at least 1.", where, "wrong_shape")
    if math.prod(value) > max_values:
        raise _bad(f"is more than {max_values} values.", where, "too_many_rows")
    return value


def _tensor(
    tensor: Mapping[str, Any], tail: bytes, max_values: int
) -> tuple[list[float | None], list[int]]:
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise _bad(f"must be one of {', '.join(DATATYPES)}.", "inputs[0].datatype", "bad_datatype")
    shape = _shape(tensor.get("shape"), max_values)
    count = math.prod(shape)
    size = _object(tensor.get("parameters", {}), "inputs[0].parameters").get("binary_data_size")
    values: list[float | None]
    if size is not None:
        kind = np.dtype(DATATYPES[datatype])
        if type(size) is not int or size != len(tail) or size != count * kind.itemsize:
            raise _bad(
                f"the binary data has {len(tail)} bytes, shape and type need"
                f" {count * kind.itemsize}.",
                "inputs[0]",
                "wrong_shape",
            )
        array: NDArray[np.float64] = np.frombuffer(tail, dtype=kind).astype(np.float64)
        if not bool(np.isfinite(array).all()) or float(np.abs(array).max()) > MAX_VALUE:
            raise _bad("holds NaN, infinity or a huge number.", "inputs[0]", "not_finite")
        values = array.tolist()
    else:
        if "data" not in tensor:
            raise _bad("misses the field 'data'.", "inputs[0]")
        values = check_numbers(_flatten(tensor["data"], shape), "inputs[0].data")
        if len(values) != count:
            raise _bad(
                f"has {len(values)} values, its shape {shape} needs {count}.",
                "inputs[0].data",
                "wrong_shape",
            )
    return values, shape


def _wanted(document: Mapping[str, Any], binary: bool) -> dict[str, bool] | None:
    if "outputs" not in document:
        return None
    outputs = document["outputs"]
    if not isinstance(outputs, list) or not outputs:
        raise _bad("must be a list of at least one output.", "outputs")
    wanted = {}
    for i, item in enumerate(outputs):
        where = f"outputs[{i}]"
        name = _object(item, where).get("name")
        if not isinstance(name, str):
            raise _bad("misses the field 'name'.", where)
        parameters = _object(item.get("parameters", {}), f"{where}.parameters")
        wanted[name] = bool(parameters.get("binary_data", binary))
    return wanted


def decode(body: bytes, header_length: str | None, max_values: int) -> Inference:
    """Read an inference request of one tensor of shape [rows, values].

    Parameters
    ----------
    body : bytes
    header_length : str or None
        Value of ``Inference-Header-Content-Length``: where the JSON ends and bytes begin.
    max_values : int
        Most values in the tensor.
    """
    head, tail = body, b""
    if header_length is not None:
        if not header_length.isascii() or not header_length.isdigit() or len(header_length) > 12:
            raise _bad("must be a whole number.", BINARY_HEADER)
        cut = int(header_length)
        if cut > len(body):
            raise _bad("is beyond the end of the body.", BINARY_HEADER)
        head, tail = body[:cut], body[cut:]
    document = _object(wire.loads(head), "body")
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise _bad("must hold exactly one tensor.", "inputs")
    tensor = _object(inputs[0], "inputs[0]")
    if not isinstance(tensor.get("name"), str):
        raise _bad("misses the field 'name'.", "inputs[0]")
    values, shape = _tensor(tensor, tail, max_values)
    width = shape[-1]
    parameters = dict(_object(document.get("parameters", {}), "parameters"))
    binary = bool(parameters.pop("binary_data_output", False))
    own = dict(tensor.get("parameters", {}))
    own.pop("binary_data_size", None)
    identifier = document.get("id", "")
    if not isinstance(identifier, str) or len(identifier) > 200:
        raise _bad("must be text of at most 200 characters.", "id")
    return Inference(
        rows=[values[i : i + width] for i in range(0, len(values), width)],
        parameters={**parameters, **own},
        id=identifier,
        outputs=_wanted(document, binary),
        binary=binary,
    )


def encode(
    inference: Inference,
    model: str,
    version: str,
    outputs: Mapping[str, list[list[float]]],
    parameters: Mapping[str, Any],
) -> tuple[bytes, int | None]:
    """Return the response body, and the length of its JSON part where bytes follow it."""
    wanted = inference.outputs or dict.fromkeys(outputs, inference.binary)
    unknown = [name for name in wanted if name not in outputs]
    if unknown:
        raise UsageError(
            f"no output {unknown[0][:100]!r}.",
            where="outputs",
            remedy=f"Outputs: {', '.join(outputs)}.",
        )
    tensors, tails = [], []
    for name, binary in wanted.items():
        rows = outputs[name]
        tensor: dict[str, Any] = {
            "name": name,
            "datatype": "FP64",
            "shape": [len(rows), len(rows[0])],
        }
        if binary:
            tail = np.asarray(rows, dtype="<f8").tobytes()
            tensor["parameters"] = {"binary_data_size": len(tail)}
            tails.append(tail)
        else:
            tensor["data"] = [value for row in rows for value in row]
        tensors.append(tensor)
    document = {
        "model_name": model,
        "model_version": version,
        **({"id": inference.id} if inference.id else {}),
        "parameters": dict(parameters),
        "outputs": tensors,
    }
    head = wire.dumps(document)
    return (head + b"".join(tails), len(head)) if tails else (head, None)
