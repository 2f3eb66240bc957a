"""Annual files as users bring them: short, gappy, closed, merged, by fiscal year."""

from __future__ import annotations

import json

import pytest

from esgml.cli.app import main

FILES = {
    "two years": ("A,2021,100\nA,2022,90\n", {"A": 90}),
    "gaps": (
        "A,2015,100\nA,2018,90\nA,2019,85\nA,2022,70\nB,2019,10\nB,2022,9\n",
        {"A": 70, "B": 9},
    ),
    "zeros": ("A,2019,0\nA,2020,0\nA,2021,0\nB,2019,10\nB,2020,0\nB,2021,12\n", {"A": 0, "B": 12}),
    "merger": ("A,2018,100\nA,2019,99\nA,2020,102\nA,2021,420\nA,2022,415\n", {"A": 415}),
    "fiscal": ("A,2019-06-30,100\nA,2020-06-30,95\nA,2021-06-30,92\n", {"A": 92}),
    "labels": ("A,2019/20,100\nA,2020/21,95\nA,2021/22,92\n", {"A": 92}),
    "unit": ("A,2018,1000\nA,2019,1010\nA,2020,995\nA,2021,1.01\nA,2022,1005\n", {"A": 1005}),
}


@pytest.fixture(params=FILES)
def annual(request, tmp_path):
    rows, last = FILES[request.param]
    path = tmp_path / "annual.csv"
    path.write_text("entity,timestamp,co2e_t\n" + rows)
    return str(path), last


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("ESGML_WORKSPACE", str(tmp_path / "work"))


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out = capsys.readouterr()
    return int(stop.value.code or 0), out.out, out.err


def test_a_forecast_starts_at_the_last_value_with_finite_bands(annual, capsys):
    path, last = annual
    code, out, _ = run(capsys, "forecast", path, "--horizon", "1", "--json")
    assert code == 0
    rows = {row["entity"]: row for row in json.loads(out)["rows"]}
    assert set(rows) == set(last)
    for entity, value in last.items():
        row = rows[entity]
        assert row["mean"] == pytest.approx(value, rel=0.15)
        bounds = [row[name] for name in ("lo-90", "lo-80", "mean", "hi-80", "hi-90")]
        assert bounds == sorted(bounds)
        assert bounds[-1] <= 100.01 * value


def test_the_text_has_no_nan(annual, capsys):
    path, _ = annual
    for command in ("forecast", "evaluate"):
        windows = ["--windows", "1"] if command == "evaluate" else []
        code, out, err = run(capsys, command, path, "--horizon", "1", *windows)
        assert code == 0
        assert "nan" not in out + err
        assert "None" not in out + err


def test_a_merger_is_told_where_it_is_forecast(tmp_path, capsys):
    path = tmp_path / "annual.csv"
    path.write_text("entity,timestamp,co2e_t\n" + FILES["merger"][0])
    _, _, err = run(capsys, "forecast", str(path), "--horizon", "1")
    assert "annual_jump" in err
    code, out, err = run(
        capsys, "target", str(path), "--base-year", "2018", "--target-year", "2025",
        "--reduction", "30", "--json",
    )  # fmt: skip
    assert code == 0
    (result,) = json.loads(out)["results"]
    assert result["expected"] == pytest.approx(415, rel=0.15)  # no trend of one jump
    assert "annual_jump" in err


def test_one_year_is_too_few(tmp_path, capsys):
    path = tmp_path / "annual.csv"
    path.write_text("entity,timestamp,co2e_t\nA,2022,90\n")
    code, _, err = run(capsys, "forecast", str(path), "--horizon", "1")
    assert code == 3
    assert "too_few_rows" in err
    assert "at least two periods" in err


@pytest.fixture
def scopes(tmp_path):
    """Eight companies, two scopes, one of them half of all Scope 1."""
    rows = ["company,year,scope1_t,scope2_t"]
    for c in range(8):
        size = 10_000 if c == 3 else 100 * (c + 1)
        for year in range(2015, 2023):
            swing = 1 + 0.2 * ((year + c) % 2)
            rows.append(f"company {c},{year},{size * swing},{50 * (c + 1) * (1 + (year % 3) / 50)}")
    path = tmp_path / "scopes.csv"
    path.write_text("\n".join(rows))
    return str(path)


NAMED = ("--entity", "company", "--time", "year", "--target", "scope1_t,scope2_t")


def test_evaluate_tells_each_scope_apart_and_who_makes_up_the_error(scopes, capsys):
    code, out, err = run(capsys, "evaluate", scopes, *NAMED)
    assert code == 0
    for word in ("within 10 %", "pooled WAPE: naive", "80 % held", "scope1_t", "scope2_t"):
        assert word in out
    assert "total accuracy" not in out
    assert "half of the error of 'scope1_t' is that of company 3." in err
    assert "horizon 1, 4 windows" in out  # half of the eight years
    assert "nan" not in out.lower()


def test_evaluate_gives_pooled_scores_by_target(scopes, capsys):
    code, out, _ = run(capsys, "evaluate", scopes, *NAMED, "--windows", "2", "--json")
    document = json.loads(out)
    assert code == 0
    first, second = (document["by_target"][f"scope{k}_t"] for k in (1, 2))
    assert (first["series"], first["values"]) == (8, 16)
    # every value swings by 1.2: the last value errs by 0.2 / 1.2 or 0.2 / 1.0, large and small
    assert first["naive"]["within_10pct"] == 0.0
    assert 0.17 < first["naive"]["wape_pooled"] < 0.2
    assert second["naive"]["within_10pct"] == 1.0
    assert second["naive"]["wape_pooled"] < 0.05
    assert set(first["coverage"]) == {"80", "90"}
    assert first["half_of_error"] == ["company 3"]


def test_two_years_are_enough_to_evaluate_without_options(tmp_path, capsys):
    path = tmp_path / "two.csv"
    path.write_text("entity,timestamp,co2e_t\nA,2021,100\nA,2022,90\nB,2021,5\nB,2022,5\n")
    code, out, _ = run(capsys, "evaluate", str(path), "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["horizon"], document["windows"]) == (1, 1)
    assert document["by_target"]["co2e_t"]["values"] == 2
