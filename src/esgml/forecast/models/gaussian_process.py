"""A Gaussian process per series: trend, seasons and smooth covariate effects in one kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from esgml.core.interfaces import Files, Hyperparameters, TimeSeriesModel, tunable
from esgml.forecast.design import build_design, is_multiplicative
from esgml.forecast.history import fill
from esgml.forecast.linear import unhelpful_covariates
from esgml.forecast.state import dump_state, restore_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.panel import Future, Panel

#: Kernel parameters and where their search starts: variances (v) of a standardized series,
#: lengths (l) in seasons of the frequency, relative for periodic parts.
_START = {
    "v_short": 0.3,  # exponential: what decays within a season
    "l_short": 0.7,
    "v_medium": 0.3,  # squared exponential over about six seasons
    "l_medium": 6.0,
    "v_year": 0.3,  # periodic over a year
    "l_year": 1.0,
    "v_season": 0.3,  # periodic over a season, slowly changing
    "l_season": 1.0,
    "l_season_decay": 28.0,
    "v_noise": 0.05,
}
_START_COVARIATES = {
    "v_covariates": 0.5,  # smooth effect of the covariates
    "v_drift": 0.2,  # the same, slowly changing over time
    "l_drift": 9.0,
}
_L_COVARIATE = 2.0
_L_DRIFT_COVARIATE = 4.0
#: Standard deviation of the log-normal prior around the start.
_PRIOR = 1.5


class GaussianProcessParams(Hyperparameters):
    """Settings of the Gaussian process."""

    fit_rows: int = tunable(400, 200, 730, description="latest periods used to fit the kernel")
    predict_rows: int = tunable(900, 200, 1500, description="latest periods conditioned on")
    iterations: int = tunable(20, 10, 60, description="optimizer steps")
    max_fitted: int = 10


class GaussianProcess(TimeSeriesModel):
    """A kernel over time, season, year and covariates, fitted per series by evidence.

    Learns smooth nonlinear effects of weather from few data and knows how uncertain it is;
    the covariates of the period before enter too. The kernel is fitted on at most
    `max_fitted` series; other series take the median of their parameters. Cost grows with
    the cube of `predict_rows`, so it suits daily to annual data, not finer.

    References
    ----------
    Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), section 5.4.3.
    """

    Params = GaussianProcessParams
    refit_every = 6

    @classmethod
    def unsuited(cls, panel: Panel, horizon: int) -> str:
        """Say why the model is no candidate for a panel; empty where it is one."""
        if panel.frequency.sub_daily:
            return "too slow on data finer than daily"
        if panel.frequency.season == 1:
            return "needs a season"
        if len(panel) > 60:
            return "too slow on more than 60 series"
        return ""

    def _train(self, panel: Panel, horizon: int, seed: int) -> None:
        self.log_ = is_multiplicative(panel)
        self.season_ = panel.frequency.season
        self.year_ = (
            panel.frequency.year * 365.25 / 364
            if not panel.frequency.months
            else panel.frequency.year
        )
        self.keys_ = [list(key) for key in panel.keys]
        self.covariates_ = self._covariates_help(panel, horizon)
        count = min(len(panel), self.params.max_fitted)
        chosen = sorted({round(i) for i in np.linspace(0, len(panel) - 1, count)})
        fitted = {i: self._fit(panel, i) for i in chosen}
        usual = np.median(np.stack(list(fitted.values())), axis=0)
        self.theta_ = np.stack([fitted.get(i, usual) for i in range(len(panel))])
        self.usual_ = usual

    def _covariates_help(self, panel: Panel, horizon: int) -> bool:
        """Whether the known covariates lowered the error of a ridge on the latest rows."""
        if not panel.known_names:
            return False
        design = build_design(panel, min(horizon, self.season_), log=self.log_, max_rows=20_000)
        design = design.where(np.isfinite(design.z))
        age = design.age(panel)
        return not unhelpful_covariates(design, age)

    def _inputs(
        self, history: Panel, i: int, future: Future | None, rows: int
    ) -> tuple[NDArray[np.float64], ...]:
        """Return time, covariates, standardized target, its mean and deviation."""
        part = history.rows_of(i)
        raw = history.values[part]
        values = fill(raw, self.season_)
        size = np.mean(np.abs(values)) + 1e-9
        u = np.log(np.maximum(values, 1e-3 * size)) if self.log_ else values
        known = history.known[part]
        length = len(values)
        if future is not None:
            known = np.concatenate([known, future.known[i]])
        if not self.covariates_:
            known = known[:, :0]
        columns = [fill(known[:, c], self.season_) for c in range(known.shape[1])]
        x = np.column_stack([np.empty((len(known), 0)), *columns])
        if x.shape[1]:
            center, spread = x[:length].mean(axis=0), x[:length].std(axis=0) + 1e-9
            x = np.clip((x - center) / spread, -6, 6)
            x = np.hstack([x, np.vstack([x[:1], x[:-1]])])
        start = max(0, length - rows)
        mean, deviation = u[start:].mean(), u[start:].std() + 1e-9
        time = np.arange(len(known), dtype=np.float64)
        seen = np.isfinite(raw[start:])
        return (
            time[start:length][seen],
            x[start:length][seen],
            ((u[start:] - mean) / deviation)[seen],
            time[length:],
            x[length:],
            np.array([mean, deviation, 3 * np.abs((u[start:] - mean) / deviation).max()]),
        )

    def _fit(self, panel: Panel, i: int) -> NDArray[np.float64]:
        """Return the log kernel parameters of one series with the highest evidence."""
        time, x, z, *_ = self._inputs(panel, i, None, self.params.fit_rows)
        start = _start(x.shape[1])
        if len(z) < 3 * self.season_ or z.std() < 1e-6:
            return start
        kernel = _Kernel(time, x, self.season_, self.year_)

        def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            value, slope = kernel.evidence(theta, z)
            away = (theta - start) / _PRIOR
            return value + 0.5 * float(away @ away), slope + away / _PRIOR

        found = minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(s - 5, s + 5) for s in start],
            options={"maxiter": self.params.iterations},
        )
        return np.asarray(found.x)

    def _predict(self, history: Panel, future: Future) -> NDArray[np.float64]:
        return self.predict_with_deviation(history, future)[0]

    def predict_with_deviation(
        self, history: Panel, future: Future
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the forecast and its relative standard deviation, both (n, horizon)."""
        place = {tuple(key): i for i, key in enumerate(self.keys_)}
        mean = np.empty((len(history), future.horizon))
        spread = np.empty_like(mean)
        for i, key in enumerate(history.keys):
            at = place.get(tuple(key))
            theta = self.usual_ if at is None else self.theta_[at]
            time, x, z, ahead, x_ahead, scale = self._inputs(
                history, i, future, self.params.predict_rows
            )
            center, deviation, limit = scale
            kernel = _Kernel(time, x, self.season_, self.year_)
            factor = cho_factor(kernel.matrix(theta), lower=True, check_finite=False)
            cross = kernel.cross(theta, ahead, x_ahead)
            u = np.clip(cross @ cho_solve(factor, z, check_finite=False), -limit, limit)
            prior = np.exp(theta[[*_variances(theta)]]).sum()
            explained = np.einsum("ij,ji->i", cross, cho_solve(factor, cross.T, check_finite=False))
            spread[i] = deviation * np.sqrt(np.maximum(prior - explained, 1e-9))
            value = center + deviation * u
            mean[i] = np.exp(value) if self.log_ else value
        return mean, spread

    def _dump(self) -> Files:
        return dump_state(
            self,
            log=self.log_,
            season=self.season_,
            year=self.year_,
            keys=self.keys_,
            theta=self.theta_,
            usual=self.usual_,
            covariates=self.covariates_,
        )

    def _restore(self, files: Mapping[str, bytes]) -> None:
        state: dict[str, Any] = restore_state(self, files)
        self.log_, self.keys_ = bool(state["log"]), state["keys"]
        self.season_, self.year_ = int(state["season"]), float(state["year"])
        self.theta_, self.usual_ = state["theta"], state["usual"]
        self.covariates_ = bool(state["covariates"])


