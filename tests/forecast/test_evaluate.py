"""The evaluation: every score of the contract, the naive baseline beside it, honest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.core.errors import HistoryError, NotFoundError
from esgml.forecast import candidates
from esgml.forecast.combine import BASELINE
from esgml.forecast.evaluate import evaluate, with_sums

from_start = {"wape", "accuracy", "mase", "smape", "within_10pct", "wape_total"}
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def found(make_panel):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "SEASONAL", (BASELINE, "ridge"))
        return evaluate(make_panel((200, 200, 200)), 7, 4)


def test_scores_are_all_there_and_better_than_naive(found):
    scores = found.scores
    assert from_start <= set(scores) and from_start <= set(scores["naive"])
    assert scores["wape"] < 0.6 * scores["naive"]["wape"]
    assert scores["accuracy"] == 1 - scores["wape"]
    assert (scores["windows"], scores["horizon"], scores["series"]) == (4, 7, 3)
    assert set(scores["coverage"]) == set(scores["width"]) == {"80", "90"}
    assert scores["coverage"]["80"] <= scores["coverage"]["90"] <= 1
    assert scores["width"]["80"] <= scores["width"]["90"]
    assert set(scores["by_entity"]) == {"s0", "s1", "s2", "total"}
    assert set(scores["models"]) == {BASELINE, "ridge"}
    assert scores["train_seconds"] > 0


def test_the_baseline_among_the_models_is_the_naive_score(found):
    naive = found.scores["models"][BASELINE]
    assert {k: naive[k] for k in from_start} == found.scores["naive"]


def test_the_sum_has_scores_of_its_own(found):
    first = found.backtest.plan.calibrating
    forecast, actual = found.walk.forecast[first:], found.backtest.actual[first:]
    np.testing.assert_allclose(forecast[:, 3], forecast[:, :3].sum(axis=1), rtol=1e-9)
    expected = np.abs(forecast[:, 3] - actual[:, 3]).sum() / np.abs(actual[:, 3]).sum()
    assert found.scores["wape_total"] == pytest.approx(expected)
    assert found.scores["by_entity"]["total"]["wape"] == pytest.approx(expected)


def test_the_default_is_hardly_worse_than_its_best_model(found):
    best = min(s["wape"] for s in found.scores["models"].values())
    assert found.scores["wape"] <= best + 0.003


def test_nothing_after_an_origin_changes_what_was_published(make_panel):
    panel = make_panel((150, 150), ends=(0, 9))
    moment = panel.time.max() - np.timedelta64(20, "D")
    changed = replace(panel, values=panel.values.copy())
    changed.values[panel.time > moment] *= 1.5
    one, two = (evaluate(p, 7, 3, total=False) for p in (panel, changed))
    early = one.backtest.time[:, :, 0] <= moment
    assert early.any() and not early.all()
    np.testing.assert_array_equal(one.walk.forecast[early], two.walk.forecast[early])
    for level in (80, 90):
        np.testing.assert_array_equal(one.walk.lower[level][early], two.walk.lower[level][early])


def test_one_model_alone_is_not_mixed(make_panel):
    found = evaluate(make_panel((150, 150)), 7, 2, model="ridge", total=False)
    ridge = found.scores["models"]["ridge"]
    assert found.scores["wape"] == pytest.approx(ridge["wape"])
    assert ridge["weight"] == 1
    assert found.scores["models"][BASELINE]["weight"] == 0


def test_compared_models_have_no_part(make_panel, monkeypatch):
    monkeypatch.setattr(candidates, "SEASONAL", (BASELINE,))
    monkeypatch.setattr(candidates.catalog, "names", lambda _: (BASELINE, "ridge"))
    found = evaluate(make_panel((150,)), 7, 2, compare=True)
    assert found.scores["models"]["ridge"]["weight"] == 0
    assert found.scores["models"][BASELINE]["weight"] == 1
    assert found.scores["wape"] == pytest.approx(found.scores["naive"]["wape"])


def test_groups_are_summed_and_the_total_left_where_ends_differ(make_panel):
    grouped, hierarchy = with_sums(make_panel((60, 60, 60), groups=True), total=False)
    assert [key.entity for key in hierarchy.aggregates] == ["total", "north", "south"]
    assert len(grouped) == 6
    apart = make_panel((60, 60), ends=(0, 3))
    assert with_sums(apart, total=True) == (apart, None)
    one = make_panel((60,))
    assert with_sums(one, total=True) == (one, None)


def test_a_total_that_is_never_whole_is_left_out_unless_asked_for(make_panel):
    panel = make_panel((60, 60), groups=True)
    values = panel.values.copy()
    values[0:59:2] = np.nan
    values[61::2] = np.nan
    values[59] = np.nan
    never = replace(panel, values=values)
    bare = replace(never, groups={})
    assert with_sums(bare, total=True) == (bare, None)
    with pytest.raises(HistoryError, match="never all observed"):
        with_sums(never, total=True)


def test_a_sum_that_is_not_whole_before_some_origin(make_panel):
    panel = make_panel((120, 120))
    values = panel.values.copy()
    values[:80] = np.nan
    values[0] = 100.0
    scores = evaluate(replace(panel, values=values), 7, 8).scores
    assert np.isfinite(scores["wape_total"])


def test_gaps_short_and_unequal_series(make_panel):
    panel = make_panel((150, 150, 20, 9), gaps=0.1)
    scores = evaluate(panel, 7, 3).scores
    assert np.isfinite(scores["wape"]) and np.isfinite(scores["mase"])
    assert np.isfinite(scores["coverage_smallest"]["80"])


def test_a_series_unseen_in_the_windows_does_not_spoil_the_scores(make_panel):
    panel = make_panel((150, 150))
    values = panel.values.copy()
    rows = panel.rows_of(1)
    values[rows.stop - 30 : rows.stop - 1] = np.nan
    scores = evaluate(replace(panel, values=values), 7, 3, total=False).scores
    assert np.isfinite(scores["wape"])
    assert 0 <= scores["coverage_smallest"]["80"] <= 1


def test_annual_series(make_panel):
    scores = evaluate(make_panel((10, 10, 7), code="YS"), 1, 3).scores
    assert set(scores["models"]) == {BASELINE, "shrunk_growth"}
    assert np.isfinite(scores["wape"])


def test_levels_are_those_asked_for(make_panel):
    scores = evaluate(make_panel((150,)), 7, 3, levels=(50, 95)).scores
    assert set(scores["coverage"]) == {"50", "95"}
    assert scores["width"]["50"] <= scores["width"]["95"]


def test_same_seed_same_scores(make_panel):
    panel = make_panel((150, 150))
    one, two = (evaluate(panel, 7, 2, seed=3, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.walk.forecast, two.walk.forecast)


def test_bad_calls(make_panel):
    with pytest.raises(HistoryError):
        evaluate(make_panel((10,)), 7, 5)
    with pytest.raises(NotFoundError):
        evaluate(make_panel((100,)), 7, 2, model="oracle")


def test_a_site_that_ended_apart_is_in_no_sum(make_panel):
    panel = make_panel((150, 120, 90, 150), groups=True, ends=(0, 0, 0, -40))
    full, hierarchy = with_sums(panel, total=True)
    assert [key.entity for key in hierarchy.aggregates] == ["total", "north", "south"]
    values = {key: full.series(i) for i, key in enumerate(full.keys)}
    last = {key.entity: series[-1] for key, series in values.items()}
    assert last["total"] == pytest.approx(last["s0"] + last["s1"] + last["s2"])
    assert last["south"] == pytest.approx(last["s2"])
    scores = evaluate(panel, 7, 3).scores
    assert np.isfinite(scores["wape"]) and np.isfinite(scores["wape_total"])


def test_of_two_common_ends_the_later_one_counts(make_panel):
    panel = make_panel((90, 90, 90, 90), groups=True, ends=(0, 0, -9, -9))
    _, hierarchy = with_sums(panel, total=True)
    members = hierarchy.summing[len(hierarchy.bottom)]
    np.testing.assert_array_equal(members, [1, 1, 0, 0])
