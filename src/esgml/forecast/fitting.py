"""Fitting an ensemble: models chosen and weighed on past windows, then trained on everything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from esgml.core import catalog
from esgml.core.frequency import Frequency
from esgml.core.interfaces import TimeSeriesModel
from esgml.core.panel import Panel
from esgml.forecast.backtest import Checkpoint, usual_spacing
from esgml.forecast.combine import Combination
from esgml.forecast.ensemble import Ensemble
from esgml.forecast.evaluate import Evaluation, evaluate, with_sums
from esgml.forecast.state import pack, unpack

#: A model with less weight than this in every series is not shipped.
LEAST_WEIGHT = 0.1
#: Most windows that are scored when a forecaster is fitted.
SCORED = 6


def default_horizon(frequency: Frequency) -> int:
    """Return the usual horizon: a day of hours, a week of days, a year of months."""
    return {"W": 13, "MS": 12, "QS": 4, "YS": 1}.get(frequency.code, frequency.season)


def fit_ensemble(
    panel: Panel,
    *,
    horizon: int | None = None,
    levels: Sequence[int] = (80, 90),
    model: str = "auto",
    seed: int = 0,
    threads: int = 1,
    checkpoint: Checkpoint | None = None,
) -> tuple[Ensemble, Evaluation]:
    """Choose, weigh and calibrate models on past windows, then fit them on everything.

    Parameters
    ----------
    panel : Panel
    horizon : int, optional
        Periods ahead; `default_horizon` where omitted.
    levels : sequence of int
        Interval levels in percent.
    model : str
        ``auto`` or the name of one model.
    checkpoint : callable, optional
        Stores the bytes of each backtested and fitted model, so that training resumes after
        a kill.

    Returns
    -------
    Ensemble, Evaluation
        The forecaster, and the backtest it was chosen by.
    """
    horizon = horizon or default_horizon(panel.frequency)
    longest = int(panel.lengths.max())
    spacing = usual_spacing(panel.frequency, horizon)
    room = max((longest - 2 * panel.frequency.season) // (2 * spacing), 1)
    scored = int(min(SCORED, room))
    evaluation = evaluate(
        panel,
        horizon,
        scored,
        step=spacing,
        levels=levels,
        model=model,
        total=False,
        seed=seed,
        threads=threads,
        checkpoint=checkpoint,
    )
    walk = evaluation.walk
    full, _ = with_sums(panel, total=False)
    combination = _shipped(walk.combination)
    names = combination.models

    def fit(name: str) -> TimeSeriesModel:
        kind: type[TimeSeriesModel] = catalog.load("forecast", name)  # type: ignore[assignment]
        return _fit(kind, full, horizon, seed, checkpoint)

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        fitted = dict(zip(names, list(pool.map(fit, reversed(names)))[::-1], strict=True))
    observed = panel.values[np.isfinite(panel.values)]
    ensemble = Ensemble(
        fitted,
        full.keys,
        len(panel),
        horizon,
        panel.frequency,
        tuple(levels),
        panel.units,
        panel.known_names,
        panel.past_names,
        bool((observed >= 0).all()),
        combination,
        walk.reconciliation.of_members() if walk.reconciliation else None,
        walk.calibration,
    )
    return ensemble, evaluation


def _shipped(combination: Combination) -> Combination:
    """Return the weights without the models that have little anywhere."""
    parts = [w for w in (combination.weights, combination.later) if w is not None]
    most = np.max([w.max(axis=0) for w in parts], axis=0)
    keep = [m for m, weight in enumerate(most) if weight > LEAST_WEIGHT]
    kept = [w[:, keep] / w[:, keep].sum(axis=1, keepdims=True) for w in parts]
    names = tuple(combination.models[m] for m in keep)
    return Combination(names, kept[0], combination.gated, kept[1] if len(kept) > 1 else None)


def _fit(
    kind: type[TimeSeriesModel],
    panel: Panel,
    horizon: int,
    seed: int,
    checkpoint: Checkpoint | None,
) -> TimeSeriesModel:
    """Fit a model on everything, or take it from the checkpoint of an earlier run."""

    def compute() -> bytes:
        files = kind().train(panel, horizon=horizon, seed=seed).to_files()
        return json.dumps(
            {name: pack(np.frombuffer(data, dtype=np.uint8)) for name, data in files.items()}
        ).encode()

    data = json.loads(checkpoint(f"fit-{kind.model_name()}", compute) if checkpoint else compute())
    return kind.from_files({name: unpack(value).tobytes() for name, value in data.items()})
