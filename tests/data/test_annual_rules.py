"""Annual tables: jumps and figures copied forward are told, units that slip are told once."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.core.frames import SeriesSpec, Severity
from esgml.data.checks import check

SPEC = SeriesSpec(targets=("co2e_t",))


def table(series, code="1y"):
    parts = []
    for name, values in series.items():
        start = pl.datetime(2015, 1, 1)
        time = pl.datetime_range(start, pl.datetime(2015 + len(values), 1, 1), code, eager=True)
        parts.append(
            pl.DataFrame(
                {"entity": [name] * len(values), "timestamp": time[: len(values)], "co2e_t": values}
            )
        )
    return pl.concat(parts)


def faults(series, **more):
    return {f.code: f for f in check(table(series, **more), SPEC).faults}


def test_a_jump_names_its_row_and_both_values():
    found = faults({"a": [100.0, 104, 99, 420, 415], "b": [50.0, 51, 50, 52, 51]})
    jump = found["annual_jump"]
    assert jump.severity is Severity.WARNING
    assert jump.rows == (3,)
    assert "420 after 99 ('a')" in jump.message
    assert "restate" in jump.remedy


def test_a_fall_counts_also_over_a_gap_and_never_from_another_entity():
    found = faults({"a": [900.0, None, 100, 101], "b": [5.0, 5.1, 5.2, 5.1]})
    assert found["annual_jump"].rows == (2,)


@pytest.mark.parametrize(
    "values",
    [
        [100.0, 250, 120, 101],  # within a factor of three
        [0.0, 100, 0, 100],  # zero is not a third of anything
        [None, None, 100.0, 101],
    ],
)
def test_what_is_no_jump(values):
    assert "annual_jump" not in faults({"a": values})


def test_a_unit_that_slipped_is_told_once():
    found = faults({"a": [100.0, 104, 0.099, 101, 98]})
    assert found["unit_x1000"].rows == (2,)
    assert "annual_jump" not in found


def test_other_frequencies_have_no_annual_faults():
    found = faults({"a": [100.0, 420, 99, 420, 99]}, code="1mo")
    assert "annual_jump" not in found


def test_a_copied_figure_is_told_and_a_round_one_is_not():
    found = faults({"a": [18912.0, 18912, 17400], "b": [90000.0, 90000, 80000]})
    assert found["repeated_year"].severity is Severity.INFO
    assert found["repeated_year"].rows == (1,)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=8), st.floats(1e-3, 1e3))
def test_jumps_do_not_depend_on_the_unit(values, factor):
    one, two = (faults({"a": [v * f for v in values]}) for f in (1.0, factor))
    rows = [found["annual_jump"].rows if "annual_jump" in found else () for found in (one, two)]
    change = np.abs(np.diff(np.log(values)))
    if np.abs(change - np.log(3)).min() > 1e-6:  # exactly three times: rounding decides
        assert rows[0] == rows[1]
