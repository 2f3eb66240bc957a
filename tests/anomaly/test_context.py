"""Features of a meter: streamed as in one go, saved half-way, bounded, nothing from the future."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.anomaly.context import PROFILES, MeterState
from esgml.core.errors import DataError, IntegrityError
from esgml.core.frequency import Frequency

_spec = importlib.util.spec_from_file_location(
    "buildings", Path(__file__).with_name("buildings.py")
)
buildings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(buildings)

NAMES = [p.name for p in PROFILES]


def same(a, b):
    for name in ("z", "expected", "scale", "run"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def part(context, rows):
    return type(context)(*(getattr(context, n)[rows] for n in ("z", "expected", "scale", "run")))


@pytest.fixture(scope="module")
def readings():
    time, values = buildings.building(24 * 7 * 8)
    values[500:530] = np.nan
    keep = np.ones(len(time), dtype=bool)
    keep[700:760] = False  # rows that are not there at all
    return time[keep], values[keep]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 400), max_size=6))
def test_streamed_equals_batch_bit_for_bit(steps):
    time, values = buildings.building(24 * 7 * 5)
    whole = MeterState(Frequency("h")).update(time, values)
    state = MeterState(Frequency("h"))
    start = 0
    for stop in [*np.minimum(np.cumsum(steps), len(time)).astype(int), len(time)]:
        state = MeterState.from_files(state.to_files())
        same(state.update(time[start:stop], values[start:stop]), part(whole, slice(start, stop)))
        start = stop


def test_one_reading_at_a_time(readings):
    time, values = readings
    whole = MeterState(Frequency("h")).update(time, values)
    state = MeterState(Frequency("h"))
    for i in range(len(time)):
        same(state.update(time[i : i + 1], values[i : i + 1]), part(whole, slice(i, i + 1)))


def test_nothing_later_changes_a_feature(readings):
    time, values = readings
    poisoned = values.copy()
    poisoned[900:] = 1e9
    a = MeterState(Frequency("h")).update(time, values)
    b = MeterState(Frequency("h")).update(time, poisoned)
    same(part(a, slice(0, 900)), part(b, slice(0, 900)))


def test_missing_stays_missing_and_rows_not_there_count_as_missing():
    time, values = buildings.building(24 * 7 * 6)
    gone = slice(900, 930)
    holed = values.copy()
    holed[gone] = np.nan
    a = MeterState(Frequency("h")).update(time, holed)
    assert np.isnan(a.z[gone]).all() and np.isnan(a.run[gone]).all()
    keep = np.ones(len(time), dtype=bool)
    keep[gone] = False
    b = MeterState(Frequency("h")).update(time[keep], values[keep])
    same(part(a, keep), b)


def test_no_features_in_the_first_week():
    time, values = buildings.building(24 * 7 * 5)
    z = MeterState(Frequency("h")).update(time, values).z
    assert np.isnan(z[: 24 * 7]).all()
    assert np.isfinite(z[24 * 7 * 4 :]).all()


def test_a_spike_is_far_from_every_baseline_of_the_value():
    time, values = buildings.building(24 * 7 * 10)
    values[1500] *= 3
    z = MeterState(Frequency("h")).update(time, values).z
    for name in ("week", "recent_weeks", "change", "step", "week_ratio"):
        assert z[1500, NAMES.index(name)] > 10, name


def test_one_absurd_reading_moves_a_profile_little():
    time, values = buildings.building(24 * 7 * 20)
    absurd = values.copy()
    absurd[24 * 7 * 10 + 12] = 1e12
    later = slice(24 * 7 * 12, None)
    a = MeterState(Frequency("h")).update(time, values).expected[later, 0]
    b = MeterState(Frequency("h")).update(time, absurd).expected[later, 0]
    assert np.abs(b / a - 1).max() < 0.05


@pytest.mark.parametrize("code", ["5min", "15min", "h", "D", "W", "MS"])
def test_every_frequency(code):
    frequency = Frequency(code)
    n = 3000 if frequency.sub_daily else 300
    time = frequency.advance(np.datetime64("2010-01-04", "us"), np.arange(n))
    values = 50 + np.random.default_rng(0).normal(0, 1, n)
    context = MeterState(frequency).update(time, values)
    assert np.isfinite(context.z[-1, 0]) and not np.isinf(context.z).any()


def test_unsorted_readings_are_refused():
    time, values = buildings.building(200)
    state = MeterState(Frequency("h"))
    with pytest.raises(DataError) as caught:
        state.update(time[::-1], values)
    assert caught.value.code == "order"
    state.update(time[100:], values[100:])
    with pytest.raises(DataError):
        state.update(time[:1], values[:1])


def test_memory_does_not_grow():
    time, values = buildings.building(24 * 7 * 60)
    state = MeterState(Frequency("h"))
    sizes = []
    for part_ in np.array_split(np.arange(len(time)), 4):
        state.update(time[part_], values[part_])
        sizes.append(sum(len(data) for data in state.to_files().values()))
    assert max(sizes) - min(sizes) < 64
    assert max(sizes) < 60_000


def test_states_of_other_features_are_refused():
    files = MeterState(Frequency("h")).to_files()
    changed = {**files, "state.json": files["state.json"].replace(b'"week"', b'"weak"')}
    with pytest.raises(IntegrityError):
        MeterState.from_files(changed)
