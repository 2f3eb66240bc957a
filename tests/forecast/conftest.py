"""Small panels and fitted forecasters that the forecast tests share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.core.frequency import Frequency
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.forecast import candidates
from esgml.forecast.combine import BASELINE
from esgml.forecast.ensemble import Ensemble
from esgml.forecast.fitting import fit_ensemble

#: A pool with what matters (a linear and a seasonal model) that trains in no time.
QUICK = (BASELINE, "ridge")


def build(
    lengths=(150, 150, 150),
    *,
    code="D",
    seed=0,
    effect=2.0,
    groups=False,
    ends=None,
    gaps=0.0,
    noise=1.0,
):
    """Return weekly seasonal series driven by `temperature`; `windless` drives nothing.

    Series end together, or `ends` periods after the first; each rises by `effect` per
    degree of a temperature that is common to all and hard to guess.
    """
    frequency = Frequency(code)
    ends = ends or (0,) * len(lengths)
    last = max(n - e for n, e in zip(lengths, ends, strict=True))
    whole = last + max(ends)
    rng = np.random.default_rng(seed)
    weather = 10 + 5 * rng.standard_normal(whole)
    time = frequency.advance(np.datetime64("2023-01-02", "us"), np.arange(whole))
    keys, values, known, past, clock = [], [], [], [], []
    for i, (length, end) in enumerate(zip(lengths, ends, strict=True)):
        stop = last + end
        t = np.arange(stop - length, stop)
        season = max(frequency.season, 2)
        y = (i + 1) * (200 + 20 * np.sin(2 * np.pi * t / season) + effect * weather[t])
        y = y + noise * rng.standard_normal(length)
        y[rng.random(length) < gaps] = np.nan
        y[0] = (i + 1) * 200.0
        keys.append(SeriesKey(f"s{i}", "scope2_kg"))
        values.append(y)
        known.append(np.column_stack([weather[t], rng.standard_normal(length)]))
        past.append((2 * y + rng.standard_normal(length))[:, None])
        clock.append(time[t])
    return Panel(
        tuple(keys),
        np.cumsum([0, *lengths], dtype=np.int64),
        np.concatenate(clock),
        np.concatenate(values),
        frequency,
        np.concatenate(known),
        np.concatenate(past),
        ("temperature", "windless"),
        ("energy_kwh",),
        {"scope2_kg": "kgCO2e"},
        {f"s{i}": ("north" if i < 2 else "south",) for i in range(len(lengths))} if groups else {},
    )


def weather_ahead(panel, horizon, seed=1):
    """Return a future with covariates that differ from their usual course."""
    rng = np.random.default_rng(seed)
    known = np.broadcast_to(rng.standard_normal((1, horizon, 2)), (len(panel), horizon, 2)).copy()
    known[:, :, 0] = 10 + 5 * known[:, :, 0]
    return replace(panel.future(horizon), known=known)


@pytest.fixture(scope="session")
def make_panel():
    return build


@pytest.fixture(scope="session")
def make_future():
    return weather_ahead


@pytest.fixture
def quick(monkeypatch):
    """Let ``auto`` try only models that train in no time."""
    monkeypatch.setattr(candidates, "SEASONAL", QUICK)


@pytest.fixture(scope="session")
def fitted() -> tuple[Panel, Future, Ensemble]:
    """A panel with a hierarchy, its next week, and a forecaster fitted on it."""
    panel = build(groups=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "SEASONAL", QUICK)
        ensemble, _ = fit_ensemble(panel, horizon=7, levels=(50, 80, 90))
    return panel, weather_ahead(panel, 7), ensemble
