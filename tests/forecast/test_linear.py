"""Ridge regression against the closed form, and the verdict on covariates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.forecast.design import build_design
from esgml.forecast.linear import ridge, standardize, unhelpful_covariates


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(400), rng.standard_normal((400, 3))])
    beta = np.array([5.0, 2.0, -1.0, 0.0])
    return x, x @ beta + 0.01 * rng.standard_normal(400), beta


def test_recovers_coefficients(sample):
    x, z, beta = sample
    np.testing.assert_allclose(ridge(x, z, np.ones(400), 1e-3), beta, atol=0.01)


def test_is_the_solution_of_the_normal_equations(sample):
    x, z, _ = sample
    weight = np.linspace(0.1, 1, 400)
    found = ridge(x, z, weight, 7.0)
    loss = (x * weight[:, None]).T @ (z - x @ found)
    np.testing.assert_allclose(loss, np.array([1e-3, 7, 7, 7]) * found, rtol=1e-6, atol=1e-8)


def test_penalty_shrinks_all_but_the_intercept(sample):
    x, z, _ = sample
    strong = ridge(x, z, np.ones(400), 1e6)
    assert np.abs(strong[1:]).max() < 0.01
    assert strong[0] == pytest.approx(z.mean(), rel=1e-3)


def test_absolute_errors_ignore_outliers(sample):
    x, z, beta = sample
    z = z.copy()
    z[::10] += 100
    squared = ridge(x, z, np.ones(400), 1e-3)
    absolute = ridge(x, z, np.ones(400), 1e-3, absolute=10)
    assert np.abs(absolute - beta).max() < 0.1 * np.abs(squared - beta).max()


def test_weights_of_zero_leave_rows_out(sample):
    x, z, _ = sample
    weight = (np.arange(400) < 200).astype(float)
    np.testing.assert_allclose(
        ridge(x, z, weight, 1.0), ridge(x[:200], z[:200], np.ones(200), 1.0), rtol=1e-9
    )


def test_standardize_leaves_missing_values_out():
    x = np.array([[1.0, np.nan, np.nan], [3.0, 4.0, np.nan]])
    center, spread = standardize(x)
    np.testing.assert_allclose(center, [2, 4, 0])
    np.testing.assert_allclose(spread, [1, 0, 0], atol=1e-8)


def _verdict(panel):
    design = build_design(panel, 3, log=True)
    design = design.where(np.isfinite(design.z))
    age = panel.lengths[design.series] - (design.origin + design.step).astype(float)
    return unhelpful_covariates(design, age), design


def test_a_driver_is_kept_and_noise_is_dropped(make_panel):
    panel = make_panel((300, 300))
    assert _verdict(panel)[0] == ()
    rng = np.random.default_rng(3)
    noise = replace(panel, known=rng.standard_normal(panel.known.shape))
    dropped, design = _verdict(noise)
    assert dropped == design.ahead


def test_too_few_rows_keep_covariates(make_panel):
    assert _verdict(make_panel((20,)))[0] == ()


def test_without_covariates_nothing_is_dropped(make_panel):
    panel = make_panel((200,))
    bare = replace(panel, known=np.empty((200, 0)), known_names=())
    assert _verdict(bare)[0] == ()
