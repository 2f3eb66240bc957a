"""Rolling-origin cross-validation: train on the past, score what came next, move on.

::

    fold 1   [ past ........ ][ scored ]
    fold 2   [ past ................. ][ scored ]
    fold 3   [ past .......................... ][ scored ]

A task is trained on the rows of the table up to the origin and answers through its
predictor, so everything it does (choice of models, intervals) is inside the fold and sees
no later row. The seasonal naive forecast stands beside every score.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from esgml.core.errors import HistoryError
from esgml.core.interfaces import TimeSeriesModel
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.core.progress import track
from esgml.core.tasks import Task, TaskOptions, Trained
from esgml.data.panels import to_panel
from esgml.data.splits import rolling_origin_splits
from esgml.training.report import short
from esgml.training.requests import forecasts, series_request

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.frames import SeriesSpec

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """One origin and the scores of what came after it.

    Attributes
    ----------
    origin : str
        Last period that was learned from, ISO 8601.
    series : int
        Number of series that were scored.
    metrics : dict
        ``wape`` with ``naive.wape`` beside it, ``coverage`` by level where the answers have
        intervals; the task's own metrics where it does not forecast.
    seconds : float
        Of training.
    """

    origin: str
    series: int
    metrics: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class CrossValidation:
    """Scores of all folds.

    Attributes
    ----------
    subject : str
        Name of the task or model.
    horizon : int
    folds : tuple of Fold, oldest first
    """

    subject: str
    horizon: int
    folds: tuple[Fold, ...] = field(default_factory=tuple)

    @property
    def metrics(self) -> dict[str, Any]:
        """Mean of every metric over the folds."""
        return _mean([fold.metrics for fold in self.folds])

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as plain values, for JSON."""
        return {
            "subject": self.subject,
            "horizon": self.horizon,
            "metrics": self.metrics,
            "folds": [vars(fold) for fold in self.folds],
        }


def cross_validate(
    subject: Task | TimeSeriesModel,
    frame: pl.DataFrame,
    spec: SeriesSpec,
    options: TaskOptions | None = None,
    *,
    folds: int = 3,
    step: int | None = None,
) -> CrossValidation:
    """Score a task or a model at several origins, each time trained on the past alone.

    Parameters
    ----------
    subject : Task or TimeSeriesModel
        A model is trained anew in every fold with its own parameters; the one given stays
        as it is.
    frame : DataFrame
        Clean table.
    spec : SeriesSpec
        With targets.
    options : TaskOptions, optional
        Horizon (a season of the data where none), seed, model. Checkpoints are not used:
        folds differ.
    folds : int
    step : int, optional
        Periods between origins; the horizon where left out, so that no period is scored
        twice.

    Raises
    ------
    UsageError
        If `folds`, `step` or the horizon is below 1.
    HistoryError
        If the history is too short for that many folds.
    """
    options = replace(options or TaskOptions(), checkpoint=None)
    panel, _ = to_panel(frame, spec)
    horizon = options.horizon or panel.frequency.season
    observed = _until(frame, spec, panel.last_time().max())
    splits = rolling_origin_splits(observed, spec, horizon=horizon, windows=folds, step=step)
    name = subject.name if isinstance(subject, Task) else subject.model_name()
    done = []
    for split in track(splits, f"cross-validating {name}", total=folds):
        origin = split.train[spec.time].cast(pl.Datetime("us")).sort().to_numpy()[-1]
        window = _window(panel, origin, horizon)
        if isinstance(subject, Task):
            chosen = replace(options, horizon=horizon)
            done.append(_task_fold(subject, split.train, spec, window, chosen))
        else:
            done.append(_model_fold(subject, window, horizon, options.seed))
    return CrossValidation(name, horizon, tuple(done))


@dataclass(frozen=True)
class _Window:
    """What is known at an origin, and what happened then."""

    origin: np.datetime64
    past: Panel
    history: Panel
    future: Future
    actual: Floats


def _until(frame: pl.DataFrame, spec: SeriesSpec, origin: np.datetime64) -> pl.DataFrame:
    moment = origin.astype("datetime64[us]").item()
    return frame.filter(pl.col(spec.time).cast(pl.Datetime("us")) <= moment)


