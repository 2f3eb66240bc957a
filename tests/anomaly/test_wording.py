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


def test_baselines_of_one_rhythm_are_told_apart() -> None:
    for code in ("h", "D"):
        words = wording(Frequency(code))
        said = [words.baseline(p.name) for p in PROFILES if p.scored]
        assert len(set(said)) >= len(said) - (2 if code == "D" else 0)
