"""Words follow the rhythm of the meter."""

from __future__ import annotations

import pytest

from esgml.anomaly.context import PROFILES
from esgml.anomaly.explain import _ACTION
from esgml.anomaly.wording import wording
from esgml.core.frequency import Frequency

CODES = ("15min", "h", "D", "W", "MS")


@pytest.mark.parametrize("code", CODES)
def test_every_baseline_and_kind_has_words(code: str) -> None:
    words = wording(Frequency(code))
    said = [words.baseline(p.name) for p in PROFILES] + [words.meaning(k) for k in _ACTION]
    assert all(said)
    assert not any("{" in text for text in said)


@pytest.mark.parametrize("code", ["D", "W", "MS"])
def test_only_sub_daily_meters_speak_of_hours(code: str) -> None:
    words = wording(Frequency(code))
    said = [words.baseline(p.name) for p in PROFILES] + [words.meaning(k) for k in _ACTION]
    assert not any("hour" in text for text in said)


def test_baselines_of_an_hourly_meter_are_told_apart() -> None:
    said = [wording(Frequency("h")).baseline(p.name) for p in PROFILES]
    assert len(set(said)) == len(said)


def test_a_daily_meter_has_one_slot_a_day() -> None:
    words = wording(Frequency("D"))
    assert words.baseline("range") == words.baseline("day_range")
    assert words.baseline("week") == "the same weekday of past weeks"
