"""The risk index keeps its formula, and every sentence points at its evidence."""

import datetime as dt
import json

import polars as pl
import pytest

pytest.importorskip("yaml", reason="the extra 'text' is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, EsgmlError, NotFoundError, UsageError
from esgml.regulatory.activities import ACTIVITIES
from esgml.regulatory.applicability import assess
from esgml.regulatory.decision import decide
from esgml.regulatory.knowledge import knowledge
from esgml.regulatory.organization import Organization, organization
from esgml.regulatory.readiness import metrics_in, with_tables
from esgml.regulatory.risk import compliance_risk, index, overall, urgency
from esgml.regulatory.risk_request import answer_schema, request_schema, risk

TODAY = dt.date(2026, 11, 26)
ORG = {
    "name": "Example", "jurisdiction": "DE", "employees": 2000, "net_turnover": "900 m EUR",
    "cbam_imports": "120 t", "energy_use": "30 GWh", "available_data": ["scope1", "Energy"],
}  # fmt: skip

money = st.builds(
    lambda v, c: {"value": v, "currency": c},
    st.floats(0, 5e9, allow_nan=False),
    st.sampled_from(["EUR", "USD", "AUD", "JPY"]),
)
flag = st.booleans()
#: What is said of this one may contradict the mass that is drawn.
NAMES = sorted(set(ACTIVITIES) - {"imports_cbam_goods"})
organizations = st.fixed_dictionaries(
    {},
    optional={
        "jurisdiction": st.sampled_from(["DE", "US-CA", "US", "AU", "JP", "GB", "CN"]),
        "operates_in": st.lists(st.sampled_from(["FR", "US-CA", "AU", "GB"]), max_size=3),
        "employees": st.floats(0, 9000, allow_nan=False),
        "net_turnover": money,
        "balance_sheet_total": money,
        "net_turnover_eu": money,
        "largest_eu_subsidiary_turnover": money,
        "royalties_eu": money,
        "market_capitalization": money,
        "public_interest_entity": flag,
        "sectors": st.lists(st.sampled_from(["K65", "C24.1", "A"]), max_size=2),
        "is_parent": flag,
        "listed_on": st.lists(st.sampled_from(["us_sec", "tse_prime", "uk_listed"]), max_size=2),
        "cbam_imports": st.floats(0, 200, allow_nan=False).map(lambda x: f"{x:f} t"),
        "energy_use": st.floats(0, 200, allow_nan=False).map(lambda x: f"{x:f} TJ"),
        "fgas_charge": st.floats(0, 20, allow_nan=False).map(lambda x: f"{x:f} tCO2e"),
        "activities": st.dictionaries(st.sampled_from(NAMES), flag, max_size=8),
        "available_data": st.lists(st.sampled_from(sorted(knowledge().data_points)), max_size=9),
        "rates": st.just({"USD/EUR": 0.9}),
    },
)
days = st.dates(dt.date(2018, 1, 1), dt.date(2032, 1, 1))


def sentences(value):
    """Yield everything in an answer that is a sentence."""
    if isinstance(value, dict):
        if "text" in value:
            yield value
        for inner in value.values():
            yield from sentences(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from sentences(inner)


@settings(max_examples=40, deadline=None)
@given(organizations, days)
def test_every_sentence_points_at_a_fact_that_is_there(org, day):
    answer = compliance_risk(org, as_of=day)
    known = knowledge()
    found = list(sentences(answer))
    assert len(found) >= len(answer["by_regulation"])
    for one in found:
        evidence = one["evidence"] if isinstance(one["evidence"], list) else [one["evidence"]]
        assert evidence, one["text"]
        for cited in evidence:
            fact = known.fact(cited["fact"])
            assert cited["citation"] == fact.citation
            assert cited["verified"] is fact.verified
        if not any(known.fact(c["fact"]).verified for c in evidence):
            assert "not verified" in one["text"] or one.get("action") == "settle"
    for regulation in answer["by_regulation"]:
        assert regulation["because"]
        for missing in regulation["missing_data"]:
            assert missing["id"] in known.fact(missing["evidence"]["fact"]).data_points


@settings(max_examples=30, deadline=None)
@given(organizations, days)
def test_the_index_is_its_formula_and_stays_between_0_and_1(org, day):
    answer = compliance_risk(org, as_of=day)
    risks = []
    for one in answer["by_regulation"]:
        factors = one["factors"]
        product = 1.0
        for name in ("applicability", "exposure", "gap", "urgency"):
            assert 0 <= factors[name] <= 1
            product *= factors[name]
        assert one["risk"] == pytest.approx(product, abs=2e-3)
        assert (one["risk"] == 0) or one["applies"] != "no"
        risks.append(one["risk"])
    assert risks == sorted(risks, reverse=True)
    assert max(risks) - 1e-3 <= answer["overall_risk"] <= 1
    assert answer["overall_risk_certain"] <= answer["overall_risk"] + 1e-9
    json.dumps(answer, allow_nan=False)


@settings(max_examples=25, deadline=None)
@given(organizations, days, st.sampled_from(sorted(knowledge().data_points)))
def test_one_more_data_point_never_raises_the_risk(org, day, point):
    before = compliance_risk({**org, "available_data": org.get("available_data", [])}, as_of=day)
    more = [*org.get("available_data", []), point]
    after = compliance_risk({**org, "available_data": more}, as_of=day)
    assert after["overall_risk"] <= before["overall_risk"] + 1e-9


#: Exemptions count only where they are shown or claimed, so leaving that out can add a duty.
SHOWN = {r.id for r in knowledge().regulations.values() if r.of("exemption")}


@settings(max_examples=40, deadline=None)
@given(organizations, days, st.data())
def test_leaving_something_out_never_turns_a_yes_into_a_no_or_back(org, day, data):
    left = {k: v for k, v in org.items() if data.draw(st.booleans(), label=k)}
    whole, part = organization(org), organization(left)
    for regulation in knowledge().regulations.values():
        if regulation.id in SHOWN:
            continue
        more = decide(regulation, whole, day).answer
        less = decide(regulation, part, day).answer
        assert less in (more, "unknown"), regulation.id


@settings(max_examples=15, deadline=None)
@given(organizations)
def test_the_answer_changes_on_the_days_it_says_and_on_no_other(org):
    whole = organization(org)
    for regulation in knowledge().regulations.values():
        changes = {day: answer for day, answer, _ in assess(regulation, whole, TODAY).history}
        days_ = {f.valid_from for f in regulation.facts} | {
            f.valid_to for f in regulation.facts if f.valid_to
        }
        for day in (d for d in days_ if d <= TODAY):
            before = decide(regulation, whole, day - dt.timedelta(days=1)).answer
            after = decide(regulation, whole, day).answer
            assert changes.get(day, before) == after
            assert (day in changes) == (before != after)


def test_the_parts_of_the_formula():
    assert index("yes", 0.5, 0.5, 1.0) == 0.25
    assert index("unknown", 1.0, 1.0, 1.0) == 0.5
    assert index("no", 1.0, 1.0, 1.0) == 0.0
    assert overall([]) == 0.0
    assert overall([0.5, 0.5]) == 0.75
    assert urgency(None, TODAY) == urgency(TODAY, TODAY) == 1.0
    assert urgency(dt.date(2027, 11, 26), TODAY) == 0.5
    assert urgency(dt.date(2020, 1, 1), TODAY) == 1.0


def by_id(answer):
    return {one["id"]: one for one in answer["by_regulation"]}


def test_an_answer_as_the_contract_names_it():
    answer = risk({"organization": ORG, "as_of": "2026-11-26"})
    one = by_id(answer)["csrd"]
    assert one["applies"] == "yes" and one["deadline"] == "2028-12-31"
    assert {m["id"] for m in one["missing_data"]} >= {"scope3", "double_materiality"}
    assert not {"scope1", "energy_use"} & {m["id"] for m in one["missing_data"]}
    assert one["related"] == {"csrd_first_reporters": "unknown", "csrd_third_country": "unknown"}
    assert by_id(answer)["csddd"]["applies"] == "no"
    collect = [r for r in answer["recommendations"] if r["action"] == "collect"]
    assert {"cbam", "eed", "csrd"} <= {name for r in collect for name in r["regulations"]}
    assert all(r["effort_days"] > 0 and r["evidence"] for r in answer["recommendations"])
    gains = [r["gain"] / r["effort_days"] for r in answer["recommendations"]]
    assert gains == sorted(gains, reverse=True)


def test_only_the_regulations_that_are_asked_for():
    answer = compliance_risk(ORG, ["eed", "cbam", "eed"], TODAY)
    assert sorted(by_id(answer)) == ["cbam", "eed"]
    assert compliance_risk(ORG, [], TODAY)["overall_risk"] == 0.0


def test_what_is_due_and_not_done_is_overdue():
    org = {"jurisdiction": "DE", "energy_use": "20 TJ", "available_data": []}
    one = by_id(compliance_risk(org, ["eed"], TODAY))["eed"]
    assert one["deadline"] == "2026-10-11" and one["overdue"]
    done = {**org, "available_data": ["energy_audit", "energy_use"]}
    assert by_id(compliance_risk(done, ["eed"], TODAY))["eed"]["risk"] == 0.0


def test_without_a_list_of_data_all_is_not_stated_and_said_so():
    org = {k: v for k, v in ORG.items() if k != "available_data"}
    one = by_id(compliance_risk(org, ["eed"], TODAY))["eed"]
    assert {m["state"] for m in one["missing_data"]} == {"not stated"}
    assert any("does not say what it has" in w["text"] for w in one["why_risk"])


def test_data_that_stands_for_nothing_is_shown():
    answer = compliance_risk({**ORG, "available_data": ["scope 1", "mood"]}, ["csrd"], TODAY)
    assert answer["unrecognized_data"] == ["mood"]


def test_what_it_has_is_read_from_its_own_tables():
    long = pl.DataFrame({"metric": ["scope1", "water", "waste"], "quantity": [1.0, 2.0, None]})
    wide = pl.DataFrame({"entity": ["a"], "scope2": [1.0], "scope3": [None]})
    assert metrics_in(long) == ("scope1", "water")
    org = with_tables(organization({"jurisdiction": "DE"}), [long, wide])
    assert {"scope1", "water", "scope2"} <= set(org.available_data)
    assert "scope3" not in org.available_data and "waste" not in org.available_data


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ([], UsageError),
        ({}, DataError),
        ({"organization": []}, DataError),
        ({"organization": ORG, "extra": 1}, UsageError),
        ({"organization": ORG, "regulations": "csrd"}, UsageError),
        ({"organization": ORG, "regulations": [1]}, UsageError),
        ({"organization": ORG, "regulations": ["nope"]}, NotFoundError),
        ({"organization": ORG, "as_of": "26.11.2026"}, DataError),
        ({"organization": ORG, "as_of": "0001-01-01"}, DataError),
        ({"organization": ORG, "as_of": 2026}, DataError),
        ({"organization": {"employees": "x"}}, DataError),
    ],
)
def test_a_wrong_request_is_refused(request_, kind):
    with pytest.raises(kind):
        risk(request_)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(Organization.model_fields)), junk, max_size=4), junk)
