"""The public names: they import, are documented, keep their methods, and cost nothing unused."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import esgml

ROOT = Path(__file__).resolve().parents[2]
NAMES = [name for name in esgml.__all__ if name != "__version__"]
HEAVY = ("torch", "lightgbm", "polars", "mlflow", "numpy", "fastapi", "pydantic")
#: What users rely on; a name may gain methods, never lose one without a deprecation.
METHODS = {
    "MLPipeline": "ingest process train predict",
    "DataPipeline": "process validate clean engineer scale",
    "FeatureEngineeringPipeline": "extract_time_features extract_esg_features fit transform"
    " detect_seasonality select",
    "FeatureStore": "register ingest get_historical_features get_online_features materialize",
    "ModelRegistry": "register get promote rollback compare list verify",
    "BaseModel": "train predict evaluate save load metadata summary",
    "TimeSeriesModel": "train predict evaluate save load metadata summary",
    "EmissionsPredictionModel": "build_model train predict evaluate save load summary"
    " train_windows predict_windows predict_intervals",
    "AnomalyDetector": "train_isolation_forest build_autoencoder train_autoencoder train score"
    " detect explain tune_contamination evaluate save load",
    "SklearnDetector": "fit score_samples decision_function predict get_params set_params",
    "ModelTrainingPipeline": "train_all_models cross_validate",
    "GeneticAlgorithm": "evolve solve metadata summary",
    "DQNAgent": "train solve metadata summary",
    "Policy": "act values outside save load to_onnx",
    "OptimizationEngine": "solve optimize_with_ga optimize_with_rl problem solver",
    "ModelIntegration": "create_prediction_api create_app",
    "RegulatoryPredictor": "analyze_regulation predict_compliance_risk",
    "PredictionService": "ask forecast predict close",
}


@pytest.mark.parametrize("name", NAMES)
def test_name_imports_and_is_documented(name):
    value = getattr(esgml, name)
    assert value.__name__ == name
    assert inspect.getdoc(value), f"{name} has no docstring"
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    assert any(name in page.read_text(encoding="utf-8") for page in pages), (
        f"{name} is on no page of the documentation"
    )


@pytest.mark.parametrize("name", METHODS)
def test_name_has_its_methods(name):
    value = getattr(esgml, name)
    for method in METHODS[name].split():
        found = getattr(value, method, None)
        assert callable(found), f"{name}.{method} is missing"
        assert inspect.getdoc(found), f"{name}.{method} has no docstring"


def test_pipeline_holds_store_registry_and_models(tmp_path):
    pytest.importorskip("mlflow", reason="the extra 'registry' is not installed")
    pipeline = esgml.MLPipeline({"workspace": tmp_path})
    assert isinstance(pipeline.feature_store, esgml.FeatureStore)
    assert isinstance(pipeline.model_registry, esgml.ModelRegistry)
    assert pipeline.models == {}


def test_unknown_name_is_refused_and_dir_lists_the_known():
    with pytest.raises(AttributeError, match="AnomalyDetectr"):
        esgml.AnomalyDetectr  # noqa: B018
    assert set(NAMES) <= set(dir(esgml))


@pytest.mark.parametrize(
    "code",
    [
        "import esgml",
        "from esgml.cli.app import main\nimport contextlib, io\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(['--help'])",
    ],
    ids=["import esgml", "esgml --help"],
)
def test_looking_around_loads_no_library(code):
    code += f"\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_listing_models_loads_no_library():
    code = (
        "import sys\nfrom esgml.core import catalog\nassert catalog.names('forecast')\n"
        f"print([m for m in {HEAVY[:4]!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
