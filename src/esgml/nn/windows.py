"""Sliding windows over a panel: flat arrays, missing values filled from the past only.

One set of functions serves training (many origins inside the history) and prediction (the
origin after the last row), so a network sees the same numbers in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.core.frequency import Frequency
from esgml.nn.series import (
    LIMIT,
    RunningSums,
    calendar,
    forward_fill,
    hold_season,
    moments,
    starts_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

    Array = NDArray[np.float64]
    Index = NDArray[np.int64]

#: Steps the encoder sees and steps the level is a mean of, for days and longer.
_USUAL = {"D": (28, 28), "W": (26, 26), "MS": (24, 12), "QS": (8, 4), "YS": (6, 4)}


def split_by_time(
    ordinal: Index, share: float, gap: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split examples into earlier ones to learn from and later ones to validate on.

    Parameters
    ----------
    ordinal : array of int
        Period number of each example's origin, comparable between series.
    share : float
        Share of the examples to validate on, about.
    gap : int
        Periods an example reaches ahead: examples whose targets reach into the validation
        time are in neither part.

    Returns
    -------
    train, validation : array of int
        Numbers of examples. Validation is empty where it would leave too little to learn from.
    """
    everything = np.arange(len(ordinal))
    if share <= 0 or len(ordinal) < 10:
        return everything, everything[:0]
    cut = np.quantile(ordinal, 1 - share, method="higher")
    train = np.flatnonzero(ordinal + gap <= cut)
    validation = np.flatnonzero(ordinal >= cut)
    if len(train) < len(ordinal) / 3 or len(validation) == 0:
        return everything, everything[:0]
    return train, validation


@dataclass(frozen=True)
class Layout:
    """What a window looks like.

    Attributes
    ----------
    past : int
        Steps the encoder sees.
    horizon : int
        Steps ahead.
    level : int
        Steps whose mean magnitude everything is measured in.
    seasons : tuple of int
        Season lengths whose past values are candidate forecasts.
    """

    past: int
    horizon: int
    level: int
    seasons: tuple[int, ...]

    @classmethod
    def of(cls, frequency: Frequency, horizon: int, past: int = 0) -> Layout:
        """Return the usual layout of a frequency; `past` overrides the encoder's length."""
        seasons = tuple(s if s != 365 else 364 for s in frequency.seasons) or (1,)
        if frequency.sub_daily:
            usual, level = min(4 * seasons[0], 96), 2 * frequency.long_season
        else:
            usual, level = _USUAL[frequency.code]
        return cls(past or usual, horizon, level, seasons)


@dataclass(frozen=True)
class Batch:
    """The arrays of some windows.

    Attributes
    ----------
    past : array, shape (b, past, p)
    future : array, shape (b, horizon, f)
    candidates : array, shape (b, horizon, s)
        Simple forecasts, as ratios to the level.
    level : array, shape (b,)
        Recent mean magnitude, in the unit of the target; 0 where all of it was zero.
    target, weight : array, shape (b, horizon)
        The truth as a ratio to the level, and 1 where it was observed.
    """

    past: Array
    future: Array
    candidates: Array
    level: Array
    target: Array
    weight: Array


