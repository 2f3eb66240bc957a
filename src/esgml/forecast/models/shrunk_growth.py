"""Last value times shrunk growth: the forecaster of short and annual histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.forecast.history import fill
from esgml.forecast.state import dump_state, restore_state
from esgml.forecast.unit_slips import unit_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

#: Log growth beyond which a pair is taken as an error of extraction or a change of scope.
LARGEST = 1.15
#: Growth assumed beforehand, per year: what Canadian facilities until 2011 and installations of
#: the EU ETS until 2018 would have been forecast best by. Reporters emit a little less each year.
ASSUMED = -0.01
#: Deviation of common growth from year to year, assumed beforehand, and what it is worth in years.
DEVIATION, DEVIATION_YEARS = 0.03, 4.0
#: Bound of a series' own past growth, and of the share of it that goes on.
OWN_CLIP = 0.5
#: Most pairs learned from.
PAIRS = 200_000


class ShrunkGrowth(TimeSeriesModel):
    """The last value (of the same season) times growth pooled over all series and shrunk.

    Growth has a part common to all series of a target and a part that continues or reverts
    the series' own last growth. Both are estimated from pairs of values one season apart by
    modal regression, which seeks where changes are densest, so wrong units and closures do
    not move it. The own part is shrunk towards none while pairs are few. The common part is
    the mean over the seasons seen, shrunk towards a fall of 1 % a year: all series share a
    bad year, so thousands of pairs from one year say no more of the next than that one year.
    A last value that is several seasons old has grown through all of them. Suits annual data
    and histories too short for anything else; knows no covariates and no long trend of a
    single series.

    Attributes
    ----------
    growth_ : dict of target to (float, float)
        Common log growth per season, and share of the own last growth that goes on.

    References
    ----------
    Yao & Li (2014), a new regression model: modal linear regression; the weights are
    Welsch's. Deviation: the width is fixed at 10 %, what a reader calls close.
    """

    class Params(Hyperparameters):
        """Settings of the growth estimate."""

        width: float = tunable(0.1, 0.05, 0.3, log=True, description="Log width of a close hit.")
        prior: float = tunable(
            20.0,
            1.0,
            200.0,
            log=True,
            description="Pairs of no own growth; pairs of half a season.",
        )
        seasons: float = tunable(
            4.0, 1.0, 20.0, log=True, description="Seasons of the growth assumed beforehand."
        )

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self.season_ = panel.frequency.season
        assumed = ASSUMED * self.season_ / panel.frequency.year
        self.growth_: dict[str, tuple[float, float]] = {}
        targets = np.array([key.target for key in panel.keys])
        for target in dict.fromkeys(targets.tolist()):
            pairs = _pairs(panel, np.flatnonzero(targets == target), self.season_)
            self.growth_[target] = self._fit(pairs, assumed)

    def _fit(self, pairs: _Pairs, assumed: float) -> tuple[float, float]:
        usual = np.abs(pairs.growth) < LARGEST
        if not usual.any():
            return assumed, 0.0
        own, growth, when = pairs.own[usual], pairs.growth[usual], pairs.when[usual]
        slope = _modal(own, growth, self.params.width, self.params.prior)
        slope = float(np.clip(slope, -OWN_CLIP, OWN_CLIP))
        rest = growth - slope * own
        seasons, place = np.unique(when, return_inverse=True)
        found = np.array([_mode(rest[place == k], self.params.width) for k in range(len(seasons))])
        count = np.bincount(place)
        return _over_seasons(
            found, count / (count + self.params.prior), assumed, self.params
        ), slope

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        season = self.season_
        ahead = np.arange(future.horizon)
        result = np.empty((len(history), future.horizon))
        for i, key in enumerate(history.keys):
            given = history.series(i)
            # the last value may be older than a season
            missed = int(np.argmax(np.isfinite(given[::-1]))) // season
            cycles = ahead // season + 1.0 + missed
            values = fill(given, season)
            if season == 1:
                values = values / unit_factors(values)
            step = season if len(values) >= season else 1
            base = np.resize(values[-step:], future.horizon)
            common, own = self.growth_.get(key.target, (0.0, 0.0))
            last = _own_growth(values, season)[-1]
            # the own part fades as in an autoregression of growth
            carried = own * (1 - own**cycles) / (1 - own)
            growth = cycles * common + carried * last
            result[i] = np.where(base > 0, base * np.exp(growth), base)
        return result

    def _dump(self) -> Files:
        return dump_state(self, season=self.season_, growth=self.growth_)

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.season_ = int(state["season"])
        self.growth_ = {t: (float(c), float(o)) for t, (c, o) in state["growth"].items()}

    def _details(self) -> dict[str, Any]:
        if not self.trained_:
            return {}
        return {
            target: {"growth": common, "own": own} for target, (common, own) in self.growth_.items()
        }


@dataclass(frozen=True)
class _Pairs:
    """Positive values one season apart: growth, what was known before it, number of the season."""

    own: NDArray[np.float64]
    growth: NDArray[np.float64]
    when: NDArray[np.int64]


def _pairs(panel: Panel, members: NDArray[np.int64], season: int) -> _Pairs:
    parts = []
    for i in members:
        values = panel.series(int(i))
        logs = _logs(values)
        growth = logs[season:] - logs[:-season]
        own = _own_growth(values, season)[:-season]  # known at the start of each pair
        when = panel.frequency.ordinals(panel.time[panel.rows_of(int(i))])[season:] // season
        seen = np.isfinite(growth)
        parts.append((own[seen], growth[seen], when[seen]))
    own, growth, when = (np.concatenate(column) for column in zip(*parts, strict=True))
    thin = slice(None, None, max(1, -(-len(growth) // PAIRS)))
    return _Pairs(own[thin], growth[thin], when[thin])


def _logs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logarithms; NaN for what is not positive."""
    result: NDArray[np.float64] = np.log(
        values, out=np.full(values.shape, np.nan), where=np.nan_to_num(values) > 0
    )
    return result