def test_whatever_is_sent_is_answered_or_refused_with_a_place(fields, other):
    for request_ in ({"organization": fields}, {"organization": other}, other):
        try:
            answer = risk(request_)
        except EsgmlError as error:
            assert error.message and error.code
        else:
            json.dumps(answer, allow_nan=False)


def test_the_schemas_describe_what_is_taken_and_given():
    rust = pytest.importorskip("jsonschema_rs", reason="jsonschema-rs is not installed")
    request = {"organization": ORG, "as_of": "2026-11-26"}
    rust.validate(request_schema(), request)
    rust.validate(answer_schema(), risk(request))
    with pytest.raises(rust.ValidationError):
        rust.validate(request_schema(), {"organization": {"staff": 5}})


def test_an_answer_too_old_to_rest_on_says_so_and_what_to_read():
    company = {
        "jurisdiction": "US-CA",
        "operates_in": ["US-CA"],
        "net_turnover": "2 bn USD",
        "legal_form": "limited_liability",
    }
    before = compliance_risk(company, ["ca_sb253"], as_of=dt.date(2026, 12, 6))
    after = compliance_risk(company, ["ca_sb253"], as_of=dt.date(2026, 12, 7))
    assert [one["by_regulation"][0]["applies"] for one in (before, after)] == ["yes", "unknown"]
    assert "since it was checked on 2026-03-11" in after["by_regulation"][0]["because"][0]["text"]
    (advice,) = after["recommendations"]
    assert advice["action"] == "settle" and "2026-03-11" in advice["text"] and advice["evidence"]


def test_what_is_at_hand_is_told():
    company = {"jurisdiction": "DE", "available_data": ["scope1", "mood"]}
    answer = compliance_risk(company, ["csrd"], as_of=dt.date(2026, 11, 26))
    assert answer["available_data"] == ["scope1"] and answer["unrecognized_data"] == ["mood"]
