"""The compiled kernels against slow windows in NumPy, Polars and SQL."""

from __future__ import annotations

from itertools import pairwise

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.errors import DataError, UsageError
from esgml.features.kernels import STATISTICS, Grouped

SLOW = {
    "mean": np.mean,
    "std": lambda v: np.std(v, ddof=1),
    "min": np.min,
    "max": np.max,
    "median": np.median,
    "sum": np.sum,
}


def slow_windows(values, indptr, statistic, window, lag=0, need=None, season=1):
    """The definition, row by row."""
    need = window if need is None else need
    need = max(need, 2) if statistic == "std" else need
    out = np.full(len(values), np.nan)
    for a, b in pairwise(indptr):
        for t in range(a, b):
            rows = [t - lag - season * j for j in range(window)]
            seen = np.array([values[r] for r in rows if r >= a])
            seen = seen[np.isfinite(seen)]
            if len(seen) >= need:
                out[t] = SLOW[statistic](seen)
    return out


def messy(seed=0, rows=600):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=rows) * 50 + 1e3
    values[rng.random(rows) < 0.15] = np.nan
    values[77] = 1e13
    values[100:130] = 5.0
    values[350:380] = np.nan
    return values, np.array([0, 0, 1, 250, 252, rows])


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize(
    ("window", "lag", "need", "season"),
    [
        (2, 0, 2, 1),
        (5, 1, 2, 1),
        (7, 3, 7, 1),
        (28, 0, 1, 1),
        (300, 2, 4, 1),
        (3, 1, 1, 7),
        (2, 7, 2, 7),
    ],
)
def test_windows_equal_their_definition_despite_gaps_and_spikes(
    statistic, window, lag, need, season
):
    values, indptr = messy()
    grouped = Grouped(values, indptr)
    if season == 1:
        found = grouped.rolling(statistic, window, lag=lag, min_samples=need)
    else:
        found = grouped.seasonal_rolling(statistic, season, window, lag=lag, min_samples=need)
    expected = slow_windows(values, indptr, statistic, window, lag, need, season)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    window=st.integers(2, 6),
    lag=st.integers(0, 4),
    statistic=st.sampled_from(STATISTICS),
)
def test_any_panel(data, lengths, window, lag, statistic):
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    number = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.just(float("inf")))
    values = np.array(
        data.draw(st.lists(number, min_size=int(indptr[-1]), max_size=int(indptr[-1]))), dtype=float
    )
    need = data.draw(st.integers(1, window))
    found = Grouped(values, indptr).rolling(statistic, window, lag=lag, min_samples=need)
    expected = slow_windows(values, indptr, statistic, window, lag, need)
    size = np.nanmax(np.abs(values[np.isfinite(values)]), initial=1.0)
    # the deviation of nearly equal values is only as good as their last digits
    atol = 1e-7 * size if statistic == "std" else 1e-8 * size
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=atol)


def table(values, indptr):
    lengths = np.diff(indptr)
    return pl.DataFrame(
        {
            "series": np.repeat(np.arange(len(lengths)), lengths),
            "t": np.arange(len(values)) - np.repeat(indptr[:-1], lengths),
            "x": pl.Series(values, nan_to_null=True),
        }
    )


def test_polars_windows_agree():
    values, indptr = messy(1)
    values[77] = 900.0  # Polars slides too and would carry the dust of the spike
    frame = table(values, indptr)
    grouped = Grouped(values, indptr)
    x = pl.col("x")
    oracle = frame.select(
        lag=x.shift(7).over("series"),
        mean=x.rolling_mean(14, min_samples=7).shift(1).over("series"),
        std=x.rolling_std(14, min_samples=7).shift(1).over("series"),
        min=x.rolling_min(14, min_samples=7).shift(1).over("series"),
        max=x.rolling_max(14, min_samples=7).shift(1).over("series"),
        median=x.rolling_median(14, min_samples=7).shift(1).over("series"),
        sum=x.rolling_sum(14, min_samples=7).shift(1).over("series"),
        diff=(x.shift(1) - x.shift(8)).over("series"),
        expanding=x.cum_max().forward_fill().shift(1).over("series"),
        # Polars starts again from null after a gap only in the rows that are null themselves
        ewm=x.ewm_mean(alpha=0.3, adjust=False, ignore_nulls=True)
        .forward_fill()
        .shift(1)
        .over("series"),
    )
    found = {
        "lag": grouped.lag(7),
        **{s: grouped.rolling(s, 14, lag=1, min_samples=7) for s in STATISTICS},
        "diff": grouped.diff(7, lag=1),
        "expanding": grouped.expanding("max", lag=1),
        "ewm": grouped.ewm(0.3, lag=1),
    }
    for name, column in found.items():
        np.testing.assert_allclose(
            column,
            oracle[name].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
            rtol=1e-8,
            atol=1e-8,
            err_msg=name,
        )


