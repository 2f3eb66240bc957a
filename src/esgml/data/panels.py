"""From a canonical wide table to a panel of regular series, and the known future after it."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl

from esgml.core.errors import DataError
from esgml.core.frames import SeriesSpec, require_columns
from esgml.core.frequency import Frequency
from esgml.core.panel import Future, Panel, SeriesKey


def _numeric(frame: pl.DataFrame, column: str) -> dict[str, np.ndarray]:
    """Return a covariate as named numeric columns.

    Numbers and flags stay; a text that is often empty marks events (holidays) and becomes
    one flag; any other text becomes one flag per value.
    """
    values = frame[column]
    if values.dtype == pl.Boolean or values.dtype.is_numeric() or values.dtype == pl.Null:
        return {column: values.cast(pl.Float64).to_numpy()}
    text = values.cast(pl.String).fill_null("").str.strip_chars()
    if (text == "").any():
        return {column: (text != "").cast(pl.Float64).to_numpy()}
    return {
        f"{column}={value}": (text == value).cast(pl.Float64).to_numpy()
        for value in sorted(text.unique().to_list())
    }


def infer_frequency(frame: pl.DataFrame, spec: SeriesSpec) -> Frequency:
    """Return the frequency of the longest series of a table."""
    require_columns(frame, [spec.entity, spec.time])
    if frame.height == 0:
        raise DataError(
            "the table has no rows.", code="empty", remedy="Give at least two periods per entity."
        )
    longest = frame[spec.entity].value_counts(sort=True)[spec.entity][0]
    time = frame.filter(pl.col(spec.entity) == longest)[spec.time]
    return Frequency.infer(time.cast(pl.Datetime("us")).sort().to_numpy())


def to_panel(
    frame: pl.DataFrame, spec: SeriesSpec, frequency: Frequency | None = None
) -> tuple[Panel, Future | None]:
    """Lay a canonical wide table out as a panel on its regular time grid.

    Parameters
    ----------
    frame : DataFrame
        One row per entity and period, with at least ``spec.entity``, ``spec.time`` and the
        targets. Numeric columns named in ``spec.known`` become known covariates, all other
        numeric columns past covariates. Periods that are absent become NaN.
    spec : SeriesSpec
        Column roles; targets must be given.
    frequency : Frequency, optional
        Inferred from the longest series where omitted.

    Returns
    -------
    panel : Panel
        Each series from its first to its last observed period.
    future : Future or None
        Where known covariates go on after the last observed target of every series: those
        rows, as many as all series have.

    Raises
    ------
    DataError
        On duplicate periods or no targets (run the checks and the cleaning first).
    """
    if not spec.targets:
        raise DataError(
            "no target column is named.", code="no_target", remedy="Name it with --target."
        )
    require_columns(frame, [spec.entity, spec.time, *spec.targets, *spec.known])
    frequency = frequency or infer_frequency(frame, spec)
    frame = frame.with_columns(
        pl.col(spec.entity).cast(pl.String), pl.col(spec.time).cast(pl.Datetime("us"))
    ).sort(spec.entity, spec.time)
    roles = {spec.entity, spec.time, *spec.targets, *spec.known, *spec.hierarchy}
    past = [c for c in frame.columns if c not in roles and frame.schema[c].is_numeric()]
    known_columns = {k: v for c in spec.known for k, v in _numeric(frame, c).items()}
    known_names = tuple(known_columns)
    known_values = np.column_stack([np.empty((frame.height, 0)), *known_columns.values()])
    past_values = np.column_stack(
        [np.empty((frame.height, 0)), *(frame[c].cast(pl.Float64).to_numpy() for c in past)]
    )
    known_values[~np.isfinite(known_values)] = np.nan
    past_values[~np.isfinite(past_values)] = np.nan
    targets = {t: frame[t].cast(pl.Float64).to_numpy() for t in spec.targets}
    time = frame[spec.time].to_numpy()
    ordinal = frequency.ordinals(time)
    entities = frame[spec.entity].to_numpy()
    change = np.flatnonzero(entities[1:] != entities[:-1]) + 1
    bounds = [0, *change.tolist(), frame.height]

    keys: list[SeriesKey] = []
    parts: list[tuple[np.ndarray, ...]] = []
    futures: list[tuple[np.ndarray, np.ndarray]] = []
    for a, b in itertools.pairwise(bounds):
        offsets = ordinal[a:b] - ordinal[a]
        if len(np.unique(offsets)) != len(offsets):
            raise DataError(
                f"entity {entities[a]!r} has two rows for one period.",
                code="duplicate_timestamp",
                where=str(time[a:b][1:][np.diff(offsets) == 0][0]),
                remedy="Run esgml check, then aggregate or remove the duplicates.",
            )
        length = int(offsets[-1]) + 1
        grid = frequency.advance(time[a], np.arange(length))
        known = np.full((length, len(known_names)), np.nan)
        known[offsets] = known_values[a:b]
        behind = np.full((length, len(past)), np.nan)
        behind[offsets] = past_values[a:b]
        for target, column in targets.items():
            values = np.full(length, np.nan)
            values[offsets] = np.where(np.isfinite(column[a:b]), column[a:b], np.nan)
            seen = np.flatnonzero(np.isfinite(values))
            if len(seen) == 0:
                continue
            first, last = int(seen[0]), int(seen[-1]) + 1
            keys.append(SeriesKey(str(entities[a]), target))
            parts.append(
                (grid[first:last], values[first:last], known[first:last], behind[first:last])
            )
            futures.append((grid[last:], known[last:]))
    if not keys:
        raise DataError(
            "no target has a single finite value.",
            code="no_values",
            remedy="Check the target column, or choose another with --target.",
        )
    lengths = [0, *(len(p[1]) for p in parts)]
    panel = Panel(
        keys=tuple(keys),
        indptr=np.cumsum(lengths, dtype=np.int64),
        time=np.concatenate([p[0] for p in parts]).astype("datetime64[us]"),
        values=np.concatenate([p[1] for p in parts]),
        known=np.concatenate([p[2] for p in parts]),
        past=np.concatenate([p[3] for p in parts]),
        frequency=frequency,
        known_names=known_names,
        past_names=tuple(past),
        units={t: spec.unit_of(t) for t in spec.targets},
        groups=_groups(frame, spec),
    )
    ahead = min(len(f[0]) for f in futures)
    if not known_names or ahead == 0:
        return panel, None
    return panel, Future(
        np.stack([f[0][:ahead] for f in futures]).astype("datetime64[us]"),
        np.stack([f[1][:ahead] for f in futures]),
        known_names,
    )


def _groups(frame: pl.DataFrame, spec: SeriesSpec) -> dict[str, tuple[str, ...]]:
    """Return each entity's labels in the hierarchy, from the top down."""
    if not spec.hierarchy:
        return {}
    require_columns(frame, spec.hierarchy)
    rows = frame.select(spec.entity, *spec.hierarchy).unique(maintain_order=True)
    groups: dict[str, tuple[str, ...]] = {}
    for entity, *labels in rows.iter_rows():
        found = tuple("" if label is None else str(label) for label in labels)
        if groups.setdefault(entity, found) != found:
            raise DataError(
                f"entity {entity!r} belongs to two groups: {groups[entity]} and {found}.",
                code="hierarchy_conflict",
                remedy="Give every entity one place in the hierarchy.",
            )
    return groups
