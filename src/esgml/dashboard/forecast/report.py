"""The stored forecast a page shows: ``reports/forecast.json`` of the workspace, checked."""

from __future__ import annotations

import pydantic

from esgml.dashboard.stored import Number, Stored, Time


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


class ForecastReport(pydantic.BaseModel):
    """The latest forecast of a workspace."""

    title: str = "Emissions forecast"
    unit: str = ""
    history: list[History] = []
    forecasts: list[SeriesForecast] = []

    def history_of(self, forecast: SeriesForecast) -> History | None:
        """Return what was observed of a forecast series."""
        key = (forecast.entity, forecast.target)
        return next((h for h in self.history if (h.entity, h.target) == key), None)


#: Where the latest forecast of a workspace is stored.
STORED = Stored("forecast", ForecastReport, "forecast", "esgml forecast DATA --horizon H")
