import pytest

from esgml.core.errors import DataError
from esgml.regulatory.organization import Organization, organization
from esgml.regulatory.synonyms import SYNONYMS


def test_other_words_mean_the_same():
    other = {
        "country": "DE",
        "headcount": 1500,
        "turnover_eur": 512e6,
        "total_assets_usd": 3e8,
        "nace": "C23.51",
    }
    own = {
        "jurisdiction": "DE",
        "employees": 1500,
        "net_turnover": "512 m EUR",
        "balance_sheet_total": {"value": 3e8, "currency": "USD"},
        "sectors": ["C23.51"],
    }
    assert organization(other) == organization(own)


def test_an_amount_without_a_currency_is_refused():
    with pytest.raises(DataError) as caught:
        organization({"turnover": 512e6})
    assert caught.value.where.startswith("net_turnover")


def test_one_field_under_two_names_is_refused():
    with pytest.raises(DataError, match="twice"):
        organization({"country": "DE", "jurisdiction": "FR"})


def test_every_synonym_names_a_field():
    assert set(SYNONYMS.values()) <= set(Organization.model_fields)
    assert not set(SYNONYMS) & set(Organization.model_fields)
