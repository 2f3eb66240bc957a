"""The generated portfolio: seeded, physical, with labelled faults."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from esgml.core.errors import UsageError
from esgml.data.load import load
from esgml.data.panels import to_panel
from esgml.data.synthetic import portfolio

COLUMNS = [
    *("entity", "timestamp", "company", "country"),
    *("scope1_kg", "scope2_kg", "scope2_market_kg", "scope3_kg", "energy_kwh", "renewable_kwh"),
    *("production", "temperature", "holiday", "economic_index"),
    *("revenue_usd", "floor_area_m2", "employees"),
]


def test_shape_and_names():
    made = portfolio(seed=3, sites=3, years=2)
    assert made.frame.columns == COLUMNS
    assert made.frame.height == 3 * 731
    assert made.hierarchy == made.spec.hierarchy == ("company",)
    assert made.spec.targets == ("scope1_kg", "scope2_kg", "scope3_kg")
    assert made.spec.known == ("temperature", "holiday")


def test_same_seed_same_bytes():
    assert portfolio(seed=5, sites=2, years=1).frame.equals(
        portfolio(seed=5, sites=2, years=1).frame
    )
    assert not portfolio(seed=5, sites=2, years=1).frame.equals(
        portfolio(seed=6, sites=2, years=1).frame
    )
    few, many = portfolio(seed=5, sites=2, years=1), portfolio(seed=5, sites=4, years=1)
    assert many.frame.head(few.frame.height).equals(few.frame)


def test_cause_and_effect():
    frame = portfolio(seed=0, sites=6, years=2, faults=False).frame
    numbers = frame.select(COLUMNS[4:]).to_numpy()
    assert np.isfinite(numbers).all()
    assert (
        frame.select(
            "scope1_kg", "scope2_kg", "scope3_kg", "energy_kwh", "renewable_kwh"
        ).to_numpy()
        >= 0
    ).all()
    site = frame.filter(entity="site-01")
    cold, mild = (
        site.filter(pl.col("temperature") < 2),
        site.filter(pl.col("temperature").is_between(16, 18)),
    )
    assert cold["scope1_kg"].mean() > 1.2 * mild["scope1_kg"].mean()
    weekday = site["timestamp"].dt.weekday()
    assert (
        site.filter(weekday == 7)["production"].mean()
        < 0.8 * site.filter(weekday == 3)["production"].mean()
    )
    working = site.filter(weekday <= 5)
    assert (
        working.filter(pl.col("holiday") == 1)["production"].mean()
        < 0.9 * working["production"].mean()
    )
    swedish = portfolio(seed=0, sites=6, years=1, faults=False).frame.filter(country="SE")
    german = frame.filter(country="DE")
    intensity = [f["scope2_kg"].sum() / f["energy_kwh"].sum() for f in (swedish, german)]
    assert intensity[0] < 0.4 * intensity[1]


def test_labels_are_where_the_faults_are():
    dirty, clean = portfolio(seed=2), portfolio(seed=2, faults=False)
    assert clean.labels.height == 0
    assert set(dirty.labels["kind"]) == {
        "spike",
        "stuck",
        "zero_run",
        "missing",
        "leak",
        "unit_x1000",
        "negative",
    }
    keys = ["entity", "timestamp"]
    for column in ("scope1_kg", "scope2_kg", "scope3_kg", "energy_kwh"):
        both = dirty.frame.select(*keys, dirty=column).join(
            clean.frame.select(*keys, clean=column), on=keys
        )
        changed = both.filter(pl.col("dirty").ne_missing(pl.col("clean"))).select(keys)
        labelled = dirty.labels.filter(column=column).select(keys)
        assert changed.join(labelled, on=keys, how="anti").height == 0
        # a zero run in summer changes nothing that was zero before
        assert changed.height >= 0.7 * labelled.height


def test_the_checks_find_the_faults():
    made = portfolio(seed=4)
    loaded = load(made.frame, made.spec)
    found = {(f.code, f.column): f for f in loaded.report.faults}
    labelled = made.labels.group_by("column", "kind").len()
    count = {(c, k): n for c, k, n in labelled.rows()}
    assert found["negative_value", "energy_kwh"].count == count["energy_kwh", "negative"]
    assert found["unit_x1000", "energy_kwh"].count >= 0.8 * count["energy_kwh", "unit_x1000"]
    assert found["zero_run", "scope2_kg"].count >= 0.6 * count["scope2_kg", "zero_run"]
    assert not loaded.report.errors
    assert loaded.frame.height == made.frame.height
    panel, _ = to_panel(loaded.frame, loaded.spec)
    assert len(panel) == 18


def test_bad_arguments():
    with pytest.raises(UsageError):
        portfolio(sites=0)
    with pytest.raises(UsageError):
        portfolio(years=0)
    with pytest.raises(UsageError):
        portfolio(start=dt.date(2024, 2, 29))
