"""Splits: nothing tested was seen."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import ColumnError, HistoryError, UsageError
from esgml.data.splits import grouped_split, rolling_origin_splits, time_split
from esgml.data.synthetic import portfolio

FRAME = portfolio(seed=1, sites=4, years=1, faults=False).frame


@given(st.floats(0.01, 0.9), st.integers(0, 10))
def test_time_split_never_looks_ahead(share, gap):
    split = time_split(FRAME, test=share, gap=gap)
    latest, first = split.train["timestamp"].max(), split.test["timestamp"].min()
    assert first - latest == dt.timedelta(days=gap + 1)
    assert split.origin == first
    assert split.train.height + split.test.height + gap * 4 == FRAME.height


def test_time_split_at_a_moment():
    split = time_split(FRAME, test=dt.datetime(2023, 7, 1))
    assert split.test["timestamp"].min() == dt.datetime(2023, 7, 1)


@pytest.mark.parametrize("test", [0.0, 1.0, 2])
def test_shares_are_shares(test):
    with pytest.raises(UsageError):
        time_split(FRAME, test=test)


def test_splits_need_history():
    with pytest.raises(HistoryError):
        time_split(FRAME.head(1), test=0.5)
    with pytest.raises(HistoryError):
        time_split(FRAME, test=dt.datetime(2030, 1, 1))
    with pytest.raises(HistoryError, match="fewer windows"):
        rolling_origin_splits(FRAME, horizon=100, windows=5)
    with pytest.raises(UsageError):
        rolling_origin_splits(FRAME, horizon=0, windows=5)
    with pytest.raises(UsageError):
        time_split(FRAME, gap=-1)
    with pytest.raises(ColumnError):
        time_split(FRAME.drop("timestamp"))


@given(st.integers(1, 20), st.integers(1, 6), st.integers(1, 20), st.integers(0, 5))
def test_rolling_origins(horizon, windows, step, gap):
    splits = list(
        rolling_origin_splits(FRAME, horizon=horizon, windows=windows, step=step, gap=gap)
    )
    assert len(splits) == windows
    for split in splits:
        assert split.test["timestamp"].n_unique() == horizon
        assert split.test["timestamp"].min() - split.train["timestamp"].max() == dt.timedelta(
            days=gap + 1
        )
    origins = [s.origin for s in splits]
    assert all(b - a == dt.timedelta(days=step) for a, b in itertools.pairwise(origins))
    assert splits[-1].test["timestamp"].max() == FRAME["timestamp"].max()


@given(st.floats(0.01, 0.99), st.integers(0, 100))
def test_groups_stay_together(share, seed):
    split = grouped_split(FRAME, test=share, seed=seed)
    train, test = set(split.train["entity"]), set(split.test["entity"])
    assert train
    assert test
    assert not train & test
    assert split.train.height + split.test.height == FRAME.height
    again = grouped_split(FRAME, test=share, seed=seed)
    assert again.test.equals(split.test)


def test_groups_need_two():
    with pytest.raises(HistoryError):
        grouped_split(FRAME.filter(entity="site-01"))
    with pytest.raises(UsageError):
        grouped_split(FRAME, test=1.5)
