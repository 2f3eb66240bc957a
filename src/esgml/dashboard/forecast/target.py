"""The way to a reduction target: ``reports/target.json`` of the workspace, for the fan chart."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pydantic

from esgml.core.units import compatible, factor, is_unit
from esgml.dashboard.forecast.report import History, SeriesForecast
from esgml.dashboard.stored import Number, Share, Stored

YEAR = 365.2425
#: Points the line of a path is drawn through.
POINTS = 25


class Step(pydantic.BaseModel):
    """Where the path is in one year: the most that may be emitted in it."""

    year: int
    path: Number


class Assessed(pydantic.BaseModel):
    """The target of one series or sum."""

    entity: str
    target: str
    unit: str = ""
    probability: Share
    path: list[Step] = pydantic.Field(min_length=2)


class TargetReport(pydantic.BaseModel):
    """The latest answer of ``esgml target`` in a workspace."""

    base_year: int
    target_year: int
    reduction: Number
    results: list[Assessed] = []

    @property
    def words(self) -> str:
        """What is aimed at, in a few words."""
        return f"{self.reduction:g} % below {self.base_year} in {self.target_year}"

    def of(self, forecast: SeriesForecast) -> Assessed | None:
        """Return the target of a forecast series, if it has one."""
        key = (forecast.entity, forecast.target)
        return next((r for r in self.results if (r.entity, r.target) == key), None)


#: Where the latest assessed target of a workspace is stored.
TARGETS = Stored("target", TargetReport, "target", "esgml target DATA")


@dataclass(frozen=True)
class TargetPath:
    """The path in the unit and by the period of a forecast.

    Attributes
    ----------
    timestamps : list of datetime
    values : list of float
        What a period may have if its year is to keep to the path.
    """

    timestamps: list[dt.datetime]
    values: list[float]


def target_path(
    assessed: Assessed, forecast: SeriesForecast, history: History | None = None
) -> TargetPath | None:
    """Return the path of annual totals as amounts of the periods of a forecast.

    Half a year before and after a moment belong to the total of its year, so that the total
    stands in the middle of the year; a period has its share of it.

    Parameters
    ----------
    assessed : Assessed
    forecast : SeriesForecast
    history : History, optional
        The path is drawn from its beginning; from the beginning of the forecast without it.

    Returns
    -------
    TargetPath or None
        None where the units of the two are not of one kind, the period of the forecast is not
        known, or the path lies before or after what is shown.
    """
    times = [*(history.timestamps if history else ()), *forecast.timestamps]
    if len(times) < 2:
        return None
    scale = 1.0
    unit = forecast.unit or ""
    if assessed.unit != unit:
        if not (is_unit(assessed.unit) and is_unit(unit) and compatible(assessed.unit, unit)):
            return None
        scale = factor(assessed.unit, unit)
    period = float(np.median([(b - a) / dt.timedelta(days=1) for a, b in pairwise(times)]))
    # months and years differ in length, not in how many of them a year has
    a_year = YEAR / period if period < 28 else round(YEAR / period)
    path = sorted(assessed.path, key=lambda step: step.year)
    years, amounts = [step.year for step in path], [step.path for step in path]
    half = dt.timedelta(days=period / 2)
    begin = max(times[0], _middle(years[0]) - half)
    span = min(times[-1], _middle(years[-1]) - half) - begin
    if span <= dt.timedelta(0):
        return None
    shown = [begin + span * (k / (POINTS - 1)) for k in range(POINTS)]
    totals = np.interp([_year(moment + half) - 0.5 for moment in shown], years, amounts)
    return TargetPath(shown, (totals * scale / max(a_year, 1)).tolist())


def _middle(year: int) -> dt.datetime:
    """Return the moment in the middle of a year."""
    begin = dt.datetime(year, 1, 1)
    return begin + (dt.datetime(year + 1, 1, 1) - begin) / 2


def _year(moment: dt.datetime) -> float:
    """Return a moment as a year with its fraction."""
    begin = dt.datetime(moment.year, 1, 1)
    length = dt.datetime(moment.year + 1, 1, 1) - begin
    return moment.year + (moment - begin) / length
