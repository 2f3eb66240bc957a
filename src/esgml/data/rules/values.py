"""Single readings and runs of readings that cannot be right, or look like it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from esgml.core.frames import Fault, Severity
from esgml.data.faults import fault
from esgml.data.rules.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

#: Numbers that systems write for "no value".
PLACEHOLDERS = (
    *(sign * (10.0**k - 1) for k in (3, 4, 5, 6, 7, 9) for sign in (1, -1)),
    *(9_999.9, 9_999.99, 99_999.9, 99_999.99, -9.0, -99.0, -1.0, -9_999.9),
    *(1e20, -1e20, 1e30, 65_535.0, 32_767.0, -32_768.0, 2_147_483_647.0, 4_294_967_295.0),
    *(88_888.0, 888_888.0, 77_777.0, 1_234_567.0),
)
#: Shortest run of equal readings that is suspicious, in periods.
_RUN = {"1min": 240, "5min": 96, "10min": 48, "15min": 48, "30min": 48, "h": 24}
_CALENDAR_RUN = {"D": 7, "W": 6, "MS": 6, "QS": 5, "YS": 5}
_EMISSION = re.compile(r"scope[ _-]?[123]|co2|emission|ghg", re.I)
_MIN_HISTORY = 4


def find(view: View) -> list[Fault]:
    """Return faults of the readings of every amount column."""
    found: list[Fault] = []
    for column, dtype in view.frame.schema.items():
        if dtype.is_float():
            found += non_finite(view, column)
    for column in view.amounts:
        numbers = view.values(column)
        for rule in (_negative, _times_thousand, _placeholders, _runs):
            found += rule(view, column, numbers)
    return found


def is_emission(view: View, column: str) -> bool:
    """Whether a column holds emissions, by its unit or its name."""
    return view.kind(column) == "emission" or bool(_EMISSION.search(column))


def non_finite(view: View, column: str) -> list[Fault]:
    """Infinity, and NaN where a table could have left the cell empty."""
    numbers = view.frame[column]
    infinite, nan = numbers.is_infinite(), numbers.is_nan()
    found = []
    if infinite.any():
        found.append(
            fault(
                "non_finite",
                Severity.ERROR,
                f"{int(infinite.sum())} values of {column!r} are infinite.",
                "Correct the division or export that made them; cleaning makes them missing.",
                column=column,
                rows=infinite.fill_null(False),
            )
        )
    if nan.any():
        found.append(
            fault(
                "nan",
                Severity.INFO,
                f"{int(nan.sum())} values of {column!r} are NaN.",
                "Leave cells without a value empty; NaN is taken as missing.",
                column=column,
                rows=nan.fill_null(False),
            )
        )
    return found


def negative(view: View, numbers: Floats) -> Mask:
    """Mark readings below zero; minus infinity is no reading."""
    return np.asarray((numbers < 0) & np.isfinite(numbers))


def _negative(view: View, column: str, numbers: Floats) -> list[Fault]:
    below = negative(view, numbers)
    if not below.any():
        return []
    emission = is_emission(view, column) and column in view.spec.targets
    return [
        fault(
            "negative_value",
            Severity.ERROR if emission else Severity.WARNING,
            f"{int(below.sum())} values of {column!r} are negative, e.g."
            f" {numbers[int(np.argmax(below))]:g}"
            f" ({view.name(int(view.codes[int(np.argmax(below))]))!r}).",
            "Book removals and exports in a column of their own, or correct the sign.",
            column=column,
            rows=view.rows[below],
        )
    ]


def thousandfold(view: View, numbers: Floats) -> tuple[Mask, Mask]:
    """Mark readings that fit their series only when divided, or multiplied, by 1000.

    A reading is marked when it lies 200 times or more away from the entity's median and
    within a factor of three of its middle half once the unit is changed. Entities that vary
    by more than a factor of 30 within their middle half are left alone.
    """
    size = np.abs(numbers)
    positive = np.where(size > 0, size, np.nan)
    stats = view.per_entity(
        positive,
        pl.col("v").median().alias("m"),
        pl.col("v").quantile(0.25, "lower").alias("a"),
        pl.col("v").quantile(0.75, "lower").alias("b"),
        pl.len().alias("n"),
    )
    m, a, b, n = (stats[c].cast(pl.Float64).to_numpy() for c in "mabn")
    steady = (n >= _MIN_HISTORY) & (b <= 30 * a)
    low = np.where(steady, a / 3, np.nan)[view.codes]
    high = np.where(steady, b * 3, np.nan)[view.codes]
    middle = m[view.codes]
    up = (positive >= 200 * middle) & (positive / 1000 >= low) & (positive / 1000 <= high)
    down = (positive <= middle / 200) & (positive * 1000 >= low) & (positive * 1000 <= high)
    # a wrong unit leaves an empty space between right and wrong readings; a series that
    # comes near zero by nature does not
    between = ((positive > 10 * b[view.codes]) & ~up, (positive < a[view.codes] / 10) & ~down)
    counts = [
        np.bincount(view.codes, weights=mask, minlength=view.entities)
        for mask in (up, down, *between)
    ]
    return (
        up & (counts[2] <= counts[0])[view.codes],
        down & (counts[3] <= counts[1])[view.codes],
    )


def _times_thousand(view: View, column: str, numbers: Floats) -> list[Fault]:
    up, down = thousandfold(view, numbers)
    marked = up | down
    if not marked.any():
        return []
    first = int(np.argmax(marked))
    return [
        fault(
            "unit_x1000",
            Severity.WARNING,
            f"{int(marked.sum())} values of {column!r} are about 1000 times"
            f" {'too large' if up[first] else 'too small'} for their series,"
            f" e.g. {numbers[first]:g} ({view.name(int(view.codes[first]))!r}).",
            "Check the unit (kWh or MWh, kg or t); repair 'unit_x1000' scales them back.",
            column=column,
            rows=view.rows[marked],
        )
    ]


def placeholder(view: View, numbers: Floats) -> Mask:
    """Mark codes for "no value" (9999, -999, 65535) that stand out from their series."""
    seen = np.isin(numbers, PLACEHOLDERS)
    if not seen.any():
        return seen
    stats = view.per_entity(np.abs(numbers), pl.col("v").quantile(0.75).alias("q"))
    typical = stats["q"].to_numpy()[view.codes]
    negative_only = view.per_entity(
        numbers, (pl.col("v") < 0).filter(~pl.col("v").is_in(PLACEHOLDERS)).any().alias("x")
    )["x"]
    usual = negative_only.fill_null(False).to_numpy()[view.codes]
    return np.asarray(seen & ((np.abs(numbers) > 10 * typical) | ((numbers < 0) & ~usual)))


def _placeholders(view: View, column: str, numbers: Floats) -> list[Fault]:
    marked = placeholder(view, numbers)
    if not marked.any():
        return []
    values = sorted(set(numbers[marked].tolist()))
    return [
        fault(
            "placeholder_value",
            Severity.WARNING,
            f"{int(marked.sum())} values of {column!r} look like a code for 'no value':"
            f" {', '.join(f'{v:g}' for v in values[:4])}.",
            "Leave cells without a value empty; repair 'placeholder_value' does.",
            column=column,
            rows=view.rows[marked],
        )
    ]


def run_lengths(view: View, numbers: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where runs of equal readings of one entity begin, and how long they are."""
    change = view.first.copy()
    change[1:] |= numbers[1:] != numbers[:-1]
    starts = np.flatnonzero(change)
    return starts, np.diff(np.append(starts, len(numbers)))


