"""How far a table can be trusted, in one number from 1 (unusable) to 5 (audit grade)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esgml.core.frames import CheckReport, SeriesSpec, Severity

if TYPE_CHECKING:
    import polars as pl

_WEIGHTS = {"completeness": 0.3, "validity": 0.3, "plausibility": 0.25, "documentation": 0.15}
_GAPS = ("gap", "end_gap")


def components(report: CheckReport, frame: pl.DataFrame, spec: SeriesSpec) -> dict[str, float]:
    """Return the four parts of the score, each from 0 to 1.

    ``completeness``: share of expected target values that are there. ``validity``: share of
    rows without an error. ``plausibility``: share of rows without a warning, every kind of
    warning costing a little on its own. ``documentation``: units stated, entities named,
    estimates flagged.
    """
    rows = max(report.rows, 1)
    targets = [t for t in spec.targets if t in frame.columns]
    cells = frame.height * len(targets)
    present = sum(int(frame.height - frame[t].null_count()) for t in targets)
    gaps = sum(f.count for f in report.faults if f.code in _GAPS) * max(len(targets), 1)
    completeness = present / (cells + gaps) if cells else 0.0
    errors = [f for f in report.faults if f.severity is Severity.ERROR]
    warnings = [f for f in report.faults if f.severity is Severity.WARNING and f.code not in _GAPS]
    validity = 1 - min(1.0, sum(max(f.count, 1) for f in errors) / rows)
    doubtful = min(1.0, sum(f.count for f in warnings) / rows)
    plausibility = max(0.0, 1 - doubtful - 0.03 * len({f.code for f in warnings}))
    stated = [bool(spec.unit_of(t)) for t in targets]
    documentation = (
        0.6 * (sum(stated) / len(stated) if stated else 0.0)
        + 0.2 * (spec.entity in frame.columns and frame[spec.entity].null_count() == 0)
        + 0.2 * any("estimated" in c.lower() or "revision" in c.lower() for c in frame.columns)
    )
    return {
        "completeness": min(1.0, completeness),
        "validity": validity,
        "plausibility": plausibility,
        "documentation": documentation,
    }


def score(report: CheckReport, frame: pl.DataFrame, spec: SeriesSpec) -> float:
    """Return the data-quality score of a checked table.

    Parameters
    ----------
    report : CheckReport
        What the checks found.
    frame : DataFrame
        The canonical table.
    spec : SeriesSpec
        Its roles, targets given.

    Returns
    -------
    float
        1 (unusable) to 5 (audit grade), in tenths. A table with errors gets 3 at most, one
        whose errors concern every row 1.
    """
    if not report.rows or not frame.height:
        return 1.0
    parts = components(report, frame, spec)
    total = 1 + 4 * sum(_WEIGHTS[name] * value for name, value in parts.items())
    if report.errors:
        total = 1 + (min(total, 3.0) - 1) * parts["validity"]
    return round(min(5.0, max(1.0, total)), 1)
