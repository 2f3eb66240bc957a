"""The usual value of a season: an oracle, a stop that does not move it, and its memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esgml.forecast.models.seasonal_median import SeasonalMedian


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.sampled_from([2.0, 16.0]))
def test_it_minimises_the_weighted_absolute_error(values, half_life):
    """The slow oracle: no observed value has a smaller weighted error."""
    newest = np.array(values)
    weight = 0.5 ** (np.arange(len(newest)) / half_life)
    found = SeasonalMedian(half_life=half_life)._median(newest)
    errors = [weight @ np.abs(newest - v) for v in newest]
    assert weight @ np.abs(newest - found) <= min(errors) * (1 + 1e-9) + 1e-9


def test_a_week_of_standstill_does_not_move_it(make_panel):
    panel = make_panel((140,))
    values = np.tile([5.0, 6, 7, 6, 5, 1, 0], 20)
    values[-14:-7] = 0.0
    history = replace(panel, values=values)
    future = history.future(10)
    forecast = SeasonalMedian().train(history, horizon=10).predict(history, future)
    assert forecast[0] == pytest.approx([5, 6, 7, 6, 5, 1, 0, 5, 6, 7])


def test_less_than_a_season_is_repeated(make_panel):
    history = replace(make_panel((3,)), values=np.array([1.0, 2.0, 3.0]))
    forecast = SeasonalMedian().train(history, horizon=5).predict(history, history.future(5))
    assert forecast[0] == pytest.approx([1, 2, 3, 1, 2])
