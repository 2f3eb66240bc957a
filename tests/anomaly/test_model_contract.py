"""Every anomaly model in the catalog, and the detector, keeps the shipped contract."""

import numpy as np
import pytest

from esgml.anomaly.detector import AnomalyDetector
from esgml.anomaly.models.pca import PCA
from esgml.checks.anomaly import AnomalyBattery, anomaly_checks
from esgml.core import catalog
from esgml.core.errors import GateError

#: Settings that make training short where a model has them; the contract is the same.
QUICK = {
    "epochs": 3,
    "trees": 30,
    "rounds": 30,
    "settings": {"isolation_forest": {"trees": 20}, "sampled_neighbours": {"rounds": 20}},
}


def quick(model_class):
    return {k: v for k, v in QUICK.items() if k in model_class.Params.model_fields}


def test_number_of_checks_is_pinned():
    assert len(AnomalyBattery.names()) == 22


@pytest.mark.parametrize("name", catalog.names("anomaly"))
def test_keeps_the_contract(name):
    if name == "autoencoder":
        pytest.importorskip("torch")
    model_class = catalog.load("anomaly", name)
    assert anomaly_checks(model_class, quick(model_class)) == AnomalyBattery.names()


@pytest.mark.slow
def test_the_detector_keeps_the_contract():
    pytest.importorskip("torch")
    assert anomaly_checks(AnomalyDetector, quick(AnomalyDetector)) == AnomalyBattery.names()


class Upside(PCA):
    """Takes the ordinary for strange."""

    def _score(self, X):
        return -super()._score(X)


class Excused(PCA):
    """Keeps the contract although it says it does not."""

    expected_failures = {"shapes": "no reason", "nonsense": "no check"}  # noqa: RUF012


class Depending(PCA):
    """Scores a row by what it is scored with."""

    def _score(self, X):
        score = super()._score(X)
        return score - np.median(score)


def test_bad_models_are_found_out():
    with pytest.raises(GateError, match="strange_rows: far in all columns"):
        anomaly_checks(Upside)
    with pytest.raises(GateError, match="batch_equals_single: differs"):
        anomaly_checks(Depending)


def test_excuses_must_hold():
    with pytest.raises(GateError, match="shapes: expected to fail") as caught:
        anomaly_checks(Excused)
    assert "nonsense" in str(caught.value)
