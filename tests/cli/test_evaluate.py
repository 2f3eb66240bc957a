"""``esgml evaluate``: the document, the table, the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from esgml.cli.app import main
from esgml.forecast import candidates
from esgml.forecast.combine import BASELINE

KEYS = {
    "schema", "wape", "mase", "smape", "within_10pct", "coverage", "width", "wape_total", "naive",
    "by_entity", "model", "train_seconds", "predict_seconds",
}  # fmt: skip


def run(capsys, *arguments):
    try:
        main(["evaluate", *map(str, arguments)])
        code = 0
    except SystemExit as done:
        code = done.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(candidates, "SEASONAL", (BASELINE, "ridge"))


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    days = 120
    heat = 10 + 5 * rng.standard_normal(days)
    time = np.datetime64("2023-01-02", "us") + np.arange(days) * np.timedelta64(1, "D")
    week = 20 * np.sin(2 * np.pi * np.arange(days) / 7)
    parts = [
        pl.DataFrame(
            {
                "entity": [f"s{i}"] * days,
                "timestamp": time,
                "co2_t": (i + 1) * (200 + week + 2 * heat) + rng.standard_normal(days),
                "temperature": heat,
                "region": ["north" if i < 2 else "south"] * days,
            }
        )
        for i in range(3)
    ]
    path = tmp_path / "data.csv"
    pl.concat(parts).write_csv(path)
    return path


BASE = ("--target", "co2_t", "--horizon", 7, "--windows", 3)


def test_the_document(capsys, data):
    code, out, err = run(capsys, data, *BASE, "--known", "temperature", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "esgml.evaluation/1"
    assert set(document) >= KEYS
    assert document["wape"] < document["naive"]["wape"]
    assert set(document["coverage"]) == set(document["width"]) == {"80", "90"}
    assert set(document["by_entity"]) == {"s0", "s1", "s2", "total"}
    assert document["model"] == "auto"
    assert document["windows"] == 3 and document["series"] == 3
    assert document["train_seconds"] >= 0 and document["predict_seconds"] >= 0
    pooled = document["by_target"]["co2_t"]
    assert (pooled["series"], pooled["values"]) == (3, 63)
    assert pooled["coverage"] == document["coverage"]
    assert pooled["within_10pct"] == document["within_10pct"]
    assert "Traceback" not in err


def test_the_table_has_the_baseline(capsys, data):
    code, out, _ = run(capsys, data, *BASE)
    assert code == 0
    for word in (BASELINE, "ridge", "combined", "coverage", "MASE", "80 %"):
        assert word in out


def test_one_model_levels_step_only_and_hierarchy(capsys, data):
    code, out, _ = run(
        capsys, data, *BASE, "--model", "ridge", "--levels", "50,95", "--step", 3,
        "--only", "s0,s2", "--hierarchy", "region", "--json",
    )  # fmt: skip
    document = json.loads(out)
    assert code == 0
    assert set(document["coverage"]) == {"50", "95"}
    assert document["model"] == "ridge" and document["series"] == 2
    assert {"s0", "s2", "north", "south", "total"} >= set(document["by_entity"])
    assert document["models"]["ridge"]["weight"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--levels", "80,x"),
        ("--levels", "100"),
        ("--levels", ""),
        ("--task", "anomaly"),
        ("--horizon", "0"),
        ("--windows", "0"),
        ("--horizon", "week"),
        ("--no-such-option",),
        ("--seed",),
    ],
)
def test_wrong_calls_exit_2(capsys, data, arguments):
    assert run(capsys, data, "--target", "co2_t", *arguments)[0] == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty_file"),
        ("entity,timestamp,co2_t\n", "empty"),
        ("entity,timestamp,co2_t\na,2024-01-01,1\n", "too_few_rows"),
        ("entity,timestamp,co2_t\na,2024-01-01,nan\na,2024-01-02,nan\n", None),
        (
            "entity,timestamp,co2_t\n" + "".join(f"a,2024-01-{d:02d},{d}\n" for d in range(1, 9)),
            None,
        ),
    ],
)
def test_unfit_data_exits_3_and_says_why(capsys, tmp_path, content, code):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    exit_code, out, err = run(capsys, path, *BASE, "--json")
    document = json.loads(out)
    assert exit_code == 3
    assert document["schema"] == "esgml.error/1"
    assert code in (None, document["error"]["code"])
    assert document["error"]["message"]
    assert "fix:" in err and "Traceback" not in err


def test_unknown_target_column_exits_3(capsys, data):
    assert run(capsys, data, "--target", "co3_t")[0] == 3
    assert run(capsys, data, "--target", "co2_t", "--known", "rain")[0] == 3


def test_what_does_not_exist_exits_4(capsys, data, tmp_path):
    assert run(capsys, tmp_path / "absent.csv")[0] == 4
    code, _, err = run(capsys, data, *BASE, "--model", "oracle")
    assert code == 4 and "ridge" in err
    code, _, err = run(capsys, data, *BASE, "--only", "s0,s9")
    assert code == 4 and "s9" in err


def test_help_lists_the_options(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for option in ("--horizon", "--windows", "--levels", "--compare", "--json"):
        assert option in out


def test_as_a_process_only_the_document_is_on_standard_output(data):
    command = [sys.executable, "-c", "from esgml.cli.app import main; main()", "evaluate"]
    command += [str(data), "--target", "co2_t", "--model", BASELINE, "--windows", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["wape"] == pytest.approx(document["naive"]["wape"])
