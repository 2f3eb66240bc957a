"""Daily series whose level is set month by month: the curve inside a month, then the next step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.forecast.events import event_factors
from esgml.forecast.history import fill
from esgml.forecast.models.theta import theta_forecast
from esgml.forecast.state import dump_state, restore_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

#: A change at the start of a month is a step if it is usually this many times other changes.
STEP = 2.0
#: Month starts that a series needs before its steps are judged.
LEAST_STARTS = 6
#: Bound of the change of one month, as a difference of logarithms.
LARGEST = 1.0


class MonthLevels(TimeSeriesModel):
    """A curve that runs on through the month, and levels that step at the start of the next.

    Many daily inventories are monthly accounts spread over the days: inside a month a series
    follows a daily curve, and at its start the whole level steps. Such a series is split into
    a curve without its steps, which Theta continues, and the steps. Both repeat a share of
    what they did a year before: the curve a share of the movement of its fortnightly mean, so
    that a single day of last year moves nothing, the steps a share that is learned from the
    months of all series of a target. Only for positive daily series; any other is forecast by
    Theta as it is. Knows no covariates but events.

    Attributes
    ----------
    repeats_ : dict of target to float
        Share of the change of the same month a year ago that is expected to repeat, 0 to 1.
    """

    class Params(Hyperparameters):
        """Settings of the steps."""

        repeats: float = tunable(0.5, 0.0, 1.0, description="usual share that repeats")
        prior: float = tunable(12.0, 1.0, 200.0, log=True, description="months it counts for")
        returns: float = tunable(0.5, 0.0, 1.0, description="share of the curve that repeats")

    @classmethod
    def unsuited(cls, panel: Panel, horizon: int) -> str:
        """Say why the model is no candidate; judged on the older half of every series."""
        if panel.frequency.code != "D":
            return "only daily series have levels that step with the month"
        found = [_step_ratio(panel, i) for i in range(len(panel))]
        known = [ratio for ratio in found if np.isfinite(ratio)]
        if not known or np.median(known) < STEP:
            return "levels do not step at the start of a month"
        return ""

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self.season_, self.year_ = panel.frequency.season, panel.frequency.year
        self.daily_ = panel.frequency.code == "D"
        self.repeats_: dict[str, float] = {}
        pairs: dict[str, list[NDArray[np.float64]]] = {}
        for i, key in enumerate(panel.keys):
            values = fill(panel.series(i), self.season_)
            if self.daily_ and values.min() > 0:
                months = _months(panel.time[panel.rows_of(i)])
                # the first and the last month may not be whole
                change = np.diff(_means(np.log(values), months)[1:-1])
                pairs.setdefault(key.target, []).append(
                    np.clip(np.stack([change[:-12], change[12:]]), -LARGEST, LARGEST)
                )
        for target, parts in pairs.items():
            before, after = np.concatenate(parts, axis=1)
            size = self.params.prior * (before @ before) / max(len(before), 1) * len(parts)
            total = float(before @ before + size)
            share = float(before @ after + self.params.repeats * size) / total if total else 0.0
            self.repeats_[target] = float(np.clip(share, 0.0, 1.0))

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        result = np.empty((len(history), future.horizon))
        for i, key in enumerate(history.keys):
            values = fill(history.series(i), self.season_)
            if self.daily_ and values.min() > 0:
                share = self.repeats_.get(key.target, self.params.repeats)
                months = _months(history.time[history.rows_of(i)])
                ahead = _months(future.time[i])
                result[i] = self._stepped(values, months, ahead, share)
            else:
                result[i] = theta_forecast(values, future.horizon, self.season_)
            result[i] *= event_factors(history, future, i, self.season_)
            if values.min() >= 0:
                result[i] = np.maximum(result[i], 0.0)
        return result

    def _stepped(
        self,
        values: NDArray[np.float64],
        months: NDArray[np.int64],
        ahead: NDArray[np.int64],
        share: float,
    ) -> NDArray[np.float64]:
        logs = np.log(values)
        change = np.diff(logs, prepend=logs[0])
        change[1:][np.diff(months) != 0] = 0.0
        curve = np.cumsum(change)
        # it ends at the last value, so what is forecast has the level of the current month
        result = theta_forecast(np.exp(curve - curve[-1] + logs[-1]), len(ahead), self.season_)
        result *= np.exp(self.params.returns * self._year_ago(curve, len(ahead)))
        means = _means(logs, months)
        for month in range(months[-1] + 1, ahead[-1] + 1):
            place = month - 12 - months[0]
            # a first month that is not whole says nothing
            if place >= 2:
                step = float(np.clip(means[place] - means[place - 1], -LARGEST, LARGEST))
                result[ahead >= month] *= np.exp(share * step)
        return result

    def _year_ago(self, curve: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
        """Return how the fortnightly mean of the curve went on a year ago; 0 if unknown."""
        last = len(curve) - 1 - self.year_
        start, stop = last - self.season_, last + horizon + self.season_ + 1
        # the year-ago fortnight around the last step must lie wholly in the past
        if start < 0 or stop > len(curve):
            return np.zeros(horizon)
        days = 2 * self.season_ + 1
        smooth = np.convolve(curve[start:stop], np.ones(days) / days, mode="valid")
        return np.asarray(np.clip(smooth[1:] - smooth[0], -LARGEST, LARGEST))

    def _dump(self) -> Files:
        return dump_state(
            self, season=self.season_, year=self.year_, daily=self.daily_, repeats=self.repeats_
        )

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.season_, self.year_ = int(state["season"]), int(state["year"])
        self.daily_ = bool(state["daily"])
        self.repeats_ = {target: float(share) for target, share in state["repeats"].items()}

    def _details(self) -> dict[str, Any]:
        return {"repeats": self.repeats_} if self.trained_ else {}


def _months(time: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the number of the calendar month of each timestamp."""
    return time.astype("datetime64[M]").astype(np.int64)


def _means(values: NDArray[np.float64], months: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean of each month; the series has no gaps."""
    place = months - months[0]
    return np.asarray(np.bincount(place, values) / np.bincount(place))


def _step_ratio(panel: Panel, i: int) -> float:
    """Return how much larger changes at the start of a month usually are; NaN if unknown."""
    values = panel.series(i)
    half = len(values) // 2
    values, months = values[:half], _months(panel.time[panel.rows_of(i)])[:half]
    positive = np.nan_to_num(values) > 0
    logs = np.log(values, out=np.full(len(values), np.nan), where=positive)
    change, first = np.abs(np.diff(logs)), np.diff(months) != 0
    seen = np.isfinite(change)
    if (first & seen).sum() < LEAST_STARTS or not positive.all():
        return float("nan")
    usual = float(np.median(change[~first & seen]))
    return float(np.median(change[first & seen])) / usual if usual > 0 else float("inf")
