"""The contract of every classifier of texts, exact evidence, calibration, hostile files."""

import importlib.util
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core import catalog
from esgml.core.errors import HistoryError, IntegrityError, NotTrainedError, UsageError
from esgml.core.interfaces import MANIFEST
from esgml.core.storage import sha256
from esgml.nn.weights import pack
from esgml.regulatory.calibration import (
    best_threshold,
    calibration_error,
    f1_scores,
    fit_platt,
    sigmoid,
)
from esgml.regulatory.encoder_files import available
from esgml.regulatory.linear import fit_logistic
from esgml.regulatory.models.tfidf import TfidfClassifier
from esgml.regulatory.task import TASK
from esgml.regulatory.term_vectors import TermVectors, pieces
from esgml.regulatory.words import blanked, sentences, words

pytest.importorskip("sklearn", reason="the extra 'text' is not installed")

SUBJECTS = ("wind power plants", "heavy trucks", "forest owners", "water works")
LABELS = ("energy", "transport")


def sample(n=80):
    random = np.random.default_rng(0)
    texts, truth = [], []
    for _ in range(n):
        chosen = random.random(4) < 0.5
        parts = [
            f"The ministry shall watch {s}." for s, yes in zip(SUBJECTS, chosen, strict=True) if yes
        ]
        texts.append(" ".join([*parts, "The act enters into force next year."]))
        truth.append(chosen[:2].astype(float))
    return texts, np.array(truth)


NAMES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name in ("blended", "embedding") and not available(),
            reason="no sentence encoder is installed",
        ),
    )
    for name in TASK.models()
]


@pytest.fixture(scope="module")
def tiny_package(tmp_path_factory):
    """An installed package that carries a tiny encoder; its name."""
    path = Path(__file__).parent / "tiny_encoder.py"
    spec = importlib.util.spec_from_file_location("tiny_encoder", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = tmp_path_factory.mktemp("packages")
    module.write(root / "tiny_encoder_package" / "model")
    (root / "tiny_encoder_package" / "__init__.py").write_text("")
    sys.path.insert(0, str(root))
    yield "tiny_encoder_package"
    sys.path.remove(str(root))


def untrained(name, tiny_package):
    settings = {}
    if name == "tuned":
        pytest.importorskip("torch", reason="the extra 'train' is not installed")
        settings = {"encoder": tiny_package, "layers": 1, "rank": 4, "epochs": 3, "folds": 1}
    return catalog.load("regulatory", name)(**settings)


@pytest.fixture(scope="module", params=NAMES)
def trained(request, tiny_package):
    texts, truth = sample()
    return untrained(request.param, tiny_package).train(texts, truth, labels=LABELS)


def test_classifiers_are_found():
    assert TASK.models() == ("blended", "embedding", "tfidf", "tuned")
    assert set(TASK.models()) < set(catalog.names("regulatory"))


def test_contract(trained):
    texts, truth = sample()
    p = trained.predict(texts)
    assert p.shape == truth.shape and np.isfinite(p).all() and ((p >= 0) & (p <= 1)).all()
    assert trained.evaluate(texts, truth)["f1_micro"] > 0.9
    assert np.array_equal(trained.predict(texts[3:4])[0], p[3]), "one text answers as in a batch"
    again = type(trained)(**trained.params.model_dump()).train(texts, truth, labels=LABELS)
    assert again.to_files() == trained.to_files(), "the same data give the same bytes"
    read = type(trained).from_files(trained.to_files())
    assert np.array_equal(read.predict(texts), p)
    text = "It is so. The ministry shall watch wind power plants. The act enters into force."
    place = trained.evidence(text, "energy")
    assert "wind" in text[place.start : place.end]
    assert trained.evidence("", "energy") is None
    with pytest.raises(UsageError):
        trained.evidence(text, "unknown")
    with pytest.raises(NotTrainedError):
        type(trained)().predict(texts)


def test_hostile_files(trained):
    """A changed, missing or senseless file is refused, with its hash made good too."""
    good = trained.to_files()
    with pytest.raises(IntegrityError):
        type(trained).from_files({**good, "labels.json": b"[]"})
    for name, data in (
        ("labels.json", b'{"a": 1}'),
        ("labels.json", b'["one"]'),
        ("calibration.safetensors", b"\x00" * 40),
        ("calibration.safetensors", pack({"slope": np.array([np.nan, 1.0])})),
    ):
        manifest = json.loads(good[MANIFEST])
        manifest["files"][name] = sha256(data)
        changed = {**good, name: data, MANIFEST: json.dumps(manifest).encode()}
        with pytest.raises(IntegrityError):
            type(trained).from_files(changed)


def test_contributions_add_up_to_the_score_exactly():
    texts, truth = sample()
    for unit in ("piece", "word", "opening", "both"):
        model = TfidfClassifier(unit=unit, smallest=0).train(texts, truth, labels=LABELS)
        text = (
            "<p>Wind power.</p> The ministry shall watch heavy trucks! And wind &amp; forest owners"
        )
        for j, label in enumerate(LABELS):
            parts = model.contributions(text, label)
            score = model._scores([text])[0, j]
            assert sum(p for *_, p in parts) + model.bias_[j] == pytest.approx(score, abs=1e-9)


def test_stretched_terms_are_penalized_less():
    """A ratio favours the terms of a label, and leaves answers to prediction as a plain sum."""
    texts, truth = sample()
    plain = TfidfClassifier(unit="word", ratio=False).train(texts, truth, labels=LABELS)
    stretched = TfidfClassifier(unit="word", ratio=True).train(texts, truth, labels=LABELS)
    for model in (plain, stretched):
        assert model.vectors_.terms == plain.vectors_.terms
    of_label = np.array(["wind" in term or "power" in term for term in plain.vectors_.terms])
    share = [
        np.abs(m.weights_[of_label, 0]).sum() / np.abs(m.weights_[:, 0]).sum()
        for m in (plain, stretched)
    ]
    assert share[1] > share[0]
    # Never seen together, never apart: every column stretched alike is the plain fit.
    even = np.ones((40, 3)) * np.arange(1, 41)[:, None] % 2
    from scipy.sparse import csr_matrix

    answers = np.repeat([[1.0], [0.0]], 20, axis=0)
    assert np.allclose(
        fit_logistic(csr_matrix(even), answers, 1.0, ratio=True)[0],
        fit_logistic(csr_matrix(even), answers, 1.0, ratio=False)[0],
    )


def test_vectors_match_scikit_learn():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts, _ = sample(30)
    ours = TermVectors.fit(texts, unit="piece", fewest=2, most=100_000)
    theirs = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True
    ).fit(texts)
    assert ours.terms == tuple(theirs.get_feature_names_out())
    difference = ours.matrix(texts) - theirs.transform(texts)
    assert abs(difference).max() < 1e-12


