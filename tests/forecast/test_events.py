"""What known events usually do to a series, and columns that are no events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.core.panel import Future
from esgml.forecast.events import event_factors


@pytest.fixture
def holidays(make_panel):
    """Return a panel whose only series halves on every 20th day."""
    panel = make_panel((200,), noise=0.0, effect=0.0)
    event = (np.arange(200) % 20 == 0).astype(float)
    values = np.where(event == 1, 0.5, 1.0) * 100.0
    return replace(panel, values=values, known=event[:, None], known_names=("holiday",))


def ahead(panel, *flags):
    future = panel.future(len(flags))
    return Future(future.time, np.array(flags, dtype=float)[None, :, None], panel.known_names)


def test_a_holiday_multiplies_by_its_shrunk_effect(holidays):
    found = event_factors(holidays, ahead(holidays, 0, 1, 0), 0, 7)
    assert found[0] == found[2] == 1
    assert found[1] == pytest.approx((0.5 * 10 + 2) / 12, abs=0.01)


def test_few_events_are_trusted_less(holidays):
    short = holidays.take([slice(30, 90)])
    assert event_factors(short, ahead(short, 1), 0, 7)[0] > 0.55


@pytest.mark.parametrize("column", ["numbers", "often", "never", "missing"])
def test_other_columns_do_nothing(holidays, column):
    event = {
        "numbers": np.arange(200.0),
        "often": (np.arange(200) % 2).astype(float),
        "never": np.zeros(200),
        "missing": np.full(200, np.nan),
    }[column]
    panel = replace(holidays, known=event[:, None])
    np.testing.assert_array_equal(event_factors(panel, ahead(panel, 1, 1), 0, 7), [1, 1])


def test_a_small_effect_is_left_out(holidays):
    small = replace(holidays, values=np.where(holidays.known[:, 0] == 1, 95.0, 100.0))
    assert event_factors(small, ahead(small, 1), 0, 7)[0] == 1


def test_gaps_around_events(holidays):
    values = holidays.values.copy()
    values[1::2] = np.nan
    values[40:80] = np.nan
    gappy = replace(holidays, values=values)
    assert event_factors(gappy, ahead(gappy, 1), 0, 7)[0] < 0.8
    empty = replace(holidays, values=np.full(200, np.nan))
    assert event_factors(empty, ahead(empty, 1), 0, 7)[0] == 1
