"""Annual totals of series of any frequency, and how they changed from year to year.

::

    15min, h, D  -> months -> 12 a year        W -> 52 a year (by their starts)
    MS -> 12 a year    QS -> 4 a year          YS -> 1 a year

A month with at least 75 % of its periods observed counts as whole, its sum scaled up; a
year is complete when all its parts are there. The year that is still running is completed
with the pattern of the year before: observed so far / same part of last year x last year.
A year whose unit slipped (`unit_slips`) does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from esgml.forecast.unit_slips import unit_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Panel, SeriesKey

#: Share of a part's periods, and of a year's parts, that must be observed.
WHOLE_PART, WHOLE_YEAR = 0.75, 0.97
#: Share of a running year below which it says nothing yet.
LEAST_SHARE = 0.08
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Running:
    """A year that is not over: its completed total and the share observed so far."""

    year: int
    total: float
    share: float


@dataclass(frozen=True)
class AnnualHistory:
    """One series in equal parts of a year, and its annual totals.

    Attributes
    ----------
    key : SeriesKey
    parts : int
        Parts in a year: 12, 52, 4 or 1.
    year : array of int, shape (rows,)
        Calendar year of each part, ascending without gaps in the parts.
    values : array, shape (rows,)
        Sum of each part; NaN where it is not whole.
    totals : dict of year to float
        Complete years only.
    running : Running or None
        The year after the last complete one, completed.
    slips : tuple of int
        Years that do not count, because their unit slipped.
    """

    key: SeriesKey
    parts: int
    year: NDArray[np.int64]
    values: NDArray[np.float64]
    totals: dict[int, float]
    running: Running | None
    slips: tuple[int, ...] = ()

    @property
    def last(self) -> int:
        """The last complete year."""
        return max(self.totals)

    def until(self, year: int) -> AnnualHistory | None:
        """Return what was known when `year` ended; None where no year was complete."""
        totals = {y: total for y, total in self.totals.items() if y <= year}
        if not totals:
            return None
        seen = self.year <= year
        return AnnualHistory(self.key, self.parts, self.year[seen], self.values[seen], totals, None)

    def growth(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the log changes over one year and the year in which each ends.

        Changes of rolling annual sums, one per part; those of consecutive parts share all
        but one part of their years. Only changes between positive sums are returned.
        """
        n, q = len(self.values), self.parts
        if n < 2 * q:
            return np.empty(0), np.empty(0, dtype=np.int64)
        sums = np.lib.stride_tricks.sliding_window_view(self.values, q).sum(axis=1)
        logs = np.full(len(sums), np.nan)
        np.log(sums, out=logs, where=np.nan_to_num(sums) > 0)
        change = logs[q:] - logs[:-q]
        seen = np.isfinite(change)
        return change[seen], self.year[2 * q - 1 :][seen]


def annual_histories(panel: Panel) -> list[AnnualHistory]:
    """Return the annual history of every series that has a complete year, in panel order."""
    found = []
    for i, key in enumerate(panel.keys):
        rows = panel.rows_of(i)
        parts, start, values = _parts(panel, panel.time[rows], panel.values[rows])
        year = start.astype("datetime64[Y]").astype(np.int64) + 1970
        totals = {}
        for y in np.unique(year).tolist():
            whole = _parts_in(y, parts)
            own = values[year == y]
            seen = np.isfinite(own)
            if seen.sum() >= WHOLE_YEAR * whole:
                totals[y] = float(own[seen].mean() * (parts if parts != 52 else whole))
        slips: tuple[int, ...] = ()
        if parts == 1 and totals:
            off = unit_factors(np.array(list(totals.values()))) != 1
            slips = tuple(np.array(list(totals))[off].tolist())
        for y in slips:
            del totals[y]
        values = np.where(np.isin(year, slips), np.nan, values)
        if totals:
            running = _running(parts, year, values, totals)
            found.append(AnnualHistory(key, parts, year, values, totals, running, slips))
    return found


def _parts_in(year: int, parts: int) -> float:
    """Return how many parts a year has; a year has a little more than 52 weeks."""
    if parts != 52:
        return float(parts)
    first = np.datetime64(f"{year:04d}-01-01")
    return float((np.datetime64(f"{year + 1:04d}-01-01") - first) / _DAY / 7)


def _parts(
    panel: Panel, time: NDArray[np.datetime64], values: NDArray[np.float64]
) -> tuple[int, NDArray[np.datetime64], NDArray[np.float64]]:
    """Return parts per year, the start of each part, and its sum."""
    frequency = panel.frequency
    if frequency.months:
        return 12 // frequency.months, time, values
    if frequency.code == "W":
        return 52, time, values
    month = time.astype("datetime64[M]")
    start = np.arange(month[0], month[-1] + 1)
    place = (month - month[0]).astype(np.int64)
    seen = np.isfinite(values)
    count = np.bincount(place[seen], minlength=len(start))
    total = np.bincount(place[seen], values[seen], minlength=len(start))
    days = ((start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")) / _DAY
    expected = days * 86_400 / frequency.seconds
    whole = count >= WHOLE_PART * expected
    scaled = np.full(len(start), np.nan)
    scaled[whole] = total[whole] / count[whole] * expected[whole]
    return 12, start, scaled


def _running(
    parts: int, year: NDArray[np.int64], values: NDArray[np.float64], totals: dict[int, float]
) -> Running | None:
    last = max(totals)
    now = np.flatnonzero(year == last + 1)
    if parts == 1 or len(now) == 0 or now[0] < parts:
        return None
    before = now - parts
    both = np.isfinite(values[now]) & np.isfinite(values[before])
    share = float(both.sum()) / parts
    earlier = float(values[before][both].sum())
    if share < LEAST_SHARE or earlier <= 0:
        return None
    ratio = float(values[now][both].sum()) / earlier
    return Running(last + 1, ratio * totals[last], min(share, 1.0))
