"""The content hash: the same for the same table, another for any change."""

from datetime import datetime

import polars as pl
import pytest

from esgml.features.store.digest import content_digest


@pytest.fixture
def table():
    return pl.DataFrame(
        {
            "key": ["a", "bc", None],
            "time": [datetime(2026, 1, 1), None, datetime(2026, 1, 3)],
            "x": [0.0, None, 1.5],
            "flag": [True, False, None],
        }
    )


def test_it_is_stable(table):
    """Pinned, so that a new library version does not silently change what was recorded."""
    parts = pl.concat([table.head(1), table.tail(2)], rechunk=False)
    assert content_digest(parts) == content_digest(table)
    assert content_digest(table) == (
        "72347fc4e6b4c04636bcc537b73389c2e41f1e461f25b7b9b2314ed7676ee4ee"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.with_columns(key=pl.Series(["ab", "c", None])),
        lambda t: t.with_columns(key=pl.Series(["a", "bc", ""])),
        lambda t: t.with_columns(x=pl.col("x").fill_null(0.0)),
        lambda t: t.with_columns(flag=pl.col("flag").fill_null(False)),
        lambda t: t.with_columns(x=pl.col("x").cast(pl.Float32)),
        lambda t: t.reverse(),
        lambda t: t.rename({"x": "y"}),
        lambda t: t.head(2),
        lambda t: t.drop("flag"),
    ],
)
def test_it_changes_with_everything(table, change):
    assert content_digest(change(table)) != content_digest(table)
