"""The knowledge base keeps its contract, and says where it does not know."""

import datetime as dt
import gzip
import json
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("yaml", reason="the extra 'text' is not installed")

from esgml.checks.knowledge import KnowledgeBattery, knowledge_checks
from esgml.core.errors import DataError, GateError, NotFoundError
from esgml.regulatory.facts import Deadline
from esgml.regulatory.knowledge import DATA_POINTS, knowledge

DATA = Path(os.environ.get("ESGML_DATA", "../shared/data"))
ARTICLES = DATA / "regulatory" / "eu_acts_articles.jsonl.gz"
NAMED = {
    "csrd", "csddd", "cbam", "eudr", "sfdr", "taxonomy", "ets", "eed", "epbd", "batteries", "espr",
    "fgas", "ca_sb253", "ca_sb261", "sec_climate", "uk_srs", "issb", "au_sustainability", "jp_ssbj",
}  # fmt: skip

OWN = """
id: town_rule
title: A rule of a town
jurisdiction: DE
authority: the town
topics: [energy]
facts:
  - id: town-scope
    kind: scope
    says: Everyone with more than ten employees reports
    citation: Town rule, section 1
    quote: everyone with more than ten employees
    as_of: 2026-01-01
    valid_from: 2025-01-01
    verified: true
    verification: {method: law_text, sources: [the town's gazette]}
    when: {field: employees, op: ">", value: 10}
"""


def library():
    texts = {}
    with gzip.open(ARTICLES, "rt", encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            found = re.search(r"Article_0*(\w+)$", one["unit"])
            if found:
                key = (one["celex"], found[1])
                texts[key] = f"{texts.get(key, '')} {one['text']}"
    return lambda celex, article: texts.get((celex, article))


def folder(tmp_path, text=OWN, name="town_rule"):
    (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_acts_that_were_promised_are_there():
    assert set(knowledge().regulations) >= NAMED


def test_the_battery_holds_and_its_count_is_pinned():
    assert len(knowledge_checks()) == 11
    assert len(KnowledgeBattery.names()) == 11


@pytest.mark.skipif(not ARTICLES.exists(), reason="the real texts are not at hand (ESGML_DATA)")
def test_every_text_verified_quote_stands_in_its_article():
    assert "quotes_stand_in_their_source" in knowledge_checks(library=library())
    facts = [f for r in knowledge().regulations.values() for f in r.facts]
    assert sum(f.verification.method == "text" for f in facts) >= 60


@pytest.mark.skipif(not ARTICLES.exists(), reason="the real texts are not at hand (ESGML_DATA)")
def test_a_quote_that_is_not_in_the_text_is_found(tmp_path):
    own = OWN.replace(
        "verification: {method: law_text, sources: [the town's gazette]}",
        'verification: {method: text}\n    celex: 32023R1115\n    article: "3"',
    )
    with pytest.raises(GateError, match="town-scope: the quote is not in 32023R1115"):
        knowledge_checks(folder(tmp_path, own), library=library())


def test_a_folder_of_ones_own_is_added_and_checked(tmp_path):
    known = knowledge(folder(tmp_path))
    assert "town_rule" in known.regulations and "csrd" in known.regulations
    assert knowledge_checks(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('op: ">", value: 10', 'op: ">", value: ten', "town-scope"),
        ("field: employees", "field: employes", "town-scope"),
        ("as_of: 2026-01-01", "as_of: soon", "town-scope.as_of"),
        ("verified: true", "verified: false", "town-scope"),
        ("sources: [the town's gazette]", "sources: []", "town-scope"),
        ("    citation: Town rule, section 1\n", "", "town-scope.citation"),
        (
            "valid_from: 2025-01-01",
            "valid_from: 2025-01-01\n    valid_to: 2024-01-01",
            "town-scope",
        ),
        ("kind: scope", "kind: deadline", "town-scope"),
        ("id: town_rule", "id: other_rule", "town_rule.yaml"),
        ("topics: [energy]", "topics: [", "town_rule.yaml"),
        ("topics: [energy]", "topics: !!python/object/apply:os.getcwd []", "town_rule.yaml"),
    ],
)
def test_a_fact_of_the_wrong_form_is_refused_by_name(tmp_path, old, new, where):
    assert old in OWN
    with pytest.raises(DataError) as caught:
        knowledge(folder(tmp_path, OWN.replace(old, new)))
    assert where in caught.value.where


def test_a_data_point_nobody_defines_is_refused(tmp_path):
    own = (
        OWN
        + """  - id: town-duty
    kind: duty
    says: They report noise
    citation: Town rule, section 2
    as_of: 2026-01-01
    valid_from: 2025-01-01
    verified: false
    verification: {method: none, note: not at hand}
    data_points: [noise]
"""
    )
    with pytest.raises(DataError, match="'noise', which no file defines"):
        knowledge(folder(tmp_path, own))
    (tmp_path / DATA_POINTS).write_text(
        "- {id: noise, name: Noise at night, unit: dB, effort_days: 3}\n"
    )
    assert "noise" in knowledge(tmp_path).data_points


NEGATIVE = 'when: {not: {field: employees, op: "<", value: -1}}'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("as_of: 2026-01-01", "as_of: 2999-01-01", "is in the future"),
        ("id: town-scope", "id: csrd-2026-undertaking", "stands 2 times"),
        ('when: {field: employees, op: ">", value: 10}', NEGATIVE, "thresholds_are_sane"),
        ("kind: scope", "kind: status", "has_a_scope"),
        ("    valid_from", "    supersedes: [csrd-duty]\n    valid_from", "goes on beside"),
        ("    valid_from", "    supersedes: [nothing]\n    valid_from", "supersedes nothing"),
    ],
)
def test_the_battery_finds_what_reading_cannot(tmp_path, old, new, message):
    assert old in OWN
    with pytest.raises(GateError, match=message):
        knowledge_checks(folder(tmp_path, OWN.replace(old, new)))