_NAMES = tuple(_START)
_COVARIATE_NAMES = tuple(_START_COVARIATES)


def _start(covariates: int) -> NDArray[np.float64]:
    """Return where the search starts, as logarithms."""
    start = list(_START.values())
    if covariates:
        start += list(_START_COVARIATES.values())
        start += [_L_COVARIATE] * covariates + [_L_DRIFT_COVARIATE]
    return np.log(start)


def _variances(theta: NDArray[np.float64]) -> list[int]:
    """Return the places of the variances among the parameters."""
    names = _NAMES if len(theta) == len(_NAMES) else _NAMES + _COVARIATE_NAMES
    return [k for k, name in enumerate(names) if name.startswith("v_")]


class _Kernel:
    """The covariance of one series, its parts and their slopes."""

    def __init__(
        self, time: NDArray[np.float64], x: NDArray[np.float64], season: float, year: float
    ) -> None:
        self.time, self.x, self.season, self.year = time, x, season, year

    def _parts(
        self, theta: NDArray[np.float64], time: NDArray[np.float64], x: NDArray[np.float64]
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]], dict[str, float]]:
        """Return the additive parts between `time` and the history, and their ingredients."""
        p = dict(zip(_NAMES + _COVARIATE_NAMES, np.exp(theta), strict=False))
        lag = np.abs(time[:, None] - self.time[None, :]) / self.season
        step = {
            "lag": lag,
            "year": np.sin(np.pi * lag * self.season / self.year) ** 2,
            "season": np.sin(np.pi * lag) ** 2,
        }
        parts = {
            "short": p["v_short"] * np.exp(-lag / p["l_short"]),
            "medium": p["v_medium"] * np.exp(-0.5 * (lag / p["l_medium"]) ** 2),
            "year": p["v_year"] * np.exp(-2 * step["year"] / p["l_year"] ** 2),
            "season": p["v_season"]
            * np.exp(
                -2 * step["season"] / p["l_season"] ** 2 - 0.5 * (lag / p["l_season_decay"]) ** 2
            ),
        }
        if self.x.shape[1]:
            lengths = np.exp(theta[len(_NAMES) + len(_COVARIATE_NAMES) : -1])
            step["ard"] = _squared(x / lengths, self.x / lengths)
            step["iso"] = _squared(x, self.x) / np.exp(2 * theta[-1])
            parts["covariates"] = p["v_covariates"] * np.exp(-0.5 * step["ard"])
            parts["drift"] = p["v_drift"] * np.exp(-0.5 * step["iso"] - lag / p["l_drift"])
        return parts, step, p

    def matrix(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the covariance of the history, noise included."""
        parts, _, p = self._parts(theta, self.time, self.x)
        total = sum(parts.values())
        return np.asarray(total + (p["v_noise"] + 1e-6) * np.eye(len(self.time)))

    def cross(
        self, theta: NDArray[np.float64], time: NDArray[np.float64], x: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the covariance between other periods and the history."""
        return np.asarray(sum(self._parts(theta, time, x)[0].values()))

    def evidence(
        self, theta: NDArray[np.float64], z: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Return the negative log evidence of `z` and its slope in the log parameters."""
        parts, step, p = self._parts(theta, self.time, self.x)
        n = len(z)
        matrix = sum(parts.values()) + (p["v_noise"] + 1e-6) * np.eye(n)
        factor = cho_factor(matrix, lower=True, check_finite=False)
        inverse = cho_solve(factor, np.eye(n), check_finite=False)
        alpha = inverse @ z
        value = 0.5 * z @ alpha + np.log(np.diag(factor[0])).sum()
        # d value / d log parameter = sum over the matrix of `pull` times the part's slope
        pull = 0.5 * (inverse - np.outer(alpha, alpha))
        lag = step["lag"]
        pulled = {name: pull * part for name, part in parts.items()}
        slope = {
            "v_short": pulled["short"].sum(),
            "l_short": np.vdot(pulled["short"], lag) / p["l_short"],
            "v_medium": pulled["medium"].sum(),
            "l_medium": np.vdot(pulled["medium"], lag**2) / p["l_medium"] ** 2,
            "v_year": pulled["year"].sum(),
            "l_year": 4 * np.vdot(pulled["year"], step["year"]) / p["l_year"] ** 2,
            "v_season": pulled["season"].sum(),
            "l_season": 4 * np.vdot(pulled["season"], step["season"]) / p["l_season"] ** 2,
            "l_season_decay": np.vdot(pulled["season"], lag**2) / p["l_season_decay"] ** 2,
            "v_noise": np.trace(pull) * p["v_noise"],
        }
        result = [slope[name] for name in _NAMES]
        if self.x.shape[1]:
            result += [
                pulled["covariates"].sum(),
                pulled["drift"].sum(),
                np.vdot(pulled["drift"], lag) / p["l_drift"],
            ]
            lengths = np.exp(theta[len(result) : -1])
            # sum_ij w_ij (a_i - a_j)^2 without building the n x n x d array
            w = pulled["covariates"]
            a = self.x / lengths
            row = w.sum(axis=1)
            result += list(2 * (row @ a**2) - 2 * np.einsum("ik,ij,jk->k", a, w, a, optimize=True))
            result.append(np.vdot(pulled["drift"], step["iso"]))
        return float(value), np.asarray(result)


def _squared(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return squared Euclidean distances between the rows of `a` and `b`."""
    distance = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.asarray(np.maximum(distance, 0.0))
