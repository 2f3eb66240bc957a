"""Which of the data that regulations ask for an organization has today, and which it lacks.

What it has is read from its own list of data points or metrics, and from its own tables: the
metrics of a long ESG table, or the columns of a wide one, that hold at least one value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from esgml.regulatory.facts import DataPoint, Fact, Regulation
from esgml.regulatory.knowledge import Knowledge
from esgml.regulatory.organization import Organization

if TYPE_CHECKING:
    import datetime as dt

    import polars as pl


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@dataclass(frozen=True)
class Held:
    """What an organization has.

    Attributes
    ----------
    points : frozenset of str
        Ids of data points.
    stated : bool
        Whether it said anything about its data at all.
    unrecognized : tuple of str
        Names that stand for no data point: shown, not dropped.
    """

    points: frozenset[str]
    stated: bool
    unrecognized: tuple[str, ...] = ()


def held(org: Organization, known: Knowledge) -> Held:
    """Return the data points an organization has, from the names it gives."""
    if org.available_data is None:
        return Held(frozenset(), stated=False)
    names: dict[str, set[str]] = {}
    for point in known.data_points.values():
        for name in (point.id, *point.metrics):
            names.setdefault(_plain(name), set()).add(point.id)
    found: set[str] = set()
    strange = []
    for given in org.available_data:
        points = names.get(_plain(given))
        found |= points or set()
        if points is None:
            strange.append(given)
    return Held(frozenset(found), stated=True, unrecognized=tuple(strange))


def metrics_in(table: pl.DataFrame) -> tuple[str, ...]:
    """Return the names of the metrics that a table of one's own holds a value of.

    A long table has a column ``metric`` (and ``quantity``); of any other table the columns count.
    """
    import polars as pl

    if "metric" in table.columns:
        column = "quantity" if "quantity" in table.columns else "metric"
        rows = table.filter(pl.col(column).is_not_null()).get_column("metric")
        return tuple(sorted(map(str, rows.drop_nulls().unique().to_list())))
    return tuple(name for name in table.columns if table.get_column(name).null_count() < len(table))


def with_tables(org: Organization, tables: Iterable[pl.DataFrame]) -> Organization:
    """Return the organization with what its own tables hold added to its available data."""
    names = dict.fromkeys(org.available_data or ())
    for table in tables:
        names.update(dict.fromkeys(metrics_in(table)))
    return org.model_copy(update={"available_data": tuple(names)})


@dataclass(frozen=True)
class Need:
    """One data point a regulation asks an organization for, and the fact that says so."""

    point: DataPoint
    fact: Fact
    missing: bool


def needs(
    regulation: Regulation, org: Organization, day: dt.date, known: Knowledge, has: Held
) -> tuple[Need, ...]:
    """Return the data points a regulation asks for, each once, and whether they are missing."""
    found: dict[str, Need] = {}
    for fact in regulation.of("duty", day):
        if fact.when is not None and fact.when.evaluate(org).answer == "no":
            continue
        for name in fact.data_points:
            found.setdefault(name, Need(known.data_points[name], fact, name not in has.points))
    return tuple(found.values())