def test_sql_windows_agree():
    values, indptr = messy(2)
    frame = table(values, indptr)  # noqa: F841 - DuckDB reads it by name
    names = {"mean": "avg", "std": "stddev_samp", "min": "min", "max": "max", "sum": "sum"}
    rolling = ", ".join(
        f"case when count(x) over w >= 5 then {sql}(x) over w end as {name}"
        for name, sql in {**names, "median": "median"}.items()
    )
    seasonal = ", ".join(f"{sql}(x) over s as season_{name}" for name, sql in names.items())
    expanding = ", ".join(f"{sql}(x) over e as so_far_{name}" for name, sql in names.items())
    rows = duckdb.sql(
        f"select {rolling}, {seasonal}, {expanding}, lag(x, 3) over o as lag from frame window "
        "o as (partition by series order by t), "
        "w as (partition by series order by t rows between 10 preceding and 1 preceding), "
        "s as (partition by series, t % 7 order by t rows between 4 preceding and 1 preceding), "
        "e as (partition by series order by t rows between unbounded preceding and 1 preceding) "
        "order by series, t"
    ).pl()
    grouped = Grouped(values, indptr)
    found = {"lag": grouped.lag(3)}
    for name in (*names, "median"):
        found[name] = grouped.rolling(name, 10, lag=1, min_samples=5)
    for name in names:
        found[f"season_{name}"] = grouped.seasonal_rolling(name, 7, 4, lag=7, min_samples=1)
    for name in ("mean", "std", "min", "max"):
        found[f"so_far_{name}"] = grouped.expanding(name, lag=1)
    for name, column in found.items():
        np.testing.assert_allclose(
            column,
            rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
            rtol=1e-7,
            atol=1e-7,
            err_msg=name,
        )


def test_one_absurd_reading_harms_only_the_windows_that_hold_it():
    values = np.full(400, 20.0)
    values[50] = 1e14
    grouped = Grouped(values, np.array([0, 400]))
    assert (grouped.rolling("std", 7)[57:] == 0.0).all()
    assert (grouped.rolling("mean", 7)[57:] == 20.0).all()
    assert (grouped.rolling("sum", 7)[57:] == 140.0).all()


def test_infinities_count_as_missing_and_the_input_is_not_changed():
    values = np.array([1.0, np.inf, 3.0, -np.inf])
    grouped = Grouped(values, np.array([0, 4]))
    assert np.isnan(grouped.lag(1)[2])
    np.testing.assert_array_equal(grouped.rolling("mean", 2, min_samples=1), [1, 1, 3, 3])
    assert np.isinf(values[1])


@pytest.mark.parametrize("values", [[], [np.nan] * 5, [4.0]])
def test_empty_missing_and_single_values(values):
    indptr = np.array([0, len(values)])
    grouped = Grouped(np.array(values), indptr)
    for statistic in STATISTICS:
        assert len(grouped.rolling(statistic, 3)) == len(values)
        assert np.isnan(grouped.rolling(statistic, 3)).all()
        assert len(grouped.seasonal_rolling(statistic, 7, 2)) == len(values)
    assert (
        len(grouped.lag(2)) == len(grouped.ewm(0.5)) == len(grouped.expanding("std")) == len(values)
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g.lag(-1),
        lambda g: g.diff(0),
        lambda g: g.rolling("mean", 0),
        lambda g: g.rolling("mean", 3, lag=-1),
        lambda g: g.rolling("mean", 3, min_samples=4),
        lambda g: g.rolling("mode", 3),
        lambda g: g.rolling("std", 1),
        lambda g: g.rolling("median", 3, quantile=1.5),
        lambda g: g.seasonal_rolling("mean", 0, 2),
        lambda g: g.expanding("median"),
        lambda g: g.ewm(0.0),
    ],
)
def test_settings_that_make_no_sense_are_refused(call):
    with pytest.raises(UsageError):
        call(Grouped(np.arange(5.0), np.array([0, 5])))


@pytest.mark.parametrize("indptr", [[0, 4], [1, 5], [0, 3, 2, 5], [], [[0, 5]]])
def test_bounds_that_do_not_fit_are_refused(indptr):
    with pytest.raises(DataError):
        Grouped(np.arange(5.0), np.array(indptr, dtype=np.int64))
    with pytest.raises(DataError):
        Grouped(np.ones((2, 2)), np.array([0, 4]))


@pytest.mark.parametrize("n", [*range(1, 17), 28, 32])
def test_the_network_sorts(n):
    from esgml.features.order_statistics import sorting_network

    rng = np.random.default_rng(n)
    # a network that sorts all zeros and ones sorts everything
    bits = rng.integers(0, 2, size=(2000, n)) if n > 11 else None
    if bits is None:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    for i, j in sorting_network(n):
        low, high = np.minimum(bits[:, i], bits[:, j]), np.maximum(bits[:, i], bits[:, j])
        bits[:, i], bits[:, j] = low, high
    assert (np.diff(bits, axis=1) >= 0).all()


@pytest.mark.parametrize("window", [1, 5, 32, 33])
@pytest.mark.parametrize("quantile", [0.0, 0.05, 0.5, 0.9, 1.0])
def test_any_quantile_on_either_side_of_the_switch(window, quantile):
    values, indptr = messy(4, rows=20_000)
    found = Grouped(values, indptr).rolling(
        "median", window, lag=2, min_samples=1, quantile=quantile
    )
    rows = np.random.default_rng(0).integers(0, len(values), 300)
    rows = np.concatenate([rows, [0, 1, 2, 250, 251, 252, 253, 8191, 8192, 8193]])
    starts = np.repeat(indptr[:-1], np.diff(indptr))
    for t in rows:
        seen = values[max(t - 2 - window + 1, starts[t]) : max(t - 1, starts[t])]
        seen = seen[~np.isnan(seen)]
        if len(seen):
            np.testing.assert_allclose(found[t], np.quantile(seen, quantile), rtol=1e-12)
        else:
            assert np.isnan(found[t])
