"""The emissions task: what training, registry and serving know of forecasting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from esgml.core.errors import UsageError
from esgml.core.frames import Column, FrameContract, Kind, SeriesSpec
from esgml.core.interfaces import BaseModel
from esgml.core.operations import Operation
from esgml.core.tasks import Predictor, Task, TaskOptions, Trained
from esgml.data.panels import to_panel
from esgml.forecast.ensemble import Ensemble
from esgml.forecast.fitting import fit_ensemble
from esgml.forecast.operation import FORECAST
from esgml.forecast.request import decode, encode

if TYPE_CHECKING:
    import polars as pl

    from esgml.forecast.evaluate import Evaluation


_TIMES = ("train_seconds", "predict_seconds")


class ForecastPredictor(Predictor):
    """Answers forecast requests from a fitted ensemble."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble

    def predict(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Forecast the series of one request; see `esgml.forecast.request` for its form."""
        history, future = decode(request, self.ensemble)
        levels = request.get("levels")
        if levels is None:
            levels = self.ensemble.levels
        if not isinstance(levels, list | tuple) or not all(isinstance(v, int) for v in levels):
            raise UsageError("levels must be a list of whole percentages.", where="levels")
        return encode(self.ensemble.forecast(history, future), tuple(levels))


class EmissionsTask(Task):
    """Forecast emissions or energy, by series, with intervals, coherent over a hierarchy."""

    name: ClassVar[str] = "emissions"
    capability: ClassVar[str] = "forecast"
    title: ClassVar[str] = "Emissions forecast"
    default_model: ClassVar[str] = "auto"
    frame: ClassVar[FrameContract] = FrameContract(
        "series",
        (
            Column("entity", Kind.TEXT, description="what is measured: a site, meter, company"),
            Column("timestamp", Kind.TIME, description="start of the period, UTC"),
        ),
    )

    def train(self, frame: pl.DataFrame, spec: SeriesSpec, options: TaskOptions) -> Trained:
        """Choose, weigh, calibrate and fit forecasters on a clean table."""
        panel, _ = to_panel(frame, spec)
        ensemble, evaluation = fit_ensemble(
            panel,
            horizon=options.horizon,
            levels=options.levels,
            model=options.model,
            seed=options.seed,
            threads=options.threads,
            checkpoint=options.checkpoint,
        )
        scores = _untimed(evaluation.scores)
        return Trained(
            task=self.name,
            model_name=options.model if options.model != "auto" else "+".join(ensemble.models),
            files=ensemble.to_files(),
            metrics={**scores, "primary": "wape", **_errors(evaluation)},
            params={
                "model": options.model,
                "horizon": ensemble.horizon,
                "levels": list(ensemble.levels),
                "seed": options.seed,
            },
            schema={
                "frequency": ensemble.frequency.code,
                "horizon": ensemble.horizon,
                "levels": list(ensemble.levels),
                "known": list(ensemble.known),
                "past": list(ensemble.past),
                "targets": list(dict.fromkeys(key.target for key in ensemble.keys)),
                "entities": list(dict.fromkeys(key.entity for key in ensemble.keys)),
                "units": ensemble.units,
            },
            card=_card(ensemble, evaluation, frame),
        )

    def predictor(self, files: Mapping[str, bytes]) -> ForecastPredictor:
        """Build the predictor from the files of a trained ensemble."""
        return ForecastPredictor(Ensemble.from_files(files))

    def operations(self) -> tuple[Operation, ...]:
        """Return the forecast route."""
        return (FORECAST,)

    def model_from(self, files: Mapping[str, bytes]) -> BaseModel | None:
        """Return the one model inside, where the ensemble has a single one."""
        models = list(Ensemble.from_files(files).models.values())
        return models[0] if len(models) == 1 else None


def _untimed(scores: dict[str, Any]) -> dict[str, Any]:
    """Return the scores without wall-clock times, so that equal training has equal bytes."""
    return {
        name: _untimed(value) if isinstance(value, dict) else value
        for name, value in scores.items()
        if isinstance(value, dict) or name not in _TIMES
    }


def _errors(evaluation: Evaluation) -> dict[str, Any]:
    """Return errors and actual values by series and window, for paired comparisons."""
    first = evaluation.backtest.plan.calibrating
    actual = evaluation.backtest.actual[first:]
    error = np.abs(evaluation.walk.forecast[first:] - actual)
    moments = evaluation.backtest.time[first:, :, 0]
    kept: dict[str, Any] = {"errors": {}, "actuals": {}}
    for i in range(evaluation.scores["series"]):
        key = evaluation.backtest.keys[i]
        for name, values in (("errors", error), ("actuals", actual)):
            kept[name][f"{key.entity}/{key.target}"] = {
                str(moments[w, i].astype("datetime64[s]")): [
                    float(v) if np.isfinite(v) else None for v in values[w, i]
                ]
                for w in range(len(values))
                if not np.isnat(moments[w, i])
            }
    return kept


def _card(ensemble: Ensemble, evaluation: Evaluation, frame: pl.DataFrame) -> dict[str, Any]:
    """Return the facts of the model card."""
    panel = evaluation.panel
    return {
        "intended_use": f"Forecast {ensemble.horizon} periods ({ensemble.frequency.code}) of"
        f" {', '.join(ensemble.units) or 'the targets'} for the series it was trained on.",
        "data": {
            "rows": frame.height,
            "series": ensemble.bottom,
            "from": str(panel.time.min().astype("datetime64[s]")),
            "to": str(panel.time.max().astype("datetime64[s]")),
        },
        "limits": [
            "Intervals hold on average over series and periods like those of the backtest; a"
            " break in how a site runs widens errors before the calibration has seen it.",
            "Known covariates are taken as given; their own forecast error is not in the bands.",
            "Accuracy is 1 - WAPE over the backtest windows named in the metrics.",
        ],
        "weights": {
            name: float(evaluation.scores["models"][name]["weight"]) for name in ensemble.models
        },
        "layers": "\n\n".join(model.summary() for model in ensemble.models.values()),
    }


TASK = EmissionsTask()
