"""The optimised Theta method: exponential smoothing plus part of the trend, season removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.forecast.events import event_factors
from esgml.forecast.history import fill
from esgml.forecast.state import dump_state, restore_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

_ALPHAS = np.concatenate([np.linspace(0.02, 0.3, 15), np.linspace(0.35, 0.99, 17)])


class ThetaParams(Hyperparameters):
    """Settings of the Theta method."""

    longest: int = tunable(1500, 100, 3000, log=True, description="latest periods used")


class Theta(TimeSeriesModel):
    """Exponential smoothing with a damped share of the trend, one series at a time.

    The season is removed by classical decomposition where the autocorrelation at its length
    is significant. For each smoothing constant on a grid the starting level and the share
    of the trend have a closed form, so a series takes milliseconds and nothing is searched.
    Events known ahead multiply the forecast by their usual effect. Needs no training and no
    other library; knows nothing of other covariates.

    References
    ----------
    Fiorucci et al., Models for optimising the theta method (2016). Deviation: a grid over
    alpha with the rest solved exactly, and the static form only; ``auto_theta`` has the
    dynamic forms too.
    """

    Params = ThetaParams

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self.season_ = panel.frequency.season

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        result = np.empty((len(history), future.horizon))
        for i in range(len(history)):
            values = fill(history.series(i), self.season_)[-self.params.longest :]
            result[i] = theta_forecast(values, future.horizon, self.season_)
            result[i] *= event_factors(history, future, i, self.season_)
            if values.min() >= 0:
                result[i] = np.maximum(result[i], 0.0)
        return result

    def _dump(self) -> Files:
        return dump_state(self, season=self.season_)

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.season_ = int(state["season"])


def theta_forecast(values: NDArray[np.float64], horizon: int, season: int) -> NDArray[np.float64]:
    """Forecast one gap-free series, shape (horizon,)."""
    if len(values) < 4 or np.ptp(values) == 0:
        return np.resize(values[-min(season, len(values)) :], horizon)
    if season > 1 and is_seasonal(values, season):
        positive = bool(values.min() > 0)
        index = seasonal_index(values, season, positive)
        pattern = np.resize(index, len(values) + horizon)
        ahead = pattern[len(values) :]
        if positive:
            return _smooth(values / pattern[: len(values)], horizon) * ahead
        return _smooth(values - pattern[: len(values)], horizon) + ahead
    return _smooth(values, horizon)


def is_seasonal(values: NDArray[np.float64], season: int) -> bool:
    """Whether the autocorrelation at lag `season` is significant at 10 %."""
    n = len(values)
    if n < 2 * season + 1:
        return False
    centred = values - values.mean()
    power = centred @ centred
    acf = np.array([centred[k:] @ centred[:-k] / power for k in range(1, season + 1)])
    limit = 1.645 * np.sqrt((1 + 2 * (acf[:-1] ** 2).sum()) / n)
    return bool(abs(acf[-1]) > limit)


def seasonal_index(values: NDArray[np.float64], season: int, positive: bool) -> NDArray[np.float64]:
    """Return the season of each place in the cycle by classical decomposition."""
    kernel = np.ones(season) / season
    if season % 2 == 0:
        kernel = np.concatenate([[0.5], np.ones(season - 1), [0.5]]) / season
    trend = np.convolve(values, kernel, mode="valid")
    start = len(kernel) // 2
    middle = values[start : start + len(trend)]
    detrended = middle / np.maximum(trend, 1e-12) if positive else middle - trend
    place = (np.arange(len(trend)) + start) % season
    index = np.array([detrended[place == k].mean() for k in range(season)])
    return np.asarray(index / index.mean() if positive else index - index.mean())


def _smooth(y: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Return the theta forecast of a series without season."""
    n = len(y)
    t = np.arange(1, n + 1)
    slope, intercept = np.polyfit(t, y, 1)
    best, answer = np.inf, np.full(horizon, y[-1])
    for alpha in _ALPHAS:
        keep = 1 - alpha
        level = lfilter([alpha], [1, -keep], y)  # started from zero; the start is added below
        drift = keep**t * intercept + (1 - keep ** (t + 1)) / alpha * slope
        # y[t+1] = level[t] + start * keep^t + share * drift[t] + error
        x = np.column_stack([keep ** t[:-1], drift[:-1]])
        target = y[1:] - level[:-1]
        gram = x.T @ x + 1e-10 * np.eye(2) * max(float((x**2).sum()), 1e-12)
        start, share = np.linalg.solve(gram, x.T @ target)
        if not 0 <= share < 1:  # theta of one to infinity
            share = float(np.clip(share, 0, 1))
            weight = float(x[:, 0] @ x[:, 0])
            start = float(x[:, 0] @ (target - share * x[:, 1]) / weight) if weight else 0.0
        error = target - x @ np.array([start, share])
        loss = float(error @ error)
        if loss < best:
            best = loss
            last = level[-1] + start * keep**n
            ahead = (
                keep**n * intercept + (np.arange(horizon) + (1 - keep ** (n + 1)) / alpha) * slope
            )
            answer = last + share * ahead
    return np.asarray(answer)
