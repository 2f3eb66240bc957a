"""What was known when."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import ColumnError
from esgml.data.revisions import as_of, revision_ranks

TABLE = pl.DataFrame(
    {
        "entity": ["a", "a", "a", "b"],
        "timestamp": ["2024-01-01"] * 4,
        "known_at": ["2024-02-01", "2024-06-01T12:00Z", "2024-06-01T12:00Z", None],
        "revision": [1, 3, 2, 1],
        "value": [1.0, 3.0, 2.0, 9.0],
    }
)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2024-01-15", [9.0]),
        ("2024-02-01", [1.0, 9.0]),
        (dt.datetime(2024, 6, 1, 11, 59), [1.0, 9.0]),
        (dt.datetime(2024, 6, 1, 12), [3.0, 9.0]),
        (dt.date(2024, 6, 1), [3.0, 9.0]),
        (dt.datetime(2024, 6, 1, 14, tzinfo=dt.timezone(dt.timedelta(hours=2))), [3.0, 9.0]),
    ],
)
def test_the_table_as_it_stood(moment, expected):
    assert as_of(TABLE, moment)["value"].to_list() == expected


def test_without_revisions_the_last_row_counts():
    assert as_of(TABLE.drop("revision"), "2025-01-01")["value"].to_list() == [2.0, 9.0]


def test_bad_input():
    with pytest.raises(ColumnError, match="known_at"):
        as_of(TABLE.drop("known_at"), "2024-01-01")
    with pytest.raises(ColumnError, match="row 0"):
        as_of(TABLE.with_columns(known_at=pl.lit("soon")), "2024-01-01")
    with pytest.raises(ColumnError, match="no timestamp"):
        as_of(TABLE, "soon")


ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=30
)


@given(ROWS, st.integers(0, 9))
def test_against_a_plain_loop(rows, day):
    start = dt.datetime(2024, 1, 1)
    frame = pl.DataFrame(
        {
            "entity": [str(e) for e, _, _ in rows],
            "timestamp": [start] * len(rows),
            "known_at": [start + dt.timedelta(days=k) for _, k, _ in rows],
            "revision": [r for _, _, r in rows],
            "value": list(range(len(rows))),
        }
    )
    best = {}
    for number, (entity, known, revision) in enumerate(rows):
        if known <= day and (known, revision, number) >= best.get(str(entity), (-1, 0, 0)):
            best[str(entity)] = (known, revision, number)
    found = as_of(frame, start + dt.timedelta(days=day))
    assert dict(found.select("entity", "value").rows()) == {e: n for e, (_, _, n) in best.items()}


@pytest.mark.parametrize(
    ("revisions", "ranks"),
    [
        ([3, None, 1], [2, 0, 1]),
        ([2.0, float("nan"), 10.0], [1, 0, 2]),
        (["v9", "v10", ""], [1, 2, 0]),
        (["2", "10", None], [1, 2, 0]),
        (["2024-10-01", "2024-2-1", "2024-03-01"], [3, 1, 2]),
        ([dt.date(2024, 3, 1), None, dt.date(2024, 2, 1)], [2, 0, 1]),
        (["draft", "final", None], [1, 2, 0]),
        ([None, None], [0, 0]),
    ],
)
def test_revisions_rank_by_what_they_say(revisions, ranks):
    assert revision_ranks(pl.Series("revision", revisions)).to_list() == ranks
