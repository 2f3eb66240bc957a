import contextlib
import dataclasses
import io
import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esgml.core.errors import EsgmlError, IntegrityError, NotAllowedError, NotFoundError, UsageError
from esgml.core.storage import write_folder_atomic
from esgml.registry.bundle import Bundle
from esgml.registry.fingerprint import Fingerprint


def test_round_trip_keeps_everything(bundle):
    first = dataclasses.replace(
        bundle(3), data_fingerprint=Fingerprint("ab" * 32, 5, "2020-01-01", "2021-01-01")
    )
    again = Bundle.from_files(first.to_files(), first.digest)
    assert again == first
    assert again.digest == first.digest


def test_same_content_same_digest_in_any_order(bundle):
    one = Bundle("t", "m", {"a.json": b"1", "b.txt": b"x"}, {"x": 1.0, "y": 2})
    two = Bundle("t", "m", {"b.txt": b"x", "a.json": b"1"}, {"y": 2, "x": np.float64(1.0)})
    assert one.digest == two.digest
    assert one.digest == one.registered("other", "9", "2026-01-01").digest
    assert bundle(1).digest != bundle(2).digest


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.binary())
def test_any_metrics_survive_storing(metrics, data):
    first = Bundle("t", "m", {"a.json": json.dumps(list(data)).encode()}, metrics)
    assert Bundle.from_files(first.to_files(), first.digest) == first


def test_values_json_cannot_hold_are_refused():
    with pytest.raises(UsageError):
        Bundle("t", "m", {}, {"x": object()})


@given(st.data())
def test_any_changed_byte_is_noticed(data):
    stored = Bundle("t", "m", {"a.json": b"[1, 2]", "w.txt": b"abc"}, {"wape": 0.5}).to_files()
    digest = Bundle.from_files(stored).digest
    name = data.draw(st.sampled_from(sorted(stored)))
    at = data.draw(st.integers(0, len(stored[name]) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda b: b != stored[name][at]))
    changed = stored[name][:at] + bytes([new]) + stored[name][at + 1 :]
    with pytest.raises((IntegrityError, NotAllowedError)):
        Bundle.from_files({**stored, name: changed}, digest)


@pytest.mark.parametrize("change", ["missing", "added", "no manifest"])
def test_missing_and_added_files_are_noticed(bundle, change):
    stored = bundle().to_files()
    if change == "missing":
        del stored["files/model.json"]
    elif change == "added":
        stored["files/extra.json"] = b"{}"
    else:
        del stored["manifest.json"]
    with pytest.raises(IntegrityError):
        Bundle.from_files(stored)


@pytest.mark.parametrize(
    "name",
    [
        "model.pkl",
        "model.pt",
        "model.joblib",
        "script.py",
        "lib.so",
        "model",
        "data.npy",
        "../up.json",
        "/etc/passwd.json",
        "a/../../b.json",
        "a//b.json",
        ".hidden.json",
        "a/.hidden/b.json",
        "a\\b.json",
        "a\0.json",
        "a b.json",
        "x" * 300 + ".json",
        "",
    ],
)
def test_names_and_formats_that_are_refused(name):
    with pytest.raises(NotAllowedError):
        Bundle("t", "m", {name: b"{}"})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"{"),
        ("a.json", b"[" * 100_000),
        ("a.txt", b"\xff\xfe\x00"),
        ("a.safetensors", b"\x80\x04pickle"),
        ("a.safetensors", (2**40).to_bytes(8, "little") + b"{}"),
        ("a.safetensors", (2).to_bytes(8, "little") + b"{}" + b"smuggled"),
        ("a.npz", b"no zip"),
        ("a.onnx", b"\x80\x04\x95"),
        ("a.onnx", b""),
    ],
)
def test_content_must_be_what_the_suffix_says(name, data):
    with pytest.raises(IntegrityError):
        Bundle("t", "m", {name: data})


def test_safetensors_and_arrays_are_taken():
    numpy = pytest.importorskip("safetensors.numpy")
    weights = numpy.save({"w": np.arange(4.0)})
    archive = io.BytesIO()
    np.savez(archive, a=np.arange(3), b=np.array(["x", "y"]))
    made = Bundle("t", "m", {"w.safetensors": weights, "a.npz": archive.getvalue()})
    assert Bundle.from_files(made.to_files(), made.digest) == made


def test_object_arrays_are_refused_without_unpickling():
    class Bomb:
        def __reduce__(self):
            return os.abort, ()

    archive = io.BytesIO()
    np.savez(archive, a=np.array([Bomb()], dtype=object))
    with pytest.raises(NotAllowedError, match="Python objects"):
        Bundle("t", "m", {"a.npz": archive.getvalue()})


