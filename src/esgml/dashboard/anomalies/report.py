"""What the page of alarms shows: the events ``esgml detect`` found last."""

from __future__ import annotations

from typing import Annotated

import pydantic

from esgml.dashboard.stored import Number, Share, Stored, Time


class Timeline(pydantic.BaseModel):
    """Readings around an event, with what was expected."""

    timestamps: list[Time]
    observed: list[Number | None]
    expected: list[Number | None]
    lower: list[Number | None] = []
    upper: list[Number | None] = []
    alarm: list[bool] = []

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Timeline:
        count = len(self.timestamps)
        rows = (self.observed, self.expected, self.lower, self.upper, self.alarm)
        if any(row and len(row) != count for row in rows):
            raise ValueError("the columns of a timeline differ in length")
        return self


class Expected(pydantic.BaseModel):
    """What one baseline expected."""

    name: str
    expected: Number


class AlarmEvent(pydantic.BaseModel):
    """Alarms of one meter that belong together."""

    id: Annotated[str, pydantic.Field(min_length=1, max_length=300)]
    entity: str
    target: str = ""
    kind: str
    start: Time
    end: Time
    readings: int = 1
    observed: Number | None = None
    expected: Number | None = None
    excess: Number | None = None
    unit: str = ""
    tco2e: Number | None = None
    cost: Number | None = None
    currency: str = ""
    p_value: Share | None = None
    explanation: str = ""
    proposed: str = ""
    baselines: list[Expected] = []
    timeline: Timeline | None = None


class AlarmReport(pydantic.BaseModel):
    """The latest alarms of a workspace."""

    title: str = "Alarms"
    budget: Share | None = None
    alarm_rate: dict[str, Share | None] = {}
    events: list[AlarmEvent] = []
    not_judged: dict[str, str] = {}


#: Where a workspace stores it.
STORED = Stored("anomalies", AlarmReport, "alarm report", "esgml detect DATA")
