"""The scores of a backtest as one document: the model, each candidate, the naive baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from esgml.forecast import metrics
from esgml.forecast.combine import BASELINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.forecast.backtest import Backtest
    from esgml.forecast.walk import Walk


def point_scores(
    forecast: NDArray[np.float64], backtest: Backtest, bottom: int
) -> dict[str, float]:
    """Return the point scores of a forecast over the scored windows and the bottom series."""
    first = backtest.plan.calibrating
    forecast, actual = forecast[first:], backtest.actual[first:]
    low, truth = forecast[:, :bottom], actual[:, :bottom]
    error = metrics.wape(low, truth)
    total = (
        metrics.wape_total(forecast[:, bottom:], actual[:, bottom:])
        if forecast.shape[1] > bottom
        else metrics.wape_total(low, truth)
    )
    return {
        "wape": error,
        "accuracy": 1 - error,
        "mase": metrics.mase(low, truth, backtest.naive_error[first:, :bottom]),
        "smape": metrics.smape(low, truth),
        "within_10pct": metrics.within(low, truth),
        "wape_total": total,
    }


def score(backtest: Backtest, walk: Walk, levels: Sequence[int], bottom: int) -> dict[str, Any]:
    """Return every score of a backtest.

    Parameters
    ----------
    backtest : Backtest
    walk : Walk
    levels : sequence of int
    bottom : int
        Number of series that are not sums; the sums after them enter `wape_total` and the
        coverage by series only.

    Returns
    -------
    dict
        As ``esgml evaluate --json`` prints it.
    """
    first = backtest.plan.calibrating
    actual = backtest.actual[first:]
    names = [
        f"{k.entity}" if len({x.target for x in backtest.keys}) == 1 else f"{k.entity}/{k.target}"
        for k in backtest.keys
    ]
    coverage, width, by_series = {}, {}, {}
    for level in levels:
        low, high = walk.lower[level][first:], walk.upper[level][first:]
        covered = metrics.coverage(low, high, actual)
        by_series[level] = covered
        # overall = of all periods of the bottom series, each counting once
        seen = np.isfinite(actual[:, :bottom])
        inside = (actual >= low) & (actual <= high)
        coverage[str(level)] = float(inside[:, :bottom][seen].mean()) if seen.any() else None
        width[str(level)] = metrics.relative_width(
            low[:, :bottom], high[:, :bottom], actual[:, :bottom]
        )
    known = np.isfinite(actual[:, :bottom]).any(axis=(0, 2))
    own = metrics.wape_by_series(walk.forecast[first:], actual)
    naive = metrics.wape_by_series(backtest.forecasts[BASELINE][first:], actual)
    by_entity = {
        name: {
            "wape": float(own[i]),
            "naive_wape": float(naive[i]),
            "coverage": {str(level): float(by_series[level][i]) for level in levels},
        }
        for i, name in enumerate(names)
    }
    weights = walk.combination.weights[:bottom].mean(axis=0)
    shares = dict(zip(walk.combination.models, weights.tolist(), strict=True))
    models = {}
    for name, forecast in backtest.forecasts.items():
        scores = point_scores(forecast, backtest, bottom)
        training, predicting = backtest.seconds[name]
        models[name] = {
            **scores,
            "weight": shares.get(name, 0.0),
            "train_seconds": training,
            "predict_seconds": predicting,
        }
    seconds = np.array([backtest.seconds[name] for name in backtest.forecasts])
    return {
        **point_scores(walk.forecast, backtest, bottom),
        "coverage": coverage,
        "coverage_smallest": {
            str(level): float(np.min(by_series[level][:bottom], initial=np.inf, where=known))
            if known.any()
            else None
            for level in levels
        },
        "width": width,
        "naive": point_scores(backtest.forecasts[BASELINE], backtest, bottom),
        "by_entity": by_entity,
        "by_target": _by_target(backtest, walk, bottom),
        "models": models,
        "reconciliation": walk.reconciliation.method if walk.reconciliation else None,
        "windows": backtest.plan.scored,
        "calibrating_windows": first,
        "horizon": backtest.plan.horizon,
        "series": bottom,
        "train_seconds": float(seconds[:, 0].sum()),
        "predict_seconds": float(seconds[:, 1].sum()),
    }


def _by_target(backtest: Backtest, walk: Walk, bottom: int) -> dict[str, dict[str, Any]]:
    """Return what is said of each target over all its series together, each period counting once.

    ``wape_pooled`` is the sum of errors over the sum of values, so large series decide it;
    ``half_of_error`` names the series with the largest errors that make up half of them.
    """
    first = backtest.plan.calibrating
    actual = backtest.actual[first:, :bottom]
    forecasts = walk.forecast[first:, :bottom], backtest.forecasts[BASELINE][first:, :bottom]
    targets = np.array([key.target for key in backtest.keys[:bottom]])
    found = {}
    for target in dict.fromkeys(targets.tolist()):
        own = np.flatnonzero(targets == target)
        truth = actual[:, own]
        seen = np.isfinite(truth)
        model, naive = (
            {
                "wape_pooled": metrics.wape_pooled(forecast[:, own], truth),
                "within_10pct": metrics.within(forecast[:, own], truth),
            }
            for forecast in forecasts
        )
        error = np.where(seen, np.abs(forecasts[0][:, own] - truth), 0.0).sum(axis=(0, 2))
        order = np.argsort(-error, kind="stable")
        half = int(np.searchsorted(np.cumsum(error[order]), error.sum() / 2)) + 1
        found[target] = {
            "series": len(own),
            "values": int(seen.sum()),
            **model,
            "naive": naive,
            "coverage": {
                str(level): float(
                    ((truth >= low[first:, own]) & (truth <= walk.upper[level][first:, own]))[
                        seen
                    ].mean()
                )
                if seen.any()
                else None
                for level, low in walk.lower.items()
            },
            "half_of_error": [backtest.keys[i].entity for i in own[order[:half]]]
            if error.sum() > 0
            else [],
        }
    return found