def onnx_model(location="", nested=False):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    tensor = onnx.numpy_helper.from_array(np.ones(2, np.float32), "w")
    if location:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    if nested:
        inner = helper.make_graph(
            [helper.make_node("Constant", [], ["y"], value=tensor)], "inner", [], [out]
        )
        flag = helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])
        node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
        graph = helper.make_graph([node], "g", [flag], [out])
    else:
        node = helper.make_node("Identity", ["w"], ["y"])
        graph = helper.make_graph([node], "g", [], [out], initializer=[tensor])
    return helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize("nested", [False, True])
def test_onnx_must_not_reach_for_other_files(nested):
    inside = Bundle("t", "m", {"m.onnx": onnx_model(nested=nested)})
    assert inside.files["m.onnx"]
    with pytest.raises(NotAllowedError, match="other files"):
        Bundle("t", "m", {"m.onnx": onnx_model("/etc/passwd", nested)})


def test_reading_a_folder_checks_names_links_and_extra_files(bundle, tmp_path):
    made = bundle()
    folder = tmp_path / "b"
    write_folder_atomic(folder, made.to_files())
    assert Bundle.read(folder, made.digest) == made
    (folder / "files" / "extra.txt").write_text("x")
    with pytest.raises(IntegrityError, match="not in the manifest"):
        Bundle.read(folder, made.digest)
    (folder / "files" / "extra.txt").unlink()
    secret = tmp_path / "secret.json"
    secret.write_bytes(made.files["model.json"])
    (folder / "files" / "model.json").unlink()
    (folder / "files" / "model.json").symlink_to(secret)
    with pytest.raises(IntegrityError, match="links"):
        Bundle.read(folder, made.digest)
    with pytest.raises(NotFoundError):
        Bundle.read(tmp_path / "none")


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd.json", "a/../../../x.json"])
def test_a_manifest_cannot_point_outside(bundle, tmp_path, name):
    stored = bundle().to_files()
    document = json.loads(stored["manifest.json"])
    document["files"][name] = {"sha256": "0" * 64, "bytes": 10}
    folder = tmp_path / "b"
    write_folder_atomic(folder, {**stored, "manifest.json": json.dumps(document).encode()})
    with pytest.raises(NotAllowedError):
        Bundle.read(folder)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[" * 200_000,
        b"\xff\xff",
        b'{"format": "esgml.bundle/1", "files": []}',
        b'{"format": "esgml.bundle/9"}',
    ],
)
def test_a_broken_manifest_is_an_integrity_error(manifest):
    with pytest.raises(IntegrityError):
        Bundle.from_files({"manifest.json": manifest})


def test_a_huge_manifest_is_refused_unread(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("esgml.registry.bundle.MAX_MANIFEST_BYTES", 1000)
    made = bundle(curve=list(range(1000)))
    folder = tmp_path / "b"
    write_folder_atomic(folder, made.to_files())
    with pytest.raises(IntegrityError):
        Bundle.read(folder)


def test_a_wrong_size_in_the_manifest_never_reads_more(bundle, tmp_path):
    made = bundle()
    folder = tmp_path / "b"
    write_folder_atomic(folder, made.to_files())
    with open(folder / "files" / "model.json", "ab") as file:
        file.write(b" " * 1_000_000)
    with pytest.raises(IntegrityError):
        Bundle.read(folder, made.digest)


def test_too_many_files_are_refused(monkeypatch):
    monkeypatch.setattr("esgml.registry.formats.MAX_FILES", 3)
    with pytest.raises(NotAllowedError, match="at most"):
        Bundle("t", "m", {f"{i}.json": b"1" for i in range(4)})


@given(st.sampled_from([".json", ".txt", ".safetensors", ".onnx", ".npz"]), st.binary())
def test_any_bytes_are_taken_or_refused_in_our_words(suffix, data):
    with contextlib.suppress(EsgmlError):
        Bundle("t", "m", {"a" + suffix: data})


def seeds():
    archive = io.BytesIO()
    np.savez_compressed(archive, a=np.arange(30), b=np.ones((3, 3)))
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return {
        "a.npz": archive.getvalue(),
        "a.safetensors": len(header).to_bytes(8, "little") + header + b"1234",
        "a.onnx": onnx_model(nested=True),
    }


@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_damaged_files_are_taken_or_refused_in_our_words(data):
    files = seeds()
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(EsgmlError):
        Bundle("t", "m", {name: bytes(content)})