def _window(panel: Panel, origin: np.datetime64, horizon: int) -> _Window:
    """Cut at a moment; series that ended before it are learned from and not scored."""
    past = panel.until(origin)
    period = panel.frequency.ordinals
    going = np.flatnonzero(period(past.last_time()) == period(np.array([origin]))).tolist()
    if not going:
        raise HistoryError(f"no series has a value at the origin {origin}.", code="no_origin")
    history = past.select(going)
    place = {key: i for i, key in enumerate(panel.keys)}
    actual = np.full((len(history), horizon), np.nan)
    known = np.full((len(history), horizon, len(panel.known_names)), np.nan)
    for i, key in enumerate(history.keys):
        rows = panel.rows_of(place[key])
        start = rows.start + int(history.lengths[i])
        stop = min(start + horizon, rows.stop)
        actual[i, : stop - start] = panel.values[start:stop]
        known[i, : stop - start] = panel.known[start:stop]
    future = Future(history.future(horizon).time, known, panel.known_names)
    return _Window(origin, past, history, future, actual)


def _task_fold(
    task: Task, past: pl.DataFrame, spec: SeriesSpec, window: _Window, options: TaskOptions
) -> Fold:
    clock = time.perf_counter()
    trained: Trained = task.train(past, spec, options)
    seconds = time.perf_counter() - clock
    origin = str(window.origin.astype("datetime64[s]"))
    if not forecasts(trained.schema):
        return Fold(origin, len(window.past), short(trained.metrics), seconds)
    request = series_request(window.history, window.future, trained.schema, options.levels)
    answer = task.predictor(trained.files).predict(request)
    by_key = {SeriesKey(f["entity"], f["target"]): f for f in answer["forecasts"]}
    missing = [key for key in window.history.keys if key not in by_key]
    if missing:
        raise HistoryError(f"task {task.name!r} gave no forecast for {missing[0]}.")
    ordered = [by_key[key] for key in window.history.keys]
    mean = np.array([f["mean"] for f in ordered], dtype=np.float64)
    metrics = _scores(window, mean)
    coverage = {}
    for level in map(str, options.levels):
        if all(level in f.get("lower", {}) for f in ordered):
            low = np.array([f["lower"][level] for f in ordered], dtype=np.float64)
            high = np.array([f["upper"][level] for f in ordered], dtype=np.float64)
            seen = np.isfinite(window.actual)
            inside = (window.actual >= low) & (window.actual <= high)
            coverage[level] = float(inside[seen].mean()) if seen.any() else float("nan")
    if coverage:
        metrics["coverage"] = coverage
    return Fold(origin, len(window.history), metrics, seconds)


def _model_fold(model: TimeSeriesModel, window: _Window, horizon: int, seed: int) -> Fold:
    fresh = type(model)(**model.params.model_dump())
    clock = time.perf_counter()
    fresh.train(window.past, horizon=horizon, seed=seed)
    seconds = time.perf_counter() - clock
    metrics = _scores(window, fresh.predict(window.history, window.future))
    origin = str(window.origin.astype("datetime64[s]"))
    return Fold(origin, len(window.history), metrics, seconds)


def _scores(window: _Window, mean: Floats) -> dict[str, Any]:
    naive = seasonal_naive(window.history, window.actual.shape[1])
    return {
        "wape": _wape(mean, window.actual),
        "naive": {"wape": _wape(naive, window.actual)},
    }


def seasonal_naive(history: Panel, horizon: int) -> Floats:
    """Return the last observed value of the same season, or the last one, shape (n, horizon)."""
    season = history.frequency.season
    result = np.zeros((len(history), horizon))
    for i in range(len(history)):
        values = history.series(i)
        seen = values[np.isfinite(values)]
        for h in range(horizon):
            same = (
                values[len(values) - season + h % season :: -season] if season > 1 else values[:0]
            )
            same = same[np.isfinite(same)] if len(values) >= season else same[:0]
            result[i, h] = same[0] if len(same) else seen[-1]
    return result


def _wape(forecast: Floats, actual: Floats) -> float:
    """Return the WAPE, mean over the series that have any volume."""
    seen = np.isfinite(actual)
    error = np.where(seen, np.abs(forecast - np.where(seen, actual, 0)), 0).sum(axis=1)
    volume = np.where(seen, np.abs(actual), 0).sum(axis=1)
    kept = volume > 0
    return float((error[kept] / volume[kept]).mean()) if kept.any() else float("nan")


def _mean(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Average numbers of equal names, at every depth; what is no number is left out."""
    result: dict[str, Any] = {}
    for name in items[0] if items else ():
        values = [item[name] for item in items if name in item]
        if all(isinstance(v, dict) for v in values):
            result[name] = _mean(values)
        elif all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            result[name] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return result
