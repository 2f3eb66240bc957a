"""Tables for people: whole numbers on any terminal, whole values for programs."""

from __future__ import annotations

import json

import pytest

from esgml.cli.app import main
from esgml.cli.output import table

NAME = "a plant with quite a long name that goes on"
ROWS = [(NAME, "2026-01-01 00:00:00", 123456.789, 123456.789, 123456.789, 987654.321)]
COLUMNS = ("entity", "timestamp", "mean", "lo-80", "hi-80", "hi-90")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_cuts_names_and_no_number(width, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    table("t", COLUMNS, ROWS)
    out = capsys.readouterr().out
    assert out.count("123456.789") == 3 and "987654.321" in out
    assert "2026-01-01 00:00:00" in out
    assert (NAME in out) == (width == 200) and "a plant" in out


def test_what_is_piped_is_whole(capsys):
    table("t", COLUMNS, [(NAME * 10, *ROWS[0][1:])])
    out = capsys.readouterr().out
    assert NAME * 10 in out and "…" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing", "--json"), "no command 'nothing'"),
        (("forecast", "--json"), "Missing argument"),
        (("forecast", "x.csv", "--bogus", "--json"), "--bogus"),
        (("train", "x.csv", "--horizon", "0", "--json"), "--horizon"),
        (("models", "nothing", "--json"), "nothing"),
    ],
)
def test_wrong_usage_is_one_document_where_a_program_reads(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert ended.value.code == 2 and document["schema"] == "esgml.error/1"
    assert document["error"]["code"] == "usage" and words in document["error"]["message"]
    assert words in err


@pytest.mark.parametrize("arguments", [("forecast",), ("forecast", "x.csv", "--bogus"), ("no",)])
def test_wrong_usage_leaves_standard_output_empty_for_people(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and not out and err


def test_help_and_exit_codes_pass_through_with_json(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["forecast", "--json", "--help"])
    assert ended.value.code == 0 and "Usage" in capsys.readouterr().out
    empty = tmp_path / "empty.csv"
    empty.write_text("entity,timestamp,co2_t\n")
    with pytest.raises(SystemExit) as ended:
        main(["check", str(empty), "--json"])
    assert ended.value.code == 3
