"""The example on real houses runs where they are, and says so where they are not."""

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("battery_example", ROOT / "examples" / "battery.py")
example = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(example)

DATA = Path(os.environ.get("ESGML_DATA", ROOT.parent / "shared" / "data"))


def test_without_the_tables_it_says_why_it_does_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ESGML_DATA", str(tmp_path))
    assert example.main(1) == 0
    assert capsys.readouterr().out.startswith("skipped: there is no house 1 in")


@pytest.mark.skipif(
    not (DATA / "optimization" / "citylearn").is_dir(), reason="the real houses are not here"
)
def test_on_a_real_house_the_controller_stands_between_today_and_the_limit(monkeypatch, capsys):
    monkeypatch.setenv("ESGML_DATA", str(DATA))
    assert example.main(2) == 0
    lines = capsys.readouterr().out.splitlines()
    cost = {line[:26].strip(): float(line[26:]) for line in lines[1:7]}
    assert cost["limit of physics"] <= cost["controller, no future"] < cost["baseline"]
    assert cost["rule fill late"] < cost["baseline"]
    assert any(line.startswith("tomorrow, on a forecast by seasonal_median") for line in lines)
    assert any("charge" in line for line in lines[-8:])
