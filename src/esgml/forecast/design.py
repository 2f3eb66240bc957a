"""The design matrix of direct forecasts: one row per series, origin and step ahead.

Everything a row holds was known at its origin: past targets and past covariates before it,
known covariates and the calendar at the period to forecast. Targets are taken relative to
the recent level of their series, so one model learns from series of any size.

::

    origin o = number of periods already observed
    step   h = 1 ... horizon                     period to forecast: row o + h - 1
    z      = (u[o+h-1] - level[o]) / scale[o]    what a model learns
             u = log y (positive series), scale = 1    or    u = y, scale = level
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from esgml.forecast.history import fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.frequency import Frequency
    from esgml.core.panel import Future, Panel

_TINY = 1e-9


@dataclass(frozen=True)
class Design:
    """Rows of a direct forecast.

    Attributes
    ----------
    x : array, shape (rows, features)
        Features; NaN where a covariate was missing.
    z : array, shape (rows,)
        Relative target; NaN where unknown.
    level, scale : array, shape (rows,)
        What turns a relative value back into the unit of the target.
    series, origin, step : array of int, shape (rows,)
        Number of the series, periods observed, and periods ahead (from 1).
    names : tuple of str
        Feature names.
    log : bool
        Whether relative values are differences of logarithms.
    ahead : tuple of str
        Names of the features made of known covariates.
    """

    x: NDArray[np.float64]
    z: NDArray[np.float64]
    level: NDArray[np.float64]
    scale: NDArray[np.float64]
    series: NDArray[np.int64]
    origin: NDArray[np.int64]
    step: NDArray[np.int64]
    names: tuple[str, ...]
    log: bool
    ahead: tuple[str, ...] = ()

    def to_target(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn relative predictions back into the unit of the target."""
        value = self.level + self.scale * z
        return np.asarray(np.exp(value) if self.log else value)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return the feature called `name`."""
        return np.asarray(self.x[:, self.names.index(name)])

    def age(self, panel: Panel) -> NDArray[np.float64]:
        """Return the periods from each row's target to the end of its series, shape (rows,)."""
        return np.asarray(panel.lengths[self.series] - (self.origin + self.step), dtype=np.float64)

    def where(self, mask: NDArray[np.bool_]) -> Design:
        """Return the rows selected by a boolean mask."""
        return Design(
            self.x[mask],
            self.z[mask],
            self.level[mask],
            self.scale[mask],
            self.series[mask],
            self.origin[mask],
            self.step[mask],
            self.names,
            self.log,
            self.ahead,
        )

    def without(self, names: Collection[str]) -> Design:
        """Return the design without some features."""
        keep = [k for k, name in enumerate(self.names) if name not in names]
        return replace(self, x=self.x[:, keep], names=tuple(self.names[k] for k in keep))


def is_multiplicative(panel: Panel, share: float = 0.05) -> bool:
    """Whether the series stay well above zero, so that logarithms suit them.

    That is, whether nearly all values are above `share` of the median of their series.
    """
    low = 0
    for i in range(len(panel)):
        values = panel.series(i)
        values = values[np.isfinite(values)]
        if len(values):
            low += int(np.sum(values <= share * np.median(values)))
    return low <= 0.002 * panel.rows


class _Past:
    """Running sums of one series: the mean of any stretch before an origin in one step."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values = values
        self.sums = np.concatenate([[0.0], np.cumsum(values)])

    def mean(self, end: NDArray[np.int64], length: int) -> NDArray[np.float64]:
        """Mean of the `length` values before `end` (of all there are, if fewer)."""
        start = np.maximum(end - length, 0)
        return np.asarray((self.sums[end] - self.sums[start]) / np.maximum(end - start, 1))

    def smooth(self, alpha: float) -> NDArray[np.float64]:
        """Exponentially weighted mean up to each value."""
        start = [(1 - alpha) * self.values[0]]
        return np.asarray(lfilter([alpha], [1, alpha - 1], self.values, zi=start)[0])

    def between(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean of the values in [start, end), of what there is of them."""
        end = np.minimum(end, len(self.values))
        start = np.minimum(start, end)
        return np.asarray((self.sums[end] - self.sums[start]) / np.maximum(end - start, 1))


def _calendar(time: NDArray[np.datetime64], frequency: Frequency) -> dict[str, NDArray[np.float64]]:
    """Return calendar features of timestamps: hour, weekday, day of month, season of year."""
    days = time.astype("datetime64[D]")
    day_number = days.astype(np.int64)
    found: dict[str, NDArray[np.float64]] = {}
    if frequency.sub_daily:
        seconds = (time - days).astype("timedelta64[s]").astype(np.float64)
        found["hour"] = seconds / 3600
    if not frequency.months and frequency.seconds <= 86_400:
        found["weekday"] = ((day_number + 3) % 7).astype(np.float64)
        months = days.astype("datetime64[M]")
        found["day_of_month"] = (days - months).astype(np.float64) + 1
    if frequency.code != "YS":
        angle = 2 * np.pi * day_number / 365.25
        found["year_sin"], found["year_cos"] = np.sin(angle), np.cos(angle)
    return found


