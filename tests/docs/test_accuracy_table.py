"""The table of accuracies holds what was measured and nothing else."""

import json
from pathlib import Path

import pytest
from benchmarks import accuracy_table as table

ROOT = Path(__file__).resolve().parents[2]

RESULTS = {
    "china_daily": {
        "accuracy": 0.9412,
        "naive": 0.875,
        "total": 0.96,
        "mase": 0.71,
        "coverage": {"80": 0.803, "90": 0.899},
        "coverage_smallest": {"80": 0.75, "90": None},
        "width": {"80": 0.1, "90": 0.14},
        "models": {"seasonal_naive": 0.875, "ridge": 0.92, "theta": 0.93},
        "peers": {"statsforecast AutoETS": {"accuracy": 0.925}, "AutoGluon": {"reason": "missing"}},
        "series": 14,
        "horizon": 30,
        "windows": 6,
        "step": 30,
    },
    "annual": {
        "facilities": {
            "model": {"within_10pct": 0.58, "wape_pooled": 0.09},
            "last_value": {"within_10pct": 0.57, "wape_pooled": 0.1},
            "steady": {
                "model": {"within_10pct": 0.6, "wape_pooled": 0.07},
                "last_value": {"within_10pct": 0.6, "wape_pooled": 0.08},
                "pairs": 1000,
            },
            "coverage": {"80": 0.81},
            "coverage_interval": {"80": [0.785, 0.834]},
            "width": {"80": 0.3},
            "pairs": 1234,
        }
    },
}


def test_tables_show_every_forecaster_and_what_is_missing():
    text = table.tables(RESULTS)
    lines = text.splitlines()
    assert "| naive | 0.875 |" in lines
    assert "| **default: all weighed** | **0.941** |" in lines
    assert lines.index("| `theta` alone | 0.930 |") < lines.index("| `ridge` alone | 0.920 |")
    assert "| *statsforecast AutoETS* | 0.925 |" in lines
    assert "AutoGluon" not in text
    assert "| 80 % interval held | 80.3 % |" in lines
    assert "| 90 %, smallest series | - |" in lines
    annual = (
        "| facilities | 1,234 | 0.570 | **0.580** | 0.100 | **0.090** | 1,000 | 0.080 | **0.070** |"
    )
    assert f"{annual} 81.0 % (78 to 83) |" in lines
    assert "steel" not in text


def test_nothing_measured_says_so(tmp_path):
    assert table.tables({"annual": {"skipped": "no real data"}}) == table.NOTHING
    assert table.from_file(tmp_path / "missing.json") == table.NOTHING


def test_page_is_filled_between_its_marks():
    page = "before\n<!-- accuracy:begin -->\nold\n<!-- accuracy:end -->\nafter\n"
    once = table.put(page, "new")
    assert once == page.replace("old", "new")
    assert table.put(once, "new") == once
    with pytest.raises(ValueError, match="one"):
        table.put("no marks", "new")


def test_readme_shows_the_stored_results():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert table.put(page, table.from_file()) == page, (
        "the README is behind the results: python -m benchmarks.accuracy_table --write"
    )


def test_stored_results_are_whole():
    if not table.RESULTS.exists():
        pytest.skip("nothing was measured yet")
    results = json.loads(table.RESULTS.read_text(encoding="utf-8"))
    assert table.tables(results) != table.NOTHING
