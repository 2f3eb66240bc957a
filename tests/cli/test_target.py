"""``esgml target`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from esgml.cli.app import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["site,year,region,co2_t"]
    for i in range(8):
        logs = 6 + i / 3 + np.cumsum(rng.normal(-0.04, 0.05, 12))
        region = "north" if i < 4 else "south"
        lines += [f"s{i},{2012 + t},{region},{np.exp(v):.3f}" for t, v in enumerate(logs)]
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        main(["target", *arguments])
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def options(path: Path, **changes: str) -> list[str]:
    settings = {
        "--entity": "site",
        "--time": "year",
        "--target": "co2_t",
        "--base-year": "2014",
        "--target-year": "2030",
        "--reduction": "40",
        "--workspace": str(path.parent / "work"),
        **changes,
    }
    return [str(path), *(part for pair in settings.items() for part in pair)]


def test_json_answers_for_every_site_region_and_the_total(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, *options(data, **{"--hierarchy": "region"}), "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["schema"] == "esgml.target/1"
    entities = [result["entity"] for result in answer["results"]]
    assert entities[:3] == ["total", "north", "south"]
    assert len(entities) == 11
    total = answer["results"][0]
    assert 0 < total["probability"] < 1
    assert total["required_annual_rate"] < 0.05
    assert total["path"][-1]["year"] == 2030
    assert answer["calibration"]["status"] in ("ok", "not_enough_history")
    assert 1 <= answer["quality"] <= 5


def test_the_dashboard_gets_the_path_of_every_site_and_sum(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from esgml.dashboard.forecast.target import TargetReport

    code, out, _ = run(capsys, *options(data, **{"--hierarchy": "region"}), "--json")
    assert code == 0
    stored = (data.parent / "work" / "reports" / "target.json").read_bytes()
    report = TargetReport.model_validate_json(stored)
    assert report.words == "40 % below 2014 in 2030"
    told = json.loads(out)["results"]
    assert [r.entity for r in report.results] == [r["entity"] for r in told]
    assert [r.probability for r in report.results] == [r["probability"] for r in told]


def test_a_group_that_reported_zero_has_a_latest_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"s{i},{year},g{i},{100 - i}" for i in range(5) for year in range(2014, 2021)]
    rows[6] = "s0,2020,g0,0"
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(["site,year,region,co2_t", *rows]) + "\n")
    code, out, err = run(capsys, *options(path, **{"--hierarchy": "region"}))
    assert code == 0, err
    line = next(line for line in out.splitlines() if line.startswith("| g0"))
    assert "0 (2020)" in line and "unknown" not in line


def test_long_names_cut_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "Division of a plant with a name that nobody would want to type or to read " * 2
    rows = [f"{name},{year},x,{1234567.0 + year}" for year in range(2010, 2021)]
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(["site,year,region,co2_t", *rows]) + "\n")
    code, out, _ = run(capsys, *options(path))
    assert code == 0 and name.strip() in out and "…" not in out


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "no-folder"
    place.write_text("in the way")
    asked = [*options(data), "--json", "--workspace", str(place)]
    code, out, err = run(capsys, *asked)
    assert code == 0
    assert json.loads(out)["schema"] == "esgml.target/1"
    assert "not kept for the dashboard" in err


def test_people_get_tables_and_the_record(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *options(data, **{"--target-year": "2025"}))
    assert code == 0
    assert "40 % below 2014 in 2025" in out
    assert "total" in out
    assert "Brier" in out
    assert "no plans" in err


def test_a_target_year_in_the_data_says_met_or_missed(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, *options(data, **{"--target-year": "2020", "--reduction": "1"}))
    assert code == 0
    assert "met" in out


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"--reduction": "130"}, 2, "130 %"),
        ({"--target-year": "2014"}, 2, "not after"),
        ({"--base-year": "2001"}, 3, "2012 to 2023"),
        ({"--target": "nothing"}, 3, "nothing"),
    ],
)
def test_errors_say_what_to_do(
    data: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    code: int,
    text: str,
) -> None:
    found, _, err = run(capsys, *options(data, **change))
    assert found == code
    assert text in err
    assert "fix:" in err


def test_one_year_is_too_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "short.csv"
    path.write_text("site,year,co2_t\na,2020,5\nb,2020,6\n")
    code, out, _ = run(capsys, *options(path), "--json")
    assert code == 3
    assert json.loads(out)["error"]["remedy"]


def test_a_missing_file_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, *options(tmp_path / "no.csv"))
    assert code == 4
    assert "no.csv" in err
