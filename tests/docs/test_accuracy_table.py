"""The tables of accuracies show every forecaster, and what is missing."""

from benchmarks.page_tables import forecast

RESULTS = {
    "china_daily": {
        "accuracy": 0.9412,
        "naive": 0.875,
        "total": 0.96,
        "mase": 0.71,
        "coverage": {"80": 0.803, "90": 0.899},
        "coverage_smallest": {"80": 0.75, "90": None},
        "width": {"80": 0.1, "90": 0.14},
        "chance": {level: {"smallest": [0.678, 0.7, 0.717]} for level in ("80", "90")},
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
            "error": {"pairs": 6.4},
            "coverage": {"80": 0.81},
            "coverage_interval": {"80": [0.785, 0.834]},
            "width": {"80": 0.3},
            "pairs": 1234,
        }
    },
}


def test_tables_show_every_forecaster_and_what_is_missing():
    text = forecast.seasonal({"china_daily": RESULTS["china_daily"]})
    lines = text.splitlines()
    assert "| naive | 0.875 |" in lines
    assert "| **default: all weighed** | **0.941** |" in lines
    assert lines.index("| `theta` alone | 0.930 |") < lines.index("| `ridge` alone | 0.920 |")
    assert "| *statsforecast AutoETS* | 0.925 |" in lines
    assert "AutoGluon" not in text
    assert "| 80 % interval held | 80.3 % |" in lines
    assert "| 90 %, smallest series | - |" in lines
    assert "| 80 %, smallest if all were alike | 70.0 % (68 to 72) |" in lines


def test_annual_tables_stand_beside_the_last_value():
    lines = forecast.annual(RESULTS["annual"]).splitlines()
    row = "| facilities | 1,234 | 0.570 | **0.580** | 0.100 | **0.090** | 6 | 1,000 | 0.080 |"
    assert f"{row} **0.070** | 81.0 % (78 to 83) |" in lines
