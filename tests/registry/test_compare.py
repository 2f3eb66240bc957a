import numpy as np
import pytest

from esgml.core.errors import NotFoundError, UsageError
from esgml.registry.bundle import Bundle
from esgml.registry.compare import compare


def backtest(scale=1.0, seed=0, windows=24, series=3, shift=0.0):
    """Errors that share the luck of each window, as backtests over the same days do."""
    shared = np.random.default_rng(0).gamma(2.0, 1.0, (series, windows, 7))
    own = np.random.default_rng(seed + 1).normal(0, 0.05, shared.shape)
    errors = np.abs(shared * scale + own + shift)
    named = {
        f"s{i}/x": {f"2024-{w:02d}": errors[i, w].tolist() for w in range(windows)}
        for i in range(series)
    }
    actuals = {k: {w: [10.0] * 7 for w in v} for k, v in named.items()}
    return {"wape": float(errors.mean() / 10), "errors": named, "actuals": actuals}


def made(metrics, version="1"):
    return Bundle("t", "m", {}, metrics).registered("n", version, "")


def test_pairing_finds_a_small_real_difference():
    result = compare(made(backtest(0.97, seed=1)), made(backtest(1.0, seed=2), "2"))
    assert result.verdict == "a"
    assert result.metric == "wape"
    assert result.low < result.difference < result.high < 0
    assert (result.series, result.windows) == (3, 24)
    assert "bootstrap" in result.method
    again = compare(made(backtest(1.0, seed=2)), made(backtest(0.97, seed=1), "2"))
    assert again.verdict == "b"
    assert again.difference == pytest.approx(-result.difference)


def test_value_is_the_mean_wape_over_series():
    metrics = backtest()
    per_series = [
        sum(map(sum, metrics["errors"][k].values())) / sum(map(sum, metrics["actuals"][k].values()))
        for k in metrics["errors"]
    ]
    result = compare(made(metrics), made(metrics))
    assert result.value_a == pytest.approx(np.mean(per_series))
    assert result.difference == 0
    assert result.verdict == "no clear difference"


def test_the_interval_covers_as_often_as_it_says():
    """Twelve windows, no true difference: a 90 % interval holds zero about nine times in ten."""
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        common = rng.gamma(2.0, 1.0, (12, 1))
        a, b = (np.abs(common + rng.normal(0, 0.5, (12, 2))) for _ in range(2))
        kept = [{"errors": {"x": t[:, 0].tolist(), "y": t[:, 1].tolist()}} for t in (a, b)]
        result = compare(made(kept[0]), made(kept[1]), level=90)
        held += result.low <= 0 <= result.high
    assert 0.84 <= held / 200 <= 0.96


def test_without_actuals_errors_are_relative():
    one, two = ({"errors": backtest(s, seed=s_)["errors"]} for s, s_ in ((0.5, 1), (1.0, 2)))
    result = compare(made(one), made(two))
    assert result.metric == "relative_mae"
    assert result.value_b == pytest.approx(1.0)
    assert result.value_a == pytest.approx(0.5, abs=0.05)
    assert result.verdict == "a"


@pytest.mark.parametrize(
    "errors",
    [
        None,
        "text",
        {"s": "text"},
        {"s": {"w": ["x"]}},
        {"other": [1.0] * 9},
        {"s0/x": {"2024-00": [1.0] * 7}},
    ],
)
def test_without_paired_errors_only_the_plain_difference_is_told(errors):
    result = compare(made(backtest()), made({"wape": 0.5, "errors": errors}, "2"))
    assert (result.low, result.high) == (None, None)
    assert result.method.startswith("plain difference without an interval")
    assert result.verdict == "no clear difference"


def test_missing_steps_are_left_out_of_both():
    holes = backtest()
    holes["errors"]["s0/x"]["2024-03"][2] = float("nan")
    result = compare(made(holes), made(backtest()))
    assert result.difference == pytest.approx(0)


def test_nothing_in_common_and_bad_levels():
    with pytest.raises(NotFoundError):
        compare(made({"wape": 0.1}), made({"accuracy": 0.9}))
    with pytest.raises(UsageError):
        compare(made(backtest()), made(backtest()), level=100)


def test_same_seed_same_interval():
    a, b = made(backtest(seed=1)), made(backtest(seed=2), "2")
    assert compare(a, b) == compare(a, b)
    assert compare(a, b, seed=1) != compare(a, b)


def test_numbered_windows_are_neighbours_in_time():
    text = {"errors": {"s": {str(w): float(w % 5 + 1) for w in range(30)}}}
    rows = {"errors": {"s": [float(w % 5 + 1) for w in range(30)]}}
    other = {"errors": {"s": {str(w): float(w % 3 + 1) for w in range(30)}}}
    other_rows = {"errors": {"s": [float(w % 3 + 1) for w in range(30)]}}
    one = compare(made(text), made(other))
    two = compare(made(rows), made(other_rows))
    assert (one.low, one.high) == (two.low, two.high)
