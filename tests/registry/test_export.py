import numpy as np
import pytest

from esgml.core import catalog
from esgml.core.errors import NotFoundError
from esgml.core.frequency import Frequency
from esgml.core.panel import Panel, SeriesKey
from esgml.registry.bundle import Bundle
from esgml.registry.export import export_onnx


def dense(width=256):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    weights = np.random.default_rng(0).normal(size=(width, width)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    shape = ["n", width]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def test_the_file_inside_comes_out_as_it_is():
    data = dense()
    made = export_onnx(Bundle("t", "m", {"m.onnx": data}))
    assert made.data == data
    assert made.as_dict() == {
        "source": "m.onnx",
        "bytes": len(data),
        "float_bytes": len(data),
        "size_ratio": 1.0,
        "max_difference": None,
        "mean_difference": None,
    }


def test_eight_bits_are_smaller_and_say_what_they_change():
    pytest.importorskip("onnxruntime")
    made = export_onnx(Bundle("t", "m", {"m.onnx": dense()}), int8=True)
    assert made.size_ratio < 0.35
    assert made.bytes == len(made.data)
    assert 0 < made.mean_difference < made.max_difference < 0.3
    assert export_onnx(Bundle("t", "m", {"m.onnx": dense()}), int8=True).data == made.data


def test_a_choice_and_its_absence_are_told():
    data = dense(4)
    several = Bundle("t", "m", {"a.onnx": data, "b.onnx": data})
    with pytest.raises(NotFoundError, match=r"a\.onnx, b\.onnx"):
        export_onnx(several)
    assert export_onnx(several, file="b.onnx").source == "b.onnx"
    with pytest.raises(NotFoundError, match="no ONNX form"):
        export_onnx(Bundle("t", "m", {"m.json": b"{}"}))


def test_a_model_that_can_make_onnx_is_asked(monkeypatch):
    data = dense(4)

    class Model:
        def to_onnx(self):
            return data

    monkeypatch.setattr(Bundle, "model", lambda self: Model())
    made = export_onnx(Bundle("t", "m", {"m.json": b"{}"}))
    assert (made.source, made.data) == ("to_onnx", data)


def test_the_specified_network_survives_register_and_export(registry, caplog):
    """Trained, stored, read back, exported: the ONNX file answers; int8 stays close."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = catalog.load("forecast", "lstm_spec")(epochs=1)
    time = np.arange("2020-01-01", "2020-04-01", dtype="datetime64[D]").astype("datetime64[us]")
    n = len(time)
    none = np.zeros((n, 0))
    keys = (SeriesKey("a", "x"),)
    panel = Panel(
        keys, np.array([0, n]), time, np.sin(np.arange(n)) + 5, Frequency("D"), none, none
    )
    model.train(panel, horizon=2)
    version = registry.register(model, {"wape": 0.1})
    bundle = registry.get("emissions", version)
    made = export_onnx(bundle, int8=True)
    assert made.source == "to_onnx"
    assert made.size_ratio < 0.35
    assert made.max_difference < 0.05
    session = onnxruntime.InferenceSession(made.data, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: np.ones((2, 30, 10), np.float32)})
    assert answer.shape == (2, 3)
    assert caplog.records == []
