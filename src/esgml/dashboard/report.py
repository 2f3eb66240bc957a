"""The stored forecast a page shows: ``reports/forecast.json`` of the workspace, checked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import pydantic

from esgml.core.errors import DataError, NotFoundError
from esgml.core.settings import Settings
from esgml.core.storage import explained

#: Larger files are no report.
MAX_BYTES = 50_000_000

Number = Annotated[float, pydantic.Field(allow_inf_nan=False)]


def _naive(value: dt.datetime) -> dt.datetime:
    return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value


Time = Annotated[dt.datetime, pydantic.AfterValidator(_naive)]


class History(pydantic.BaseModel):
    """What was observed of one series."""

    entity: str
    target: str
    timestamps: list[Time]
    values: list[Number | None]

    @pydantic.model_validator(mode="after")
    def _fits(self) -> History:
        if len(self.timestamps) != len(self.values):
            raise ValueError("timestamps and values differ in length")
        return self


class SeriesForecast(pydantic.BaseModel):
    """What is forecast of one series, as the service answers it."""

    entity: str
    target: str
    unit: str | None = None
    timestamps: list[Time] = pydantic.Field(min_length=1)
    mean: list[Number]
    lower: dict[str, list[Number]] = {}
    upper: dict[str, list[Number]] = {}

    @pydantic.model_validator(mode="after")
    def _fits(self) -> SeriesForecast:
        rows = [self.mean, *self.lower.values(), *self.upper.values()]
        if any(len(row) != len(self.timestamps) for row in rows):
            raise ValueError("timestamps, mean and bounds differ in length")
        if self.lower.keys() != self.upper.keys() or not all(k.isdigit() for k in self.lower):
            raise ValueError("lower and upper bounds must have the same levels in percent")
        return self

    @property
    def levels(self) -> list[int]:
        """Interval levels in percent, widest first."""
        return sorted(map(int, self.lower), reverse=True)


class TargetPath(pydantic.BaseModel):
    """The way to a reduction target, and how likely it is to be met.

    It belongs to the series it names, or to the first one where it names none.
    """

    timestamps: list[Time]
    values: list[Number]
    probability: Annotated[float, pydantic.Field(ge=0, le=1)] | None = None
    entity: str | None = None
    target: str | None = None

    @pydantic.model_validator(mode="after")
    def _fits(self) -> TargetPath:
        if len(self.timestamps) != len(self.values):
            raise ValueError("timestamps and values differ in length")
        return self


class ForecastReport(pydantic.BaseModel):
    """The latest forecast of a workspace."""

    title: str = "Emissions forecast"
    unit: str = ""
    history: list[History] = []
    forecasts: list[SeriesForecast] = []
    target_path: TargetPath | None = None

    def history_of(self, forecast: SeriesForecast) -> History | None:
        """Return what was observed of a forecast series."""
        key = (forecast.entity, forecast.target)
        return next((h for h in self.history if (h.entity, h.target) == key), None)

    def path_of(self, index: int) -> TargetPath | None:
        """Return the target path of the series at `index`, if it is the one with a path."""
        path = self.target_path
        if path is None:
            return None
        forecast = self.forecasts[index]
        if path.entity is None and path.target is None:
            return path if index == 0 else None
        named = path.entity in (None, forecast.entity) and path.target in (None, forecast.target)
        return path if named else None


def report_path(settings: Settings) -> Path:
    """Return where the latest forecast of a workspace is stored."""
    return settings.folder("reports", "forecast.json")


_read: dict[Path, tuple[tuple[int, int], ForecastReport]] = {}


def read_report(path: Path) -> ForecastReport:
    """Read a stored forecast; reads again only when the file changed.

    Raises
    ------
    NotFoundError
        If nothing is stored yet.
    DataError
        If the file is no forecast report.
    """
    if not path.is_file():
        raise NotFoundError(
            "no forecast is stored yet.",
            code="report_missing",
            where=str(path),
            remedy="Make one with: esgml forecast DATA --horizon H.",
        )
    with explained(path):
        state = path.stat()
        stamp = (state.st_mtime_ns, state.st_size)
        known = _read.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        if state.st_size > MAX_BYTES:
            raise DataError("the stored forecast is too large.", code="report", where=path.name)
        data = path.read_bytes()
    try:
        report = ForecastReport.model_validate_json(data)
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise DataError(
            f"the stored forecast is unreadable: {place}: {first['msg']}.",
            code="report",
            where=path.name,
            remedy="Make it again with: esgml forecast DATA --horizon H.",
        ) from error
    _read.clear()
    _read[path] = (stamp, report)
    return report
