"""Which cycles a series has, and how strong they are.

Peaks of the spectrum propose periods, the autocorrelation confirms and sharpens them
(Vlachos, Yu and Castelli 2005, "On periodicity detection and structural periodic
similarity"). The strongest cycle is taken out and the search goes on in what is left, so a
day inside a week inside a year is found as three cycles. Strength is the share of variance
the cycle explains, corrected for the number of its parameters, after Wang, Smith and
Hyndman (2006). Known weakness: a cycle seen fewer than twice is not found, and a trend with
a kink can pass for a long cycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pydantic

from esgml.core.errors import HistoryError, UsageError
from esgml.core.interfaces import Hyperparameters
from esgml.features.step import FeatureStep, source_values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from esgml.core.panel import Panel

    Floats = NDArray[np.float64]

_HARMONICS = 6  # of long cycles; short ones may take any shape
_SHORT = 60
_SERIES = 50  # so many of the longest series of a panel vote on its periods


@dataclass(frozen=True)
class Season:
    """One cycle of a series.

    Attributes
    ----------
    period : int
        Length in rows.
    strength : float
        Share of the variance (of what was left by stronger cycles) it explains, 0 to 1.
    autocorrelation : float
        Correlation of the series with itself one period earlier.
    """

    period: int
    strength: float
    autocorrelation: float

    def as_dict(self) -> dict[str, float]:
        """Return the cycle as plain values."""
        return {
            "period": self.period,
            "strength": self.strength,
            "autocorrelation": self.autocorrelation,
        }


def detect_seasonality(
    values: ArrayLike,
    *,
    candidates: Sequence[int] = (),
    max_period: int | None = None,
    max_seasons: int = 3,
    min_strength: float = 0.1,
) -> list[Season]:
    """Find the cycles of one regular series, strongest first.

    Parameters
    ----------
    values : array, shape (rows,)
        One frequency step apart; NaN is filled along a straight line.
    candidates : sequence of int
        Periods to try besides those the spectrum proposes (24 and 168 for hours).
    max_period : int, optional
        Longest period to look for; half the rows where omitted.
    max_seasons : int
    min_strength : float
        Cycles that explain less are not reported.

    Returns
    -------
    list of Season
        Empty where nothing repeats (or the series is constant).

    Raises
    ------
    UsageError
        If the values are no single series.
    HistoryError
        With fewer than 8 observed values.

    Examples
    --------
    >>> import numpy as np
    >>> day = np.arange(200)
    >>> [s.period for s in detect_seasonality(np.sin(2 * np.pi * day / 7))]
    [7]
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise UsageError(f"seasonality takes one series, got shape {x.shape}.")
    seen = np.isfinite(x)
    if seen.sum() < 8:
        raise HistoryError(
            f"seasonality needs at least 8 observed values, got {int(seen.sum())}.",
            remedy="Give a longer history.",
        )
    first, last = np.flatnonzero(seen)[[0, -1]]
    x, seen = x[first : last + 1], seen[first : last + 1]
    n = len(x)
    grid = np.arange(n, dtype=np.float64)
    x = _within_reach(np.interp(grid, grid[seen], x[seen]))
    scale = float(np.max(np.abs(x)))
    left = _without_trend(x / scale, grid) if scale > 0 else np.zeros(n)
    noise_floor = 1e-20
    longest = min(n // 2, max_period or n // 2)
    found: list[Season] = []
    while len(found) < max_seasons and float(left.var()) > noise_floor:
        correlation = _autocorrelation(left)
        proposals = {_sharpened(p, correlation) for p in _spectral_peaks(left, longest)}
        proposals |= set(_hilltops(correlation[: longest + 1])) | {int(p) for p in candidates}
        taken = {season.period for season in found}
        options = []
        for period in sorted(proposals - taken):
            if not 2 <= period <= longest or not _is_hill(correlation, period):
                continue
            strength, wave = _strength(left, grid, period)
            options.append((strength, period, wave))
        if not options:
            break
        strength, period, wave = _chosen(options, candidates, n)
        if strength < min_strength:
            break
        found.append(Season(period, strength, float(correlation[period])))
        left = left - wave
    return sorted(found, key=lambda season: -season.strength)


def _chosen(
    options: list[tuple[float, int, Floats]], candidates: Sequence[int], n: int
) -> tuple[float, int, Floats]:
    """Choose the cycle to take out next, from (strength, period, wave), periods ascending."""
    # A multiple of the true period explains as much and no more: take the shortest.
    top = max(strength for strength, _, _ in options)
    best = next(option for option in options if option[0] >= 0.97 * top)
    # A few repeats of a long cycle do not tell 360 days from 365: then the usual one.
    blur = 1 + best[1] ** 2 / (2 * n)
    for option in options:
        if option[1] in candidates and abs(option[1] - best[1]) <= blur:
            return option if option[0] >= 0.9 * best[0] else best
    return best


def _is_hill(correlation: Floats, period: int) -> bool:
    """Whether the series is like itself a period ago, and more than half a period ago."""
    # white noise exceeds this once in 400 lags
    significant = float(2.8 / np.sqrt(len(correlation)))
    here, between = correlation[period], correlation[period - period // 2]
    return bool(here > significant and here - between > significant)


def _within_reach(x: Floats) -> Floats:
    """Cut off what lies several times as far out as nearly all values: a slipped unit hides all."""
    low, high = np.quantile(x, (0.02, 0.98))
    margin = 3.0 * (high - low)
    return np.clip(x, low - margin, high + margin) if margin > 0 else x


def _without_trend(x: Floats, grid: Floats) -> Floats:
    centred = grid - grid.mean()
    slope = float(centred @ x) / float(centred @ centred)
    return np.asarray(x - x.mean() - slope * centred)


def _autocorrelation(x: Floats) -> Floats:
    """Return the autocorrelation at every lag, unbiased for the shrinking overlap."""
    n = len(x)
    size = 1 << (2 * n - 1).bit_length()
    power = np.abs(np.fft.rfft(x - x.mean(), size)) ** 2
    raw = np.fft.irfft(power, size)[:n] / np.arange(n, 0, -1)
    return np.asarray(raw / raw[0])


def _spectral_peaks(x: Floats, longest: int) -> list[int]:
    """Return the periods of the highest peaks of the spectrum."""
    n = len(x)
    power = np.abs(np.fft.rfft(x * np.hanning(n))) ** 2
    power[0] = 0.0
    higher = np.concatenate(
        [[False], (power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:]), [True]]
    )
    peaks = np.flatnonzero(higher & (power > 6.0 * power[1:].mean()))
    peaks = peaks[np.argsort(-power[peaks])][:8]
    periods = {round(n / k) for k in peaks if k > 0}
    return [p for p in periods if 2 <= p <= longest]


def _hilltops(correlation: Floats) -> list[int]:
    """Return the lags of the highest hills of the autocorrelation.

    A cycle of jagged shape has its power in high harmonics, so the spectrum alone would
    propose fractions of its period.
    """
    inner = correlation[1:-1]
    tops = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:]))
    high = tops[correlation[tops] > 0.8 * correlation[tops].max(initial=0.0)]
    return [int(lag) for lag in high[:4]]


