"""The real series that forecasts are measured on, read where they lie, never copied.

The folder is ``ESGML_DATA``, or ``../shared/data`` beside the repository.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from esgml.core.frames import SeriesSpec
from esgml.core.panel import Panel
from esgml.data.load import load
from esgml.data.panels import to_panel

WEATHER = ("wx_wind_speed", "wx_temperature", "wx_dewpoint", "wx_dswrf", "wx_precipitation")
US_GRIDS = ("CISO", "PJM", "ERCO", "MISO")


def folder() -> Path | None:
    """Return the folder of the real series, or None where there is none."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("ESGML_DATA", default))
    return path if (path / "emissions").is_dir() else None


@dataclass(frozen=True)
class Case:
    """One backtest: a panel and its windows, and the accuracy asked for (mean over series)."""

    name: str
    panel: Panel
    horizon: int
    windows: int
    step: int
    wanted: float
    wanted_total: float | None = None


def cases(names: tuple[str, ...] = ()) -> list[Case]:
    """Return the backtests, all or those named."""
    root = folder()
    if root is None:
        return []
    data = root / "emissions"
    makers = {
        "grids_daily": lambda: Case("grids_daily", _grids(data, WEATHER), 7, 12, 28, 0.885),
        "grids_daily_no_weather": lambda: Case(
            "grids_daily_no_weather", _grids(data, ()), 7, 12, 28, 0.862
        ),
        "grids_hourly_us": lambda: Case("grids_hourly_us", _hourly(data), 24, 14, 26 * 24, 0.92),
        "china_daily": lambda: Case("china_daily", _china(data), 30, 6, 30, 0.94),
        "buildings_daily": lambda: Case(
            "buildings_daily", _buildings(data), 7, 16, 7, 0.68, wanted_total=0.78
        ),
        "steel_daily": lambda: Case("steel_daily", _steel(data, "co2_t"), 7, 12, 7, 0.75),
        "steel_daily_energy": lambda: Case(
            "steel_daily_energy", _steel(data, "kwh"), 7, 12, 7, 0.75
        ),
    }
    return [make() for name, make in makers.items() if not names or name in names]


def _panel(frame: pl.DataFrame, target: str, known: tuple[str, ...] = ()) -> Panel:
    loaded = load(frame, SeriesSpec(targets=(target,), known=known))
    return to_panel(loaded.frame, loaded.spec)[0]


def _grids(data: Path, known: tuple[str, ...]) -> Panel:
    frame = pl.read_csv(data / "grids_daily.csv", try_parse_dates=True)
    return _panel(frame if known else frame.drop(WEATHER), "co2_t", known)


def _hourly(data: Path) -> Panel:
    frame = pl.read_parquet(data / "grids_hourly.parquet")
    return _panel(frame.filter(pl.col("entity").is_in(US_GRIDS)), "co2_t", WEATHER)


def _china(data: Path) -> Panel:
    frame = pl.read_csv(data / "china_daily.csv", try_parse_dates=True)
    return _panel(frame.drop("province", "sector"), "co2_mt", ("holiday",))


def _buildings(data: Path) -> Panel:
    frame = pl.read_parquet(data / "buildings_hourly.parquet")
    weather = tuple(c for c in frame.columns if c.startswith("wx_"))
    sums = ("scope2_kg", "grid_import_kwh", "load_kwh", "solar_kwh")
    daily = (
        frame.group_by("entity", pl.col("timestamp").dt.truncate("1d"))
        .agg(pl.col(sums).sum(), pl.col("carbon_intensity_kg_kwh", "price", *weather).mean())
        .sort("entity", "timestamp")
    )
    return _panel(daily, "scope2_kg", weather)


def _steel(data: Path, target: str) -> Panel:
    frame = pl.read_csv(
        data / "steel_plant_15min.csv", infer_schema_length=None, encoding="utf8-lossy"
    )
    frame = frame.rename({frame.columns[0]: "date"})
    # the last quarter of an hour of a day is stamped 00:00 of that same day, not of the next
    day = pl.col("date").str.to_datetime("%d/%m/%Y %H:%M").dt.truncate("1d")
    daily = (
        frame.group_by(day.alias("timestamp"))
        .agg(pl.col("CO2(tCO2)").sum().alias("co2_t"), pl.col("Usage_kWh").sum().alias("kwh"))
        .with_columns(pl.lit("steel").alias("entity"))
        .sort("timestamp")
    )
    return _panel(daily, target)
