"""Dividing a table so that what is tested was never seen: by time, or by group."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from esgml.core.errors import HistoryError, UsageError
from esgml.core.frames import SeriesSpec, require_columns
from esgml.core.random import generator


@dataclass(frozen=True)
class Split:
    """A table in two: what may be learned from, and what is tested."""

    train: pl.DataFrame
    test: pl.DataFrame
    origin: dt.datetime | None = None


def time_split(
    frame: pl.DataFrame,
    spec: SeriesSpec | None = None,
    *,
    test: float | dt.datetime = 0.2,
    gap: int = 0,
) -> Split:
    """Split a table at one moment for all entities: earlier rows train, later ones test.

    Parameters
    ----------
    frame : DataFrame
        Canonical table.
    spec : SeriesSpec, optional
        Names the time column.
    test : float or datetime
        Share of the distinct timestamps to test on, or the first timestamp to test.
    gap : int
        Number of timestamps to leave out before the test, for features that look back.

    Raises
    ------
    UsageError
        If the share is not between 0 and 1, or the gap is negative.
    HistoryError
        If one of the two parts would be empty.
    """
    time = (spec or SeriesSpec()).time
    require_columns(frame, [time])
    if gap < 0:
        raise UsageError(f"the gap cannot be negative, got {gap}.")
    moments = frame[time].drop_nulls().unique().sort()
    if isinstance(test, float | int):
        if not 0 < test < 1:
            raise UsageError(f"the share to test on lies between 0 and 1, got {test}.")
        first = len(moments) - max(1, round(len(moments) * test))
    else:
        first = int((moments < test).sum())
    if first - gap < 1 or first >= len(moments):
        raise HistoryError(
            f"{len(moments)} timestamps leave nothing to train on or nothing to test.",
            remedy="Give more history, or choose another share or moment.",
        )
    return _at(frame, time, moments, first, len(moments), gap)


def _at(
    frame: pl.DataFrame, time: str, moments: pl.Series, first: int, stop: int, gap: int
) -> Split:
    return Split(
        frame.filter(pl.col(time) <= moments[first - gap - 1]),
        frame.filter(pl.col(time).is_between(moments[first], moments[stop - 1])),
        moments[first],
    )


def rolling_origin_splits(
    frame: pl.DataFrame,
    spec: SeriesSpec | None = None,
    *,
    horizon: int,
    windows: int,
    step: int | None = None,
    gap: int = 0,
) -> Iterator[Split]:
    """Yield splits at origins that move forward in time, oldest first.

    The last window ends with the table; each one before it ends `step` timestamps earlier.

    Parameters
    ----------
    frame : DataFrame
        Canonical table.
    spec : SeriesSpec, optional
        Names the time column.
    horizon : int
        Timestamps to test in each window.
    windows : int
        Number of windows.
    step : int, optional
        Timestamps between origins; the horizon where omitted, so that tests do not overlap.
    gap : int
        Timestamps to leave out between training and test.

    Raises
    ------
    UsageError
        If a number is below one (the gap: below zero).
    HistoryError
        If the table is too short for the first origin.
    """
    time = (spec or SeriesSpec()).time
    require_columns(frame, [time])
    step = horizon if step is None else step
    if min(horizon, windows, step) < 1 or gap < 0:
        raise UsageError("horizon, windows and step must be at least 1, the gap at least 0.")
    moments = frame[time].drop_nulls().unique().sort()
    needed = horizon + (windows - 1) * step + gap + 1
    if len(moments) < needed:
        raise HistoryError(
            f"{len(moments)} timestamps are too few: {windows} windows need {needed}.",
            remedy="Use fewer windows, a shorter horizon or a smaller step.",
        )
    return (
        _at(frame, time, moments, stop - horizon, stop, gap)
        for stop in (len(moments) - back * step for back in range(windows - 1, -1, -1))
    )


def grouped_split(
    frame: pl.DataFrame, group: str = "entity", *, test: float = 0.2, seed: int = 0
) -> Split:
    """Split a table so that no group (entity, company) is on both sides.

    Parameters
    ----------
    frame : DataFrame
    group : str
        Column whose values stay together; rows without one go to the training part.
    test : float
        Share of the groups to test on; at least one group goes to either side.
    seed : int
        Decides which.

    Raises
    ------
    HistoryError
        If there are fewer than two groups.
    UsageError
        If the share is not between 0 and 1.
    """
    require_columns(frame, [group])
    if not 0 < test < 1:
        raise UsageError(f"the share to test on lies between 0 and 1, got {test}.")
    names = frame[group].drop_nulls().unique().sort()
    if len(names) < 2:
        raise HistoryError(
            f"column {group!r} has {len(names)} groups; two are needed.",
            remedy="Split by time, or give more entities.",
        )
    size = min(max(1, round(len(names) * test)), len(names) - 1)
    order = generator(seed, "grouped_split", group).permutation(len(names))
    chosen = names[np.sort(order[:size])]
    tested = frame[group].is_in(chosen.implode()).fill_null(False)
    return Split(frame.filter(~tested), frame.filter(tested))