def training_origins(length: int, horizon: int, season: int, sub_daily: bool) -> NDArray[np.int64]:
    """Return the origins to learn from: every period, or one a day for finer data.

    Origins of finer data keep the distance to the end of the series that a forecast made
    now has, so training meets the hours of the day that forecasts will meet.
    """
    first = max(min(4 * season, length // 3), 1)
    if sub_daily:
        return np.arange(length - horizon, first - 1, -season)[::-1].astype(np.int64)
    return np.arange(first, length, dtype=np.int64)


def build_design(
    panel: Panel,
    horizon: int,
    *,
    log: bool,
    future: Future | None = None,
    max_rows: int = 80_000,
) -> Design:
    """Build the rows to learn from, or with `future` the rows to forecast.

    Parameters
    ----------
    panel : Panel
        History.
    horizon : int
        Steps ahead.
    log : bool
        Relative values as differences of logarithms (see `is_multiplicative`).
    future : Future, optional
        What is known of the periods to forecast; then each series has one origin, its end.
    max_rows : int
        Most rows to learn from; origins are thinned evenly, the latest kept.

    Returns
    -------
    Design
    """
    frequency = panel.frequency
    season = frequency.season
    origins = [
        np.array([n], dtype=np.int64)
        if future is not None
        else training_origins(int(n), horizon, season, frequency.sub_daily)
        for n in panel.lengths
    ]
    total = sum(map(len, origins)) * horizon
    if future is None and total > max_rows:
        stride = -(-total // max_rows)
        origins = [o[::-1][::stride][::-1] for o in origins]
    parts = [
        _series_design(panel, i, origins[i], horizon, log=log, future=future)
        for i in range(len(panel))
        if len(origins[i])
    ]
    names = parts[0].names
    return Design(
        np.concatenate([p.x for p in parts]),
        np.concatenate([p.z for p in parts]),
        np.concatenate([p.level for p in parts]),
        np.concatenate([p.scale for p in parts]),
        np.concatenate([p.series for p in parts]),
        np.concatenate([p.origin for p in parts]),
        np.concatenate([p.step for p in parts]),
        names,
        log,
        parts[0].ahead,
    )


def _series_design(
    panel: Panel,
    i: int,
    origins: NDArray[np.int64],
    horizon: int,
    *,
    log: bool,
    future: Future | None,
) -> Design:
    frequency, season, long = panel.frequency, panel.frequency.season, panel.frequency.long_season
    rows = panel.rows_of(i)
    observed = panel.values[rows]
    length = len(observed)
    values = fill(observed, season)
    time = panel.time[rows]
    known = panel.known[rows]
    if future is not None:
        time = np.concatenate([time, future.time[i]])
        known = np.concatenate([known, future.known[i]])
        o, h = np.full(future.horizon, length), np.arange(1, future.horizon + 1)
    else:
        o, h = np.repeat(origins, horizon), np.tile(np.arange(1, horizon + 1), len(origins))
        inside = o + h <= length
        o, h = o[inside], h[inside]
    r = o + h - 1
    o1 = o - 1

    # a sum may have no whole period yet
    size = (np.nanmean(np.abs(observed)) if np.isfinite(observed).any() else 0.0) + _TINY
    if log:
        past = _Past(np.log(np.maximum(values, 1e-3 * size)))
        level = past.mean(o, season if season > 1 else 3)
        scale = np.ones(len(o))
    else:
        past = _Past(values)
        level = past.mean(o, 4 * season)
        scale = np.maximum(np.abs(level), 1e-3 * size)
    u = past.values

    def rel(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((value - level) / scale)

    f: dict[str, NDArray[np.float64]] = {"step": h.astype(np.float64)}
    lags = range(1, 15) if season <= 14 else (1, 2, 3, 4, 6, 8, 12, 18)
    if season == 1:
        lags = range(1, 4)
    for k in lags:
        f[f"lag_{k}"] = rel(u[np.maximum(o - k, 0)])
    # values of the same season before the origin, however far ahead the step is
    back = season * ((h - 1) // season + 1)
    same = [rel(u[np.maximum(r - back - j * season, 0)]) for j in range(8)]
    if season > 1:
        for j in range(3):
            f[f"same_season_{j + 1}"] = same[j]
        f["same_season_mean_4"] = np.mean(same[:4], axis=0)
        f["same_season_mean_8"] = np.mean(same, axis=0)
        f["same_season_median_8"] = np.median(same, axis=0)
    for alpha in (0.1, 0.25, 0.5) if not frequency.sub_daily else ():
        f[f"smooth_{alpha}"] = rel(past.smooth(alpha)[o1])
    if long:
        for j in (3, 6):
            f[f"same_season_{j + 1}"] = same[j]
        f["same_season_against_last"] = np.mean(
            [rel(u[np.maximum(o1 - season * j, 0)]) for j in range(1, 8)], axis=0
        ) - rel(u[o1])
        f["level_change_season"] = -rel(past.mean(np.maximum(o - season, 1), season))
        f["level_change_long"] = -rel(past.mean(np.maximum(o - long + season, 1), season))
        behind = long * ((h - 1) // long + 1)
        weeks = [rel(u[np.maximum(r - behind - j * long, 0)]) for j in range(4)]
        f["same_week_1"], f["same_week_2"] = weeks[0], weeks[1]
        f["same_week_mean_4"] = np.mean(weeks, axis=0)
    for w in (max(season // 2, 2), season, 2 * season, 4 * season, 8 * season):
        if w > 1:
            f[f"mean_{w}"] = rel(past.mean(o, w))
    if long:
        f[f"mean_{long}"] = rel(past.mean(o, long))
        f[f"mean_{4 * long}"] = rel(past.mean(o, 4 * long))
    year = frequency.year
    if year > season:
        ago = r - year
        base = past.mean(np.maximum(o - year, 1), 4 * season)
        base_scale = np.ones(len(o)) if log else np.maximum(np.abs(base), 1e-3 * size)
        window = past.between(
            np.maximum(ago - season // 2, 0), np.maximum(ago, 0) + season // 2 + 1
        )
        smooth = (window - base) / base_scale
        exact = (u[np.maximum(ago, 0)] - base) / base_scale
        # a year ago must lie wholly inside the past: long horizons would peek otherwise
        usable = (o - year >= 4 * season) & (ago + season // 2 + 1 <= o)
        f["year_ago"] = np.where(usable, np.clip(exact, -5, 5), np.nan)
        f["year_ago_smooth"] = np.where(usable, np.clip(smooth, -5, 5), np.nan)
    f.update(_calendar(time[r], frequency))
    if frequency.code == "D":
        # reported months are often one level: how far the month is, and its mean so far
        months = time.astype("datetime64[M]")
        starts = np.searchsorted(months, months, side="left")
        start = np.minimum(starts[o1], o1)
        f["month_mean"] = rel(past.between(start, o))
        f["month_days"] = (o - start).astype(np.float64)
        f["same_month"] = (months[r] == months[o1]).astype(np.float64)
    for c, name in enumerate(panel.past_names):
        column = fill(panel.past[rows][:, c], season)
        spread = np.nanstd(column) + _TINY
        behind_past = _Past(column)
        recent = behind_past.mean(o, season)
        f[f"{name}_last"] = (column[o1] - recent) / spread
        usual_level = behind_past.mean(o, 4 * season)
        f[f"{name}_trend"] = (recent - usual_level) / spread
        for w in (3, 2 * season) if not frequency.sub_daily else ():
            f[f"{name}_mean_{w}"] = (behind_past.mean(o, w) - usual_level) / spread
    before_known = len(f)
    for c, name in enumerate(panel.known_names):
        column = known[:, c]
        # never given is missing, not zero: zero degrees would be a forecast of great cold
        usual = fill(column, season) if np.isfinite(column).any() else column
        ahead = _Past(usual)
        recent = ahead.mean(o, season)
        f[name] = column[r]
        f[f"{name}_recent"] = recent
        f[f"{name}_last"] = usual[o1] - recent
        f[f"{name}_against_recent"] = column[r] - recent
        f[f"{name}_against_last"] = column[r] - usual[o1]
        f[f"{name}_against_season"] = column[r] - usual[np.maximum(r - back, 0)]
        f[f"{name}_before"] = usual[np.maximum(r - 1, 0)] - column[r]
        if frequency.sub_daily:
            day = ahead.mean(r + 1, season)
            f[f"{name}_day"] = day
            f[f"{name}_day_change"] = day - ahead.mean(o, season)
            quarter = max(season // 4, 1)
            near = ahead.mean(r + 1, quarter)
            f[f"{name}_smooth"] = near
            f[f"{name}_smooth_change"] = near - ahead.mean(np.maximum(r + 1 - season, 1), quarter)
            f[f"{name}_against_week"] = column[r] - usual[np.maximum(r - long, 0)]
            whole = ahead.between(o, np.minimum(o + season, len(usual)))
            f[f"{name}_next"] = whole - recent
            f[f"{name}_recent_change"] = recent - ahead.mean(o, long)
    z = np.full(len(o), np.nan)
    if future is None:
        target = np.log(np.maximum(observed, 1e-3 * size)) if log else observed
        z = (target[r] - level) / scale
    return Design(
        np.column_stack(list(f.values())),
        z,
        level,
        scale,
        np.full(len(o), i, dtype=np.int64),
        o.astype(np.int64),
        h.astype(np.int64),
        tuple(f),
        log,
        tuple(f)[before_known:],
    )
