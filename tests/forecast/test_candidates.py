"""Which models are tried, and the reasons for those that are not."""

from __future__ import annotations

import pytest

from esgml.core import catalog
from esgml.core.errors import MissingExtraError, NotFoundError, UsageError
from esgml.forecast.candidates import ANNUAL, SEASONAL, YEARLY, choose_models
from esgml.forecast.combine import BASELINE


def test_pools_are_models_of_the_catalog_with_the_baseline_first():
    for pool in (SEASONAL, YEARLY, ANNUAL):
        assert pool[0] == BASELINE
        assert set(pool) <= set(catalog.names("forecast"))


def test_daily_data_takes_the_seasonal_pool(make_panel):
    chosen, left_out = choose_models(make_panel((900, 900)), 7)
    assert chosen == tuple(name for name in SEASONAL if name not in left_out)
    assert all(left_out.values())
    assert {"ridge", "lightgbm_direct", "gaussian_process"} <= set(chosen)


@pytest.mark.parametrize(("code", "lengths"), [("YS", (12, 12)), ("D", (21, 10)), ("MS", (30,))])
def test_annual_and_short_data_take_the_other(make_panel, code, lengths):
    assert choose_models(make_panel(lengths, code=code), 1) == (ANNUAL, {})


def test_slow_models_are_left_out_of_hourly_data_with_a_reason(make_panel):
    chosen, left_out = choose_models(make_panel((24 * 10,), code="h"), 24)
    assert chosen[0] == BASELINE
    assert set(chosen) | set(left_out) == set(SEASONAL)
    assert "finer than daily" in left_out["gaussian_process"]


def test_trees_and_networks_are_left_out_of_a_few_rows_but_can_be_asked_for(make_panel):
    chosen, left_out = choose_models(make_panel((400,)), 7)
    assert "lightgbm_direct" not in chosen
    assert left_out["lightgbm_direct"] == "needs 500 rows; ask for it by name"
    assert left_out["lstm"] == "needs 5,000 rows; ask for it by name"
    assert choose_models(make_panel((400,)), 7, "lightgbm_direct")[0][1] == "lightgbm_direct"


def test_one_by_name_beside_the_baseline(make_panel):
    panel = make_panel((100,))
    assert choose_models(panel, 7, "ridge")[0] == (BASELINE, "ridge")
    assert choose_models(panel, 7, BASELINE)[0] == (BASELINE,)


def test_compare_runs_all_that_suit(make_panel):
    chosen, left_out = choose_models(make_panel((100,)), 7, compare=True)
    pool, _ = choose_models(make_panel((100,)), 7)
    assert chosen[0] == BASELINE
    assert set(pool) <= set(chosen)
    assert set(chosen) | set(left_out) == set(catalog.names("forecast"))
    assert len(set(chosen)) == len(chosen)


def test_unknown_and_unsuited_names_are_refused(make_panel):
    with pytest.raises(NotFoundError, match="no forecast model 'oracle'") as caught:
        choose_models(make_panel((100,)), 7, "oracle")
    assert "ridge" in caught.value.remedy
    with pytest.raises(UsageError, match="does not suit"):
        choose_models(make_panel((240,), code="h"), 24, "gaussian_process")


def test_a_missing_library_leaves_its_models_out(make_panel, monkeypatch):
    load = catalog.load

    def without(capability, name):
        if name == "lightgbm_direct":
            raise MissingExtraError.of("lightgbm", "train")
        return load(capability, name)

    monkeypatch.setattr(catalog, "load", without)
    chosen, left_out = choose_models(make_panel((100,)), 7)
    assert "lightgbm_direct" not in chosen
    assert "esgml[train]" in left_out["lightgbm_direct"]
    with pytest.raises(MissingExtraError):
        choose_models(make_panel((100,)), 7, "lightgbm_direct")
