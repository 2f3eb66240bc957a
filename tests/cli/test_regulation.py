"""``esgml regulation`` from the command line."""

from __future__ import annotations

import io
import json
import sys

import pytest

from esgml.cli.app import main

LAW = (
    "<html><body><p>Article 5 Reporting</p><p>1. Large undertakings with more than 1&nbsp;000"
    " employees shall report by 31 March each year, starting in 2028 [bold]x[/y] \x1b[31m.</p>"
    "<p>2. Member States shall impose fines of up to 5 % of the turnover.</p></body></html>"
)


def run(capsys, *arguments):
    try:
        main(["regulation", *map(str, arguments)])
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def law(tmp_path):
    path = tmp_path / "law.html"
    path.write_text(LAW)
    return path


def test_analyze_as_json(capsys, law, tmp_path):
    code, out, _ = run(capsys, "analyze", law, "--as-of", "2026-11-26", "--json",
                       "--workspace", tmp_path / "ws")  # fmt: skip
    report = json.loads(out)
    assert code == 0 and report["schema"] == "esgml.regulation_analysis/1"
    assert 0 <= report["impact_score"] <= 1 and report["as_of"] == "2026-11-26"
    assert [one["date"] for one in report["timeline"]] == ["2028-03-31"]
    span = report["timeline"][0]["evidence"]
    assert LAW[span["start"] : span["end"]] == span["text"]


def test_analyze_for_people_shows_the_clause_and_nothing_to_obey(capsys, law, tmp_path):
    code, out, _ = run(capsys, "analyze", law, "--workspace", tmp_path / "ws")
    assert code == 0
    assert ">by 31 March each year, starting in 2028< [bold]x[/y]" in out
    assert "\x1b" not in out and "<p>" not in out
    assert "not legal advice" in out


def test_the_dashboard_finds_both_reports(capsys, law, tmp_path):
    from esgml.core.settings import Settings
    from esgml.dashboard.regulation.report import STORED

    ws = tmp_path / "ws"
    organization = tmp_path / "org.json"
    organization.write_text('{"jurisdiction": "DE", "employees": 880}')
    table = tmp_path / "own.csv"
    table.write_text("site,timestamp,scope1\na,2026-01-01,1\n")
    assert run(capsys, "analyze", law, "--json", "--workspace", ws)[0] == 0
    code, out, _ = run(capsys, "risk", organization, "--json", "--workspace", ws, "--data", table,
                       "--regulations", "csrd,cbam", "--as-of", "2026-11-26")  # fmt: skip
    risk = json.loads(out)
    assert code == 0 and {one["id"] for one in risk["by_regulation"]} == {"csrd", "cbam"}
    stored = STORED.read(STORED.path(Settings(workspace=ws)))
    assert stored.risk is not None and stored.analysis is not None and stored.text == LAW
    assert run(capsys, "risk", organization, "--workspace", ws)[0] == 0


def test_standard_input(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LAW.encode())))
    code, out, _ = run(capsys, "analyze", "-", "--json", "--workspace", tmp_path)
    assert code == 0 and json.loads(out)["thresholds"]


def test_keep_search_compare_list(capsys, law, tmp_path):
    ws = ("--workspace", tmp_path / "ws")
    assert run(capsys, "add", law, "--name", "rule", "--version", "1", *ws)[0] == 0
    law.write_text(LAW.replace("starting in 2028", "starting in 2029"))
    code, out, _ = run(capsys, "add", law, "--name", "rule", "--version", "2", "--json", *ws)
    assert code == 0 and json.loads(out)["version"] == "2"
    code, out, _ = run(capsys, "search", "fines turnover", "--words", "--json", *ws)
    hits = json.loads(out)["hits"]
    assert code == 0 and hits[0]["id"] == "rule" and "fines" in hits[0]["evidence"]["text"]
    assert run(capsys, "search", "fines", "--words", *ws)[0] == 0
    code, out, _ = run(capsys, "diff", "rule@1", "rule@2", "--json", *ws)
    found = json.loads(out)
    assert code == 0 and len(found["changed"]) == 1 and found["added"] == []
    assert found["moved"][0]["before"]["value"] == "2028-03-31"
    code, out, _ = run(capsys, "diff", "rule@1", law, *ws)
    assert code == 0 and "1 changed" in out and "2029-03-31" in out
    many = law.with_name("many.txt")
    many.write_text("".join(f"Firm {i} shall pay EUR {i} by 1 May 2026. " for i in range(40)))
    fewer = law.with_name("fewer.txt")
    fewer.write_text("Firm 0 shall pay EUR 0 by 1 May 2026.")
    code, out, _ = run(capsys, "diff", fewer, many)
    assert code == 0 and "19 more added clauses; --json holds all" in out
    code, out, _ = run(capsys, "list", "--json", *ws)
    listed = json.loads(out)
    assert code == 0 and len(listed["ingested"]) == 2 and len(listed["knowledge"]) >= 30
    assert run(capsys, "list", *ws)[0] == 0


def test_errors_have_their_exit_codes(capsys, law, tmp_path):
    ws = ("--workspace", tmp_path / "ws")
    assert run(capsys, "analyze", tmp_path / "none.txt", *ws)[0] == 4
    law.write_bytes(b"%PDF-1.7 \xff\xfe\x00")
    code, _, err = run(capsys, "analyze", law, *ws)
    assert code == 3 and "pdftotext" in err
    law.write_text("  ")
    code, out, _ = run(capsys, "analyze", law, "--json", *ws)
    assert code == 3 and json.loads(out)["error"]["code"] == "empty"
    law.write_text("a" * 5_000_001)
    code, out, _ = run(capsys, "analyze", law, "--json", *ws)
    assert code == 3 and json.loads(out)["error"]["code"] == "too_large"
    assert run(capsys, "analyze", law, "--as-of", "soon", *ws)[0] == 3
    law.write_text('{"employees": "many"}')
    assert run(capsys, "risk", law, *ws)[0] == 3
    assert run(capsys, "diff", "nothing", "kept", *ws)[0] == 4
