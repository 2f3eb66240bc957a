"""Numbers written as texts."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.data.numeric import is_mostly_numeric, parse_numbers


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", " 2.5 ", "-3e2"], [1.0, 2.5, -300.0]),
        (["1,5", "2,25"], [1.5, 2.25]),
        (["1.234,5", "12"], [1234.5, 12.0]),
        (["1,234.5", "12"], [1234.5, 12.0]),
        (["1,234", "12"], [1234.0, 12.0]),
        (["1,234", "12,5"], [1.234, 12.5]),
        (["1 234 567", "1'234"], [1234567.0, 1234.0]),
        (["(1,234)", "5"], [-1234.0, 5.0]),
        (["\u22121,5", "2,25"], [-1.5, 2.25]),
        (["1\u2019234.5", "12"], [1234.5, 12.0]),
        (["\uff11\uff12\uff0e\uff15", "3"], [12.5, 3.0]),
        (["1.234.567", "12.345", "950"], [1234567.0, 12345.0, 950.0]),
        (["1.234", "12.345", "2.500", "950"], [1234.0, 12345.0, 2500.0, 950.0]),
        (["1.234", "0.345", "2.500", "950"], [1.234, 0.345, 2.5, 950.0]),
        (["1.234", "12.34", "2.500", "950"], [1.234, 12.34, 2.5, 950.0]),
        (["n/a", "-", "", None, "7"], [None, None, None, None, 7.0]),
    ],
)
def test_spellings(texts, expected):
    parsed = parse_numbers(pl.Series("x", texts))
    assert parsed.values.to_list() == expected
    assert not parsed.unreadable.any()


def test_what_is_no_number_is_marked():
    parsed = parse_numbers(pl.Series("x", ["1", "see note", "n/a", None, "1,2,3"]))
    assert parsed.unreadable.to_list() == [False, True, False, False, True]
    assert parsed.missing_words.to_list() == [False, False, True, False, False]
    assert parse_numbers(pl.Series("x", ["1,234"])).ambiguous


def test_what_could_be_read_in_two_ways_is_told():
    told = {
        "1,234: read as 1234": ["1,234"],
        "1.234: read as 1.234": ["1.234", "12.345", "2.500"],
        "1.234: read as 1234": ["1.234", "12.345", "2.500", "950"],
        "": ["1.234", "12.5", "2.500"],
    }
    for expected, texts in told.items():
        assert parse_numbers(pl.Series("x", texts)).ambiguous == expected


def test_mostly_numeric():
    assert is_mostly_numeric(pl.Series(["1"] * 19 + ["x"]))
    assert not is_mostly_numeric(pl.Series(["1", "x"]))
    assert not is_mostly_numeric(pl.Series([None, None], dtype=pl.String))
    assert not is_mostly_numeric(pl.Series([True]))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_round_trip(numbers):
    assert (
        parse_numbers(pl.Series("x", [repr(n) for n in numbers], dtype=pl.String)).values.to_list()
        == numbers
    )


@given(st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=20))
def test_every_cell_is_accounted_for(texts):
    column = pl.Series("x", texts, dtype=pl.String)
    parsed = parse_numbers(column)
    empty = column.is_null() | (column.str.strip_chars() == "").fill_null(False)
    read = parsed.values.is_not_null()
    parts = (
        read.cast(int)
        + parsed.unreadable.cast(int)
        + parsed.missing_words.cast(int)
        + empty.cast(int)
    )
    assert (parts == 1).all()
