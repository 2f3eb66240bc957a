from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.errors import ColumnError, IntegrityError
from esgml.registry.fingerprint import Fingerprint, code_version, fingerprint

FRAME = pl.DataFrame(
    {
        "entity": ["a", "b", None, "äö"],
        "timestamp": [datetime(2020, 1, d) for d in (1, 2, 3, 4)],
        "x": [1.0, None, float("nan"), -0.5],
        "n": [1, 2, None, 4],
        "flag": [True, None, False, True],
    }
)


def test_names_rows_and_span():
    found = fingerprint(FRAME)
    assert found.rows == 4
    assert (found.start, found.end) == ("2020-01-01T00:00:00", "2020-01-04T00:00:00")
    assert sorted(found.columns) == sorted(FRAME.columns)
    assert len(found.sha256) == 64
    assert Fingerprint.from_dict(found.as_dict()) == found


def test_it_is_pinned():
    """A change of the way of hashing would make every recorded fingerprint useless."""
    assert fingerprint(FRAME).sha256 == (
        "2908a7713862ddc03214109bba9ea64c143961f92cc68760d1859030b5a944be"
    )


@given(st.lists(st.tuples(st.text(), st.floats(), st.none() | st.integers(0, 9))), st.integers(0))
def test_chunks_and_column_order_do_not_matter(rows, cut):
    frame = pl.DataFrame(
        rows, schema={"s": pl.String, "f": pl.Float64, "i": pl.Int64}, orient="row"
    )
    cut = cut % (len(rows) + 1)
    chunked = pl.concat([frame[:cut], frame[cut:]], rechunk=False)
    assert fingerprint(chunked.select("i", "f", "s")) == fingerprint(frame)


def test_slices_do_not_matter_for_long_tables(monkeypatch):
    frame = pl.concat([FRAME] * 50)
    whole = fingerprint(frame)
    monkeypatch.setattr("esgml.registry.fingerprint._SLICE", 64)
    assert fingerprint(frame.rechunk()) == fingerprint(frame)
    assert whole.rows == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f[:-1],
        lambda f: f.reverse(),
        lambda f: f.rename({"x": "y"}),
        lambda f: f.with_columns(pl.col("x").cast(pl.Float32)),
        lambda f: f.with_columns(pl.col("x").fill_null(0.0)),
        lambda f: f.with_columns(pl.col("x").fill_nan(None)),
        lambda f: f.with_columns(pl.col("entity").fill_null("")),
        lambda f: f.with_columns(pl.col("flag").fill_null(False)),
        lambda f: f.with_columns(pl.col("timestamp").dt.offset_by("1us")),
    ],
)
def test_every_change_of_content_changes_it(change):
    assert fingerprint(change(FRAME)).sha256 != fingerprint(FRAME).sha256


def test_text_is_not_run_together():
    one = pl.DataFrame({"s": ["ab", "c"]})
    two = pl.DataFrame({"s": ["a", "bc"]})
    assert fingerprint(one) != fingerprint(two)


def test_categories_count_as_text_and_differences_are_named():
    categories = FRAME.with_columns(pl.col("entity").cast(pl.Categorical))
    assert fingerprint(categories) == fingerprint(FRAME)
    other = FRAME.with_columns(pl.col("n") + 1)
    assert fingerprint(FRAME).differs(fingerprint(other)) == ("n",)


def test_empty_and_nested_tables():
    assert fingerprint(FRAME[:0]).rows == 0
    with pytest.raises(ColumnError):
        fingerprint(pl.DataFrame({"x": [[1], [2]]}))
    with pytest.raises(IntegrityError):
        Fingerprint.from_dict({"rows": "many"})


def test_code_version_names_the_package_version():
    import esgml

    version, _, digest = code_version().partition("+")
    assert version == esgml.__version__
    assert len(digest) == 12
