"""``esgml detect``: rows as the contract has them, learned from the past alone."""

import json
import math
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from esgml.cli.app import main


@pytest.fixture
def table(tmp_path):
    n = 24 * 7 * 22
    rng = np.random.default_rng(1)
    start = np.datetime64("2024-01-01T00", "us")
    time = start + np.arange(n) * np.timedelta64(1, "h")
    hour, day = np.arange(n) % 24, (np.arange(n) // 24) % 7
    frames = []
    for name, base in (("north", 100.0), ("south", 40.0)):
        values = base * (0.4 + 0.6 * ((day < 5) & (hour > 7) & (hour < 18)))
        values = values * np.exp(rng.normal(0, 0.03, n))
        if name == "north":
            values[3000:3024] = 0.0
            values[3300] *= 4
        frames.append(pl.DataFrame({"entity": name, "timestamp": time, "load_kwh": values}))
    path = tmp_path / "meters.csv"
    pl.concat(frames).write_csv(path)
    return path


def run(capsys, *arguments, code=0):
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    assert (caught.value.code or 0) == code
    return capsys.readouterr()


def test_rows_alarms_and_rates(table, tmp_path, capsys):
    out = run(
        capsys, "detect", table, "--json", "--workspace", tmp_path / "ws", "--carbon", "0.4"
    ).out
    found = json.loads(out)
    assert found["schema"] == "esgml.detection/1"
    row = found["rows"][0]
    assert list(row) == [
        "entity", "timestamp", "value", "expected", "score", "p_value", "alarm", "kind",
        "explanation",
    ]  # fmt: skip
    assert all(r["timestamp"] >= found["fit_until"].replace("T", " ") for r in found["rows"])
    north = [r for r in found["rows"] if r["entity"] == "north"]
    dead = [r for r in north if r["value"] == 0]
    assert len(dead) == 24 and all(r["alarm"] and r["kind"] == "zero" for r in dead)
    spike = max(north, key=lambda r: r["value"])
    assert spike["alarm"] and spike["kind"] == "spike" and "instead of" in spike["explanation"]
    south = [r["alarm"] for r in found["rows"] if r["entity"] == "south"]
    assert found["alarm_rate"]["south"] == pytest.approx(np.mean(south))
    assert found["alarm_rate"]["south"] <= 0.02
    assert found["events"][0]["tco2e"] > 0
    stored = json.loads((tmp_path / "ws" / "reports" / "anomalies.json").read_text())
    assert stored["events"][0]["timeline"]["alarm"].count(True) >= 1


def test_what_comes_after_does_not_change_what_was_said(table, tmp_path, capsys):
    frame = pl.read_csv(table, try_parse_dates=True)
    until, cut = "2024-04-01", pl.datetime(2024, 5, 1)
    short = tmp_path / "short.csv"
    frame.filter(pl.col("timestamp") < cut).write_csv(short)
    rows = []
    for i, path in enumerate((table, short)):
        target = tmp_path / f"{i}.parquet"
        run(
            capsys, "detect", path, "--fit-until", until, "--output", target,
            "--workspace", tmp_path / "ws",
        )  # fmt: skip
        rows.append(pl.read_parquet(target).filter(pl.col("timestamp") < cut))
    assert rows[0].drop("kind", "explanation").equals(rows[1].drop("kind", "explanation"))


def test_a_dated_event_is_no_alarm(table, tmp_path, capsys):
    events = tmp_path / "events.csv"
    events.write_text("entity,start,end,name\nnorth,2024-05-04,2024-05-07,closed\n")
    out = run(
        capsys, "detect", table, "--json", "--events", events, "--workspace", tmp_path / "ws"
    ).out
    rows = [r for r in json.loads(out)["rows"] if "2024-05-04" <= r["timestamp"] < "2024-05-07"]
    assert rows and not any(r["alarm"] for r in rows if r["entity"] == "north")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--fit-until", "yesterday"), 2, "no moment"),
        (("--fit-until", "1999-01-01"), 2, "no reading lies before"),
        (("--fit-until", "2099-01-01"), 2, "no reading lies after"),
        (("--alarm-rate", "0"), 2, "alarm rate"),
        (("--target", "nothing"), 3, "nothing"),
        (("--output", "rows.xlsx"), 2, ".csv or .parquet"),
    ],
)
def test_bad_options(table, tmp_path, capsys, arguments, code, says):
    err = run(capsys, "detect", table, *arguments, "--workspace", tmp_path / "ws", code=code).err
    assert says in err


def test_a_young_meter_says_so(table, tmp_path, capsys):
    frame = pl.read_csv(table, try_parse_dates=True)
    young = frame.filter(
        pl.col("entity") == "south", pl.col("timestamp") >= pl.datetime(2024, 5, 28)
    )
    path = tmp_path / "young.csv"
    pl.concat([frame.filter(pl.col("entity") == "north"), young]).write_csv(path)
    result = run(capsys, "detect", path, "--json", "--workspace", tmp_path / "ws")
    found = json.loads(result.out)
    assert "too short" in found["not_judged"]["south"] and "too short" in result.err
    south = [r for r in found["rows"] if r["entity"] == "south"]
    assert south and not any(r["alarm"] for r in south)
    assert all(r["score"] is None or math.isfinite(r["score"]) for r in south)


def test_help_is_quick_and_light():
    code = "import sys; from esgml.cli import detect; print('numba' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
