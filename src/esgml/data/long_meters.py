"""Meters of a facility beside each other, before they are added up."""

from __future__ import annotations

import polars as pl

from esgml.data.long_rows import ROW, LongRows

#: Share of the facility's periods a meter must have for its absence to be a gap: bills of
#: other meters may begin on other days.
_USUAL = 0.75


def compare_meters(rows: LongRows, quantity: str, end: str, start: str) -> None:
    """Warn about bills booked twice, overlapping periods, and meters a sum goes without."""
    bill = ["entity", "metric", "start", "end", "quantity"]
    rows.tell(
        (pl.col("meter").n_unique().over(bill) > 1) & (pl.col("quantity") != 0),
        "duplicate_meter",
        "{count} rows give the same quantity for one period on different meters.",
        "Check whether one bill was booked on two meters.",
        quantity,
    )
    series = ["entity", "meter", "metric"]
    if end:
        rows.work = rows.work.sort(*series, "start", maintain_order=True)
        rows.tell(
            pl.col("end").cum_max().shift(1).over(series) > pl.col("start"),
            "overlap",
            "{count} periods overlap the one before them.",
            "Correct the dates, so that no day is billed twice.",
            start,
        )
    _incomplete(rows, quantity)


def _incomplete(rows: LongRows, quantity: str) -> None:
    """Warn where the sum of a facility lacks a meter that has a reading before and after."""
    if rows.work["meter"].n_unique() < 2:
        return
    facility, period = ["entity", "metric"], ["entity", "metric", "start"]
    read = rows.work.filter(pl.col("quantity").is_finite().fill_null(False))
    lives = read.group_by(*facility, "meter").agg(
        first=pl.col("start").min(), last=pl.col("start").max(), seen=pl.col("start").n_unique()
    )
    periods = read.select(period).unique().sort(period)
    # how many periods of the facility lie in the life of a meter, by their numbers
    numbered = periods.with_columns(n=pl.int_range(pl.len()).over(facility))
    for end in ("first", "last"):
        places = numbered.rename({"start": end, "n": f"n_{end}"})
        lives = lives.join(places, on=[*facility, end], how="left")
    due = pl.col("n_last") - pl.col("n_first") + 1
    lives = lives.filter(pl.col("seen").is_between(_USUAL * due, due, closed="left"))
    lacking = (
        periods.join(lives, on=facility)
        .filter(pl.col("start").is_between("first", "last"))
        .join(read, on=[*period, "meter"], how="anti")
    )
    # a sum that has no reading at all is missing, not too low; a row without a quantity tells
    empty = rows.work.filter(pl.col("quantity").is_null()).join(periods, on=period, how="semi")
    short = pl.concat([lacking.select(period), empty.select(period)]).unique()
    if not short.height:
        return
    marked = rows.work.join(short, on=period, how="semi")[ROW]
    rows.tell(
        pl.col(ROW).is_in(marked.implode()),
        "meter_missing",
        f"{short.height} sums of a facility lack a meter that has readings before and after, or"
        " whose quantity is empty: they are too low. {count} rows are in them.",
        "Enter the missing readings; a meter that stood still has the quantity 0.",
        quantity,
    )
