"""More than 200 cases, written from the text of the facts, and what the engine says of each."""

import datetime as dt
from pathlib import Path

import pytest

pytest.importorskip("yaml", reason="the extra 'text' is not installed")

from esgml.regulatory.applicability import as_dict, assess
from esgml.regulatory.knowledge import knowledge, read_yaml
from esgml.regulatory.organization import organization

TODAY = dt.date(2026, 11, 26)
CASES = [
    (name, one)
    for name, cases in read_yaml(Path(__file__).parent / "cases.yaml").items()
    for one in cases
]


def test_there_are_at_least_200_and_every_regulation_has_one():
    assert len(CASES) >= 200
    assert {name for name, _ in CASES} == set(knowledge().regulations)
    answers = [one["expect"] for _, one in CASES]
    assert min(answers.count(a) for a in ("yes", "no", "unknown")) >= 40


@pytest.mark.parametrize(
    ("name", "case"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)]
)
def test_case(name, case):
    known = knowledge()
    fact = known.fact(case["fact"])
    assert fact in known.regulation(name).facts
    day = case.get("as_of", TODAY)
    answer = as_dict(assess(known.regulation(name), organization(case["org"]), day))
    assert answer["applies"] == case["expect"], (
        case["why"],
        [b["text"] for b in answer["because"]],
    )
    if "begins" in case:
        assert answer["begins"] == case["begins"].isoformat()
    cited = {b["evidence"]["fact"] for b in answer["because"]}
    assert case["fact"] in cited, (case["why"], cited)
