"""Readers: every source gives the same table, every bad one a clear error."""

import gzip
import sqlite3

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from esgml.core.errors import NotFoundError, ReadError, UsageError
from esgml.data.checks import check
from esgml.data.sources import describe, read
from esgml.data.text_tables import sniff_separator

TABLE = pl.DataFrame(
    {"entity": ["a", "b"], "timestamp": ["2024-01-01", "2024-01-02"], "x": [1.5, 2.0]}
)


def test_all_formats_give_the_same_table(tmp_path):
    TABLE.write_csv(tmp_path / "t.csv")
    TABLE.write_parquet(tmp_path / "t.parquet")
    TABLE.write_ipc(tmp_path / "t.arrow")
    TABLE.write_csv(tmp_path / "t.tsv", separator="\t")
    with gzip.open(tmp_path / "t.csv.gz", "wb") as file:
        file.write(TABLE.write_csv().encode())
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute('CREATE TABLE "my table" (entity TEXT, timestamp TEXT, x REAL)')
        connection.executemany('INSERT INTO "my table" VALUES (?, ?, ?)', TABLE.rows())
    connection.close()
    sources = [tmp_path / f"t.{e}" for e in ("csv", "parquet", "arrow", "tsv", "csv.gz")]
    sources += [f"sqlite:///{tmp_path}/t.db?table=my%20table"]
    sources += [TABLE, TABLE.lazy(), TABLE.to_pandas(), TABLE.to_arrow()]
    for source in sources:
        assert read(source).equals(TABLE), source
        assert read(
            str(source) if not isinstance(source, str) and hasattr(source, "suffix") else source
        ).equals(TABLE)


def test_pandas_index_becomes_columns():
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=pd.date_range("2024-01-01", periods=2))
    assert read(frame).columns == ["timestamp", "x"]
    named = TABLE.to_pandas().set_index(["entity", "timestamp"])
    assert read(named).columns == ["entity", "timestamp", "x"]


def test_pandas_mixed_objects_stay_visible():
    frame = pd.DataFrame({"x": [1.0, "broken", None]})
    assert read(frame)["x"].to_list() == ["1.0", "broken", None]


def test_pandas_timestamps_with_and_without_zone_are_not_mixed_up():
    stamps = [pd.Timestamp("2024-01-01 05:00", tz="UTC"), pd.Timestamp("2024-01-01 06:00")]
    frame = pd.DataFrame({"timestamp": pd.Series(stamps, dtype=object), "co2_t": [1.0, 2.0]})
    assert "mixed_time_zones" in {f.code for f in check(read(frame)).faults}


