"""Realized false alarms against the nominal rate, where the usual assumptions fail.

``python benchmarks/bench_false_alarms.py``

Meters without a single fault, under independent and autocorrelated noise, trend, a change of
season, drift and growing noise. Each is learned from 24 weeks and judged for 28; every alarm
is false. Beside the detector: the same scores with one threshold set once on past scores
(static split conformal), and with the rolling quantile alone.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from esgml.anomaly.alarm import AlarmSettings
from esgml.anomaly.detect import Series, detect
from esgml.core.frequency import Frequency
from esgml.core.panel import SeriesKey

WEEK = 24 * 7
LEARN, JUDGE = 24 * WEEK, 28 * WEEK
RATES = (0.005, 0.01, 0.02)
SEEDS = 6


def noise(n: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    """Return autoregressive noise of unit deviation."""
    out = np.empty(n)
    steps = rng.normal(0, np.sqrt(1 - memory**2), n)
    out[0] = rng.normal()
    for i in range(1, n):
        out[i] = memory * out[i - 1] + steps[i]
    return out


def meter(case: str, seed: int) -> np.ndarray:
    """Return kWh of a building without faults under one condition."""
    rng = np.random.default_rng([seed, len(case)])
    n = LEARN + JUDGE
    i = np.arange(n)
    work = ((i // 24) % 7 < 5) & (i % 24 >= 8) & (i % 24 < 18)
    level = 100 * (0.4 + 0.6 * work)
    deviation = np.full(n, 0.05)
    memory = {"autocorrelated .5": 0.5, "autocorrelated .9": 0.9}.get(case, 0.0)
    if case == "trend":
        level = level * (1 + 0.5 * i / n)
    elif case == "season":
        level = level * (1 + 0.25 * np.sin(2 * np.pi * i / (52 * WEEK)))
    elif case == "another season":  # cooling by day, which the learned months never showed
        warm = np.clip(np.sin(2 * np.pi * (i - LEARN) / (52 * WEEK)), 0, None)
        level = level + 60 * warm * (i % 24 >= 10) * (i % 24 < 20)
    elif case == "drift":
        level = level * np.exp(np.cumsum(rng.normal(0, 0.001, n)))
    elif case == "growing noise":
        deviation = 0.05 * (1 + i / n)
    elif case == "heavy tails":
        return level * np.exp(0.05 * rng.standard_t(4, n) / np.sqrt(2))
    return level * np.exp(deviation * noise(n, memory, rng))


CASES = (
    "independent",
    "autocorrelated .5",
    "autocorrelated .9",
    "trend",
    "season",
    "another season",
    "drift",
    "growing noise",
    "heavy tails",
)


def realized(case: str, seed: int, rate: float) -> dict[str, float]:
    """Return the share of false alarms of each way to set a threshold."""
    values = meter(case, seed)
    time = np.datetime64("2024-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "h")
    series = Series(SeriesKey("meter", "kwh"), time, values)
    ways = {
        "detector": AlarmSettings(rate=rate),
        "rolling only": AlarmSettings(
            rate=rate, speed=0.0, least=1.0, most=1.0, margin=0.0, hold_days=1e-9
        ),
    }
    found = {}
    for name, settings in ways.items():
        result = detect([series], Frequency("h"), until=time[LEARN], settings=settings)
        watched = result.found[series.key]
        found[name] = float(watched.decisions.alarm.mean())
    before = detect([series], Frequency("h"), until=time[LEARN * 2 // 3])
    early = before.found[series.key].score[: LEARN // 3]
    late = before.found[series.key].score[LEARN // 3 :]
    rank = min(int(np.ceil((len(early) + 1) * (1 - rate))), len(early)) - 1
    found["static"] = float((late > np.sort(early)[rank]).mean())
    return found


def main() -> None:
    table: dict[str, dict[str, dict[str, float]]] = {}
    for case in CASES:
        table[case] = {}
        for rate in RATES:
            rows = [realized(case, seed, rate) for seed in range(SEEDS)]
            table[case][f"{rate:g}"] = {
                **{name: float(np.mean([r[name] for r in rows])) for name in rows[0]},
                "detector_worst": float(max(r["detector"] for r in rows)),
            }
    columns = ("detector", "detector_worst", "rolling only", "static")
    print(f"{'realized share of false alarms':34}" + "".join(f"{c:>16}" for c in columns),
          file=sys.stderr)  # fmt: skip
    for case, by_rate in table.items():
        for rate, row in by_rate.items():
            cells = "".join(f"{row[c]:>16.4f}" for c in columns)
            print(f"{case:22}{'nominal ' + rate:>12}{cells}", file=sys.stderr)
    print(json.dumps({"cases": table, "learned_weeks": 24, "judged_weeks": 28, "seeds": SEEDS}))


if __name__ == "__main__":
    main()
