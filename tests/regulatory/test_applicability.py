"""A changed fact changes the answer and says since when; what is not known decides nothing."""

import datetime as dt

import pytest

pytest.importorskip("yaml", reason="the extra 'text' is not installed")

from esgml.core.errors import NotFoundError
from esgml.regulatory.applicability import applicability, as_dict, assess
from esgml.regulatory.facts import Regulation
from esgml.regulatory.knowledge import knowledge
from esgml.regulatory.organization import organization

TODAY = dt.date(2026, 11, 26)
LARGE = {"jurisdiction": "DE", "employees": 600, "net_turnover": "90 m EUR", "is_subsidiary": False}


def changed(name, change):
    """Return a regulation with one fact changed, as a new version of its file would."""
    regulation = knowledge().regulation(name)
    return Regulation.model_validate(change(regulation.model_dump(mode="json", by_alias=True)))


def test_the_answer_says_since_when_it_is_so_and_which_fact_changed_it():
    answer = applicability({**LARGE, "balance_sheet_total": "50 m EUR"}, "csrd", TODAY)
    assert answer["applies"] == "no"
    assert answer["since"] == "2026-03-18"
    assert [(c["date"], c["applies"], c["fact"]) for c in answer["changes"]] == [
        ("2023-01-05", "yes", "csrd-2022-large"),
        ("2026-03-18", "no", "csrd-2026-undertaking"),
    ]
    last = answer["because"][-1]
    assert "since 2026-03-18 the answer is no" in last["text"]
    assert last["evidence"]["fact"] == "csrd-2026-undertaking"


def test_a_changed_fact_changes_the_answer_and_says_since_when():
    org = organization({"jurisdiction": "FR", "employees": 880, "net_turnover": "512 m EUR"})
    assert assess(knowledge().regulation("csrd"), org, TODAY).applies == "no"

    def lower(file):
        old = next(f for f in file["facts"] if f["id"] == "csrd-2026-undertaking")
        new = {**old, "id": "csrd-2027-undertaking", "valid_from": "2027-02-01",
               "as_of": "2027-02-01", "supersedes": [old["id"]],
               "says": "Undertakings above EUR 450 million and 800 employees report"}  # fmt: skip
        old["valid_to"] = "2027-02-01"
        new["when"] = {"all": [dict(c) for c in old["when"]["all"]]}
        size = next(c for c in new["when"]["all"] if c["field"] == "employees")
        size["value"] = 800
        file["facts"].append(new)
        return file

    amended = changed("csrd", lower)
    before = as_dict(assess(amended, org, dt.date(2027, 1, 31)))
    after = as_dict(assess(amended, org, dt.date(2027, 2, 1)))
    assert (before["applies"], before["since"]) == ("no", "2026-03-18")
    assert (after["applies"], after["since"]) == ("yes", "2027-02-01")
    assert after["changes"][-1]["fact"] == "csrd-2027-undertaking"
    assert any("employees 880 > 800: yes" in b["text"] for b in after["because"])


def test_an_unverified_fact_never_makes_a_plain_yes_or_no():
    def doubt(file):
        for fact in file["facts"]:
            if fact["kind"] == "scope":
                fact["verified"] = False
                fact["verification"] = {"method": "none", "note": "not at hand"}
        return file

    unsure = changed("eed", doubt)
    for use, word in (("30 GWh", "would apply"), ("1 GWh", "would not apply")):
        org = organization({"jurisdiction": "DE", "energy_use": use})
        answer = as_dict(assess(unsure, org, TODAY))
        assert answer["applies"] == "unknown"
        assert answer["conditional"].startswith(word)
        assert "not verified" in answer["conditional"]
        assert any("TJ" in b["text"] for b in answer["because"])


def test_a_status_that_courts_may_change_goes_stale():
    org = {"jurisdiction": "US-DE", "operates_in": ["US-CA"], "net_turnover": "2 bn USD"}
    org["activities"] = {"*": False}
    fresh = applicability(org, "ca_sb253", dt.date(2026, 11, 26))
    stale = applicability(org, "ca_sb253", dt.date(2027, 11, 26))
    assert fresh["applies"] == "yes"
    assert stale["applies"] == "unknown"
    assert "may have changed since it was checked on 2026-03-11" in stale["conditional"]


@pytest.mark.parametrize(
    ("name", "org", "reason"),
    [
        ("sec_climate", {"listed_on": ["us_sec"]}, "stayed"),
        ("uk_srs", {"jurisdiction": "GB", "listed_on": ["uk_listed"]}, "voluntary"),
        ("issb", {"employees": 5}, "voluntary"),
    ],
)
def test_what_binds_nobody_is_no_and_says_what_would_be(name, org, reason):
    answer = applicability(org, name, dt.date(2026, 6, 30))
    assert answer["applies"] == "no"
    assert "would apply" in answer["conditional"] and reason in answer["conditional"]


def test_an_exemption_counts_only_where_it_is_claimed():
    org = {"jurisdiction": "DE", "employees": 2000, "net_turnover": "900 m EUR"}
    plain = applicability(org, "csrd", TODAY)
    assert plain["applies"] == "yes"
    assert any(b["text"].startswith("exempt only if claimed") for b in plain["because"])
    claimed = applicability({**org, "claims": {"csrd-subsidiary-exemption": True}}, "csrd", TODAY)
    assert claimed["applies"] == "no"
    assert claimed["because"][0]["evidence"]["fact"] == "csrd-subsidiary-exemption"


def test_whether_a_state_uses_its_option_is_unknown_until_it_is_said():
    org = {"jurisdiction": "DE", "employees": 700, "net_turnover": "300 m EUR",
           "balance_sheet_total": "400 m EUR", "public_interest_entity": True}  # fmt: skip
    open_ = applicability(org, "csrd_first_reporters", TODAY)
    assert open_["applies"] == "unknown"
    assert "claims.csrd-2026-member-state-option" in {m["field"] for m in open_["missing_facts"]}
    for used, expected in ((True, "no"), (False, "yes")):
        said = {**org, "claims": {"csrd-2026-member-state-option": used}}
        assert applicability(said, "csrd_first_reporters", TODAY)["applies"] == expected
    assert applicability(org, "csrd_first_reporters", dt.date(2027, 1, 1))["applies"] == "no"


def test_duties_that_begin_later_are_dated():
    org = {"jurisdiction": "DE", "employees": 2000, "net_turnover": "900 m EUR"}
    assert applicability(org, "csrd", TODAY)["begins"] == "2027-01-01"
    july = applicability({**org, "financial_year_start": "07-01"}, "csrd", TODAY)
    assert july["begins"] == "2027-07-01"


def test_before_it_was_law_the_answer_is_no():
    answer = applicability({"jurisdiction": "DE"}, "csddd", dt.date(2020, 1, 1))
    assert answer["applies"] == "no" and "not yet law" in answer["because"][0]["text"]


def test_what_is_missing_is_asked_for_by_field():
    answer = applicability({"jurisdiction": "DE", "employees": 2000}, "csrd", TODAY)
    assert answer["applies"] == "unknown"
    assert answer["missing_facts"][0]["field"] == "net_turnover"
    assert "net_turnover" in answer["missing_facts"][0]["remedy"]


def test_a_regulation_nobody_knows_is_refused():
    with pytest.raises(NotFoundError, match="no regulation 'nope'"):
        applicability({}, "nope", TODAY)
