"""Both networks beat the seasonal naive forecast on real power grids."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from esgml.core import catalog
from esgml.core.frames import SeriesSpec
from esgml.data.panels import to_panel

DATA = Path(os.environ.get("ESGML_DATA", Path(__file__).parents[3] / "shared" / "data"))
GRIDS = DATA / "emissions" / "grids_daily.csv"
WEATHER = ("wx_wind_speed", "wx_temperature", "wx_dewpoint", "wx_dswrf", "wx_precipitation")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("lstm", 0.88), ("lstm_spec", 0.81)])
def test_beats_the_seasonal_naive(name, least):
    """Fitted once before the first of 12 windows; accuracy is 1 - WAPE, mean over grids."""
    if not GRIDS.exists():
        pytest.skip(f"no {GRIDS.name} under ESGML_DATA")
    frame = pl.read_csv(GRIDS, try_parse_dates=True)
    panel, _ = to_panel(frame, SeriesSpec(targets=("co2_t",), known=WEATHER))
    backs = [7 + 28 * k for k in range(12)]
    model = catalog.load("forecast", name)().train(panel.before(max(backs)), horizon=7)
    missed, naive, total = np.zeros((3, len(panel)))
    for back in backs:
        history, future, actual = panel.window(back, 7)
        week = np.stack([history.series(i)[-7:] for i in range(len(history))])
        missed += np.nansum(np.abs(model.predict(history, future) - actual), axis=1)
        naive += np.nansum(np.abs(week - actual), axis=1)
        total += np.nansum(np.abs(actual), axis=1)
    accuracy = float((1 - missed / total).mean())
    assert accuracy > float((1 - naive / total).mean())
    assert accuracy > least
