"""Values of JSON documents: moments, numbers, fields."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.documents import check_fields, moment, numbers, utc
from esgml.core.errors import DataError, UsageError


@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_keeps_its_instant(when: dt.datetime) -> None:
    text = when.isoformat()
    try:
        expected = dt.datetime.fromisoformat(text).astimezone(dt.UTC).replace(tzinfo=None)
    except OverflowError:
        with pytest.raises(ValueError):
            utc(text)
    else:
        assert utc(text) == expected
        assert moment(text, "start") == np.datetime64(expected, "us")


def test_without_a_zone_it_is_utc_and_a_month_is_its_first_day() -> None:
    assert utc("2026-01-31T10:00") == dt.datetime(2026, 1, 31, 10)
    assert utc("2026-02") == dt.datetime(2026, 2, 1)


@pytest.mark.parametrize("value", [None, 3, "", "soon", "2026-13", "0001-01-01T00:00+14:00", ["x"]])
def test_no_moment_names_its_place(value: object) -> None:
    with pytest.raises(DataError, match="no timestamp") as caught:
        moment(value, "series[0].start")
    assert caught.value.where == "series[0].start"


def test_null_is_missing() -> None:
    np.testing.assert_array_equal(numbers([1, None, 2.5], "values"), [1.0, np.nan, 2.5])
    assert numbers([], "values").shape == (0,)


@pytest.mark.parametrize(
    ("values", "code", "where"),
    [
        ("12", "number", "values"),
        ([1.0, True], "number", "values[1]"),
        ([[1.0]], "number", "values[0]"),
        ([1.0, float("inf")], "not_finite", "values[1]"),
        ([float("nan")], "not_finite", "values[0]"),
        ([10**400], "not_finite", "values[0]"),
    ],
)
def test_what_is_no_number_names_its_place(values: object, code: str, where: str) -> None:
    with pytest.raises(DataError) as caught:
        numbers(values, "values")
    assert (caught.value.code, caught.value.where) == (code, where)


def test_unknown_fields_are_refused_with_the_known_ones() -> None:
    check_fields({"a": 1}, {"a", "b"})
    with pytest.raises(UsageError, match="unknown field c") as caught:
        check_fields({"a": 1, "c": 2}, {"a", "b"}, "series[0]")
    assert "a, b" in caught.value.remedy
    with pytest.raises(UsageError, match="is an object"):
        check_fields([], {"a"})
