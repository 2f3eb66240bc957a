"""esgml: a machine-learning engine for sustainability data.

From a raw table to a trusted, served prediction: check, clean, features, forecast,
calibrate, register, serve, trace. The public names are loaded when first used, so that
``import esgml`` stays fast and needs no optional library.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

#: Public name -> module that defines it.
_PUBLIC = {
    "AnomalyDetector": "esgml.anomaly.detector",
    "BaseModel": "esgml.core.interfaces",
    "DQNAgent": "esgml.optimization.solvers.dqn",
    "DataPipeline": "esgml.features.data_pipeline",
    "EmissionsPredictionModel": "esgml.forecast.models.lstm_spec",
    "EsgmlError": "esgml.core.errors",
    "FeatureEngineeringPipeline": "esgml.features.engineering",
    "FeatureStore": "esgml.features.store",
    "GeneticAlgorithm": "esgml.optimization.solvers.ga",
    "MLPipeline": "esgml.training.pipeline",
    "ModelIntegration": "esgml.serving.integration",
    "ModelRegistry": "esgml.registry.registry",
    "ModelTrainingPipeline": "esgml.training.train",
    "OptimizationEngine": "esgml.optimization.engine",
    "Policy": "esgml.optimization.policy",
    "PredictionService": "esgml.serving.integration",
    "RegulatoryPredictor": "esgml.regulatory.predictor",
    "SeriesSpec": "esgml.core.frames",
    "Settings": "esgml.core.settings",
    "SklearnDetector": "esgml.anomaly.sklearn_detector",
    "TimeSeriesModel": "esgml.core.interfaces",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'esgml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
