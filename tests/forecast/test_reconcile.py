"""Reconciled forecasts add up, whatever the hierarchy, the method and the order."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, HistoryError, UsageError
from esgml.core.frequency import Frequency
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.forecast.reconcile import (
    METHODS,
    Hierarchy,
    Reconciliation,
    aggregate,
    aggregate_future,
    choose,
    fit_reconciliation,
    reconcile,
)

UNBIASED = tuple(m for m in METHODS if m != "top_down")
LABELS = st.sampled_from(["", "x", "y", "z"])


@st.composite
def hierarchies(draw: st.DrawFn) -> Hierarchy:
    count = draw(st.integers(1, 7))
    targets = draw(st.sampled_from([("s1",), ("s1", "s2")]))
    groups = {f"e{i}": tuple(draw(st.lists(LABELS, max_size=3))) for i in range(count)}
    keys = [SeriesKey(f"e{i}", t) for i in range(count) for t in targets]
    return Hierarchy.from_groups(keys, groups, total=draw(st.booleans()))


def small() -> Hierarchy:
    keys = [SeriesKey(name, "co2") for name in "abcd"]
    return Hierarchy.from_groups(keys, {"a": ("x",), "b": ("x",), "c": ("y",), "d": ("y",)})


def panel_of(series: dict[str, tuple[str, list[float]]]) -> Panel:
    """Daily panel: entity -> (first day, values); one covariate of each kind."""
    times, values, lengths = [], [], [0]
    for start, column in series.values():
        times.append(np.datetime64(start, "us") + np.arange(len(column)) * np.timedelta64(1, "D"))
        values.append(np.array(column, dtype=float))
        lengths.append(len(column))
    flat = np.concatenate(values)
    return Panel(
        keys=tuple(SeriesKey(entity, "co2") for entity in series),
        indptr=np.cumsum(lengths),
        time=np.concatenate(times),
        values=flat,
        frequency=Frequency("D"),
        known=flat[:, None] * 2,
        past=flat[:, None] * 3,
        known_names=("k",),
        past_names=("p",),
    )


@settings(max_examples=60, deadline=None)
@given(hierarchies(), st.sampled_from(METHODS), st.integers(0, 2**31), st.booleans())
def test_every_forecast_is_the_sum_of_its_members(
    h: Hierarchy, method: str, seed: int, nonnegative: bool
) -> None:
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-3, 6, len(h))[:, None]
    base = rng.normal(1, 1, (len(h), 4)) * scale
    residuals = rng.normal(size=(30, len(h))) * scale.T
    result = reconcile(base, h, method, residuals, nonnegative=nonnegative)
    again = h.summing @ result[: len(h.bottom)]
    np.testing.assert_allclose(result, again, rtol=1e-9, atol=1e-9 * np.abs(result).max())
    if nonnegative:
        assert (result >= 0).all()


@settings(max_examples=60, deadline=None)
@given(hierarchies(), st.sampled_from(UNBIASED), st.integers(0, 2**31))
def test_coherent_forecasts_are_left_as_they_are(h: Hierarchy, method: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fitted = fit_reconciliation(h, method, rng.normal(size=(25, len(h))))
    np.testing.assert_allclose(h.summing @ fitted.matrix @ h.summing, h.summing, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)), st.sampled_from(METHODS), st.integers(0, 2**31))
def test_the_order_of_the_series_does_not_matter(order: list[int], method: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = [SeriesKey(f"e{i}", "co2") for i in range(6)]
    groups = {f"e{i}": ("x" if i < 2 else "y", f"g{i % 3}") for i in range(6)}
    first = Hierarchy.from_groups(keys, groups)
    second = Hierarchy.from_groups([keys[i] for i in order], groups)
    where = [first.nodes.index(key) for key in second.nodes]
    base, residuals = rng.normal(9, 1, (len(first), 2)), rng.normal(size=(40, len(first)))
    sizes = rng.uniform(1, 5, 6)
    one = reconcile(base, first, method, residuals, sizes=sizes)
    two = reconcile(base[where], second, method, residuals[:, where], sizes=sizes[order])
    np.testing.assert_allclose(one[where], two, rtol=1e-7)


@pytest.mark.parametrize("method", ["ols", "wls", "mint"])
def test_agrees_with_the_textbook_formula(method: str) -> None:
    """The slow oracle: G = (S' W^-1 S)^-1 S' W^-1, inverses written out."""
    h, rng = small(), np.random.default_rng(3)
    mixed = rng.normal(size=(60, len(h))) @ rng.normal(size=(len(h), len(h)))
    if method == "ols":
        w = np.eye(len(h))
    elif method == "wls":
        w = np.diag((mixed**2).mean(axis=0))
    else:
        w = slow_shrinkage(mixed)
    s, inverse = h.summing, np.linalg.inv(w)
    expected = np.linalg.inv(s.T @ inverse @ s) @ s.T @ inverse
    found = fit_reconciliation(h, method, mixed).matrix
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def slow_shrinkage(x: np.ndarray) -> np.ndarray:
    """Schäfer & Strimmer's estimator with loops over every pair."""
    n, p = x.shape
    scale = np.sqrt((x**2).mean(axis=0))
    z = x / scale
    noise = power = 0.0
    r = np.eye(p)
    for i in range(p):
        for j in range(p):
            product = z[:, i] * z[:, j]
            r[i, j] = product.mean()
            if i != j:
                noise += n / (n - 1) * product.var() / n
                power += r[i, j] ** 2
    shrink = min(max(noise / power, 0.01), 1.0)
    return (r * (1 - shrink) + shrink * np.diag(np.diag(r))) * np.outer(scale, scale)


def test_bottom_up_and_top_down_do_what_they_say() -> None:
    h = small()
    base = np.arange(1.0, len(h) + 1)[:, None]
    up = reconcile(base, h, "bottom_up")
    np.testing.assert_allclose(up[:, 0], [1, 2, 3, 4, 10, 3, 7])
    down = reconcile(base, h, "top_down", sizes=np.array([1.0, 1.0, 2.0, 4.0]))
    np.testing.assert_allclose(down[:4, 0], np.array([1, 1, 2, 4]) / 8 * base[4, 0])
    even = reconcile(base, h, "top_down", sizes=np.zeros(4))
    np.testing.assert_allclose(even[:4, 0], base[4, 0] / 4)


def test_average_lies_half_way_between_direct_and_bottom_up() -> None:
    keys = [SeriesKey("a", "co2"), SeriesKey("b", "co2")]
    h = Hierarchy.from_groups(keys)
    result = reconcile(np.array([[1.0], [3.0], [6.0]]), h, "average")
    assert result[2, 0] == pytest.approx(5.0, rel=1e-4)


def test_mint_without_enough_residuals_uses_wls_and_says_so() -> None:
    h = small()
    residuals = np.random.default_rng(0).normal(size=(6, len(h)))
    fitted = fit_reconciliation(h, "mint", residuals)
    assert fitted.method == "wls"
    assert "has 6" in fitted.note
    np.testing.assert_allclose(fitted.matrix, fit_reconciliation(h, "wls", residuals).matrix)


def test_missing_residuals_and_constant_series_are_no_obstacle() -> None:
    h = small()
    residuals = np.random.default_rng(0).normal(size=(40, len(h)))
    residuals[:, 0] = np.nan
    residuals[:, 1] = 0.0
    base = np.ones((len(h), 3))
    for method in METHODS:
        result = reconcile(base, h, method, residuals)
        assert np.isfinite(result).all()
    untouched = reconcile(base, h, "wls", residuals)
    assert untouched[1] == pytest.approx(1.0, abs=1e-4)  # never wrong so far: left alone
    assert np.isfinite(reconcile(base, h, "wls", np.full((5, len(h)), np.nan))).all()
    assert np.isfinite(reconcile(base, h, "wls", np.zeros((5, len(h))))).all()


@pytest.mark.parametrize("method", METHODS)
def test_sums_of_the_same_members_and_wild_sizes_are_no_obstacle(method: str) -> None:
    keys = [SeriesKey(name, "co2") for name in "abc"]
    groups = {"a": ("x", "x", "y"), "b": ("x", "x", "y"), "c": ("z", "z")}
    h = Hierarchy.from_groups(keys, groups)
    assert len(h.aggregates) == 6
    rng = np.random.default_rng(0)
    for _ in range(30):
        scale = 10 ** rng.uniform(-4, 6, len(h))
        fitted = fit_reconciliation(h, method, rng.normal(size=(30, len(h))) * scale)
        result = fitted.apply(rng.normal(size=(len(h), 2)) * scale[:, None])
        assert np.isfinite(result).all()
        again = h.summing @ result[:3]
        np.testing.assert_allclose(result, again, rtol=1e-9, atol=1e-9 * np.abs(result).max())


def test_targets_are_never_added_to_each_other() -> None:
    keys = [SeriesKey(e, t) for e in ("a", "b") for t in ("scope1", "scope2")]
    h = Hierarchy.from_groups(keys)
    assert h.aggregates == (SeriesKey("total", "scope1"), SeriesKey("total", "scope2"))
    base = np.array([[1.0], [10.0], [2.0], [20.0], [3.0], [30.0]])
    np.testing.assert_allclose(reconcile(base, h, "wls"), base, rtol=1e-12)
    base[1] = np.nan  # one target unknown leaves the other whole
    result = reconcile(base, h, "wls")
    np.testing.assert_allclose(result[[0, 2, 4], 0], [1, 2, 3])
    assert np.isnan(result[[1, 5], 0]).all()
    assert result[3, 0] == 20


def test_names_of_groups_never_meet_names_of_entities() -> None:
    keys = [SeriesKey(e, "co2") for e in ("total", "x", "b", "c")]
    groups = {"total": ("x", "p"), "x": ("x", "q"), "b": ("y", "p"), "c": ("y", "total (sum)")}
    h = Hierarchy.from_groups(keys, groups)
    assert len(set(h.nodes)) == len(h.nodes)
    named = {key.entity: h.summing[h.nodes.index(key)].sum() for key in h.aggregates}
    assert named["total (sum)"] == 4
    assert named["x (sum)"] == 2
    assert named["x/p"] == named["y/p"] == 1


def test_a_single_series_has_no_total() -> None:
    h = Hierarchy.from_groups([SeriesKey("a", "co2")])
    assert h.aggregates == ()
    assert reconcile(np.array([[4.0]]), h, "mint")[0, 0] == 4.0


def test_aggregate_sums_only_what_every_member_has() -> None:
    panel = panel_of(
        {
            "a": ("2024-01-01", [1, 2, 3, 4, 5]),
            "b": ("2024-01-02", [10, np.nan, 30, 40, 50]),
        }
    )
    whole = aggregate(panel, Hierarchy.from_groups(panel.keys))
    assert whole.keys[-1] == SeriesKey("total", "co2")
    np.testing.assert_array_equal(whole.series(2), [12, np.nan, 34, 45])
    rows = whole.rows_of(2)
    assert whole.time[rows][0] == np.datetime64("2024-01-02")
    assert whole.time[rows][-1] == np.datetime64("2024-01-05")
    np.testing.assert_allclose(whole.known[rows][:, 0], [12, 6, 34, 45])
    np.testing.assert_allclose(whole.past[rows][:2, 0], [18, 9])
    np.testing.assert_array_equal(whole.series(0), panel.series(0))


def test_aggregate_refuses_members_that_never_meet() -> None:
    panel = panel_of({"a": ("2024-01-01", [1, 2]), "b": ("2024-02-01", [1, 2])})
    with pytest.raises(HistoryError, match="never all observed"):
        aggregate(panel, Hierarchy.from_groups(panel.keys))
    other = Hierarchy.from_groups([SeriesKey("zzz", "co2")])
    with pytest.raises(DataError, match="zzz"):
        aggregate(panel, other)


def test_the_known_future_of_a_sum_is_the_mean_of_its_members() -> None:
    time = np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[us]")
    h = Hierarchy.from_groups([SeriesKey("a", "co2"), SeriesKey("b", "co2")])
    known = np.array([[[1.0], [np.nan]], [[3.0], [5.0]]])
    ahead = aggregate_future(Future(np.stack([time, time]), known, ("k",)), h)
    assert ahead.time.shape == (3, 2)
    np.testing.assert_allclose(ahead.known[2, :, 0], [2, 5])


def test_choose_leaves_the_average_only_for_what_is_clearly_better() -> None:
    h, rng = small(), np.random.default_rng(1)
    truth = np.einsum("nb,wbh->wnh", h.summing, rng.uniform(50, 60, (20, 4, 5)))
    poor_sums = truth + rng.normal(0, 1, truth.shape)
    poor_sums[:, 4:] *= rng.uniform(0.5, 1.5, (20, 3, 5))
    fitted = choose(h, poor_sums, truth)
    assert fitted.method in ("bottom_up", "wls", "mint")
    assert fitted.scores is not None
    assert fitted.scores[fitted.method] < fitted.scores["average"]
    alike = truth + rng.normal(0, 1, truth.shape)
    assert choose(h, alike[:6], truth[:6]).method == "average"


def test_choose_works_with_little_or_no_past() -> None:
    h, rng = small(), np.random.default_rng(1)
    truth = np.einsum("nb,wbh->wnh", h.summing, rng.uniform(50, 60, (3, 4, 5)))
    for windows in (1, 2, 3):
        few = choose(h, truth[:windows] + 1, truth[:windows])
        assert few.method == "average"
    none = choose(h, truth[:0], truth[:0])
    assert none.method == "bottom_up"
    assert "no past" in none.note
    assert choose(h, truth, np.full_like(truth, np.nan)).method == "bottom_up"


def test_choose_learns_each_window_only_from_those_before_it() -> None:
    h, rng = small(), np.random.default_rng(4)
    truth = np.einsum("nb,wbh->wnh", h.summing, rng.uniform(50, 60, (8, 4, 5)))
    base = truth + rng.normal(0, 3, truth.shape)
    seen = []

    def spy(hierarchy: Hierarchy, method: str, past: np.ndarray, sizes: object) -> Reconciliation:
        seen.append(len(past))
        return fit_reconciliation(hierarchy, method, past)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("esgml.forecast.reconcile.fit_reconciliation", spy)
        choose(h, base, truth, candidates=("average",))
    assert seen == [10, 15, 20, 25, 30, 35, 40]


def test_windows_are_reconciled_as_one_alone() -> None:
    h, rng = small(), np.random.default_rng(2)
    base = rng.normal(10, 1, (3, len(h), 4))
    fitted = fit_reconciliation(h, "mint", rng.normal(size=(30, len(h))))
    many = fitted.apply(base)
    for w in range(3):
        np.testing.assert_array_equal(many[w], fitted.apply(base[w]))


def test_saved_and_read_back_bit_for_bit() -> None:
    h, rng = small(), np.random.default_rng(2)
    fitted = fit_reconciliation(h, "mint", rng.normal(size=(30, len(h))))
    read = Reconciliation.from_dict(json.loads(json.dumps(fitted.to_dict())))
    base = rng.normal(10, 1, (len(h), 4))
    assert read.hierarchy.nodes == h.nodes
    np.testing.assert_array_equal(read.apply(base), fitted.apply(base))


def test_wrong_calls_are_told() -> None:
    h = small()
    with pytest.raises(UsageError, match="magic"):
        fit_reconciliation(h, "magic")
    with pytest.raises(UsageError, match="7 nodes"):
        reconcile(np.ones((3, 2)), h)
    with pytest.raises(UsageError, match="residuals"):
        fit_reconciliation(h, "wls", np.ones((5, 3)))
    with pytest.raises(UsageError, match="sizes"):
        fit_reconciliation(h, "wls", sizes=np.ones(3))
    with pytest.raises(DataError, match="at least one"):
        Hierarchy.from_groups([])
    with pytest.raises(DataError, match="twice"):
        Hierarchy.from_groups([SeriesKey("a", "b"), SeriesKey("a", "b")])