def _sharpened(period: int, correlation: Floats) -> int:
    """Move a period to the summit of the autocorrelation nearby."""
    reach = max(1, period // 8)
    low, high = max(2, period - reach), min(len(correlation) - 1, period + reach)
    return low + int(np.argmax(correlation[low : high + 1]))


def waves(position: Floats, period: float, harmonics: int) -> list[Floats]:
    """Return sine and cosine of `position` (in rows) for the harmonics of a period."""
    found = []
    for k in range(1, harmonics + 1):
        angle = 2 * np.pi * k * np.mod(position, period) / period
        found.append(np.sin(angle))
        if 2 * k != period:
            found.append(np.cos(angle))
        else:
            found[-1] = np.cos(angle)  # the sine of the fastest harmonic is zero throughout
    return found


def _strength(x: Floats, grid: Floats, period: int) -> tuple[float, Floats]:
    """Return the adjusted share of variance a cycle explains, and the cycle itself."""
    harmonics = period // 2 if period <= _SHORT else _HARMONICS
    design = np.column_stack(waves(grid, period, harmonics))
    weight, *_ = np.linalg.lstsq(design, x, rcond=None)
    wave = design @ weight
    total = float(x.var())
    free = len(x) - design.shape[1] - 1
    if total == 0.0 or free < 1:
        return 0.0, wave
    share = 1.0 - float((x - wave).var()) / total
    return max(0.0, 1.0 - (1.0 - share) * (len(x) - 1) / free), wave


def panel_seasonality(panel: Panel, *, source: str = "", max_seasons: int = 3) -> list[Season]:
    """Find the cycles most of a panel's series share, strongest first.

    The 50 longest series vote; a period counts when at least half of them have it, and its
    strength is the mean over all that voted.
    """
    values = source_values(panel, source)
    order = np.argsort(-panel.lengths, kind="stable")[:_SERIES]
    votes: dict[int, list[Season]] = {}
    voters = 0
    for i in order:
        series = values[panel.rows_of(int(i))]
        if np.isfinite(series).sum() < 8:
            continue
        voters += 1
        for season in detect_seasonality(
            series, candidates=panel.frequency.seasons, max_seasons=max_seasons
        ):
            votes.setdefault(season.period, []).append(season)
    shared = [
        Season(
            period,
            float(sum(s.strength for s in seasons) / voters),
            float(sum(s.autocorrelation for s in seasons) / voters),
        )
        for period, seasons in votes.items()
        if 2 * len(seasons) >= voters
    ]
    return sorted(shared, key=lambda season: -season.strength)[:max_seasons]


class SeasonalWaves(FeatureStep):
    """Waves of the cycles found in the panel it was fitted on.

    The position in a cycle comes from the timestamp alone, so the features are known for
    any future and are the same for one series as for many.

    Parameters
    ----------
    periods : tuple of int
        Periods in rows; empty = found by `panel_seasonality` when fitted.
    harmonics : int
        Waves per cycle, each a sine and a cosine.
    max_seasons : int
        Most cycles to find.

    Attributes
    ----------
    seasons_ : tuple of Season
        What was found; empty where the periods were given.
    """

    kind = "seasonality"
    warm_up: ClassVar[int] = 0
    min_lag: ClassVar[None] = None

    class Params(Hyperparameters):
        """Settings of `SeasonalWaves`."""

        periods: tuple[int, ...] = ()
        harmonics: int = pydantic.Field(2, ge=1, le=50)
        max_seasons: int = pydantic.Field(3, ge=1, le=10)

        @pydantic.field_validator("periods")
        @classmethod
        def _long_enough(cls, periods: tuple[int, ...]) -> tuple[int, ...]:
            if any(p < 2 for p in periods):
                raise ValueError("every period is at least 2 rows")
            return periods

    seasons_: tuple[Season, ...] = ()

    @property
    def periods(self) -> tuple[int, ...]:
        """The periods in use."""
        return tuple(self.params.periods) or tuple(s.period for s in self.seasons_)

    @property
    def names(self) -> tuple[str, ...]:
        """Per period: sine and cosine of each harmonic (the fastest may have one only)."""
        found = []
        for period in self.periods:
            for k in range(1, min(self.params.harmonics, period // 2) + 1):
                found += [f"season{period}_sin{k}"] if 2 * k != period else []
                found.append(f"season{period}_cos{k}")
        return tuple(found)

    def _fit(self, panel: Panel) -> None:
        if not self.params.periods:
            self.seasons_ = tuple(panel_seasonality(panel, max_seasons=self.params.max_seasons))

    def _columns(self, panel: Panel) -> list[Floats]:
        position = panel.frequency.ordinals(panel.time).astype(np.float64)
        return [
            wave
            for period in self.periods
            for wave in waves(position, period, min(self.params.harmonics, period // 2))
        ]

    def _state(self) -> dict[str, Any]:
        return {"seasons": [season.as_dict() for season in self.seasons_]}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.seasons_ = tuple(
            Season(int(s["period"]), float(s["strength"]), float(s["autocorrelation"]))
            for s in state["seasons"]
        )
