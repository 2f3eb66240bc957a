"""Every forecaster in the catalog keeps the shipped contract."""

from __future__ import annotations

import numpy as np
import pytest

from esgml.checks.models import ForecasterBattery, forecaster_checks
from esgml.core import catalog
from esgml.core.errors import GateError
from esgml.forecast.models.seasonal_naive import SeasonalNaive

#: Settings that make training short where a model has them; the contract is the same.
QUICK = {"epochs": 2, "members": 1}


def test_number_of_checks_is_pinned():
    assert len(ForecasterBattery.names()) == 23


@pytest.mark.parametrize("name", catalog.names("forecast"))
def test_keeps_the_contract(name):
    model_class = catalog.load("forecast", name)
    params = {k: v for k, v in QUICK.items() if k in model_class.Params.model_fields}
    assert forecaster_checks(model_class, params) == ForecasterBattery.names()


class Peeking(SeasonalNaive):
    """Forgets its training and answers NaN."""

    def _predict(self, history, future):
        return super()._predict(history, future) * np.nan


class Excused(SeasonalNaive):
    """Keeps the contract although it says it does not."""

    expected_failures = {"shapes": "no reason", "nonsense": "no check"}  # noqa: RUF012


def test_a_bad_model_is_found_out():
    with pytest.raises(GateError, match="finite: ordinary series") as caught:
        forecaster_checks(Peeking)
    assert "gaps" in str(caught.value)


def test_excuses_must_hold():
    with pytest.raises(GateError, match="shapes: expected to fail") as caught:
        forecaster_checks(Excused)
    assert "nonsense" in str(caught.value)
