"""Two versions of a text: every clause accounted for, and the dates and limits that moved."""

import difflib
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, UsageError
from esgml.regulatory import thresholds, timeline
from esgml.regulatory.alignment import ALIKE, MOST_ELSEWHERE, WIDEST, align, plain, similarities
from esgml.regulatory.changes import compare

OLD = """Article 1 This Regulation applies to importers of cement.

Article 6 By 31 May of each year, each authorised declarant shall submit a declaration. The
declarant shall hold certificates for at least 80 % of the embedded emissions.

Article 9 Member States shall appoint a competent authority for the purposes of this Regulation.

Article 10 The Commission may adopt guidelines."""
NEW = """Article 1 This Regulation applies to importers of cement.

Article 2a An importer shall be exempted where the net mass does not exceed 50 tonnes.

Article 9 Member States shall appoint a competent authority for the purposes of this Regulation.

Article 6 By 30 September of each year, each authorised declarant shall submit a declaration. The
declarant shall hold certificates for at least 50 % of the embedded emissions."""


def test_what_was_added_removed_and_changed_and_what_moved():
    found = compare(OLD, NEW)
    assert [c["text"] for c in found["removed"]] == [
        "Article 10 The Commission may adopt guidelines."
    ]
    assert any("50 tonnes" in c["text"] for c in found["added"])
    threshold = next(c for c in found["added"] if "50 tonnes" in c["text"])["sets"][0]
    assert (threshold["kind"], threshold["value"]) == ("threshold", "<= 50 t")
    moved = {(m["kind"], m["before"]["value"], m["after"]["value"]) for m in found["moved"]}
    assert ("threshold", ">= 80 %", ">= 50 %") in moved
    dates = [m for m in found["moved"] if m["kind"] == "date"]
    assert dates[0]["before"]["evidence"]["text"].startswith("By 31 May")
    assert dates[0]["after"]["evidence"]["text"].startswith("By 30 September")
    words = [w for c in found["changed"] for w in c["words"]]
    assert {"before": "31 May", "after": "30 September"} in words


def spans(value):
    if isinstance(value, dict):
        if {"text", "start", "end"} <= set(value):
            yield value
        for inner in value.values():
            yield from spans(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from spans(inner)


def test_every_clause_is_a_span_of_its_text():
    found = compare(OLD, NEW)
    for part, text in (("removed", OLD), ("added", NEW)):
        for span in spans(found[part]):
            assert text[span["start"] : span["end"]] == span["text"]
    for one in found["changed"]:
        for side, text in (("before", OLD), ("after", NEW)):
            span = one[side]
            assert text[span["start"] : span["end"]] == span["text"]


def test_a_text_compared_with_itself_has_not_changed():
    found = compare(OLD, OLD)
    assert not any(found[k] for k in ("added", "removed", "changed", "relocated", "moved"))
    assert found["unchanged"] > 4


def test_a_clause_that_stands_elsewhere_is_relocated_not_new():
    first = "Member States shall appoint one competent authority for this Regulation."
    second = "Importers keep their records available for inspection during ten years."
    found = compare(f"{first}\n\n{second}", f"{second}\n\n{first}")
    assert len(found["relocated"]) == 1 and not found["added"] and not found["removed"]


def test_line_breaks_and_quotes_are_no_change():
    found = compare("The importer’s\nreport is due.", "The importer's report is due.")
    assert found["unchanged"] == 1 and not found["changed"]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [("", "text", DataError), ("text", " ", DataError), (None, "text", UsageError)],
)
def test_what_is_no_text_is_refused(old, new, kind):
    with pytest.raises(kind):
        compare(old, new)


WORDS = ["the", "law", "of", "a", "land", "is", "old"]
clauses = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join),
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(clauses, clauses)
def test_every_clause_is_paired_once_and_in_order(old, new):
    pairs = align(old, new)
    assert [a for a, _ in pairs if a is not None] == list(range(len(old)))
    assert [b for _, b in pairs if b is not None] == list(range(len(new)))
    together = [(a, b) for a, b in pairs if a is not None and b is not None]
    assert together == sorted(together)


def worth(old, new, chosen):
    alike = similarities([plain(c) for c in old], [plain(c) for c in new])
    return sum(alike[i, j] for i, j in chosen if alike[i, j] >= ALIKE)


@settings(max_examples=60, deadline=None)
@given(clauses.filter(lambda c: 0 < len(c) <= 4), clauses.filter(lambda c: 0 < len(c) <= 4))
def test_where_nothing_is_equal_no_pairing_in_order_is_better(old, new):
    if {plain(c) for c in old} & {plain(c) for c in new}:
        return
    pairs = [(a, b) for a, b in align(old, new) if a is not None and b is not None]
    best = 0.0
    for size in range(min(len(old), len(new)) + 1):
        for left in itertools.combinations(range(len(old)), size):
            for right in itertools.combinations(range(len(new)), size):
                best = max(best, worth(old, new, zip(left, right, strict=True)))
    assert worth(old, new, pairs) == pytest.approx(best)


def test_a_long_text_is_paired_piece_by_piece():
    old = [f"clause {i} says word{i} and thing{i}" for i in range(2 * WIDEST + 7)]
    new = [f"{clause} now" for clause in old]
    pairs = align(old, new)
    assert pairs == [(i, i) for i in range(len(old))]


def test_what_moves_after_more_statements_than_an_analysis_reads_is_told(monkeypatch):
    for module in (timeline, thresholds):
        monkeypatch.setattr(module, "MOST_READ", 5)
    many = "Report 3 tonnes by 1 May 2026. " * 50
    found = compare(many + "Pay EUR 5 by 1 May 2027.", many + "Pay EUR 7 by 1 June 2027.")
    moved = {(m["before"]["value"], m["after"]["value"]) for m in found["moved"]}
    assert moved == {("2027-05-01", "2027-06-01"), ("= 5 EUR", "= 7 EUR")}
    assert found["unchanged"] == 50 and found["warnings"] == []


def test_many_changes_far_apart_are_paired_as_a_full_search_would():
    draw = random.Random(3)
    old = [f"clause {i} is about {draw.randrange(40)}" for i in range(3000)]
    new = [c + " now" if draw.random() < 0.3 else c for c in old if draw.random() < 0.9]
    equal = sum(
        b.size for b in difflib.SequenceMatcher(None, old, new, False).get_matching_blocks()
    )
    pairs = align(old, new)
    assert sum(a is not None and b is not None and old[a] == new[b] for a, b in pairs) == equal
    assert [a for a, _ in pairs if a is not None] == list(range(len(old)))
    assert [b for _, b in pairs if b is not None] == list(range(len(new)))


def test_a_clause_put_in_between_many_equal_ones_is_the_only_one_added():
    many = ["Operators shall report each year."] * (3 * WIDEST)
    pairs = align(many, [*many[:400], "Importers shall pay.", *many[400:]])
    assert [b for a, b in pairs if a is None] == [400]
    assert all(b is not None for _, b in pairs)


def test_where_too_many_clauses_are_gone_to_look_for_all_elsewhere_it_says_so():
    old = " ".join(f"Firm{i} shall keep file{i} for box{i}." for i in range(MOST_ELSEWHERE + 1))
    new = " ".join(f"Bank{i} must hand list{i} in room{i}." for i in range(MOST_ELSEWHERE + 1))
    (warning,) = compare(old, new)["warnings"]
    assert warning["code"] == "moved_in_part" and "1,001 clauses" in warning["message"]
    assert warning["remedy"]
