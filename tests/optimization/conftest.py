"""A site's hours as a table, shared by the tests of the task and of policies."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest


def _table(weeks=6, seed=0, **changed):
    rng = np.random.default_rng(seed)
    n = 168 * weeks
    hour = np.arange(n) % 24
    start = datetime(2026, 1, 5, tzinfo=UTC)
    columns = {
        "entity": ["house"] * n,
        "timestamp": [start + timedelta(hours=i) for i in range(n)],
        "load_kwh": 0.5 + np.exp(-((hour - 19) ** 2) / 8) * rng.lognormal(0, 0.3, n),
        "solar_kwh": np.maximum(0, 2 * np.sin((hour - 6) / 12 * np.pi)) * rng.uniform(0.3, 1, n),
        "price": np.where((hour >= 16) & (hour < 21), 0.5, 0.2),
        "carbon_intensity_kg_kwh": np.full(n, 0.2),
    }
    return pl.DataFrame({**columns, **changed})


@pytest.fixture(scope="session")
def table():
    """Return what makes a table of one house, hour by hour."""
    return _table
