"""What stands for covariates that are not given ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from esgml.core import catalog
from esgml.forecast.future import complete_future


def test_what_is_given_is_kept_and_the_rest_is_named(make_panel, make_future):
    panel = make_panel()
    given = make_future(panel, 3)
    future, assumed = complete_future(panel, given, 7)
    np.testing.assert_array_equal(future.known[:, :3], given.known)
    assert np.isnan(future.known[:, 3:]).all()  # the weather of last week is no forecast
    assert assumed == panel.known_names
    longer = make_future(panel, 9)
    future, assumed = complete_future(panel, longer, 7)
    np.testing.assert_array_equal(future.known, longer.known[:, :7])
    assert assumed == ()


@pytest.mark.parametrize(("code", "season"), [("h", 24), ("MS", 12)])
def test_the_day_or_year_before_stands_in_where_that_is_the_season(make_panel, code, season):
    panel = make_panel((150, 100), code=code)
    future, assumed = complete_future(panel, None, season)
    for i in range(2):
        np.testing.assert_array_equal(future.known[i], panel.known[panel.rows_of(i)][-season:])
    assert assumed == panel.known_names


@pytest.mark.parametrize("name", ["ridge", "lightgbm_direct"])
def test_kelvins_that_are_not_given_are_no_great_cold(make_panel, name):
    """A driver far from zero, learned and then not given, leaves the usual level."""
    panel = make_panel((400, 400), effect=-10.0)
    kelvins = panel.known + np.array([273.15, 0.0])
    learned = catalog.load("forecast", name)().train(
        replace(panel, known=kelvins), horizon=7, seed=0
    )
    never = replace(panel, known=np.full_like(panel.known, np.nan))
    found = learned.predict(never, panel.future(7))
    for i in range(2):
        usual = np.median(panel.series(i))
        assert abs(np.median(found[i]) / usual - 1) < 0.2
