"""Numbers written for people."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.core.figures import figure


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (999.4, "999.4"),
        (999.6, "1,000"),
        (-1234567.8, "-1,234,568"),
        (0.00012345, "0.0001234"),
        (1e18, "1e+18"),
        (math.nan, "unknown"),
        (math.inf, "unknown"),
    ],
)
def test_figures(value: float, text: str) -> None:
    assert figure(value) == text


@given(st.floats(1e-3, 1e14), st.booleans())
def test_a_figure_is_the_number_to_its_digits(size: float, negative: bool) -> None:
    value = -size if negative else size
    text = figure(value, sign=True)
    assert text[0] == ("-" if negative else "+")
    assert math.isclose(float(text.replace(",", "")), value, rel_tol=1e-3)