def _own_growth(values: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return, per row, the clipped log growth of the sum of the season that ends there.

    It is 0 where two whole seasons are not observed, or their sums not positive.
    """
    growth = np.zeros(len(values))
    if len(values) >= 2 * season:
        padded = np.concatenate([np.zeros(season - 1), values])
        sums = np.lib.stride_tricks.sliding_window_view(padded, season).sum(axis=1)
        sums[: season - 1] = np.nan
        logs = _logs(sums)
        growth[season:] = np.nan_to_num(logs[season:] - logs[:-season])
    return np.clip(growth, -OWN_CLIP, OWN_CLIP)


def _modal(
    own: NDArray[np.float64], growth: NDArray[np.float64], width: float, prior: float
) -> float:
    """Return the slope where changes are densest, shrunk to zero by `prior` pairs.

    Least absolute errors first, then Welsch weights, which leave the best start found.
    """
    x = np.column_stack([np.ones(len(own)), own])
    ridge = np.diag([prior, prior / 4])
    found: NDArray[np.float64] = np.zeros(2)
    for i in range(40):
        error = growth - x @ found
        if i < 10:
            weight = 0.5 * width / np.maximum(np.abs(error), 0.2 * width)
        else:
            weight = np.exp(-0.5 * (error / width) ** 2)
        weighted = x.T * weight
        found = np.asarray(
            np.linalg.solve(weighted @ x + ridge, weighted @ growth), dtype=np.float64
        )
    return float(found[1])


def _mode(values: NDArray[np.float64], width: float) -> float:
    """Return where values are densest, from the median on."""
    found = float(np.median(values))
    for _ in range(30):
        weight = np.exp(-0.5 * ((values - found) / width) ** 2)
        found = float(weight @ values / weight.sum())
    return found


def _over_seasons(
    growth: NDArray[np.float64], weight: NDArray[np.float64], assumed: float, params: Any
) -> float:
    """Return the common growth: the mean over seasons, shrunk to what is assumed.

    The more alike the seasons were, the less is assumed.
    """
    middle = weight @ growth / weight.sum()
    square = weight @ (growth - middle) ** 2 + DEVIATION_YEARS * DEVIATION**2
    variance = square / (DEVIATION_YEARS + max(weight.sum() - 1, 0.0))
    worth = params.seasons * variance / DEVIATION**2
    return float((weight @ growth + worth * assumed) / (weight.sum() + worth))
