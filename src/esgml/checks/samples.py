"""Small made-up panels to check models on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from esgml.core.frequency import Frequency
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.core.random import generator


def sample_panel(
    lengths: tuple[int, ...] = (90, 90, 70, 60),
    frequency: str = "D",
    *,
    seed: int = 0,
    gaps: float = 0.0,
) -> Panel:
    """Return a small panel with trend, season, one covariate known ahead and one not.

    Series end in the same period and begin in different ones; the last two are two targets of
    one entity.

    Parameters
    ----------
    lengths : tuple of int
        Periods of each series.
    frequency : str
    seed : int
    gaps : float
        Share of the values, and of the covariates, that are missing.
    """
    step = Frequency(frequency)
    longest = max(lengths)
    time = step.advance(np.datetime64("2020-01-01T00:00:00", "us"), np.arange(longest))
    rng = generator(seed, "sample", frequency)
    season = max(step.season, 2)
    values, known, past, clock = [], [], [], []
    for i, length in enumerate(lengths):
        t = np.arange(longest - length, longest)
        weather = np.sin(2 * np.pi * t / (3 * season) + i) + rng.normal(0, 0.3, length)
        level = 10.0 ** (i + 1)
        y = 1 + 0.2 * np.sin(2 * np.pi * t / season) + 0.1 * weather + 0.001 * t
        y = level * (y + rng.normal(0, 0.03, length))
        column = np.column_stack([weather])
        behind = np.column_stack([y * 2 + rng.normal(0, 1, length)])
        if gaps:
            for array in (y, column, behind):
                hole = rng.random(array.shape) < gaps
                hole[: length // 3] &= rng.random(hole[: length // 3].shape) < 0.5
                array[hole] = np.nan
            y[0] = level
        values.append(y)
        known.append(column)
        past.append(behind)
        clock.append(time[t])
    names = [f"site{i}" for i in range(len(lengths))]
    keys = [SeriesKey(name, "scope1_kg") for name in names]
    if len(keys) > 2:
        keys[-1] = SeriesKey(names[-2], "scope2_kg")
    return Panel(
        keys=tuple(keys),
        indptr=np.cumsum([0, *lengths], dtype=np.int64),
        time=np.concatenate(clock).astype("datetime64[us]"),
        values=np.concatenate(values),
        frequency=step,
        known=np.concatenate(known),
        past=np.concatenate(past),
        known_names=("temperature",),
        past_names=("energy_kwh",),
    )


def sample_future(panel: Panel, horizon: int) -> Future:
    """Return a future with covariates that go on smoothly."""
    blank = panel.future(horizon)
    known = np.zeros(blank.known.shape)
    known += 0.5 * np.sin(np.arange(horizon))[None, :, None]
    return replace(blank, known=known)
