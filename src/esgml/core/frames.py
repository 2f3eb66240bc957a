"""Frame contracts: which columns a table has, in which units, and every fault found in it."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from esgml.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl


class Severity(enum.StrEnum):
    """How bad a fault is: an error stops the road, a warning lowers the quality score."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a table.

    Attributes
    ----------
    code : str
        Stable name of the rule, e.g. ``duplicate_timestamp``.
    severity : Severity
    message : str
        What is wrong.
    remedy : str
        What to do about it.
    column : str
        Column concerned, empty for the whole table.
    rows : tuple of int
        The first affected row numbers (0 = first data row), at most `MAX_ROWS`.
    count : int
        Number of all affected rows.
    """

    MAX_ROWS = 20

    code: str
    severity: Severity
    message: str
    remedy: str
    column: str = ""
    rows: tuple[int, ...] = ()
    count: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as plain values, for JSON."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "count": self.count,
            "rows": list(self.rows),
            "column": self.column,
            "message": self.message,
            "remedy": self.remedy,
        }


class Kind(enum.StrEnum):
    """Kind of values a column holds."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    FLAG = "flag"


@dataclass(frozen=True)
class Column:
    """A column of a frame contract; `unit` is the unit it is stored in."""

    name: str
    kind: Kind
    unit: str = ""
    required: bool = True
    description: str = ""


@dataclass(frozen=True)
class FrameContract:
    """The columns a table must and may have.

    A contract says what a table *is*; the content rules (duplicates, gaps, units x1000)
    live in ``esgml.data.checks``.
    """

    name: str
    columns: tuple[Column, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(c.name for c in self.columns if c.required)

    def faults(self, frame: pl.DataFrame) -> list[Fault]:
        """Return every missing column and every column of the wrong kind."""
        import polars as pl

        found: list[Fault] = []
        for column in self.columns:
            if column.name not in frame.columns:
                if column.required:
                    found.append(
                        Fault(
                            "column_missing",
                            Severity.ERROR,
                            f"column {column.name!r} is missing; found {list(frame.columns)}.",
                            f"Add it, or name the column that holds it (--entity, --time,"
                            f" --target): {column.description}".rstrip(": "),
                            column=column.name,
                            count=frame.height,
                        )
                    )
                continue
            dtype = frame.schema[column.name]
            fits = {
                Kind.TEXT: dtype in (pl.String, pl.Categorical, pl.Enum) or dtype.is_integer(),
                Kind.NUMBER: dtype.is_numeric() or dtype == pl.Null,
                Kind.TIME: dtype.is_temporal(),
                Kind.FLAG: dtype == pl.Boolean or dtype.is_integer(),
            }[column.kind]
            if not fits:
                found.append(
                    Fault(
                        "column_kind",
                        Severity.ERROR,
                        f"column {column.name!r} holds {dtype}, expected {column.kind}.",
                        "Convert the column, or remove the rows that are not values.",
                        column=column.name,
                        count=frame.height,
                    )
                )
        return found


@dataclass(frozen=True)
class CheckReport:
    """Everything found wrong with a table, and a data-quality score.

    Attributes
    ----------
    rows : int
        Number of data rows read.
    faults : tuple of Fault
    quality : float
        1 (unusable) to 5 (audit grade).
    """

    rows: int
    faults: tuple[Fault, ...] = ()
    quality: float = 5.0

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The faults that make the table unusable."""
        return tuple(f for f in self.faults if f.severity is Severity.ERROR)

    def raise_on_errors(self, where: str = "") -> None:
        """Raise `DataError` naming every error, if there are any."""
        if not self.errors:
            return
        first = self.errors[0]
        listing = "; ".join(f"{f.code}: {f.message}" for f in self.errors)
        raise DataError(listing, code=first.code, where=where, remedy=first.remedy)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, as `esgml check --json` prints it."""
        return {
            "rows": self.rows,
            "faults": [f.as_dict() for f in self.faults],
            "quality": self.quality,
        }


@dataclass(frozen=True)
class SeriesSpec:
    """Which column plays which part in a wide time-series table.

    Attributes
    ----------
    entity, time : str
        Columns that identify the series (site, grid, company) and the start of the period.
    targets : tuple of str
        Columns to forecast; empty = detected.
    known : tuple of str
        Covariates whose future values are known when a forecast is made.
    hierarchy : tuple of str
        Columns above the entity, from the top down (company, country).
    units : mapping of column to unit
    """

    entity: str = "entity"
    time: str = "timestamp"
    targets: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    hierarchy: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)

    def unit_of(self, column: str) -> str:
        """Return the unit of `column`: stated, or read off its name's suffix (``_kwh``)."""
        return self.units.get(column) or unit_from_name(column)


_SUFFIX_UNITS = {
    "kwh": "kWh",
    "mwh": "MWh",
    "gwh": "GWh",
    "gj": "GJ",
    "mj": "MJ",
    "therms": "therm",
    "mmbtu": "MMBtu",
    "kw": "kW",
    "co2_t": "tCO2e",
    "co2e_t": "tCO2e",
    "tco2": "tCO2e",
    "tco2e": "tCO2e",
    "kgco2e": "kgCO2e",
    "co2_kg": "kgCO2e",
    "co2e_kg": "kgCO2e",
    "scope1_t": "tCO2e",
    "scope2_t": "tCO2e",
    "scope2_mb_t": "tCO2e",
    "scope2_lb_t": "tCO2e",
    "scope3_t": "tCO2e",
    "scope1_kg": "kgCO2e",
    "scope2_kg": "kgCO2e",
    "scope3_kg": "kgCO2e",
    "co2_mt": "MtCO2e",
    "m2": "m^2",
    "m3": "m^3",
    "usd": "USD",
    "eur": "EUR",
}


_EMISSION_NAME = re.compile(r"scope_?[123]|co2|emission|ghg")
_EMISSION_MASS = re.compile(r"_(kg|t|kt|tonnes?|metric_tons?)$")
_RATIO = re.compile(r"intensity|factor|_per_")
_OF_CO2E = {"kg": "kgCO2e", "kt": "ktCO2e"}


def unit_from_name(column: str) -> str:
    """Return the unit that the end of a column name states, or an empty string."""
    name = column.lower().replace("(", "_").replace(")", "").strip("_ ")
    words = re.sub(r"[ _-]+", "_", name)
    if _RATIO.search(words):
        return ""
    for suffix in sorted(_SUFFIX_UNITS, key=len, reverse=True):
        if name == suffix or name.endswith("_" + suffix):
            return _SUFFIX_UNITS[suffix]
    # the mass of what is named as emissions is one of CO2e
    mass = _EMISSION_MASS.search(words)
    if mass and _EMISSION_NAME.search(words):
        return _OF_CO2E.get(mass[1], "tCO2e")
    return ""


def require_columns(frame: pl.DataFrame, names: Sequence[str], where: str = "") -> None:
    """Raise `ColumnError` naming every column of `names` that `frame` lacks."""
    from esgml.core.errors import ColumnError

    missing = [name for name in names if name and name not in frame.columns]
    if missing:
        raise ColumnError(
            f"no column {', '.join(map(repr, missing))}; the table has {list(frame.columns)}.",
            code="column_missing",
            where=where,
            remedy="Check the spelling, or name the right columns.",
        )
