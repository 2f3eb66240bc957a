"""Which files a bundle may hold: formats that carry data and never code.

Names and contents are both checked, when a bundle is made and again whenever it is read: a
file that would run something, or reach for another file, does not get in either way.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from esgml.core.errors import EsgmlError, IntegrityError, NotAllowedError

#: Suffixes of formats that carry no code.
SUFFIXES = frozenset({".json", ".txt", ".safetensors", ".onnx", ".npz", ".md", ".html"})
MAX_FILES = 1_000
MAX_BYTES = 2_000_000_000

_NAME = re.compile(r"(?!.*//)[A-Za-z0-9_](?:[A-Za-z0-9_.+=@/-]{0,198}[A-Za-z0-9_])?")
_ONNX_DEPTH = 64


def check_name(name: str) -> None:
    """Refuse a file name that leaves its folder or is of a format that may carry code.

    Raises
    ------
    NotAllowedError
        For absolute names, ``..``, hidden parts, odd characters, or other suffixes.
    """
    parts = name.split("/")
    if not _NAME.fullmatch(name) or any(part.startswith(".") for part in parts):
        raise NotAllowedError(
            f"file name {name[:200]!r} is not allowed in a bundle.",
            code="bundle_file_name",
            remedy="Use plain relative names of letters, digits, '_', '-', '.' and '/'.",
        )
    suffix = "." + parts[-1].rpartition(".")[2] if "." in parts[-1] else ""
    if suffix not in SUFFIXES:
        raise NotAllowedError(
            f"a bundle holds no {suffix or 'suffixless'} files: the format may carry code.",
            code="bundle_format",
            where=name,
            remedy=f"Store it as one of {', '.join(sorted(SUFFIXES))}.",
        )


def check_files(files: dict[str, bytes]) -> None:
    """Check the names and contents of all files of a bundle.

    Raises
    ------
    NotAllowedError
        If a name or format is refused, an ONNX file points at external data, or the
        bundle is too large.
    IntegrityError
        If a file is not what its suffix says.
    """
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise NotAllowedError(
            f"a bundle holds at most {MAX_FILES} files and {MAX_BYTES / 1e9:g} GB.",
            code="bundle_too_large",
        )
    for name, data in files.items():
        check_name(name)
        if name.endswith(".json"):
            _check_json(name, data)
        elif name.endswith(".onnx"):
            check_onnx(name, data)
        elif name.endswith(".safetensors"):
            _check_safetensors(name, data)
        elif name.endswith(".npz"):
            _check_npz(name, data)
        else:
            _check_text(name, data)


def _broken(name: str, why: str) -> IntegrityError:
    return IntegrityError(why, code="bundle_content", where=name)


def _check_text(name: str, data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _broken(name, "this is not UTF-8 text.") from error


def _check_json(name: str, data: bytes) -> None:
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _broken(name, "this is not JSON.") from error


def _check_safetensors(name: str, data: bytes) -> None:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise _broken(name, "this is not a safetensors file: its header is cut off.")
    try:
        header = json.loads(data[8 : 8 + length])
        ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        whole = max(ends, default=0) == len(data) - 8 - length
    except (ValueError, RecursionError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _broken(name, "this is not a safetensors file: its header is unreadable.") from error
    if not whole:
        raise _broken(name, "this safetensors file does not hold what its header says.")


def _check_npz(name: str, data: bytes) -> None:
    """Refuse object arrays, whose elements are pickles, by reading only the headers."""
    import numpy as np

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_BYTES:
                raise _broken(name, "this archive unpacks to too much.")
            for item in archive.namelist():
                with archive.open(item) as file:
                    version = np.lib.format.read_magic(file)
                    read: Any = {
                        (1, 0): np.lib.format.read_array_header_1_0,
                        (2, 0): np.lib.format.read_array_header_2_0,
                    }[version]
                    dtype = read(file)[2]
                if dtype.hasobject:
                    raise NotAllowedError(
                        f"array {item!r} holds Python objects, which carry code.",
                        code="bundle_format",
                        where=name,
                        remedy="Store plain numbers or fixed-length text.",
                    )
    except EsgmlError:
        raise
    except Exception as error:  # zlib, zipfile, struct, tokenize: whatever broken bytes raise
        raise _broken(name, "this is not an archive of NumPy arrays.") from error


# ONNX ------------------------------------------------------------------------------------
# A TensorProto may name another file on disk (`external_data`), which a runtime then reads:
# a way to read any file, or to change weights behind the hash. The messages that can hold
# tensors are walked by field number, so that no ONNX library is needed to refuse it.

_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def check_onnx(name: str, data: bytes) -> None:
    """Refuse an ONNX file that is malformed or keeps tensors in other files.

    Raises
    ------
    NotAllowedError
        If any tensor, in any subgraph or function, points at external data.
    IntegrityError
        If the bytes are no ONNX model.
    """
    view = memoryview(data)
    try:
        seen = {number for number, _, _ in _fields(view)}
        external = _external(view, "model", 0)
    except (ValueError, IndexError) as error:
        raise _broken(name, "this is not an ONNX model.") from error
    if 7 not in seen:
        raise _broken(name, "this is not an ONNX model: it has no graph.")
    if external:
        raise NotAllowedError(
            "this ONNX model keeps tensors in other files.",
            code="onnx_external_data",
            where=name,
            remedy="Save it with all tensors inside (save_as_external_data=False).",
        )


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _fields(view: memoryview) -> Iterator[tuple[int, int, memoryview | int]]:
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(view, at)
            yield number, kind, value
            continue
        if kind == 2:
            size, at = _varint(view, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("unknown wire type")
        if number == 0 or at + size > len(view):
            raise ValueError("cut off")
        yield number, kind, view[at : at + size]
        at += size


def _external(view: memoryview, message: str, depth: int) -> bool:
    if depth > _ONNX_DEPTH:
        raise ValueError("nested too deeply")
    children = _CHILDREN[message]
    for number, kind, value in _fields(view):
        if message == "tensor":
            if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0):
                return True
        elif number in children:
            if kind != 2 or not isinstance(value, memoryview):
                raise ValueError("wrong wire type")
            if _external(value, children[number], depth + 1):
                return True
    return False