class WindowedPanel:
    """A panel, and what is known of the time after it, ready to cut windows from.

    Parameters
    ----------
    panel : Panel
    layout : Layout
    future : Future, optional
        Appended to each series as rows without target.
    """

    def __init__(self, panel: Panel, layout: Layout, future: Future | None = None) -> None:
        self.layout = layout
        ahead = 0 if future is None else future.horizon
        lengths = panel.lengths
        self.indptr = panel.indptr + ahead * np.arange(len(panel) + 1)
        rows = int(self.indptr[-1])
        self.old = np.arange(panel.rows) + ahead * np.repeat(np.arange(len(panel)), lengths)
        self.start = starts_of(self.indptr)
        self.ends = self.indptr[:-1] + lengths

        values = np.full(rows, np.nan)
        values[self.old] = panel.values
        filled, observed = forward_fill(values, self.indptr)
        self.observed = observed
        self.values = np.where(observed, values, 0.0)
        self.filled = np.where(np.isfinite(filled), filled, 0.0)
        self._sums = RunningSums(
            np.stack([observed.astype(float), np.abs(self.values), self.values], 1), self.indptr
        )
        time = np.empty(rows, dtype="datetime64[us]")
        time[self.old] = panel.time
        if future is not None:
            new = (self.ends[:, None] + np.arange(ahead)).reshape(-1)
            time[new] = future.time.reshape(-1)
        self.ordinal = panel.frequency.ordinals(time)
        self.calendar = calendar(time)
        self.known = self._covariates(panel, panel.known, future, panel.frequency.season)
        self.past = self._covariates(panel, panel.past, None, panel.frequency.season, ahead)
        self._known_sums = RunningSums(self.known, self.indptr)

    def _covariates(
        self, panel: Panel, columns: Array, future: Future | None, season: int, ahead: int = 0
    ) -> Array:
        """Return standardised covariates, future rows included, without NaN."""
        k = columns.shape[1]
        out = np.zeros((len(self.start), k))
        if k == 0:
            return out
        columns = np.where(np.isfinite(columns), columns, np.nan)
        mean, std = moments(columns, panel.indptr)
        filled, _ = forward_fill(columns, panel.indptr)
        per_row = np.repeat(np.arange(len(panel)), panel.lengths)
        out[self.old] = (filled - mean[per_row]) / std[per_row]
        if future is not None:
            for i in range(len(panel)):
                later = hold_season(filled[panel.rows_of(i)], future.known[i], season)
                end = int(self.ends[i])
                out[end : end + future.horizon] = (later - mean[i]) / std[i]
        return np.clip(np.where(np.isfinite(out), out, 0.0), -LIMIT, LIMIT)

    def training_origins(self) -> tuple[Index, Index]:
        """Return series number and row of every origin with a past and something to predict."""
        series = np.repeat(np.arange(len(self.ends)), self.ends - self.indptr[:-1])
        row = self.old
        reach = np.minimum(row + self.layout.horizon, self.ends[series])
        useful = self._sums.between(self.start[row], row)[:, 0] > 0
        useful &= self._sums.between(row, reach)[:, 0] > 0
        return series[useful], row[useful]

    def last_origins(self) -> tuple[Index, Index]:
        """Return series number and row of the origin after the last row of every series."""
        return np.arange(len(self.ends)), self.ends.copy()

    def _recent(self, row: Index) -> tuple[Array, Array]:
        """Return mean magnitude and signed mean of the level window before each row."""
        # a row just past the last series has no entry of its own; its series began where the
        # row before it did
        start = self.start[np.maximum(row - 1, 0)]
        near = self._sums.between(np.maximum(row - self.layout.level, start), row)
        ever = self._sums.between(start, row)
        use = np.where((near[..., :1] > 0) & (near[..., 1:2] > 0), near, ever)
        count = np.maximum(use[..., 0], 1)
        return use[..., 1] / count, use[..., 2] / count

    def gather(self, row: Index) -> Batch:
        """Cut the windows whose first predicted row is `row`, shape (b,).

        Nothing at or after `row` is looked at, but for known covariates, the calendar, and the
        target itself.
        """
        lay = self.layout
        first = self.start[np.maximum(row - 1, 0)]
        level, mean = self._recent(row)
        unit = np.where(level > 0, level, 1.0)

        back = row[:, None] + np.arange(-lay.past, 0)
        inside = back >= first[:, None]
        back = np.maximum(back, first[:, None])
        past = np.concatenate(
            [
                np.clip(self.filled[back] / unit[:, None], -LIMIT, LIMIT)[..., None],
                self.observed[back][..., None],
                self.known[back],
                self.past[back],
                self.calendar[back],
            ],
            axis=-1,
        )
        past = np.where(inside[..., None], past, 0.0)

        there = row[:, None] + np.arange(lay.horizon)
        there = np.minimum(there, len(self.start) - 1)
        same = self.start[there] == first[:, None]
        candidates = self._candidates(row, first, unit, mean)
        known = self.known[there]
        begin = np.maximum(row - lay.past, first)
        usual = self._known_sums.between(begin, row) / np.maximum(row - begin, 1)[:, None]
        step = np.broadcast_to((np.arange(lay.horizon) + 1) / lay.horizon, there.shape)
        future = np.concatenate(
            [
                candidates,
                known,
                known - usual[:, None],
                self.calendar[there],
                step[..., None],
            ],
            axis=-1,
        )
        weight = (self.observed[there] & same & (level > 0)[:, None]).astype(float)
        target = np.clip(self.values[there] / unit[:, None], -LIMIT, LIMIT)
        return Batch(past, future, candidates, level, target * weight, weight)

    def _candidates(self, row: Index, first: Index, unit: Array, mean: Array) -> Array:
        """Return simple forecasts as ratios to the level, shape (b, horizon, 2 + 2 seasons)."""
        lay = self.layout
        ahead = np.arange(lay.horizon)
        wide = np.ones((len(row), lay.horizon))
        average = (mean / unit)[:, None] * wide
        last = (self.filled[row - 1] / unit)[:, None] * wide
        out = [last, average]
        fallback = average
        for season in lay.seasons:
            turns = ahead // season + 1
            times = 4 if season <= lay.level else 2
            shift = season * (turns[:, None] + np.arange(times))
            source = row[:, None, None] + ahead[:, None] - shift
            fits = source >= first[:, None, None]
            source = np.maximum(source, first[:, None, None])
            fits &= self.observed[source]
            ratio = self.values[source] / unit[:, None, None]
            if season > lay.level:
                # far back the level was another one: measure in what it was then
                origin = np.maximum(row[:, None, None] - shift, first[:, None, None] + 1)
                then, _ = self._recent(origin)
                fits &= then > 0
                ratio = self.values[source] / np.where(then > 0, then, 1.0)
            count = fits.sum(-1)
            averaged = (ratio * fits).sum(-1) / np.maximum(count, 1)
            averaged = np.where(count > 0, averaged, fallback)
            newest = np.take_along_axis(ratio, fits.argmax(-1)[..., None], axis=-1)[..., 0]
            out += [np.where(count > 0, newest, fallback), averaged]
            if season <= lay.level:
                fallback = averaged
        return np.clip(np.stack(out, axis=-1), -LIMIT, LIMIT)
