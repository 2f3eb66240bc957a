"""Three answers, never a guess: conditions against a slow oracle, and the arithmetic they show."""

import itertools

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError
from esgml.regulatory.organization import Organization, organization, read_organization
from esgml.regulatory.predicates import Predicate

READ = pydantic.TypeAdapter(Predicate)
FLAGS = ["public_interest_entity", "is_parent", "is_subsidiary"]


def answer(predicate, **fields):
    return READ.validate_python(predicate).evaluate(organization(fields)).answer


def lines(predicate, **fields):
    return [x.text for x in READ.validate_python(predicate).evaluate(organization(fields)).lines]


SIZE = {"field": "employees", "op": ">", "value": 1000}
MONEY = {"field": "net_turnover", "op": ">", "value": 450e6, "unit": "EUR"}


def test_the_arithmetic_is_shown():
    found = lines({"all": [SIZE, MONEY]}, employees=880, net_turnover="512 m EUR")
    assert found == ["employees 880 > 1,000: no", "net turnover 512 m EUR > 450 m EUR: yes"]


@pytest.mark.parametrize(
    ("employees", "expected"), [(1000, "no"), (1000.5, "yes"), (1001, "yes"), (None, "unknown")]
)
def test_a_threshold_that_must_be_exceeded_is_not_met_by_itself(employees, expected):
    assert answer(SIZE, employees=employees) == expected


def test_another_currency_is_unknown_without_a_rate_and_shown_with_one():
    condition = READ.validate_python(MONEY)
    usd = condition.evaluate(organization({"net_turnover": "512 m USD"}))
    assert usd.answer == "unknown"
    assert "USD/EUR" in usd.open[0].remedy
    with_rate = organization({"net_turnover": "512 m USD", "rates": {"USD/EUR": 0.5}})
    outcome = condition.evaluate(with_rate)
    assert outcome.answer == "no"
    assert "512 m USD × 0.5 = 256 m EUR" in outcome.lines[0].text
    inverse = organization({"net_turnover": "512 m USD", "rates": {"EUR/USD": 0.5}})
    assert condition.evaluate(inverse).answer == "yes"


def test_units_are_converted_and_shown():
    energy = {"field": "energy_use", "op": ">", "value": 85, "unit": "TJ"}
    assert answer(energy, energy_use="30 GWh") == "yes"
    assert lines(energy, energy_use="30 GWh") == ["energy use a year 30 GWh = 108 TJ > 85 TJ: yes"]
    mass = {"field": "cbam_imports", "op": ">", "value": 50, "unit": "t"}
    assert answer(mass, cbam_imports="50000 kg") == "no"
    assert answer(mass, cbam_imports="50001 kg") == "yes"


