"""Tuning a sentence encoder: learns what words cannot, stops early, is served without torch."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from esgml.core.errors import IntegrityError, MissingExtraError
from esgml.core.interfaces import MANIFEST
from esgml.core.storage import sha256
from esgml.nn.weights import pack
from esgml.regulatory.models.tuned import TunedClassifier

for library in ("torch", "sklearn", "onnx", "onnxruntime", "tokenizers"):
    pytest.importorskip(library, reason="the extras 'train' and 'text' are not installed")

_spec = importlib.util.spec_from_file_location(
    "tiny_encoder", Path(__file__).parent / "tiny_encoder.py"
)
tiny_encoder = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_encoder)

PACKAGE = "tiny_encoder_to_tune"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("packages")
    tiny_encoder.write(root / PACKAGE / "model")
    (root / PACKAGE / "__init__.py").write_text("")
    sys.path.insert(0, str(root))
    yield root
    sys.path.remove(str(root))


def sample(n=160):
    """Texts whose label is the order of two words: what counts of words cannot see."""
    random = np.random.default_rng(0)
    texts, truth = [], []
    for _ in range(n):
        middle = " ".join(random.choice(["law", "the", "energy", "year"], 6))
        first = random.random() < 0.5
        pair = ("wind", "forest") if first else ("forest", "wind")
        texts.append(f"the {pair[0]} {middle} {pair[1]} .")
        truth.append([float(first)])
    return texts, np.array(truth)


def model(**settings):
    base = {"encoder": PACKAGE, "layers": 2, "rank": 8, "epochs": 12, "folds": 1, "share": 1.0}
    return TunedClassifier(
        **{**base, "unit": "word", "rate": 1e-2, "precision": "fp32", **settings}
    )


@pytest.fixture(scope="module")
def trained(root):
    texts, truth = sample()
    return model().train(texts, truth, labels=["wind first"])


def test_it_learns_what_the_untouched_encoder_does_not_show(root, trained):
    texts, truth = sample(400)
    texts, truth = texts[160:], truth[160:]
    frozen = model(epochs=1, rate=1e-5).train(*sample(), labels=["wind first"])
    scores = {
        name: ((one.predict(texts) >= 0.5) == truth).mean()
        for name, one in (("frozen", frozen), ("tuned", trained))
    }
    assert scores["tuned"] > 0.9
    assert scores["tuned"] > scores["frozen"]
    assert 1 <= trained.epochs_ <= 12


def test_it_stops_before_the_last_epoch_when_nothing_is_gained(root):
    texts, _ = sample()
    noise = (np.random.default_rng(1).random((160, 1)) < 0.5).astype(float)
    stopped = model(epochs=20, patience=1).train(texts, noise, labels=["chance"])
    assert stopped.epochs_ < 20


def test_served_without_torch(root, trained, tmp_path):
    """A process in which torch cannot be imported gives the same answers."""
    texts, _ = sample(8)
    for name, data in trained.to_files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    code = (
        "import json, sys; from pathlib import Path; sys.modules['torch'] = None\n"
        "from esgml.regulatory.models.tuned import TunedClassifier\n"
        "root = Path(sys.argv[1]); texts = json.loads(sys.argv[2])\n"
        "files = {str(p.relative_to(root)): p.read_bytes()"
        " for p in root.rglob('*') if p.is_file()}\n"
        "print(json.dumps(TunedClassifier.from_files(files).predict(texts).tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), json.dumps(texts)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(map(str, (root, *sys.path))), "PATH": ""},
    )
    assert np.array_equal(np.array(json.loads(done.stdout)), trained.predict(texts))


def test_training_without_torch_says_what_to_install(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "esgml.regulatory.encoder_tuning", None)
    with pytest.raises(MissingExtraError, match="torch"):
        model().train(*sample(), labels=["wind first"])


def test_hostile_adapters(trained):
    good = trained.to_files()
    wrong = {name: value[:1] for name, value in trained.adapter_.items()}
    for name, data in (
        ("adapter.safetensors", pack(wrong)),
        ("encoder.json", b'{"name": "another", "epochs": 1}'),
        ("encoder.json", b"[]"),
        ("head.safetensors", pack({"weights": np.zeros(3), "bias": np.zeros(1)})),
    ):
        manifest = json.loads(good[MANIFEST])
        manifest["files"][name] = sha256(data)
        changed = {**good, name: data, MANIFEST: json.dumps(manifest).encode()}
        with pytest.raises(IntegrityError):
            TunedClassifier.from_files(changed).predict(["the wind law forest ."])
