"""Small tables the data tests share."""

import datetime as dt
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

from esgml.core.frames import SeriesSpec

# a shared machine is slow at times; what is tested here is what comes out, not how fast
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture
def daily():
    """Make a clean daily table: two sites, 120 days, energy and scope 2."""

    def make(days=120, sites=2, start=dt.date(2023, 1, 1), step="1d", seed=0):
        random = np.random.default_rng(seed)
        first = dt.datetime(start.year, start.month, start.day)
        time = pl.datetime_range(
            first,
            first + dt.timedelta(days=(400 if step == "1y" else 40) * days),
            step,
            eager=True,
            time_unit="us",
        ).head(days)
        parts = []
        for site in range(sites):
            energy = np.round(900 + 150 * site + 80 * random.normal(size=days), 3)
            parts.append(
                pl.DataFrame(
                    {
                        "entity": [f"s{site}"] * days,
                        "timestamp": time,
                        "energy_kwh": energy,
                        "scope2_kg": np.round(
                            energy * 0.4 * np.exp(random.normal(0, 0.02, days)), 4
                        ),
                    }
                )
            )
        return pl.concat(parts)

    return make


@pytest.fixture
def spec():
    return SeriesSpec(targets=("scope2_kg",))


@pytest.fixture(scope="session")
def real_data():
    """Folder with the real data sets, or a skip with the reason."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("ESGML_DATA", root.parent / "shared" / "data"))
    if not (folder / "emissions").is_dir():
        pytest.skip(f"no real data in {folder}; set ESGML_DATA")
    return folder
