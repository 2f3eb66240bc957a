"""The forecast request: series with their history, checked before a model sees them.

::

    {"series": [{"entity": "plant-1", "target": "scope1_kg", "unit": "kgCO2e",
                 "start": "2026-01-01", "values": [1.0, null, 3.0],
                 "known": {"temperature": [...history and horizon...]},
                 "past": {"production": [...history...]}}],
     "horizon": 7, "levels": [80, 90]}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esgml.core.documents import utc
from esgml.core.errors import ColumnError, DataError, EsgmlError, HistoryError, UsageError

_SERIES_KEYS = {"entity", "target", "unit", "start", "values", "known", "past"}
_REQUEST_KEYS = {"series", "horizon", "levels"}
_MAX_NAME = 200
_YEARS = (1900, 2200)
#: Largest magnitude that is read: beyond it sums and squares of values overflow.
MAX_VALUE = 1e100
_NUMBERS = {int, float}
_NUMBERS_OR_NULL = {int, float, type(None)}


class TooManyRowsError(EsgmlError):
    """One request holds more rows than are allowed."""

    default_code = "too_many_rows"


def _bad(message: str, where: str, code: str = "bad_request", remedy: str = "") -> UsageError:
    return UsageError(message, code=code, where=where, remedy=remedy)


def check_name(value: Any, where: str) -> str:
    """Return `value` if it is usable as a name: short, valid text, not empty."""
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_NAME:
        raise _bad(f"must be text of 1 to {_MAX_NAME} characters.", where)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _bad("is not valid text.", where) from error
    if "\0" in value:
        raise _bad("must not hold a NUL character.", where)
    return value


def check_numbers(value: Any, where: str, *, null: bool = True) -> list[float | None]:
    """Return `value` as floats if it is a flat list of numbers (or null, where allowed)."""
    if not isinstance(value, list):
        raise _bad("must be a list of numbers.", where)
    kinds = set(map(type, value))
    if not kinds <= (_NUMBERS_OR_NULL if null else _NUMBERS):
        allowed = "numbers or null" if null else "numbers"
        raise _bad(f"must hold {allowed} only.", where)
    if kinds <= {float}:
        numbers: list[float | None] = value
    else:
        numbers = [None if v is None else float(v) for v in value]
    present = [v for v in numbers if v is not None]
    if present and max(max(present), -min(present)) > MAX_VALUE:
        raise _bad(f"holds a value beyond {MAX_VALUE:g}.", where, code="not_finite")
    return numbers


def check_start(value: Any, where: str) -> str:
    """Return an ISO timestamp as naive UTC text."""
    if not isinstance(value, str) or len(value) > 40:
        raise _bad("must be an ISO timestamp such as 2026-01-31 or 2026-01-31T10:00:00Z.", where)
    try:
        time = utc(value)
    except ValueError as error:
        raise _bad("is no ISO timestamp such as 2026-01-31T10:00:00Z.", where) from error
    if not _YEARS[0] <= time.year <= _YEARS[1]:
        raise _bad(f"must lie between the years {_YEARS[0]} and {_YEARS[1]}.", where)
    return time.isoformat()


def check_horizon(value: Any, schema: Mapping[str, Any]) -> int:
    """Return the horizon: the trained one where none is asked for."""
    trained = int(schema["horizon"])
    if value is None:
        return trained
    if type(value) is not int or not 1 <= value <= trained:
        raise _bad(
            f"must be a whole number from 1 to {trained}, the horizon of this model.", "horizon"
        )
    return value


def check_levels(value: Any, schema: Mapping[str, Any]) -> list[int]:
    """Return the interval levels: those the model was calibrated for where none are given."""
    trained = [int(level) for level in schema.get("levels", [])]
    if value is None:
        return trained
    known = isinstance(value, list) and all(type(v) is int and v in trained for v in value)
    if not known:
        raise _bad(f"must be a list of calibrated levels: {trained}.", "levels")
    return sorted(set(value))


def _check_covariates(
    value: Any, where: str, names: list[str], length: int
) -> dict[str, list[float | None]]:
    if not isinstance(value, dict):
        raise _bad("must be an object of lists of numbers.", where)
    unknown = [str(name)[:_MAX_NAME] for name in value if name not in names]
    if unknown:
        raise ColumnError(
            f"unknown covariates {unknown[:5]}.",
            where=where,
            remedy=f"This model knows: {', '.join(names) or 'none'}.",
        )
    out = {}
    for name, numbers in value.items():
        out[name] = check_numbers(numbers, f"{where}.{name}")
        if len(numbers) != length:
            raise DataError(
                f"has {len(numbers)} values, needs {length}.",
                code="wrong_length",
                where=f"{where}.{name}",
                remedy="Known covariates cover history and horizon, past ones the history.",
            )
    return out


def _check_series(item: Any, where: str, schema: Mapping[str, Any], horizon: int) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise _bad("must be an object.", where)
    unknown = set(item) - _SERIES_KEYS
    if unknown:
        raise _bad(f"unknown fields {sorted(unknown)[:5]}.", where)
    for key in ("entity", "target", "start", "values"):
        if key not in item:
            raise _bad(f"misses the field {key!r}.", where)
    values = check_numbers(item["values"], f"{where}.values")
    if not any(v is not None for v in values):
        raise HistoryError("has no observed value.", code="no_values", where=f"{where}.values")
    target = check_name(item["target"], f"{where}.target")
    targets = list(schema.get("targets", []))
    if targets and target not in targets:
        raise ColumnError(
            f"this model does not forecast {target!r}.",
            code="target_unknown",
            where=f"{where}.target",
            remedy=f"Targets: {', '.join(map(str, targets))}.",
        )
    checked: dict[str, Any] = {
        "entity": check_name(item["entity"], f"{where}.entity"),
        "target": target,
        "start": check_start(item["start"], f"{where}.start"),
        "values": values,
    }
    if "unit" in item:
        checked["unit"] = check_name(item["unit"], f"{where}.unit")
    for kind, length in (("known", len(values) + horizon), ("past", len(values))):
        if kind in item:
            names = [str(name) for name in schema.get(kind, [])]
            checked[kind] = _check_covariates(item[kind], f"{where}.{kind}", names, length)
    return checked


def check_series_request(
    document: Any, schema: Mapping[str, Any], max_rows: int = 10_000
) -> dict[str, Any]:
    """Return a forecast request with every default filled in.

    Parameters
    ----------
    document : object
        The decoded JSON body.
    schema : dict
        The bundle's: ``frequency, horizon, known, past, targets, levels``.
    max_rows : int
        Most values over all series.

    Raises
    ------
    UsageError
        If the request is not formed as it must be.
    DataError
        If it is, but its data does not fit the model.
    TooManyRowsError
        If it holds more than `max_rows` values.
    """
    if not isinstance(document, dict):
        raise _bad("the body must be a JSON object.", "body")
    unknown = set(document) - _REQUEST_KEYS
    if unknown:
        raise _bad(f"unknown fields {sorted(unknown)[:5]}.", "body")
    series = document.get("series")
    if not isinstance(series, list) or not series:
        raise _bad("must be a list of at least one series.", "series")
    rows = sum(
        len(item["values"])
        for item in series
        if isinstance(item, dict) and isinstance(item.get("values"), list)
    )
    if max(rows, len(series)) > max_rows:
        raise TooManyRowsError(
            f"{rows} values in one request; at most {max_rows} are allowed.",
            where="series",
            remedy="Send several smaller requests, or only the recent history.",
        )
    horizon = check_horizon(document.get("horizon"), schema)
    return {
        "series": [
            _check_series(item, f"series[{i}]", schema, horizon) for i, item in enumerate(series)
        ],
        "horizon": horizon,
        "levels": check_levels(document.get("levels"), schema),
    }
