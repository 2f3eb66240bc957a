"""Timestamps of every usual spelling become naive UTC; what cannot is named."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.frames import Severity
from esgml.data.timestamps import parse_times


def parsed(values, **kwargs):
    return [str(v) if v else None for v in parse_times(pl.Series("t", values, **kwargs)).values]


def codes(values):
    return {f.code: f for f in parse_times(pl.Series("t", values)).faults}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2024-03-01", "2024-03-02"], ["2024-03-01 00:00:00", "2024-03-02 00:00:00"]),
        (["01/03/2024 00:15", "13/03/2024 00:30"], ["2024-03-01 00:15:00", "2024-03-13 00:30:00"]),
        (["03/01/2024", "03/13/2024"], ["2024-03-01 00:00:00", "2024-03-13 00:00:00"]),
        (["13.03.2024 07:00"], ["2024-03-13 07:00:00"]),
        (["3/13/2024 1:05 PM"], ["2024-03-13 13:05:00"]),
        (["13-Mar-2024", "Mar 13, 2024", "13 March 2024"], ["2024-03-13 00:00:00"] * 3),
        (["2024", "FY2024", "CY 2024"], ["2024-01-01 00:00:00"] * 3),
        (["2009/10", "2023/24"], ["2009-01-01 00:00:00", "2023-01-01 00:00:00"]),
        (["FY2009/10", "FY 2010-11"], ["2009-01-01 00:00:00", "2010-01-01 00:00:00"]),
        (["2009-2010", "1999-2000"], ["2009-01-01 00:00:00", "1999-01-01 00:00:00"]),
        (["2009/10", "2010/11"], ["2009-10-01 00:00:00", "2010-11-01 00:00:00"]),  # months
        (["2024-Q2", "Q2 2024"], ["2024-04-01 00:00:00"] * 2),
        (["2024-03", "3/2024"], ["2024-03-01 00:00:00"] * 2),
        (["20240313"], ["2024-03-13 00:00:00"]),
        (
            ["2024-03-13T05:00Z", "2024-03-13T05:00:00.5Z"],
            ["2024-03-13 05:00:00", "2024-03-13 05:00:00.500000"],
        ),
        (["2024-03-13T05:00+02:00"], ["2024-03-13 03:00:00"]),
        (["2024-03-13 05:00:00-0530"], ["2024-03-13 10:30:00"]),
    ],
)
def test_spellings(texts, expected):
    assert parsed(texts) == expected


def test_numbers():
    assert parsed([2016, 2017]) == ["2016-01-01 00:00:00", "2017-01-01 00:00:00"]
    assert parsed([2016.0, None])[0] == "2016-01-01 00:00:00"
    assert parsed([20240313])[0] == "2024-03-13 00:00:00"
    assert parsed([202403])[0] == "2024-03-01 00:00:00"
    assert parsed([1_700_000_000])[0] == parsed([1_700_000_000_000])[0] == "2023-11-14 22:13:20"
    assert "unparseable_timestamp" in codes([20240231, 20240301])
    assert parsed([45292.0, 45292.041667]) == ["2024-01-01 00:00:00", "2024-01-01 01:00:00"]
    assert set(codes([45292, None])) == {"sheet_dates", "missing_timestamp"}
    assert "unparseable_timestamp" in codes([1.5, 2.5])


def test_what_cannot_be_read_is_named_with_its_row():
    found = codes(["2024-01-01", "soon", "", None, "2024-02-30"])
    assert found["unparseable_timestamp"].rows == (1, 4)
    assert "'soon'" in found["unparseable_timestamp"].message
    assert found["missing_timestamp"].rows == (2, 3)


def test_dates_keep_their_day_whatever_the_offset():
    assert parsed(["2024-01-01T00:00+01:00", "2024-07-01T00:00+02:00"]) == [
        "2024-01-01 00:00:00",
        "2024-07-01 00:00:00",
    ]
    berlin = pl.Series("t", [dt.datetime(2024, 1, 1)]).dt.replace_time_zone("Europe/Berlin")
    assert str(parse_times(berlin).values[0]) == "2024-01-01 00:00:00"
    hours = pl.Series("t", [dt.datetime(2024, 1, 1, 5)]).dt.replace_time_zone("Europe/Berlin")
    assert str(parse_times(hours).values[0]) == "2024-01-01 04:00:00"


def test_mixed_zones():
    summer = codes(["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00"])
    assert summer["time_zone_converted"].severity is Severity.INFO
    many = codes(["2024-03-31T01:00+01:00", "2024-03-31T03:00-05:00"])
    assert many["mixed_time_zones"].severity is Severity.WARNING
    unclear = codes(["2024-03-31T01:00+01:00", "2024-03-31T03:00"])
    assert unclear["mixed_time_zones"].severity is Severity.ERROR
    assert unclear["mixed_time_zones"].rows == (1,)


def test_day_and_month_that_cannot_be_told_apart():
    daily = [f"{day:02d}/01/2024" for day in range(1, 13)]
    assert parsed(daily)[1] == "2024-01-02 00:00:00"
    american = [f"01/{day:02d}/2024" for day in range(1, 13)]
    assert parsed(american)[1] == "2024-01-02 00:00:00"
    assert codes(daily)["ambiguous_date"].severity is Severity.WARNING
    torn = codes(["13/01/2024", "14/01/2024", "01/15/2024"])
    assert torn["ambiguous_date"].severity is Severity.ERROR
    assert torn["ambiguous_date"].rows == (2,)


def test_odd_types():
    assert parse_times(pl.Series("t", [None, None])).values.dtype == pl.Datetime("us")
    assert parse_times(pl.Series("t", [[1], [2]])).faults[0].code == "column_kind"
    assert parsed([dt.date(2024, 1, 1)]) == ["2024-01-01 00:00:00"]


MOMENTS = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1)).map(
    lambda t: t.replace(microsecond=0)
)


@given(
    st.lists(MOMENTS, min_size=1, max_size=20),
    st.sampled_from(
        ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d-%b-%Y %H:%M:%S"]
    ),
)
def test_round_trip(moments, spelling):
    texts = pl.Series("t", [m.strftime(spelling) for m in moments])
    result = parse_times(texts)
    assert result.values.to_list() == moments
    assert not result.faults


@given(st.lists(MOMENTS, min_size=1, max_size=10), st.integers(-12 * 60, 14 * 60))
def test_offsets_name_the_same_moment(moments, minutes):
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    moments = [m.replace(hour=5) for m in moments]
    texts = [m.replace(tzinfo=dt.UTC).astimezone(zone).isoformat() for m in moments]
    values = parse_times(pl.Series("t", texts)).values.to_list()
    local_midnight = all(
        m.astimezone(zone).hour == 0 and m.astimezone(zone).minute == m.second == 0
        for m in (x.replace(tzinfo=dt.UTC) for x in moments)
    )
    if not local_midnight:
        assert values == moments


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=20))
def test_any_text_at_all(texts):
    result = parse_times(pl.Series("t", texts, dtype=pl.String))
    assert len(result.values) == len(texts)
    named = sum(
        f.count for f in result.faults if f.code in ("unparseable_timestamp", "missing_timestamp")
    )
    assert named == result.values.null_count()
