"""The forecaster that is shipped: models, their weights, reconciliation and intervals.

::

    fit      backtest the pool -> weights, reconciliation, calibration -> fit on everything
    predict  history -> (sums appended) -> models -> combine -> reconcile -> intervals
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from esgml.core import catalog
from esgml.core.errors import ColumnError, HistoryError, IntegrityError, UsageError
from esgml.core.frequency import Frequency
from esgml.core.interfaces import Files, TimeSeriesModel
from esgml.core.panel import Future, Panel, SeriesKey
from esgml.core.results import Forecast
from esgml.forecast.combine import Combination
from esgml.forecast.hierarchy import Hierarchy, aggregate, aggregate_future
from esgml.forecast.history import in_a_later_month
from esgml.forecast.intervals import Calibration
from esgml.forecast.reconcile import Reconciliation
from esgml.forecast.state import pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from esgml.core.frames import SeriesSpec

CONFIG = "ensemble.json"


@dataclass(frozen=True)
class Ensemble:
    """A fitted forecaster of panels with the same series and covariates.

    Attributes
    ----------
    models : dict of name to TimeSeriesModel
    keys : tuple of SeriesKey
        All series it knows, the sums of the hierarchy last.
    bottom : int
        Number of series that are not sums.
    """

    models: dict[str, TimeSeriesModel]
    keys: tuple[SeriesKey, ...]
    bottom: int
    horizon: int
    frequency: Frequency
    levels: tuple[int, ...]
    units: dict[str, str]
    known: tuple[str, ...]
    past: tuple[str, ...]
    nonnegative: bool
    combination: Combination
    reconciliation: Reconciliation | None
    calibration: Calibration

    def forecast(self, history: Panel, future: Future) -> Forecast:
        """Forecast the periods of `future` for the series of `history`.

        Series may come in any order, only some of them, and others too, which take the usual
        weights. Where a hierarchy is known and all of its series are given and end together,
        they come first, then their sums, which add up, then the others.

        Raises
        ------
        ColumnError
            If covariates are missing.
        HistoryError
            If a series has no observed value.
        UsageError
            If the horizon is longer than the one trained for, or the frequency differs.
        """
        if history.frequency != self.frequency:
            raise UsageError(
                f"trained on frequency {self.frequency.code}, got {history.frequency.code}."
            )
        if future.horizon > self.horizon:
            raise UsageError(
                f"trained for a horizon of {self.horizon}, asked for {future.horizon}.",
                remedy="Train with a longer horizon.",
            )
        history, future = self._aligned(history, future)
        for i, key in enumerate(history.keys):
            if not np.isfinite(history.series(i)).any():
                raise HistoryError(f"series {key.entity!r} has no observed value.")
        balanced = self._balanced(history)
        if balanced is not None:
            history, future = _with_sums(history, future, balanced.hierarchy)
        known = {key: i for i, key in enumerate(self.keys)}
        which = np.array([known.get(key, -1) for key in history.keys])
        each = {name: model.predict(history, future) for name, model in self.models.items()}
        combination = _weights_for(self.combination, which, self.bottom)
        # where levels step with the month, what comes after the next step is another task
        stepped = in_a_later_month(future.time) if combination.later is not None else None
        mean = combination.apply(each, stepped)
        nodes = len(balanced.hierarchy) if balanced is not None else 0
        if balanced is not None:
            mean[:nodes] = balanced.apply(mean[:nodes], nonnegative=self.nonnegative)
        if self.nonnegative:
            mean[nodes:] = np.maximum(mean[nodes:], 0.0)
        calibration = _for_series(self.calibration, which, self.bottom)
        lower, upper = {}, {}
        for level in self.levels:
            low, high = calibration.bounds(mean, level, stepped)
            lower[level] = np.maximum(low, 0.0) if self.nonnegative else low
            upper[level] = high
        return Forecast(
            history.keys, future.time, mean, lower, upper, self.units, "+".join(self.models)
        )

    def _aligned(self, history: Panel, future: Future) -> tuple[Panel, Future]:
        """Return the covariates the models were trained with, in that order."""
        given = set(history.known_names) & set(future.known_names)
        missing = set(self.known) - given | set(self.past) - set(history.past_names)
        if missing:
            raise ColumnError(
                f"covariates {', '.join(sorted(missing))} are missing.",
                code="column_missing",
                remedy="Give the covariates the model was trained with, history and future.",
            )
        own = [history.known_names.index(name) for name in self.known]
        ahead = [future.known_names.index(name) for name in self.known]
        past = [history.past_names.index(name) for name in self.past]
        history = replace(
            history,
            known=history.known[:, own],
            past=history.past[:, past],
            known_names=self.known,
            past_names=self.past,
        )
        return history, Future(future.time, future.known[:, :, ahead], self.known)

    def _balanced(self, history: Panel) -> Reconciliation | None:
        """Return the reconciliation, if all of its series are given and end together."""
        if self.reconciliation is None:
            return None
        last = dict(zip(history.keys, history.last_time(), strict=True))
        bottom = self.reconciliation.hierarchy.bottom
        together = set(bottom) <= set(last) and len({last[key] for key in bottom}) == 1
        return self.reconciliation if together else None

    def shown(self, history: Panel) -> Panel:
        """Return a history with the sums that `forecast` adds to it."""
        balanced = self._balanced(history)
        if balanced is None:
            return history
        return _with_sums(history, history.future(1), balanced.hierarchy)[0]

    def apart(self, history: Panel) -> tuple[SeriesKey, ...]:
        """Return the series of a history that are in no sum, where there are sums at all."""
        if self.reconciliation is None:
            return ()
        balanced = self._balanced(history)
        inside = set(balanced.hierarchy.bottom) if balanced is not None else set()
        return tuple(key for key in history.keys if key not in inside)

    def roles(self, spec: SeriesSpec) -> SeriesSpec:
        """Return column roles in which the trained targets and covariates stand where none do."""
        targets = dict.fromkeys(key.target for key in self.keys)
        # the flags that a text became, weather=rain and weather=sun, come from one column
        known = dict.fromkeys(name.partition("=")[0] for name in self.known)
        return replace(spec, targets=spec.targets or (*targets,), known=spec.known or (*known,))

    def to_files(self) -> Files:
        """Return the forecaster as named bytes in formats that carry no code."""
        config = {
            "schema": "esgml.ensemble/1",
            "models": list(self.models),
            "keys": [list(key) for key in self.keys],
            "bottom": self.bottom,
            "horizon": self.horizon,
            "frequency": self.frequency.code,
            "levels": list(self.levels),
            "units": self.units,
            "known": list(self.known),
            "past": list(self.past),
            "nonnegative": self.nonnegative,
            "combined": list(self.combination.models),
            "weights": pack(self.combination.weights),
            "later": None if self.combination.later is None else pack(self.combination.later),
            "gated": self.combination.gated.tolist(),
            "reconciliation": self.reconciliation.to_dict() if self.reconciliation else None,
            "calibration": self.calibration.to_dict(),
        }
        files = {CONFIG: json.dumps(config, sort_keys=True).encode()}
        for name, model in self.models.items():
            files.update({f"models/{name}/{k}": v for k, v in model.to_files().items()})
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Build the forecaster from what `to_files` returned, every hash verified."""
        try:
            config: dict[str, Any] = json.loads(files[CONFIG])
            models = {}
            for name in config["models"]:
                prefix = f"models/{name}/"
                part = {k[len(prefix) :]: v for k, v in files.items() if k.startswith(prefix)}
                kind: type[TimeSeriesModel] = catalog.load("forecast", name)  # type: ignore[assignment]
                models[name] = kind.from_files(part)
            reconciliation = config["reconciliation"]
            return cls(
                models,
                tuple(SeriesKey(*key) for key in config["keys"]),
                int(config["bottom"]),
                int(config["horizon"]),
                Frequency(config["frequency"]),
                tuple(config["levels"]),
                dict(config["units"]),
                tuple(config["known"]),
                tuple(config["past"]),
                bool(config["nonnegative"]),
                Combination(
                    tuple(config["combined"]),
                    unpack(config["weights"]),
                    np.asarray(config["gated"], dtype=bool),
                    unpack(config["later"]) if config.get("later") else None,
                ),
                Reconciliation.from_dict(reconciliation) if reconciliation else None,
                Calibration.from_dict(config["calibration"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError("the files do not hold a forecaster.") from error


def _with_sums(history: Panel, future: Future, hierarchy: Hierarchy) -> tuple[Panel, Future]:
    """Return the nodes of a hierarchy, then the series outside it."""
    place = {key: i for i, key in enumerate(history.keys)}
    order = [place[key] for key in hierarchy.bottom]
    others = [i for i in range(len(history)) if i not in set(order)]
    nodes, rest = aggregate(history, hierarchy), history.select(others)
    inside = Future(future.time[order], future.known[order], future.known_names)
    ahead = aggregate_future(inside, hierarchy)
    return (
        replace(
            nodes,
            keys=nodes.keys + rest.keys,
            indptr=np.concatenate([nodes.indptr, nodes.indptr[-1] + rest.indptr[1:]]),
            time=np.concatenate([nodes.time, rest.time]),
            values=np.concatenate([nodes.values, rest.values]),
            known=np.concatenate([nodes.known, rest.known]),
            past=np.concatenate([nodes.past, rest.past]),
        ),
        Future(
            np.concatenate([ahead.time, future.time[others]]),
            np.concatenate([ahead.known, future.known[others]]),
            future.known_names,
        ),
    )


def _for_series(calibration: Calibration, which: NDArray[np.int64], bottom: int) -> Calibration:
    """Return the calibration of series by number; -1 is a series not seen in training."""

    def pick(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(which >= 0, values[which], np.median(values[:bottom]))

    quantile = {level: pick(q) for level, q in calibration.quantile.items()}
    return replace(
        calibration,
        size=pick(calibration.size),
        quantile=quantile,
        floor=pick(calibration.floor),
    )


def _weights_for(combination: Combination, which: NDArray[np.int64], bottom: int) -> Combination:
    """Return the weights of series by number; -1, not seen in training, gets the usual ones."""

    def pick(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        usual = weights[:bottom].mean(axis=0)
        return np.where(which[:, None] >= 0, weights[which], usual)

    later = None if combination.later is None else pick(combination.later)
    gated = np.zeros(len(which), dtype=bool)
    return Combination(combination.models, pick(combination.weights), gated, later)
