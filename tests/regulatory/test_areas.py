"""Areas and significance: what comes out, that every statement points at its evidence."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import UsageError
from esgml.regulatory.areas import KINDS, abstains, affected_areas
from esgml.regulatory.significance import legislative, significance

LAW = (
    "<p>This Act sets a target of 40% renewable electricity by 2030. Grid operators must connect"
    " wind and solar power plants, and a feed-in tariff is paid for twenty years.</p> It also"
    " introduces a tax on fuels used by cars and trucks. The Ministry of Energy reports every year"
    " on greenhouse gas emissions and may issue regulations."
)
FRENCH = (
    "La présente loi fixe les objectifs nationaux en matière d'énergie renouvelable. Les"
    " exploitants des réseaux sont tenus de raccorder les installations éoliennes et solaires."
)


def check(evidence, text):
    assert 0 <= evidence["start"] < evidence["end"] <= len(text)
    assert text[evidence["start"] : evidence["end"]] == evidence["text"]


def test_areas_of_an_energy_law():
    areas = affected_areas(LAW)
    named = {(one["kind"], one["area"]) for one in areas}
    assert ("sector", "Energy") in named
    assert ("response", "Mitigation") in named
    energy = next(one for one in areas if one["area"] == "Energy")
    assert re.search("renewable|wind|electricity|Energy", energy["evidence"]["text"])
    for one in areas:
        assert one["kind"] in KINDS
        assert one["threshold"] <= one["probability"] <= 1
        check(one["evidence"], LAW)
    assert abstains(LAW) == {}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([*LAW.split(), "\n\n", "<b>", "日本", "é", "&nbsp;"]), max_size=60))
def test_every_statement_points_at_its_evidence(parts):
    text = " ".join(parts)
    for one in affected_areas(text):
        check(one["evidence"], text)
    found = significance(text)
    if found["evidence"] is not None:
        check(found["evidence"], text)


@pytest.mark.parametrize("text", ["", "   ", "42", "<br><br>", "\x00", FRENCH])
def test_abstains_where_it_cannot_read(text):
    assert affected_areas(text) == []
    assert set(abstains(text)) == set(KINDS)
    found = significance(text)
    assert found["probability"] is None and found["evidence"] is None and found["abstains"]
    assert legislative(text)["probability"] is None


def test_refuses_what_is_no_text():
    for call in (affected_areas, abstains, significance, legislative):
        with pytest.raises(UsageError):
            call(b"bytes")


def test_significance_orders_rules():
    large = significance(
        "This final rule revises the Medicare payment system and updates payment rates for"
        " hospitals; the estimated annual effect on the economy exceeds $100 million."
    )
    small = significance(
        "The Coast Guard is establishing a temporary safety zone on navigable waters of the river"
        " to protect personnel and vessels during a fireworks display."
    )
    assert large["probability"] > 0.5 > small["probability"]
    assert large["economic_probability"] > small["economic_probability"]
    check(small["evidence"], small["evidence"]["text"]) if small["evidence"] else None
