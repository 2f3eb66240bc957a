"""The data-quality score."""

import polars as pl
import pytest

from esgml.core.frames import CheckReport, Fault, SeriesSpec, Severity
from esgml.data.checks import check
from esgml.data.quality import components, score


def report(rows, *faults):
    return CheckReport(rows, tuple(faults))


def fault(code, severity, count):
    return Fault(code, severity, "m", "r", count=count)


def test_range_and_order(daily, spec):
    frame = daily()
    clean = score(report(240), frame, spec)
    doubtful = score(report(240, fault("stuck_run", Severity.WARNING, 60)), frame, spec)
    gappy = score(report(240, fault("gap", Severity.WARNING, 100)), frame, spec)
    broken = score(report(240, fault("negative_value", Severity.ERROR, 240)), frame, spec)
    assert 5 >= clean > doubtful > broken
    assert clean > gappy > broken
    assert broken == 1.0
    assert score(report(240, fault("x", Severity.ERROR, 1)), frame, spec) <= 3.0
    assert score(report(0), frame.head(0), spec) == 1.0


def test_audit_grade_needs_documentation(daily, spec):
    assert check(daily().with_columns(is_estimated=False), spec).quality == 5.0
    assert check(daily(), spec).quality < 5.0


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_missing_values_cost(daily, spec, share):
    frame = daily().with_columns(
        scope2_kg=pl.when(pl.int_range(pl.len()) % 10 >= 10 * share).then("scope2_kg")
    )
    assert components(report(240), frame, spec)["completeness"] == pytest.approx(1 - share)


def test_no_target(daily):
    assert components(report(240), daily(), SeriesSpec())["completeness"] == 0.0
