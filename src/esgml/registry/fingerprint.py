"""Fingerprints: one SHA-256 that says exactly which data, and which code, made a model."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date
from datetime import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esgml.core.errors import ColumnError, IntegrityError

if TYPE_CHECKING:
    import polars as pl

_SLICE = 1 << 20


@dataclass(frozen=True)
class Fingerprint:
    """What identifies a table.

    Attributes
    ----------
    sha256 : str
        Over all values of all columns; 64 hexadecimal digits.
    rows : int
    start, end : str
        First and last timestamp, ISO 8601, empty where there is no time column.
    columns : dict of column name to ``[type, SHA-256]``
        Says which column differs when two tables do.
    """

    sha256: str
    rows: int
    start: str = ""
    end: str = ""
    columns: dict[str, list[str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the fingerprint as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Fingerprint:
        """Read back what `as_dict` returned.

        Raises
        ------
        IntegrityError
            If the values are no fingerprint.
        """
        try:
            return cls(
                str(values["sha256"]),
                int(values["rows"]),
                str(values.get("start", "")),
                str(values.get("end", "")),
                {str(k): [str(x) for x in v] for k, v in dict(values.get("columns", {})).items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError("this is not a data fingerprint.") from error

    def differs(self, other: Fingerprint) -> tuple[str, ...]:
        """Return the names of the columns that are not the same in both, sorted."""
        names = self.columns.keys() | other.columns.keys()
        return tuple(sorted(n for n in names if self.columns.get(n) != other.columns.get(n)))


def fingerprint(frame: pl.DataFrame, time: str = "timestamp") -> Fingerprint:
    """Return the fingerprint of a table: all of it, not a sample.

    The same values give the same fingerprint however the table is chunked in memory and in
    whatever order its columns stand. The order of the rows counts.

    Each column is hashed for itself, in slices of 2**20 rows: a bitmap of which values are
    there, then the values as little-endian bytes with nulls as zero (text: the byte lengths
    as 32-bit integers, then the UTF-8 bytes). Every NaN counts as the same NaN;
    categorical and decimal columns count as their text. The whole is the SHA-256 of the
    JSON list of row count and, by column name, name, type and column hash.

    Parameters
    ----------
    frame : DataFrame
    time : str
        Column the time span is read from, if the table has it.

    Raises
    ------
    ColumnError
        If a column holds nested values or Python objects.
    """
    columns = {name: _column(frame[name]) for name in sorted(frame.columns)}
    body = [frame.height, [[name, *parts] for name, parts in columns.items()]]
    digest = hashlib.sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest()
    start = end = ""
    if time in frame.columns and frame.height and frame.schema[time].is_temporal():
        start, end = _iso(frame[time].min()), _iso(frame[time].max())
    return Fingerprint(digest, frame.height, start, end, columns)


def _column(series: pl.Series) -> list[str]:
    import polars as pl

    if isinstance(series.dtype, pl.Categorical | pl.Enum | pl.Decimal) or series.dtype == pl.Null:
        series = series.cast(pl.String)
    dtype = series.dtype
    if dtype.is_nested() or dtype in (pl.Object, pl.Unknown):
        raise ColumnError(
            f"column {series.name!r} holds {dtype}, which has no fingerprint.",
            remedy="Keep one value per cell.",
        )
    digest = hashlib.sha256()
    for start in range(0, len(series), _SLICE):
        part = series.slice(start, _SLICE).rechunk()
        digest.update(_bits(part.is_not_null()))
        if dtype in (pl.String, pl.Binary):
            binary = part.cast(pl.Binary).fill_null(b"")
            digest.update(_raw(binary.bin.size().cast(pl.Int32)))
            digest.update(b"".join(binary.to_list()))
        elif dtype == pl.Boolean:
            digest.update(_bits(part.fill_null(False)))
        else:
            values = part.to_physical()
            if values.dtype.is_float():
                values = values.fill_nan(float("nan"))
            digest.update(_raw(values.fill_null(0)))
    return [_kind(dtype), digest.hexdigest()]


def _kind(dtype: pl.DataType) -> str:
    """Name a type in words of our own, which no release of a library can change."""
    import polars as pl

    name = type(dtype).__name__.lower()
    if isinstance(dtype, pl.Datetime):
        return f"{name}[{dtype.time_unit},{dtype.time_zone or 'naive'}]"
    return f"{name}[{dtype.time_unit}]" if isinstance(dtype, pl.Duration) else name


def _iso(moment: object) -> str:
    return moment.isoformat() if isinstance(moment, date | clock) else ""


def _bits(flags: pl.Series) -> bytes:
    import numpy as np

    return np.packbits(flags.to_numpy()).tobytes()


def _raw(values: pl.Series) -> bytes:
    array = values.to_numpy()
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


@functools.cache
def code_version() -> str:
    """Return the package version and the hash of its source, e.g. ``0.1.0+1f9a0c3b52d4``.

    Two installations with the same text compute the same; one changed line changes it.
    """
    import esgml

    root = Path(esgml.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{esgml.__version__}+{digest.hexdigest()[:12]}"
