"""Other forecasting libraries on the same windows: what a user would get from them directly."""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from benchmarks.forecast_sets import Case

from esgml.core.panel import Future, Panel
from esgml.forecast.metrics import wape


def _long(panel: Panel) -> Any:
    """Return the panel as the table these libraries take."""
    import pandas as pd

    names = np.repeat([key.entity for key in panel.keys], panel.lengths)
    frame = pd.DataFrame({"unique_id": names, "ds": panel.time, "y": panel.values})
    for c, name in enumerate(panel.known_names):
        frame[name] = panel.known[:, c]
    return frame


def _ahead(panel: Panel, future: Future) -> Any:
    import pandas as pd

    n, horizon = future.time.shape
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([key.entity for key in panel.keys], horizon),
            "ds": future.time.reshape(-1),
        }
    )
    for c, name in enumerate(future.known_names):
        frame[name] = future.known[:, :, c].reshape(n * horizon)
    return frame


def _statsforecast(history: Panel, future: Future) -> np.ndarray:
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    code = {"h": "h", "D": "D"}[history.frequency.code]
    method = StatsForecast([AutoETS(season_length=history.frequency.season)], freq=code, n_jobs=1)
    columns = ["unique_id", "ds", "y"]
    answer = method.forecast(df=_long(history)[columns].dropna(), h=future.horizon)
    answer = answer.set_index("unique_id")
    return np.stack([answer.loc[key.entity, "AutoETS"].to_numpy() for key in history.keys])


def _mlforecast(history: Panel, future: Future) -> np.ndarray:
    import lightgbm
    from mlforecast import MLForecast
    from mlforecast.target_transforms import Differences

    season = history.frequency.season
    method = MLForecast(
        models={"lgb": lightgbm.LGBMRegressor(n_estimators=300, verbosity=-1, n_jobs=1)},
        freq={"h": "h", "D": "D"}[history.frequency.code],
        lags=[*range(1, season + 1), 2 * season],
        target_transforms=[Differences([season])],
        date_features=["dayofweek", "month"] + (["hour"] if season == 24 else []),
    )
    method.fit(_long(history).dropna(), static_features=[])
    known = _ahead(history, future) if future.known_names else None
    answer = method.predict(h=future.horizon, X_df=known).set_index("unique_id")
    return np.stack([answer.loc[key.entity, "lgb"].to_numpy() for key in history.keys])


def _autogluon(history: Panel, future: Future) -> np.ndarray:
    from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor

    data = TimeSeriesDataFrame.from_data_frame(
        _long(history), id_column="unique_id", timestamp_column="ds"
    )
    known = list(future.known_names)
    predictor = TimeSeriesPredictor(
        prediction_length=future.horizon, target="y", known_covariates_names=known or None
    ).fit(data, presets="fast_training", time_limit=120)
    ahead = (
        TimeSeriesDataFrame.from_data_frame(
            _ahead(history, future), id_column="unique_id", timestamp_column="ds"
        )
        if known
        else None
    )
    answer = predictor.predict(data, known_covariates=ahead)
    return np.stack([answer.loc[key.entity, "mean"].to_numpy() for key in history.keys])


PEERS: dict[str, tuple[str, Callable[[Panel, Future], np.ndarray]]] = {
    "statsforecast AutoETS": ("statsforecast", _statsforecast),
    "mlforecast LightGBM": ("mlforecast", _mlforecast),
    "AutoGluon": ("autogluon", _autogluon),
}


def run_peers(case: Case) -> dict[str, dict[str, Any]]:
    """Return the accuracy of each installed peer, fitted anew in every window."""
    found: dict[str, dict[str, Any]] = {}
    for name, (library, method) in PEERS.items():
        if importlib.util.find_spec(library) is None:
            found[name] = {"reason": f"{library} is not installed in this environment"}
            continue
        clock = time.perf_counter()
        forecasts, actuals = [], []
        try:
            for k in reversed(range(case.windows)):
                history, future, actual = case.panel.window(
                    case.horizon + k * case.step, case.horizon
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    forecasts.append(method(history, future))
                actuals.append(actual)
        except Exception as error:  # a peer that fails is a result, not a reason to stop
            found[name] = {"reason": f"failed: {type(error).__name__}: {error}"}
            continue
        score = wape(np.stack(forecasts), np.stack(actuals))
        found[name] = {"accuracy": 1 - score, "seconds": time.perf_counter() - clock}
    return found
