"""``esgml forecast``: on a table alone, and by a trained model that knows its own columns."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest

from esgml.cli.app import COMMANDS, main
from esgml.dashboard.forecast.report import ForecastReport
from esgml.data.synthetic import portfolio

ROLES = ("--target", "scope1_kg", "--known", "temperature", "--hierarchy", "company")


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A table of two sites and a workspace with a model of them."""
    folder = tmp_path_factory.mktemp("forecast")
    made = portfolio(seed=3, sites=2, years=1, faults=False)
    made.frame.select("entity", "company", "timestamp", "scope1_kg", "temperature").write_csv(
        folder / "sites.csv"
    )
    options = ("--model", "ridge", "--horizon", "5", "--levels", "60,90", "--workspace", folder)
    with pytest.raises(SystemExit) as ended:
        main([*map(str, ("train", folder / "sites.csv", *ROLES, *options))])
    assert not ended.value.code
    return folder


def test_a_trained_model_knows_targets_covariates_and_levels(trained, capsys):
    table, use = trained / "sites.csv", ("--version", "latest", "--workspace", trained, "--json")
    code, out, err = run(capsys, "forecast", table, *use)
    assert code == 0 and "no future values of temperature: they are missing" in err
    document = json.loads(out)
    assert document["schema"] == "esgml.forecast/1" and document["assumed"] == ["temperature"]
    rows = pl.DataFrame(document["rows"])
    assert rows.columns[3:] == ["mean", "lo-60", "hi-60", "lo-90", "hi-90"]
    sites = rows.filter(pl.col("entity").str.starts_with("site")).group_by("timestamp")
    total = rows.filter(pl.col("entity") == "total")
    summed = sites.agg(pl.col("mean").sum()).sort("timestamp")["mean"]
    assert (summed / total["mean"] - 1).abs().max() < 1e-9
    code, named, _ = run(capsys, "forecast", table, *ROLES, *use)
    assert code == 0 and json.loads(named)["rows"] == document["rows"]
    code, fewer, _ = run(capsys, "forecast", table, *use, "--levels", "60", "--horizon", 2)
    assert code == 0 and len(json.loads(fewer)["rows"]) == 2 * 4
    assert "hi-90" not in json.loads(fewer)["rows"][0]
    code, out, _ = run(capsys, "forecast", table, *use, "--levels", "95")
    assert code == 2 and "95 % was calibrated" in json.loads(out)["error"]["message"]


def test_the_page_gets_the_history_of_sums_without_naming_the_hierarchy(trained, capsys):
    run(capsys, "forecast", trained / "sites.csv", "--version", 1, "--workspace", trained)
    stored = (trained / "reports" / "forecast.json").read_bytes()
    report = ForecastReport.model_validate_json(stored)
    assert report.title == "Forecast of scope1_kg"
    names = [forecast.entity for forecast in report.forecasts]
    assert names == ["total", "company-A", "site-01", "site-02"]
    past = [report.history_of(forecast) for forecast in report.forecasts]
    latest = {h.entity: h.values[-1] for h in past if h is not None}
    assert len(latest) == len(report.forecasts) == 4
    assert latest["total"] == pytest.approx(latest["site-01"] + latest["site-02"])


def test_without_a_trained_model_one_is_fitted_and_its_backtest_told(trained, capsys):
    options = (*ROLES, "--model", "ridge", "--horizon", 3, "--workspace", trained)
    code, out, err = run(capsys, "forecast", trained / "sites.csv", *options, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert [*document["rows"][0]][4:] == ["lo-80", "hi-80", "lo-90", "hi-90"]
    assert document["backtest"]["naive"]["wape"] > 0


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_rows_are_written_by_the_ending_of_the_file(trained, tmp_path, capsys, kind):
    path, use = tmp_path / f"rows.{kind}", ("--version", "1", "--workspace", trained)
    code, _, err = run(capsys, "forecast", trained / "sites.csv", *use, "--output", path)
    assert code == 0, err
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "json": pl.read_json}[kind]
    rows = read(path)
    assert rows.height == 20 and rows["mean"].dtype == pl.Float64
    if kind == "csv":
        assert rows["timestamp"][0] == "2024-01-01T00:00:00"


def test_an_ending_without_a_format_is_refused_before_any_work(capsys):
    code, _, err = run(capsys, "forecast", "nothing.csv", "--output", "rows.xlsx")
    assert code == 2 and ".csv, .parquet, .json" in err


@pytest.mark.parametrize("name", ["train", "evaluate", "forecast", "target", "serve", "trace"])
def test_help_shows_commands_as_they_are_typed(name, capsys):
    assert name in COMMANDS
    code, out, _ = run(capsys, name, "--help")
    assert code == 0 and "Examples:" in out and f"esgml {name} " in out.split("Examples:")[1]


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "esgml", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("Usage: esgml")
