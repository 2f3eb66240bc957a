"""Meters for tests: a building with workdays and seasons, and faults put into it."""

import numpy as np

START = np.datetime64("2024-01-01T00", "us")


def hours(n, start=START, step=1):
    return start + np.arange(n) * np.timedelta64(step, "h")


def building(n=24 * 7 * 26, seed=0, base=100.0, noise=0.03):
    """Return times and kWh of a building: high on workdays, a slow season, noise."""
    rng = np.random.default_rng(seed)
    time = hours(n)
    hour = np.arange(n) % 24
    day = (np.arange(n) // 24) % 7
    work = (day < 5) & (hour >= 8) & (hour < 18)
    season = 1 + 0.2 * np.sin(2 * np.pi * np.arange(n) / (24 * 365))
    values = base * (0.4 + 0.6 * work) * season * np.exp(rng.normal(0, noise, n))
    return time, values
