"""``esgml check``: the report, the exit code, the quarantine."""

import json

import polars as pl
import pytest

from esgml.cli.app import main
from esgml.data.synthetic import portfolio


def run(capsys, *arguments):
    try:
        main(["check", *map(str, arguments)])
        code = 0
    except SystemExit as done:
        code = done.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.csv"
    portfolio(seed=1, sites=2, years=1, faults=False).frame.write_csv(path)
    return path


def test_a_good_table(capsys, good):
    code, out, _ = run(capsys, good, "--json", "--known", "temperature,holiday")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "esgml.check/1"
    assert document["rows"] == 730
    assert 1 <= document["quality"] <= 5
    assert not [f for f in document["faults"] if f["severity"] == "error"]
    for fault in document["faults"]:
        assert {"code", "severity", "count", "rows", "column", "message", "remedy"} == set(fault)


def test_errors_exit_3_and_the_quarantine_is_written(capsys, good, tmp_path):
    frame = pl.read_csv(good)
    pl.concat([frame, frame.head(2), frame.head(1).with_columns(scope1_kg=-1.0)]).write_csv(good)
    aside = tmp_path / "aside.csv"
    code, out, err = run(capsys, good, "--json", "--output-quarantine", aside)
    codes = {f["code"] for f in json.loads(out)["faults"]}
    assert code == 3
    assert {"duplicate_row", "duplicate_timestamp", "negative_value"} <= codes
    assert pl.read_csv(aside)["reason"].to_list() == [
        "duplicate_timestamp",
        "duplicate_row",
        "duplicate_row",
    ]
    assert "3 rows" in err
    run(capsys, good, "--output-quarantine", tmp_path / "aside.parquet")
    assert pl.read_parquet(tmp_path / "aside.parquet").height == 3


def test_for_people(capsys, good):
    code, out, _ = run(capsys, good)
    assert code == 0
    assert "quality" in out
    assert "fix:" in out


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty_file"),
        ("entity,timestamp,co2_t\n", "empty"),
        ("entity,timestamp,co2_t\na,2024-01-01,1\n", "too_few_rows"),
        ("entity,timestamp,co2_t\na,2024-01-01,nan\na,2024-01-02,nan\n", "all_missing"),
        ("entity,timestamp,co2_t\na,2024-01-01,\na,2024-01-02,\n", "all_missing"),
        ("entity,timestamp,co2_t\na,2024-01-01,1\na,2024-01-02,inf\n", "non_finite"),
        ("entity,timestamp,co2_t\na,2024-01-01,1\na,2024-01-02,-2\n", "negative_value"),
        ("entity,timestamp,co2_t\na,2024-01-01,1\na,2024-01-01,2\n", "duplicate_timestamp"),
        ("entity,timestamp,co2_t\na,2024-01-01,1\na,2190-01-01,2\n", "future_date"),
        ("entity,timestamp,co2_t\na,yesterday,1\na,today,2\n", "no_usable_rows"),
        ("entity,when,co2_t\na,yesterday,1\na,today,2\n", "column_missing"),
        ("entity,timestamp,a,b\nx,2024-01-01,1,2\nx,2024-01-02,1,2\n", "target_ambiguous"),
        ("entity,timestamp,a\nx,2024-01-01,1,2\n", "ragged"),
    ],
)
def test_bad_tables_are_reported_not_raised(capsys, tmp_path, content, code):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    exit_code, out, err = run(capsys, path, "--json")
    errors = {f["code"] for f in json.loads(out)["faults"] if f["severity"] == "error"}
    assert exit_code == 3
    assert code in errors
    assert "Traceback" not in err


def test_unknown_target_and_missing_file(capsys, good, tmp_path):
    code, out, _ = run(capsys, good, "--target", "scope7", "--json")
    assert code == 3
    assert json.loads(out)["faults"][0]["code"] == "column_missing"
    assert run(capsys, tmp_path / "absent.csv")[0] == 4
    assert run(capsys, good, "--output-quarantine", tmp_path / "x.doc")[0] == 2
    assert run(capsys, good, "--target", "scope1_kg", "--known", "scope1_kg")[0] == 2


def test_named_columns(capsys, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("firm;day;tons\n" + "".join(f"x;{d:02d}.01.2024;1,{d}\n" for d in range(1, 29)))
    code, out, _ = run(
        capsys, path, "--entity", "firm", "--time", "day", "--target", "tons", "--json"
    )
    assert code == 0
    assert json.loads(out)["rows"] == 28


@pytest.mark.parametrize("asked", ["check", "--help"])
def test_a_reader_that_has_seen_enough_is_told_nothing(tmp_path, asked):
    import os
    import subprocess
    import sys

    path = tmp_path / "t.csv"
    path.write_text("timestamp,load_kwh\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n")
    source, sink = os.pipe()
    os.close(source)
    command = "from esgml.cli.app import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", command, asked, *([str(path)] if asked == "check" else [])],
            stdout=sink,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        os.close(sink)
    assert done.returncode == (1 if asked == "check" else 0)
    assert done.stderr == ""