def test_unknown_names_are_refused_with_what_is_known():
    with pytest.raises(NotFoundError, match="csrd"):
        knowledge().regulation("nothing")
    with pytest.raises(NotFoundError, match="no such folder"):
        knowledge("/nowhere/at/all")


AUTUMN = {"every": "09-30", "first": "2027-09-30"}


def day(text):
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("rule", "as_of", "year_start", "begins", "expected"),
    [
        ({"date": "2027-10-11"}, "2026-11-26", "01-01", "2023-01-01", "2027-10-11"),
        ({"date": "2027-10-11"}, "2027-10-11", "01-01", "2023-01-01", "2027-10-11"),
        ({"date": "2027-10-11"}, "2027-10-12", "01-01", "2023-01-01", None),
        (AUTUMN, "2026-11-26", "01-01", "2026-01-01", "2027-09-30"),
        (AUTUMN, "2027-09-30", "01-01", "2026-01-01", "2027-09-30"),
        (AUTUMN, "2027-10-01", "01-01", "2026-01-01", "2028-09-30"),
        ({"months_after_year_end": 12}, "2026-11-26", "01-01", "2027-01-01", "2028-12-31"),
        ({"months_after_year_end": 12}, "2029-01-01", "01-01", "2027-01-01", "2029-12-31"),
        ({"months_after_year_end": 4}, "2026-11-26", "07-01", "2027-07-01", "2028-10-31"),
        ({"months_after_year_end": 0}, "2026-11-26", "01-01", "2027-01-01", "2027-12-31"),
        ({"months_after_year_end": 2}, "2026-11-26", "01-01", "2027-01-01", "2028-02-29"),
    ],
)
def test_the_next_day_something_is_due(rule, as_of, year_start, begins, expected):
    deadline = Deadline.model_validate({"what": "a report", **rule})
    due = deadline.next(day(as_of), year_start, day(begins))
    assert due == (day(expected) if expected else None)
