"""Exponential smoothing: ten forms of level, trend and season, weighed by their latest errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.forecast.ets_kernel import (
    ADDED,
    MULTIPLIED,
    NONE,
    Form,
    look_ahead,
    one_step_errors,
    search,
)
from esgml.forecast.events import event_factors
from esgml.forecast.history import fill
from esgml.forecast.models.theta import seasonal_index
from esgml.forecast.state import dump_state, restore_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

#: Longest season whose values at the start are learned; a longer one starts as decomposed.
LEARNED = 26
#: Steps of the search, for each of its two parts.
STEPS = 40
#: Seasons, and least number of periods, whose paths weigh the forms.
JUDGED, LEAST_JUDGED = 8, 28


class Ets(TimeSeriesModel):
    """Exponential smoothing of a level, a damped trend and a season, in ten forms at once.

    Errors count absolute or relative, the trend is damped or there is none, the season is
    added, multiplied or there is none. Each form is fitted to the one-step errors by a search
    that follows their slopes, with usual shares as a prior and with large errors bounded; then
    all are averaged, each weighed by how far off the paths were that it would have forecast
    from the latest seasons. Gaps stay gaps. Events known ahead multiply the forecast by their
    usual effect. Needs no training and tens of milliseconds a series, more where a season has
    many places; knows no other covariates and one season only.

    References
    ----------
    Hyndman, Koehler, Ord & Snyder, Forecasting with Exponential Smoothing (2008); Gelper,
    Fried & Croux, Robust forecasting with exponential and Holt-Winters smoothing (2010), for
    the bounded errors. Deviations: no undamped trend; a prior on the shares; Levenberg-Marquardt
    in place of Nelder-Mead; an average in place of the form with the best AICc.
    """

    class Params(Hyperparameters):
        """Settings of the fit and of the average."""

        level: float = tunable(
            0.15, 0.02, 0.5, log=True, description="usual share of the level where a season repeats"
        )
        prior: float = tunable(3.0, 0.1, 30.0, log=True, description="how firmly it is believed")
        bound: float = tunable(2.0, 1.0, 10.0, log=True, description="usual errors that count")
        power: float = tunable(20.0, 2.0, 60.0, log=True, description="how sharply forms compete")
        longest: int = tunable(1500, 100, 3000, log=True, description="latest periods used")

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self.season_ = panel.frequency.season

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        result = np.empty((len(history), future.horizon))
        for i in range(len(history)):
            values = history.series(i)[-self.params.longest :]
            result[i] = ets_forecast(values, future.horizon, self.season_, self.params)
            result[i] *= event_factors(history, future, i, self.season_)
        return result

    def _dump(self) -> Files:
        return dump_state(self, season=self.season_)

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.season_ = int(state["season"])


def ets_forecast(
    values: NDArray[np.float64], horizon: int, season: int, params: Ets.Params | None = None
) -> NDArray[np.float64]:
    """Forecast one series, which may have gaps, by the average of its forms; shape (horizon,)."""
    params = params or Ets.Params()
    values = values[np.argmax(np.isfinite(values)) :]  # a series begins where it is first seen
    whole = fill(values, season)
    seen = values[np.isfinite(values)]
    repeated = np.resize(whole[-min(season, len(whole)) :], horizon)
    if len(seen) < 4 or np.ptp(seen) == 0:
        return repeated
    unit = float(np.abs(seen).mean())
    values, whole = values / unit, whole / unit
    reach = min(horizon, max(2 * season, 8))
    origins = max(JUDGED * season, LEAST_JUDGED)
    # where nothing repeats, the last value says most
    level = params.level if season > 1 else 1 - params.level
    paths, misses = [], []
    for form in forms(whole, season):
        parameters = fit(form, values, whole, params, level)
        if parameters is not None:
            path, missed = look_ahead(form, values, parameters, horizon, reach, origins)
            if np.isfinite(path).all() and np.isfinite(missed):
                paths.append(path)
                misses.append(missed)
    if not paths:
        return repeated
    missed = np.maximum(np.array(misses), 1e-9)
    weight = (missed / missed.min()) ** -params.power
    result = weight / weight.sum() @ np.array(paths) * unit
    return np.asarray(np.maximum(result, 0.0) if seen.min() >= 0 else result)


def forms(whole: NDArray[np.float64], season: int) -> Iterator[Form]:
    """Yield the forms that a series without gaps can have."""
    positive = bool(whole.min() > 0)
    seasons = (NONE, ADDED, MULTIPLIED) if len(whole) > 2 * season > 2 else (NONE,)
    for kind in seasons if positive else seasons[:2]:
        places = season if kind else 1
        fixed = np.empty(0)
        if places > LEARNED:
            fixed = _usual_season(whole, season, kind)
        for relative in (False, True) if positive else (False,):
            for damped in (False, True):
                # multiplied seasons with absolute errors are unstable
                if relative or kind != MULTIPLIED:
                    yield Form(relative, damped, kind, places, fixed)


def fit(
    form: Form,
    values: NDArray[np.float64],
    whole: NDArray[np.float64],
    params: Ets.Params,
    level: float,
) -> NDArray[np.float64] | None:
    """Return the parameters of a form; None where it does not hold for the series.

    Parameters
    ----------
    values, whole : array, shape (n,)
        With gaps, and with gaps filled: only where the search begins comes from those.
    level : float
        Share of the level that is believed beforehand.
    """
    parameters, believed = _start(form, whole, level)
    if not search(form, values, parameters, believed, params.prior, np.inf, STEPS):
        return None
    errors = np.empty(len(values))
    one_step_errors(form, values, parameters, np.empty(4), np.empty(2 + form.places), errors)
    # the deviation of most errors, from their median
    usual = 1.4826 * float(np.median(np.abs(errors[np.isfinite(values)])))
    if usual > 0:
        bound = params.bound * usual
        search(form, values, parameters, believed, params.prior, bound, STEPS)
    return parameters


def _start(
    form: Form, whole: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the search begins, and what is believed of the shares, as log-odds."""
    usual = [level, *([0.02, 0.6] if form.damped else []), *([0.03] if form.season else [])]
    believed = np.log(np.array(usual) / (1 - np.array(usual)))
    first = whole[: max(10, 2 * form.places)]
    states = [0.0] if form.damped else []
    if form.season:
        pattern = _usual_season(whole, form.places, form.season)
        repeated = np.resize(pattern, len(first))
        first = first - repeated if form.season == ADDED else first / repeated
        if len(form.fixed) == 0:
            states += pattern[:-1].tolist()
    return np.concatenate([believed, [first.mean()], states]), believed


def _usual_season(whole: NDArray[np.float64], season: int, kind: int) -> NDArray[np.float64]:
    index = seasonal_index(whole, season, kind == MULTIPLIED)
    return np.maximum(index, 0.02) if kind == MULTIPLIED else index
