"""The long ESG table (one row per facility, metric and period) made wide.

Every reading is converted to the unit its kind is stored in (kWh, kgCO2e), the meters of a
facility are added up, and each metric becomes a column. Rows that cannot be placed go to
the quarantine with a reason, so that rows used and rows quarantined add up to rows read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from esgml.core.errors import ColumnError
from esgml.core.frames import Fault, SeriesSpec, Severity
from esgml.core.units import compatible
from esgml.data.faults import CELLS_SCHEMA, LogEntry, cells, fault
from esgml.data.long_meters import compare_meters
from esgml.data.long_rows import ROW, LongRows
from esgml.data.long_units import convert_units
from esgml.data.look_alikes import alike, told
from esgml.data.numeric import parse_numbers, two_readings
from esgml.data.revisions import revision_ranks
from esgml.data.timestamps import parse_times

_ENTITY = ("facility_id", "entity", "facility", "site_id", "site", "entity_id")
_START = ("period_start", "timestamp", "date", "start")
_END = ("period_end", "end")
_METER = ("meter_id", "meter", "account_id")
_REVISION = ("revision", "version", "known_at", "recorded_at")


@dataclass(frozen=True)
class Widened:
    """A long table made wide.

    Attributes
    ----------
    frame : DataFrame
        One row per entity and period, sorted; one column per metric, plus
        ``<metric>_cost`` and ``<metric>_estimated`` where the table has them.
    origin : Series of int
        For each row of `frame`, the first source row it was made from.
    quarantine : DataFrame
        Source rows that were not used, with ``row`` and ``reason``.
    cells : DataFrame
        Cells that were altered.
    merged : int
        Readings used, less the rows of `frame` they became.
    """

    frame: pl.DataFrame
    spec: SeriesSpec
    origin: pl.Series
    faults: tuple[Fault, ...]
    log: tuple[LogEntry, ...]
    quarantine: pl.DataFrame
    cells: pl.DataFrame
    merged: int


def is_long(frame: pl.DataFrame, spec: SeriesSpec) -> bool:
    """Whether the table has a metric and a quantity column, and the target is no column."""
    names = {c.strip().lower() for c in frame.columns}
    named = bool(spec.targets) and all(t in frame.columns for t in spec.targets)
    return {"metric", "quantity"} <= names and not named


def widen(frame: pl.DataFrame, spec: SeriesSpec) -> Widened:
    """Make a long ESG table wide.

    Raises
    ------
    ColumnError
        If the entity or the period column cannot be found.
    """
    by_name = {c.strip().lower(): c for c in frame.columns}

    def find(*names: str) -> str:
        return next((by_name[n] for n in names if n in by_name), "")

    entity = find(spec.entity.lower(), *_ENTITY)
    start = find(spec.time.lower(), *_START)
    for name, options, option in ((entity, _ENTITY, "--entity"), (start, _START, "--time")):
        if not name:
            raise ColumnError(
                f"a long table needs one of the columns {list(options)};"
                f" this one has {list(frame.columns)}.",
                code="column_missing",
                remedy=f"Name it with {option}.",
            )
    end, meter, revision = find(*_END), find(*_METER), find(*_REVISION)
    unit, cost, estimated = find("unit", "units"), find("cost"), find("is_estimated", "estimated")
    metric, quantity = by_name["metric"], by_name["quantity"]
    altered = [pl.DataFrame(schema=CELLS_SCHEMA)]
    faults: list[Fault] = []

    def numbers(name: str) -> pl.Series:
        parsed = parse_numbers(frame[name])
        if parsed.unreadable.any():
            rows = parsed.unreadable.arg_true()
            altered.append(cells(rows, name, frame[name].gather(rows), "not_a_number"))
            faults.append(
                fault(
                    "not_a_number",
                    Severity.ERROR,
                    f"{len(rows)} cells of {name!r} are no number, e.g. {frame[name][rows[0]]!r}.",
                    "Correct the cells, or leave them empty where there is no value.",
                    column=name,
                    rows=rows,
                )
            )
        faults.extend(two_readings(name, parsed, frame.height))
        return parsed.values

    starts = parse_times(frame[start])
    faults += [f for f in starts.faults if f.code not in _PLACED]
    ends = parse_times(frame[end]).values if end else starts.values
    text = pl.String
    work = pl.DataFrame(
        {
            ROW: pl.Series(range(frame.height), dtype=pl.Int64),
            "entity": frame[entity].cast(text, strict=False).str.strip_chars(),
            "metric": frame[metric].cast(text, strict=False).str.strip_chars(),
            "meter": frame[meter].cast(text, strict=False) if meter else [""] * frame.height,
            "start": starts.values,
            "end": ends,
            "quantity": numbers(quantity),
            "cost": numbers(cost) if cost else [None] * frame.height,
            "unit": frame[unit].cast(text).str.strip_chars() if unit else [""] * frame.height,
            "estimated": (
                frame[estimated].cast(text).str.to_lowercase().is_in(["true", "1", "yes", "y"])
                if estimated
                else [False] * frame.height
            ),
            "revision": revision_ranks(frame[revision]) if revision else [0] * frame.height,
        },
        strict=False,
        schema_overrides={"cost": pl.Float64, "meter": text, "unit": text, "estimated": pl.Boolean},
    ).with_columns(pl.col("meter", "unit").fill_null(""))
    rows = LongRows(frame, work)
    rows.faults += faults
    _place(rows, entity, metric, start, end)
    _refuse_roles_as_metrics(rows, metric, entity, start)
    groups = alike(rows.work["metric"].unique(maintain_order=True).to_list())
    rows.tell(
        pl.col("metric").is_in([name for group in groups for name in group]),
        "similar_names",
        f"{{count}} rows have a metric in several spellings that look the same: {told(groups)};"
        " each is a column of its own.",
        "Give every metric one spelling.",
        metric,
    )
    units = convert_units(rows, unit)
    _deduplicate(rows, bool(revision))
    compare_meters(rows, quantity, end, start)
    wide, origin = _pivot(rows.work, entity, start, bool(cost), bool(estimated))
    wide = _attach_labels(wide, frame, entity, spec)
    rows.log.append(
        LogEntry(
            "pivot",
            metric,
            (),
            rows.work.height,
            f"{rows.work.height} readings",
            f"{wide.height} rows of {len(units)} metrics",
        )
    )
    spec = replace(spec, entity=entity, time=start, units={**units, **spec.units})
    if not spec.targets:
        emitting = [m for m, u in units.items() if u and compatible(u, "kgCO2e")]
        if not emitting:
            spec = replace(spec, targets=tuple(m for m in units if m not in spec.known))
    aside = pl.concat(rows.aside, how="diagonal_relaxed") if rows.aside else pl.DataFrame()
    return Widened(
        wide,
        spec,
        origin,
        tuple(rows.faults),
        tuple(rows.log),
        aside,
        pl.concat(altered),
        rows.work.height - wide.height,
    )


_PLACED = ("unparseable_timestamp", "missing_timestamp")


def _place(rows: LongRows, entity: str, metric: str, start: str, end: str) -> None:
    """Set aside the rows whose facility, metric or period is unknown."""
    blank = pl.col("entity").is_null() | (pl.col("entity") == "")
    rows.set_aside(
        blank, "missing_entity", "{count} rows name no facility.", "Fill it in.", column=entity
    )
    blank = pl.col("metric").is_null() | (pl.col("metric") == "")
    rows.set_aside(
        blank, "metric_missing", "{count} rows name no metric.", "Fill it in.", column=metric
    )
    rows.set_aside(
        pl.col("start").is_null(),
        "unparseable_timestamp",
        "{count} rows have no readable start of the period.",
        "Write dates as 2024-12-31.",
        column=start,
    )
    rows.set_aside(
        pl.col("end") < pl.col("start"),
        "period_reversed",
        "{count} periods end before they start.",
        "Swap or correct the two dates.",
        column=end,
    )


def _refuse_roles_as_metrics(rows: LongRows, metric: str, entity: str, start: str) -> None:
    """Set aside metrics called as the columns of facility and period: fields out of place."""
    rows.set_aside(
        pl.col("metric").is_in([entity, start]),
        "metric_name",
        f"{{count}} rows have a metric called {entity!r} or {start!r}, as a column is.",
        "Check whether the fields of these rows are out of place; rename the metric.",
        column=metric,
    )


def _deduplicate(rows: LongRows, has_revision: bool) -> None:
    """Keep one row per facility, meter, metric and period: the highest revision, or the last."""
    key = ["entity", "meter", "metric", "start", "end"]
    value = [*key, "quantity", "cost", "revision"]
    rows.set_aside(
        pl.struct(value).is_duplicated() & ~pl.struct(value).is_first_distinct(),
        "duplicate_row",
        "{count} rows repeat another row exactly; one of each was kept.",
        "Remove the repeated rows at the source.",
        Severity.WARNING,
    )
    if has_revision:
        newest = pl.col("revision").max().over(key)
        rows.set_aside(
            pl.col("revision") < newest,
            "superseded",
            "{count} rows were corrected by a later revision.",
            "Nothing to do; the corrected values are used.",
            Severity.INFO,
            "revision",
        )
    rows.set_aside(
        pl.struct(key).is_duplicated() & ~pl.struct(key).is_last_distinct(),
        "duplicate_timestamp",
        "{count} rows give another value for a period already given; the last one was kept.",
        "Remove one of the values, give corrections a revision, or give meters a meter_id.",
        column="quantity",
    )


def _pivot(
    work: pl.DataFrame, entity: str, start: str, cost: bool, estimated: bool
) -> tuple[pl.DataFrame, pl.Series]:
    """Add up the meters and turn metrics into columns, sorted by entity and period."""
    read = pl.col("quantity").is_not_null().any()
    parts: dict[str, pl.Expr] = {"": pl.when(read).then(pl.col("quantity").sum())}
    if cost:
        paid = pl.col("cost").is_not_null().any()
        parts["_cost"] = pl.when(paid).then(pl.col("cost").sum())
    if estimated:
        parts["_estimated"] = pl.col("estimated").mean()
    keys = [entity, start]
    work = work.rename({"entity": entity, "start": start})
    metrics = work["metric"].unique(maintain_order=True).to_list()
    taken = {*keys, *metrics}
    wide = work.group_by(keys, maintain_order=True).agg(pl.col(ROW).min()).sort(keys)
    for metric in metrics:
        # a metric of its own may be called like the cost of another
        names = {
            tail: metric + tail + ("_column" if tail and metric + tail in taken else "")
            for tail in parts
        }
        mine = (
            work.filter(pl.col("metric") == metric)
            .group_by(keys, maintain_order=True)
            .agg(part.alias(names[tail]) for tail, part in parts.items())
        )
        wide = wide.join(mine, on=keys, how="left", maintain_order="left")
    return wide.drop(ROW), wide[ROW]


def _attach_labels(
    wide: pl.DataFrame, source: pl.DataFrame, entity: str, spec: SeriesSpec
) -> pl.DataFrame:
    """Carry the columns of the hierarchy over, the first label of every entity."""
    wanted = [c for c in spec.hierarchy if c in source.columns]
    if not wanted:
        return wide
    labels = (
        source.select(pl.col(entity).cast(pl.String).str.strip_chars(), *wanted)
        .group_by(entity, maintain_order=True)
        .agg(pl.col(wanted).drop_nulls().first())
    )
    return wide.join(labels, on=entity, how="left", maintain_order="left")