def test_two_years_in_a_row():
    both = {**SIZE, "years": 2}
    assert answer(both, employees=1200, previous_year={"employees": 1100}) == "yes"
    assert answer(both, employees=1200, previous_year={"employees": 900}) == "unknown"
    assert answer(both, employees=900, previous_year={"employees": 900}) == "no"
    outcome = READ.validate_python(both).evaluate(organization({"employees": 1200}))
    assert outcome.answer == "yes" and "taken as the same" in outcome.lines[0].assumption


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"jurisdiction": "DE"}, "yes"),
        ({"jurisdiction": "US", "operates_in": ["FR"]}, "yes"),
        ({"jurisdiction": "US", "operates_in": ["US"]}, "no"),
        ({"jurisdiction": "US"}, "unknown"),
        ({"operates_in": ["EU"]}, "yes"),
        ({"operates_in": ["US"]}, "unknown"),
        ({"jurisdiction": "US", "operates_in": ["EEA"]}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_where_it_does_business(fields, expected):
    assert answer({"field": "operates_in", "op": "in", "value": "EU"}, **fields) == expected


def test_a_country_does_not_say_which_part():
    california = {"field": "operates_in", "op": "in", "value": "US-CA"}
    assert answer(california, jurisdiction="US-DE", operates_in=["US-CA"]) == "yes"
    assert answer(california, jurisdiction="US-DE", operates_in=["US-NY"]) == "no"
    assert answer(california, jurisdiction="US-DE", operates_in=["US"]) == "unknown"


def test_an_activity_that_is_left_out_is_unknown_unless_all_others_are_denied():
    condition = {"field": "activities.places_eudr_products"}
    assert answer(condition, activities=["places_eudr_products"]) == "yes"
    assert answer(condition, activities=["places_batteries"]) == "unknown"
    assert answer(condition, activities={"places_batteries": True, "*": False}) == "no"


def test_a_sector_is_met_by_its_group():
    insurers = {"field": "sectors", "op": "is", "value": "K65"}
    assert answer(insurers, sectors=["C24", "K65.12"]) == "yes"
    assert answer(insurers, sectors=["K64"]) == "no"
    assert answer(insurers) == "unknown"


def test_a_field_by_another_name_is_refused_with_the_one_that_is_meant():
    for written, meant in (("net_turnver", "net_turnover"), ("employes", "employees")):
        with pytest.raises(DataError, match=f"Did you mean '{meant}'"):
            organization({written: 5})


def oracle(predicate, world):
    """Evaluate with every missing flag filled in: true or false, no third answer."""
    if "all" in predicate:
        return all(oracle(p, world) for p in predicate["all"])
    if "any" in predicate:
        return any(oracle(p, world) for p in predicate["any"])
    if "at_least" in predicate:
        return sum(oracle(p, world) for p in predicate["of"]) >= predicate["at_least"]
    if "not" in predicate:
        return not oracle(predicate["not"], world)
    return world[predicate["field"]] == predicate.get("value", True)


leaf = st.sampled_from(FLAGS).map(lambda name: {"field": name})
trees = st.recursive(
    leaf,
    lambda child: st.one_of(
        st.lists(child, min_size=1, max_size=3).map(lambda p: {"all": p}),
        st.lists(child, min_size=1, max_size=3).map(lambda p: {"any": p}),
        st.lists(child, min_size=2, max_size=3).map(lambda p: {"at_least": 2, "of": p}),
        child.map(lambda p: {"not": p}),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(trees, st.tuples(*[st.sampled_from([True, False, None])] * len(FLAGS)))
def test_yes_and_no_hold_whatever_the_missing_values_are(tree, values):
    given_ = dict(zip(FLAGS, values, strict=True))
    answered = answer(tree, **given_)
    missing = [name for name in FLAGS if given_[name] is None]
    possible = set()
    for fill in itertools.product([True, False], repeat=len(missing)):
        possible.add(oracle(tree, {**given_, **dict(zip(missing, fill, strict=True))}))
    if answered != "unknown":
        assert possible == {answered == "yes"}
    if not missing:
        assert answered != "unknown"


@settings(max_examples=60, deadline=None)
@given(trees, st.tuples(*[st.sampled_from([True, False, None])] * len(FLAGS)))
def test_only_what_is_open_is_asked_for(tree, values):
    outcome = READ.validate_python(tree).evaluate(
        organization(dict(zip(FLAGS, values, strict=True)))
    )
    assert bool(outcome.open) == (outcome.answer == "unknown")
    assert all(line.remedy for line in outcome.open)


@pytest.mark.parametrize(
    "wrong",
    [
        {"field": "nothing"},
        {"field": "employees", "op": "in", "value": "EU"},
        {"field": "net_turnover", "op": ">", "value": 5},
        {"field": "net_turnover", "op": ">", "value": 5, "unit": "t"},
        {"field": "cbam_imports", "op": ">", "value": 50},
        {"field": "jurisdiction", "op": "in", "value": 3},
        {"field": "public_interest_entity", "value": "maybe"},
        {"field": "employees", "op": ">", "value": "many"},
        {"field": "thermal_input", "op": ">", "value": 20, "unit": "MW", "years": 2},
        {"all": []},
        {"at_least": 3, "of": [{"field": "is_parent"}]},
        {"field": "employees", "op": ">", "value": 1, "extra": 1},
    ],
)
def test_a_predicate_of_the_wrong_form_is_refused(wrong):
    with pytest.raises(pydantic.ValidationError):
        READ.validate_python(wrong)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"employees": "many"}, "employees"),
        ({"employees": True}, "employees"),
        ({"employees": float("nan")}, "employees"),
        ({"employees": -1}, "employees"),
        ({"net_turnover": 512e6}, "net_turnover"),
        ({"net_turnover": "512 m"}, "net_turnover"),
        ({"net_turnover": {"value": 5}}, "net_turnover"),
        ({"net_turnover": {"value": "5", "currency": "EUR"}}, "net_turnover"),
        ({"net_turnover": "5 m euros and more"}, "net_turnover"),
        ({"cbam_imports": "5 EUR"}, "cbam_imports"),
        ({"cbam_imports": "5 blorps"}, "cbam_imports"),
        ({"energy_use": "5 t"}, "energy_use"),
        ({"jurisdiction": "Germany"}, "jurisdiction"),
        ({"listed_on": ["moon"]}, "listed_on.0"),
        ({"activities": ["flies"]}, "activities"),
        ({"activities": [[]]}, "activities"),
        (
            {"cbam_imports": "5 t", "activities": {"imports_cbam_goods": False}},
            "organization",
        ),
        ({"activities": {"operates_aircraft": "yes"}}, "activities"),
        ({"rates": {"USD": 1.0}}, "rates"),
        ({"rates": {"USD/EUR": -1.0}}, "rates"),
        ({"financial_year_start": "13-45"}, "financial_year_start"),
        ({"takings": "5 m EUR"}, "takings"),
        ({"sectors": ["steel"]}, "sectors.0"),
        ({"group": {"staff": 5}}, "group.staff"),
    ],
)
def test_an_organization_is_strict_on_kinds_and_units(fields, where):
    with pytest.raises(DataError) as caught:
        organization(fields)
    assert caught.value.where.startswith(where)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, "\x00"])
def test_what_is_no_organization_is_refused(text):
    with pytest.raises(DataError):
        read_organization(text)


def test_an_organization_is_read_back_as_it_was():
    org = organization(
        {"jurisdiction": "uk", "net_turnover": "1.5 bn GBP", "activities": ["places_batteries"]}
    )
    assert org.jurisdiction == "GB" and org.net_turnover.value == 1.5e9
    assert Organization.model_validate_json(org.model_dump_json()) == org
