"""Which column plays which part, where the caller did not say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from esgml.core.errors import ColumnError, DataError, UsageError
from esgml.core.frames import Fault, SeriesSpec, Severity
from esgml.data.numeric import is_mostly_numeric
from esgml.data.timestamps import parse_times

_DEFAULTS = SeriesSpec()
_TIME_NAMES = ("datetime", "date", "time", "period_start", "year", "month", "ds")
_ENTITY_NAMES = (
    "facility_id",
    "site_id",
    "building_id",
    "meter_id",
    "asset_id",
    "unique_id",
    "facility",
    "site",
)
_NOT_AMOUNTS = re.compile(
    r"intensity|factor|verified|_per_|forecast|predict|target|budget|price|flag|unit"
    r"|anomal|label|^is_|(?:^|_)(?:id|code|revision|version)$",
    re.I,
)
_SCOPE = re.compile(r"scope[ _-]?([123])(?!\d)", re.I)
_EMISSION = re.compile(r"co2|emission|ghg", re.I)
_MARKET = re.compile(r"market|(?:^|_)mb(?:_|$)", re.I)
_LOCATION = re.compile(r"location|(?:^|_)lb(?:_|$)", re.I)
_UNIT_TAIL = re.compile(r"[ _(\[]*(?:kg|g|t|kt|mt|lb)?[ _]*(?:co2e?q?)?[)\]]*$", re.I)


def resolve_time(frame: pl.DataFrame, spec: SeriesSpec) -> tuple[SeriesSpec, Fault | None]:
    """Return the specification with the time column found.

    Raises
    ------
    ColumnError
        If the named column does not exist, or none or several could be it.
    """
    if spec.time in frame.columns:
        return spec, None
    if spec.time != _DEFAULTS.time:
        raise _no_column(spec.time, "--time", frame)
    named = [c for c in frame.columns if c.strip().lower() in ("timestamp", *_TIME_NAMES)]
    temporal = [c for c in frame.columns if frame.schema[c].is_temporal()]
    candidates = [c for c in named if _holds_times(frame[c])] or temporal
    if len(candidates) > 1:
        order = ("timestamp", *_TIME_NAMES)
        ranks = {c: order.index(c.strip().lower()) for c in candidates if c in named}
        finer = [c for c in candidates if ranks.get(c, 99) == min(ranks.values(), default=99)]
        # month or year beside a full date are parts of it, not rivals
        parts = {"year", "month", "time"}
        rivals = [c for c in candidates if c not in finer and c.strip().lower() not in parts]
        if len(finer) == 1 and not rivals:
            candidates = finer
    if len(candidates) != 1:
        raise ColumnError(
            "no column 'timestamp', and "
            + (f"several could be it: {candidates}" if candidates else "none that could be it")
            + f"; the table has {list(frame.columns)}.",
            code="time_ambiguous" if candidates else "column_missing",
            remedy="Name the column that holds the start of the period with --time.",
        )
    return replace(spec, time=candidates[0]), _detected("time", candidates[0])


def _holds_times(column: pl.Series) -> bool:
    if column.dtype.is_temporal():
        return True
    sample = column.drop_nulls().head(200)
    if not len(sample):
        return True
    return bool(parse_times(sample).values.is_not_null().mean() >= 0.5)  # type: ignore[operator]


def resolve_entity(frame: pl.DataFrame, spec: SeriesSpec) -> tuple[SeriesSpec, Fault | None]:
    """Return the specification with the entity column found; absent means one entity.

    Raises
    ------
    ColumnError
        If the named column does not exist.
    """
    if spec.entity in frame.columns:
        return spec, None
    if spec.entity != _DEFAULTS.entity:
        raise _no_column(spec.entity, "--entity", frame)
    by_name = {c.strip().lower(): c for c in frame.columns}
    taken = {spec.time, *spec.targets, *spec.known, *spec.hierarchy}
    for name in ("entity", *_ENTITY_NAMES):
        column = by_name.get(name)
        if column is not None and column not in taken:
            return replace(spec, entity=column), _detected("entity", column)
    return spec, None


def _no_column(name: str, option: str, frame: pl.DataFrame) -> ColumnError:
    import difflib

    close = difflib.get_close_matches(name, frame.columns, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return ColumnError(
        f"no column {name!r}; the table has {list(frame.columns)}.",
        code="column_missing",
        where=name,
        remedy=f"{hint}Check the spelling of {option}.",
    )


def _detected(role: str, *columns: str) -> Fault:
    names = ", ".join(map(repr, columns))
    return Fault(
        f"{role}_detected",
        Severity.INFO,
        f"{names} {'was' if len(columns) == 1 else 'were'} taken as {role}.",
        f"Name it with --{role} to be sure.",
        column=columns[0],
    )


def resolve_targets(frame: pl.DataFrame, spec: SeriesSpec) -> tuple[SeriesSpec, Fault | None]:
    """Return the specification with the target columns found.

    Columns of scopes come first, one per scope (the location-based Scope 2 where both
    exist: the two are never added), then the one column of emissions, then the only
    numeric column.

    Raises
    ------
    ColumnError
        If a named target or covariate does not exist.
    DataError
        If no column, or more than one, could be the target.
    UsageError
        If a column is a target or the time and has another role too, or is named twice.
    """
    for name in (*spec.targets, *spec.known, *spec.hierarchy):
        if name not in frame.columns:
            option = "--target" if name in spec.targets else "--known"
            raise _no_column(name, "--hierarchy" if name in spec.hierarchy else option, frame)
    if spec.time in (spec.entity, *spec.known, *spec.hierarchy):
        raise UsageError(
            f"{spec.time!r} cannot be the time and have another role.",
            code="role_conflict",
            remedy="Name the column with the start of the period in --time only.",
        )
    twice = [n for group in (spec.targets, spec.hierarchy) for n in group if group.count(n) > 1]
    if twice:
        raise UsageError(
            f"{twice[0]!r} is named twice.", code="role_conflict", remedy="Name it once."
        )
    both = sorted({*spec.targets} & {spec.entity, spec.time, *spec.known, *spec.hierarchy})
    if both:
        raise UsageError(
            f"{both[0]!r} cannot be a target and have another role.",
            code="role_conflict",
            remedy="A target is what is to be predicted: name it in --target only.",
        )
    if spec.targets:
        return spec, None
    taken = {spec.entity, spec.time, *spec.known, *spec.hierarchy}
    numeric = [
        c
        for c in frame.columns
        if c not in taken
        and (is_mostly_numeric(frame[c]) or (_named_emission(c) and _is_blank(frame[c])))
    ]
    if not numeric:
        # a column without a single value can still be meant: the checks say it is empty
        numeric = [c for c in frame.columns if c not in taken and _is_blank(frame[c])]
    amounts = [c for c in numeric if not _NOT_AMOUNTS.search(c)]
    scopes = [c for c in amounts if _SCOPE.search(c)]
    if scopes:
        targets = _one_per_scope(scopes)
        return replace(spec, targets=targets), _detected("target", *targets)
    emissions = [c for c in amounts if _EMISSION.search(c)]
    if len(emissions) > 1:
        total = [c for c in emissions if re.search(r"\btotal\b|^total|_total", c, re.I)]
        emissions = total if len(total) == 1 else emissions
    chosen = emissions or (amounts if len(amounts) == 1 else numeric)
    if len(chosen) == 1:
        return replace(spec, targets=(chosen[0],)), _detected("target", chosen[0])
    texts = [c for c in frame.columns if c not in taken and frame.schema[c] == pl.String]
    cells = [f"{c!r} holds {frame[c].drop_nulls().first()!r}" for c in texts[:3]]
    raise DataError(
        f"several columns could be the target: {chosen}."
        if chosen
        else f"no numeric column could be the target; the table has {list(frame.columns)}"
        + (f", where {' and '.join(cells)}." if cells else "."),
        code="target_ambiguous" if chosen else "no_target",
        remedy="Name it with --target.",
    )


def _named_emission(column: str) -> bool:
    return bool(_SCOPE.search(column) or _EMISSION.search(column))


def _is_blank(column: pl.Series) -> bool:
    if column.null_count() == len(column):
        return True
    return column.dtype == pl.String and bool((column.str.strip_chars() == "").all())


def _one_per_scope(columns: Sequence[str]) -> tuple[str, ...]:
    chosen: list[str] = []
    for scope in "123":
        mine = [c for c in columns if (m := _SCOPE.search(c)) and m.group(1) == scope]
        plain = [c for c in mine if _SCOPE.fullmatch(_UNIT_TAIL.sub("", c).strip(" _-"))]
        location = [c for c in mine if _LOCATION.search(c)]
        market = [c for c in mine if _MARKET.search(c)]
        chosen += plain[:1] or location[:1] or (market[:1] if market == mine else mine)
    return tuple(chosen)