def test_both_is_words_and_pieces_side_by_side_each_of_unit_length():
    texts, _ = sample(30)
    fitted = {
        unit: TermVectors.fit(texts, unit=unit, fewest=2, most=100_000)
        for unit in ("piece", "word", "both")
    }
    matrix = {unit: vectors.matrix(texts).toarray() for unit, vectors in fitted.items()}
    both = dict(zip(fitted["both"].terms, matrix["both"].T, strict=True))
    expected = dict(zip(fitted["piece"].terms, matrix["piece"].T, strict=True))
    words_ = zip(fitted["word"].terms, matrix["word"].T, strict=True)
    expected |= {f"\t{term}": column for term, column in words_}
    assert both.keys() == expected.keys()
    assert all(both[term] == pytest.approx(expected[term], abs=1e-12) for term in both)


def test_pieces_of_a_word():
    assert pieces("ab") == [" a", "ab", "b ", " ab", "ab ", " ab "[:4], " ab "]
    assert max(map(len, pieces("x" * 500))) == 5 and len(pieces("x" * 500)) < 200


def test_training_refuses_what_it_cannot_learn():
    texts, truth = sample(40)
    with pytest.raises(HistoryError, match="rare"):
        TfidfClassifier().train(texts, np.zeros((40, 1)), labels=["rare"])
    with pytest.raises(UsageError):
        TfidfClassifier().train(texts, truth, labels=["one"])
    with pytest.raises(UsageError):
        TfidfClassifier().train(texts, truth, labels=["one", "one"])
    with pytest.raises(UsageError, match="strength"):
        TfidfClassifier(strength="much")


def test_unknown_truth_is_left_out_and_groups_stay_together():
    texts, truth = sample(120)
    truth[::5, 0] = np.nan
    model = TfidfClassifier().train(
        texts, truth, labels=LABELS, groups=[str(i // 2) for i in range(120)]
    )
    assert np.isfinite(model.predict(texts)).all()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_platt_recovers_the_curve_it_was_drawn_from(seed):
    random = np.random.default_rng(seed)
    score = random.normal(size=4000)
    truth = random.random(4000) < sigmoid(2.0 * score - 1.0)
    slope, offset = fit_platt(score, truth)
    assert slope == pytest.approx(2.0, abs=0.35) and offset == pytest.approx(-1.0, abs=0.25)
    assert calibration_error(sigmoid(slope * score + offset), truth) < 0.03


@given(st.floats(1e-3, 1e3), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_platt_does_not_depend_on_the_scale_of_the_score(scale, seed):
    """Undamped Newton steps overshot where scores were far apart."""
    random = np.random.default_rng(seed)
    score = random.normal(size=400)
    truth = random.random(400) < sigmoid(3 * score + 2)
    one, other = fit_platt(score, truth), fit_platt(score * scale, truth)
    assert other[0] * scale == pytest.approx(one[0], rel=1e-4)
    assert other[1] == pytest.approx(one[1], rel=1e-4, abs=1e-4)


def test_a_score_of_the_wrong_sign_is_not_turned_round():
    score = np.linspace(-1, 1, 100)
    slope, offset = fit_platt(score, score < 0)
    assert slope == 0.0 and sigmoid(np.array(offset)) == pytest.approx(0.5, abs=0.01)


def test_scores_of_decisions_against_scikit_learn():
    from sklearn.metrics import f1_score

    random = np.random.default_rng(1)
    truth, p = random.random((200, 3)) < 0.3, random.random((200, 3))
    micro, macro = f1_scores(p > 0.5, truth)
    assert micro == pytest.approx(f1_score(truth, p > 0.5, average="micro"))
    assert macro == pytest.approx(f1_score(truth, p > 0.5, average="macro"))
    assert 0.05 <= best_threshold(p[:, 0], truth[:, 0]) <= 0.8


@given(st.text(max_size=80) | st.text(alphabet="aB. \n<>&;/é1", max_size=200))
@settings(max_examples=40, deadline=None)
def test_sentences_hold_every_word_once(text):
    spans = sentences(text)
    assert all(a < b for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    for word in words(text):
        assert sum(a <= word.start and word.end <= b for a, b in spans) <= 1
        assert any(a <= word.start < b for a, b in spans)
    assert len(blanked(text)) == len(text)


def test_pathological_texts_take_bounded_time():
    """No construct makes the patterns look at the same characters again and again."""
    for piece in ("<a", "<!--", "&", ". ", "((((", "a" * 50, "\n\n", "-a"):
        text = piece * (300_000 // len(piece))
        assert len(blanked(text)) == len(text)
        sentences(text)
        words(text)
