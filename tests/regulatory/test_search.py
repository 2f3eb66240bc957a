"""Search finds, says by what, and survives what is put into it."""

import datetime as dt
import hashlib
import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, IntegrityError, NotFoundError, UsageError
from esgml.regulatory.library import MOST_BYTES, RegulationLibrary, listing
from esgml.regulatory.passages import MOST, passages
from esgml.regulatory.search import SearchIndex, search
from esgml.regulatory.word_search import K1, B, WordIndex, words

ENERGY = "Article 1\nEnterprises that use more than 85 TJ of energy need a management system.\n"
FOREST = "Article 2\nOperators shall not place products of cocoa, coffee or wood on the market.\n"
TRADE = "Article 3\nImporters of cement declare embedded emissions by 30 September each year.\n"


class Hashed:
    """A stand-in encoder: a random direction for each word, so that equal words lie near."""

    name = "hashed"

    def encode(self, texts):
        rows = []
        for text in texts:
            row = np.zeros(64, dtype=np.float32)
            for word in words(text):
                seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
                row += np.random.default_rng(seed).normal(size=64).astype(np.float32)
            rows.append(row / max(float(np.linalg.norm(row)), 1e-9))
        return np.array(rows, dtype=np.float32)


@pytest.fixture
def library(tmp_path):
    pytest.importorskip("safetensors", reason="the extra 'text' is not installed")
    kept = RegulationLibrary(tmp_path / "regulations")
    kept.add("eed", ENERGY, title="Energy")
    kept.add("eudr", FOREST)
    kept.add("cbam", TRADE, version="2025")
    return kept


def test_words_find_and_the_evidence_is_the_text_as_given(library):
    answer = search(library, "who declares emissions of cement?")
    assert answer["method"] == "words" and answer["texts"] == 3
    first = answer["hits"][0]
    assert (first["id"], first["version"]) == ("cbam", "2025")
    span = first["evidence"]
    assert TRADE[span["start"] : span["end"]] == span["text"]
    assert search(library, "85")["hits"][0]["id"] == "eed"
    assert search(library, "zebra")["hits"] == []


def test_meaning_takes_part_where_there_is_an_encoder_and_is_said(library):
    answer = search(library, "coffee operator", encoder=Hashed())
    assert answer["method"] == "words and meaning" and answer["encoder"] == "hashed"
    assert answer["hits"][0]["id"] == "eudr"
    assert len(answer["hits"]) == 3  # by meaning every passage has a place


def test_the_index_is_kept_and_made_again_when_a_text_is_added(library):
    folder = library.folder / "index"
    first = search(library, "energy", encoder=Hashed())
    files = sorted(folder.iterdir())
    assert {f.suffix for f in files} == {".json", ".safetensors"}
    assert search(library, "energy", encoder=Hashed()) == first
    assert sorted(folder.iterdir()) == files
    library.add("new", "Energy, energy, energy.")
    assert search(library, "energy")["hits"][0]["id"] == "new"


def test_a_broken_index_is_refused(library):
    search(library, "energy")
    head = next((library.folder / "index").glob("*.json"))
    head.write_text('{"words": ["one"]}')
    with pytest.raises(IntegrityError):
        search(library, "energy")


def test_an_empty_library_answers_with_no_hits(tmp_path):
    answer = search(RegulationLibrary(tmp_path / "none"), "energy")
    assert answer["hits"] == [] and answer["texts"] == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("query", "limit"), [("", 5), (" ", 5), ("x" * 2001, 5), ("x", 0), ("x", 201), ("x", True)]
)
def test_a_wrong_query_is_refused(library, query, limit):
    with pytest.raises(UsageError):
        search(library, query, limit=limit)


def oracle(texts, query):
    """BM25 as it stands in the paper, one passage and word at a time."""
    docs = [words(t) for t in texts]
    mean = sum(map(len, docs)) / len(docs) or 1.0
    scores = []
    for doc in docs:
        total = 0.0
        for word in dict.fromkeys(words(query)):
            holding = sum(word in d for d in docs)
            times = Counter(doc)[word]
            if times:
                idf = math.log(1 + (len(docs) - holding + 0.5) / (holding + 0.5))
                total += idf * times * (K1 + 1) / (times + K1 * (1 - B + B * len(doc) / mean))
        scores.append(total)
    return scores