def test_byte_order_mark_and_semicolons(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes("\ufeffdate;kWh\n01.02.2024;1.234,5\n".encode())
    assert read(path).columns == ["date", "kWh"]
    path.write_bytes("date\tkWh\n01.02.2024\t7\n".encode("utf-16"))
    assert read(path).to_dicts() == [{"date": "01.02.2024", "kWh": 7}]


def test_utf16_and_old_line_ends_also_when_packed(tmp_path):
    text = "date;kWh\r1;7\r2;8\r"
    for name, data in (
        ("a.csv", text.encode()),
        ("b.csv", text.encode("utf-16")),
        ("c.csv.gz", gzip.compress(text.replace("\r", "\n").encode("utf-16"))),
        ("d.csv.gz", gzip.compress(text.encode())),
    ):
        (tmp_path / name).write_bytes(data)
        assert read(tmp_path / name).rows() == [(1, 7), (2, 8)], name
    (tmp_path / "cut.csv").write_bytes("date\n1\n".encode("utf-16")[:-1])
    with pytest.raises(ReadError) as caught:
        read(tmp_path / "cut.csv")
    assert caught.value.code == "encoding"


def test_separators_at_the_end_of_lines_are_no_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,,\n1,2,,\n3,4,,\n")
    assert read(path).columns == ["a", "b"]
    path.write_text("a,b,,\n1,2,5,\n3,4,,6\n")
    with pytest.raises(ReadError, match="more than once"):
        read(path)


def test_digits_of_other_scripts_stay_visible(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x\n\uff11\uff12.5\n3.5\n")
    assert read(path)["x"].to_list() == ["\uff11\uff12.5", "3.5"]


def test_dots_that_may_part_thousands_stay_visible(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1.234;0.5\n12.345;1.25\n")
    assert read(path).rows() == [("1.234", 0.5), ("12.345", 1.25)]


def test_lines_above_the_header_are_named_as_such(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("Report 2024\n\na,b\n1,2\n")
    with pytest.raises(ReadError) as caught:
        read(path)
    assert caught.value.code == "ragged"
    assert "above the header" in caught.value.remedy


def test_arrow_streams(tmp_path):
    TABLE.write_ipc_stream(tmp_path / "t.arrow")
    assert read(tmp_path / "t.arrow").equals(TABLE)


def test_pandas_periods_stand_for_their_start():
    months = pd.period_range("2024-01", periods=3, freq="M")
    for frame in (
        pd.DataFrame({"timestamp": months, "x": [1.0, 2.0, 3.0]}),
        pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=months),
    ):
        assert read(frame)["timestamp"].dt.to_string("%Y-%m-%d").to_list() == [
            "2024-01-01",
            "2024-02-01",
            "2024-03-01",
        ]


def test_repeated_columns_of_any_library_are_refused():
    named = pd.DataFrame({"entity": ["a"], "x": [1.0]}, index=pd.Index([7], name="entity"))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    for frame in (named, twice):
        with pytest.raises(ReadError) as caught:
            read(frame)
        assert caught.value.code == "duplicate_column"


def test_text_far_down_a_numeric_column(tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("x\n" + "1\n" * 20_000 + "oops\n")
    assert read(path)["x"][-1] == "oops"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b" \n\n", "empty_file"),
        (b"a,b\n1,2\n1,2,3\n", "ragged"),
        (b"a,b\n1,2\n1,\xfc\n", "encoding"),
        (b"a,b\n\0\0\0", "binary"),
        (b"a,a\n1,2\n", "duplicate_column"),
    ],
)
def test_bad_text_says_what_and_where(tmp_path, content, code):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(ReadError) as caught:
        read(path)
    assert caught.value.code == code
    assert "bad.csv" in caught.value.where
    assert caught.value.remedy
    if code in ("ragged", "encoding"):
        assert "line 3" in str(caught.value)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv.gz"])
def test_bytes_of_another_format(tmp_path, ending):
    path = tmp_path / f"bad.{ending}"
    path.write_bytes(b"this is no such file, not at all")
    with pytest.raises(ReadError, match="not a readable"):
        read(path)


def test_missing_and_odd_sources(tmp_path):
    with pytest.raises(NotFoundError):
        read(tmp_path / "absent.csv")
    with pytest.raises(ReadError, match="directory"):
        read(tmp_path)
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(UsageError, match="unknown kind of file"):
        read(tmp_path / "t.xlsx")
    with pytest.raises(UsageError, match="zero byte"):
        read("a\0b.csv")
    with pytest.raises(UsageError, match="cannot read a table"):
        read(42)
    with pytest.raises(UsageError, match="names no table"):
        read("sqlite:///x.db")
    with pytest.raises(UsageError, match="unknown kind of source"):
        read("mysql://host/db?table=t")
    with pytest.raises(NotFoundError):
        read(f"sqlite:///{tmp_path}/absent.db?table=t")
    assert not (tmp_path / "absent.db").exists()


def test_database_table_names_are_never_code(tmp_path):
    path = tmp_path / "t.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(NotFoundError, match="no table"):
        read(f'sqlite:///{path}?table=t"; DROP TABLE t; --')
    assert read(f"sqlite:///{path}?table=t").columns == ["x"]


def test_size_limit(tmp_path):
    TABLE.write_csv(tmp_path / "t.csv")
    with pytest.raises(ReadError, match="more than the 10 allowed"):
        read(tmp_path / "t.csv", max_bytes=10)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@127.0.0.1:1/db?table=t",
        "postgresql://127.0.0.1:1/db?user=user&password=secret&table=t",
    ],
)
def test_passwords_stay_out_of_messages(url):
    assert "secret" not in describe(url)
    with pytest.raises(ReadError) as caught:
        read(url)
    assert "secret" not in str(caught.value)


def test_urls_are_shown_as_they_are_written():
    assert describe("sqlite:///t.db?table=x") == "sqlite:///t.db?table=x"
    assert describe("postgresql://u:p@h/db?sslmode=require&table=x") == (
        "postgresql://u@h/db?sslmode=require&table=x"
    )


def test_sniffing_ignores_quoted_separators():
    assert sniff_separator('a;b;c\n"1,2,3,4";2;3\n"1,2";2;3\n') == ";"
    assert sniff_separator("a\n1\n2\n") == ","


def test_pyarrow_table():
    assert read(pa.table({"x": [1, 2]}))["x"].to_list() == [1, 2]
