"""The shipped battery: shipped steps pass it, and steps that cheat are caught."""

from __future__ import annotations

import numpy as np
import pytest

from esgml.checks.features import CHECKS, check_all, check_step, sample_panel
from esgml.core.errors import GateError, UsageError
from esgml.core.interfaces import Hyperparameters
from esgml.features.step import STEPS, FeatureStep, register_step


def test_every_shipped_step_passes_every_check():
    ran = check_all()
    assert sorted(ran) == sorted(STEPS)
    assert len(STEPS) == 12
    assert len(CHECKS) == 11
    assert all(checks == list(CHECKS) for checks in ran.values())


class Honest(FeatureStep):
    kind = "honest"

    class Params(Hyperparameters):
        pass

    @property
    def names(self):
        return ("x",)

    @property
    def warm_up(self):
        return 0

    @property
    def min_lag(self):
        return None

    def _columns(self, panel):
        return [panel.time.astype(np.int64) % 1000.0]


class Peeks(Honest):
    def _columns(self, panel):
        later = np.full(panel.rows, np.nan)
        for i in range(len(panel)):
            rows = panel.rows_of(i)
            later[rows.start : rows.stop - 1] = panel.values[rows.start + 1 : rows.stop]
        return [later]


class ReadsItsOwnRow(Honest):
    min_lag = 1

    def _columns(self, panel):
        return [np.where(np.isfinite(panel.values), panel.values, np.nan)]


class MixesSeries(Honest):
    min_lag = 1

    def _columns(self, panel):
        return [np.full(panel.rows, float(len(panel)))]


class ShortMemoryClaimed(Honest):
    warm_up = 2
    min_lag = 1

    def _columns(self, panel):
        from esgml.features.kernels import Grouped

        return [Grouped(panel.values, panel.indptr).lag(3)]


class ChangesInput(Honest):
    def _columns(self, panel):
        panel.known[:] = 0.0
        return super()._columns(panel)


class GivesInput(Honest):
    def _columns(self, panel):
        return [panel.known[:, 0]]

    def transform(self, panel):
        return panel.known[:, :1]


class Forgets(Honest):
    def _fit(self, panel):
        self.shift = 1.0

    def _columns(self, panel):
        return [super()._columns(panel)[0] + getattr(self, "shift", 0.0)]


class Rolls(Honest):
    def _columns(self, panel):
        return [np.random.default_rng().normal(size=panel.rows)]


class Divides(Honest):
    def _columns(self, panel):
        with np.errstate(divide="ignore"):
            return [1.0 / np.where(panel.known[:, 1] == 0, 0.0, 1.0)]


class NamesTwice(Honest):
    @property
    def names(self):
        return ("x", "x")

    def _columns(self, panel):
        return super()._columns(panel) * 2


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(STEPS, "honest", f"{__name__}:Honest")
    monkeypatch.setattr("esgml.features.step.step_class", lambda kind: _CURRENT[0])


_CURRENT = [Honest]


@pytest.mark.parametrize(
    ("step", "check"),
    [
        (Peeks, "no_look_ahead"),
        (ReadsItsOwnRow, "no_look_ahead"),
        (MixesSeries, "batch_equals_single"),
        (ShortMemoryClaimed, "warm_up_suffices"),
        (ChangesInput, "input_unchanged"),
        (GivesInput, "needs_fit"),
        (Forgets, "saved_is_same"),
        (Rolls, "deterministic"),
        (Divides, "never_infinite"),
        (NamesTwice, "names_fit"),
    ],
)
def test_a_step_that_cheats_is_caught_by_the_check_meant_for_it(step, check, registered):
    _CURRENT[0] = step
    with pytest.raises(GateError, match=check):
        check_step(step())


def test_an_honest_step_of_ones_own_passes(registered):
    _CURRENT[0] = Honest
    assert check_step(Honest()) == list(CHECKS)
    assert check_step(Honest(), sample_panel(seed=5)) == list(CHECKS)


def test_a_step_cannot_take_a_name_that_is_taken():
    class Lags(Honest):
        kind = "lags"

    with pytest.raises(UsageError):
        register_step(Lags)


def test_the_sample_panel_is_the_same_every_time():
    assert sample_panel().values.tobytes() == sample_panel().values.tobytes()
    assert sample_panel(1).values.tobytes() != sample_panel().values.tobytes()