TOKENS = ["energy", "law", "Law", "laws", "co2", "85", "tax"]
some_words = st.lists(st.sampled_from(TOKENS), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(some_words.map(" ".join), min_size=1, max_size=6), some_words.map(" ".join))
def test_scores_are_those_of_the_paper(texts, query):
    np.testing.assert_allclose(
        WordIndex.build(texts).scores(query), oracle(texts, query), rtol=1e-5, atol=1e-6
    )


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3000))
def test_passages_hold_all_the_text_but_blanks(text):
    spans = passages(text)
    covered = "".join(text[a:b] for a, b in spans)
    assert "".join(covered.split()) == "".join(text.split())
    assert all(a < b <= a + 2 * MOST and text[a:b] == text[a:b].strip() for a, b in spans)
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(spans))


def test_an_index_is_read_back_as_it_was():
    pytest.importorskip("safetensors", reason="the extra 'text' is not installed")
    index = SearchIndex.build([ENERGY, FOREST, TRADE], Hashed())
    again = SearchIndex.from_bytes(*index.to_bytes())
    assert again.rank("cement market", Hashed()) == index.rank("cement market", Hashed())


def test_versions_stand_side_by_side(tmp_path):
    kept = RegulationLibrary(tmp_path)
    kept.add("act", "first", version="2024-01-01")
    kept.add("act", "second", version="2026-01-01")
    assert kept.text("act") == "second"
    assert kept.text("act", "2024-01-01") == "first"
    assert kept.add("act", "first", version="2024-01-01") == kept.entries()[0]
    with pytest.raises(UsageError, match="another text is kept"):
        kept.add("act", "third", version="2026-01-01")
    with pytest.raises(NotFoundError, match="Kept: act"):
        kept.text("other")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "x" * 81, ".hidden"])
def test_a_name_is_no_path(tmp_path, name):
    with pytest.raises(UsageError):
        RegulationLibrary(tmp_path).add(name, "text")


def test_no_text_and_too_much_text_are_refused(tmp_path):
    kept = RegulationLibrary(tmp_path)
    with pytest.raises(DataError, match="no text"):
        kept.add("a", " \n")
    with pytest.raises(DataError, match="more than"):
        kept.add("a", "x" * (MOST_BYTES + 1))


def test_a_text_that_was_changed_on_disk_is_refused(library):
    next((library.folder / "texts").iterdir()).write_text("tampered")
    with pytest.raises(IntegrityError):
        search(library, "energy")


def test_a_broken_list_is_refused(tmp_path):
    (tmp_path / "library.json").write_text("{")
    with pytest.raises(IntegrityError):
        RegulationLibrary(tmp_path).entries()


def test_the_list_shows_what_is_kept_and_what_is_known(library):
    pytest.importorskip("yaml", reason="the extra 'text' is not installed")
    found = listing(library.folder, dt.date(2026, 11, 26))
    assert [e["name"] for e in found["ingested"]] == ["cbam", "eed", "eudr"]
    known = {one["id"]: one for one in found["knowledge"]}
    assert known["cbam"]["next_deadline"] == "2027-09-30"
    assert known["eudr"]["next_deadline"] == "2026-12-30"
    assert known["sec_climate"]["status"] == ["stayed"]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(words(f"{ENERGY} {FOREST} {TRADE}")), min_size=1, max_size=5))
def test_every_hit_is_a_span_of_its_text_as_given(library, query):
    given_texts = {"eed": ENERGY, "eudr": FOREST, "cbam": TRADE}
    for hit in search(library, " ".join(query))["hits"]:
        span = hit["evidence"]
        assert span["text"] and given_texts[hit["id"]][span["start"] : span["end"]] == span["text"]