def long_runs(view: View, numbers: Floats) -> tuple[Mask, Mask]:
    """Mark readings in suspiciously long runs of one value: not zero, and zero.

    A run is suspicious when it is longer than a day of hourly readings (a week of daily
    ones, five annual ones) and three times as long as nearly all runs of its entity, so
    that coarse meters are left alone; zeros only where they are rare (not the sun at night).
    """
    no = np.zeros(len(numbers), dtype=bool)
    code = view.frequency.code if view.frequency else "D"
    least = _RUN.get(code) or _CALENDAR_RUN.get(code, 24)
    starts, lengths = run_lengths(view, numbers)
    if not len(starts) or lengths.max() < least:
        return no, no
    value = numbers[starts]
    runs = pl.DataFrame({"e": view.codes[starts], "v": value, "n": lengths}).filter(
        pl.col("v").is_finite()
    )
    kinds = runs.with_columns(zero=pl.col("v") == 0)
    usual = kinds.group_by("e", "zero").agg(
        # fewer than ten runs of a kind say nothing about how long they usually are
        usual=pl.when(pl.len() >= 10).then(pl.col("n").quantile(0.9)).otherwise(0),
        total=pl.col("n").sum(),
    )
    rows = usual.group_by("e").agg(all=pl.col("total").sum())
    usual = usual.join(rows, on="e")
    marks = (
        pl.DataFrame({"e": view.codes[starts], "zero": value == 0, "n": lengths})
        .with_columns(finite=pl.Series(np.isfinite(value)))
        .join(usual, on=["e", "zero"], how="left", maintain_order="left")
        .select(
            bad=pl.col("finite")
            & (pl.col("n") >= least)
            & (pl.col("n") > 3 * pl.col("usual").fill_null(0))
            # a series that hardly ever moves is constant or mostly off, not stuck
            & ((pl.col("n") < 0.5 * pl.col("all")) & (pl.col("all") >= 2 * least))
            # what is off for a quarter of the time (sun, heating) may well be off for long
            & (~pl.col("zero") | (pl.col("total") < 0.25 * pl.col("all"))),
            zero=pl.col("zero"),
        )
    )
    bad, zero = marks["bad"].fill_null(False).to_numpy(), marks["zero"].to_numpy()
    stuck = np.repeat(bad & ~zero, lengths)
    zeros = np.repeat(bad & zero, lengths)
    return stuck, zeros


def _runs(view: View, column: str, numbers: Floats) -> list[Fault]:
    found = []
    for code, marked in zip(("stuck_run", "zero_run"), long_runs(view, numbers), strict=True):
        if not marked.any():
            continue
        first = int(np.argmax(marked))
        found.append(
            fault(
                code,
                Severity.WARNING,
                f"{int(marked.sum())} values of {column!r} stand at"
                f" {'one value' if code == 'stuck_run' else 'zero'} for a long time,"
                f" e.g. {numbers[first]:g} from {view.time[first].astype('datetime64[m]')}"
                f" ({view.name(int(view.codes[first]))!r}).",
                f"Check the meter; repair '{code}' makes them missing.",
                column=column,
                rows=view.rows[marked],
            )
        )
    return found
