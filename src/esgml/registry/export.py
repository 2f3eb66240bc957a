"""Taking a model out of the registry as one ONNX file, in full or in eight-bit weights."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from esgml.core.errors import MissingExtraError, NotFoundError
from esgml.core.random import generator
from esgml.registry.bundle import Bundle
from esgml.registry.formats import check_onnx

SAMPLES = 64
OPEN = 4


@dataclass(frozen=True)
class Exported:
    """An exported model.

    Attributes
    ----------
    data : bytes
        The ONNX file.
    source : str
        File of the bundle it is, or ``to_onnx`` where the model made it.
    bytes, float_bytes : int
        Size of `data`, and of the model before quantization.
    size_ratio : float
        ``bytes / float_bytes``; 1 without quantization.
    max_difference, mean_difference : float or None
        Of the outputs from those of the float model, in units of their standard
        deviation, over `SAMPLES` seeded standard-normal inputs; None without quantization.
    """

    data: bytes
    source: str
    bytes: int
    float_bytes: int
    size_ratio: float = 1.0
    max_difference: float | None = None
    mean_difference: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all but the file itself, for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "data"}


def export_onnx(bundle: Bundle, *, int8: bool = False, file: str = "", seed: int = 0) -> Exported:
    """Return the model of a bundle as ONNX.

    Parameters
    ----------
    bundle : Bundle
    int8 : bool
        Store the weights in eight bits and say what that changes.
    file : str
        Which ONNX file of the bundle, where it holds several.
    seed : int
        Of the inputs that the two are compared on.

    Raises
    ------
    NotFoundError
        If the bundle holds no ONNX file and its model cannot be exported as one.
    MissingExtraError
        If quantization needs a library that is not installed.
    """
    source, data = _find(bundle, file)
    check_onnx(source, data)
    if not int8:
        return Exported(data, source, len(data), len(data))
    small = quantize(data)
    largest, mean = difference(data, small, seed)
    return Exported(small, source, len(small), len(data), len(small) / len(data), largest, mean)


def _find(bundle: Bundle, file: str) -> tuple[str, bytes]:
    held = [name for name in bundle.files if name.endswith(".onnx")]
    label = f"{bundle.name or bundle.task} {bundle.version} ({bundle.model_name})"
    if file or len(held) > 1:
        if file in held:
            return file, bundle.files[file]
        raise NotFoundError(
            f"{label} holds no single ONNX file {file!r}.".replace(" ''", ""),
            code="no_onnx",
            remedy=f"Choose one with --file: {', '.join(held) or 'there is none'}.",
        )
    if held:
        return held[0], bundle.files[held[0]]
    model = bundle.model()
    make = getattr(model, "to_onnx", None)
    if not callable(make):
        raise NotFoundError(
            f"{label} has no ONNX form.",
            code="no_onnx",
            remedy="Neural networks have one; export the whole bundle with --format bundle.",
        )
    return "to_onnx", bytes(make())


def quantize(data: bytes) -> bytes:
    """Return an ONNX model with weights in eight bits and inputs quantized as they come."""
    try:
        import onnx
        import onnxruntime
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error.name or "onnxruntime", "train") from error
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, small = folder / "plain.onnx", folder / "small.onnx"
        # The optimizer folds what exporters leave behind; without it weights that hide
        # behind constant nodes would stay in full.
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(plain)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        model = onnx.load_model(plain)
        # Says that this was done; it is otherwise asked for on the root logger.
        onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
        quantize_dynamic(model, small, weight_type=QuantType.QInt8)
        return small.read_bytes()


def difference(data: bytes, small: bytes, seed: int = 0) -> tuple[float, float]:
    """Return the largest and mean difference of two models' outputs, in deviations."""
    import onnxruntime

    sessions = []
    for model in (data, small):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        sessions.append(
            onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        )
    feed = _inputs(sessions[0].get_inputs(), seed)
    largest, means = 0.0, []
    for before, after in zip(*(session.run(None, feed) for session in sessions), strict=True):
        scale = float(np.std(before)) or 1.0
        gap = np.abs(np.asarray(after, np.float64) - before) / scale
        largest = max(largest, float(gap.max()))
        means.append(float(gap.mean()))
    return largest, float(np.mean(means))


def _inputs(declared: list[Any], seed: int) -> dict[str, Any]:
    """Return inputs of the declared shapes: normal numbers, and zero where counts are asked.

    Sizes left open are `SAMPLES` for the first axis and `OPEN` for others, the same wherever
    they have the same name.
    """
    random = generator(seed, "export")
    sizes: dict[str, int] = {}
    feed: dict[str, Any] = {}
    for item in declared:
        for axis, size in enumerate(item.shape):
            if not isinstance(size, int):
                sizes.setdefault(str(size), OPEN if axis else SAMPLES)
        shape = [size if isinstance(size, int) else sizes[str(size)] for size in item.shape]
        if "float" in item.type or "double" in item.type:
            kind = np.float64 if "double" in item.type else np.float32
            feed[item.name] = random.standard_normal(shape).astype(kind)
        else:
            kinds = {"tensor(bool)": np.bool_, "tensor(int32)": np.int32}
            feed[item.name] = np.zeros(shape, kinds.get(item.type, np.int64))
    return feed
