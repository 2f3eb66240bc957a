"""The alarm layer against a slow oracle; budgets, held events, verdicts, dated events."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esgml.anomaly.alarm import AlarmSettings, AlarmState
from esgml.core.errors import IntegrityError, NotFoundError, UsageError
from esgml.core.frequency import Frequency

HOUR = Frequency("h")
FIELDS = ("threshold", "p_value", "alarm", "begins")
SMALL = {"rate": 0.1, "window_days": 2.5, "hold_days": 0.25}  # a pool of 60, 6 held


def times(n, start=0):
    return np.datetime64("2024-01-01", "us") + (start + np.arange(n)) * np.timedelta64(1, "h")


def oracle(scores, certain, excused, given, quiet=6):
    """Decide as the documentation says, with lists and sorting."""
    pool, held, rate = [], [], 1.5 * given.rate
    size = max(int(given.window_days * 24), math.ceil(4 / given.rate))
    wait = max(round(given.hold_days * 24), 1)
    since, out = 10**6, []
    for s, sure, free in zip(scores, certain, excused, strict=True):
        since += 1
        threshold = p = math.nan
        if not math.isnan(s) and pool:
            p = (sum(x >= s for x in pool) + 1) / (len(pool) + 1)
            expected = rate * (len(pool) + 1)
            over = -1
            if expected >= 2:
                kept_back = given.margin * math.sqrt(expected * (1 - rate))
                over = max(math.floor(expected - kept_back) - 1, 0)
            elif given.rate * (len(pool) + 1) >= 2:
                over = 0
            if over >= 0:
                threshold = sorted(pool)[-1 - over]
        alarm = bool((sure or s > threshold) and not free)
        begins = alarm and since > quiet
        since = 0 if alarm else since
        if not (sure or free or math.isnan(s)):
            moved = rate + given.speed * given.rate * (given.rate - alarm)
            rate = min(max(moved, given.least * given.rate), given.most * given.rate)
        counts = not (math.isnan(s) or sure or free)
        if len(held) == wait:
            oldest = held.pop(0)
            if not math.isnan(oldest):
                pool = [*pool, oldest][-size:]
        in_event = since <= quiet
        if in_event or held:
            held.append(s if counts and in_event else math.nan)
        if counts and not in_event:
            pool = [*pool, s][-size:]
        out.append((threshold, p, alarm, begins))
    return [np.array(column) for column in zip(*out, strict=True)]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 400))
def test_decides_as_the_oracle(seed, n):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.exponential(1, n), 1)
    scores[rng.random(n) < 0.1] = np.nan
    certain, excused = rng.random(n) < 0.03, rng.random(n) < 0.05
    given_ = AlarmSettings(**SMALL)
    found = AlarmState(HOUR, given_).update(times(n), scores, certain, excused)
    for name, expected in zip(FIELDS, oracle(scores, certain, excused, given_), strict=True):
        np.testing.assert_array_equal(getattr(found, name), expected, err_msg=name)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 90), max_size=5))
def test_streamed_and_restored_equals_batch(seed, steps):
    rng = np.random.default_rng(seed)
    n = 300
    scores = rng.exponential(1, n)
    whole = AlarmState(HOUR, AlarmSettings(**SMALL)).update(times(n), scores)
    state, start = AlarmState(HOUR, AlarmSettings(**SMALL)), 0
    for stop in [*np.minimum(np.cumsum(steps), n).astype(int), n]:
        state = AlarmState.from_files(state.to_files())
        part = state.update(times(stop - start, start), scores[start:stop])
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[start:stop])
        start = stop


def test_the_budget_is_kept_on_ordinary_readings():
    n = 24 * 365 * 2
    rates = []
    for seed in range(5):
        scores = np.random.default_rng(seed).exponential(1, n)
        state = AlarmState(HOUR)
        state.update(times(2000), scores[:2000], raising=False)
        rates.append(state.update(times(n - 2000, 2000), scores[2000:]).alarm.mean())
    assert 0.004 < np.mean(rates) < 0.0105 and max(rates) < 0.012


def test_too_few_scores_raise_no_alarm():
    state = AlarmState(HOUR)
    assert not state.ready
    found = state.update(times(60), np.r_[np.zeros(59), 1e9])
    assert not found.alarm.any() and np.isnan(found.threshold).all()


def test_a_rule_is_an_alarm_without_any_history():
    found = AlarmState(HOUR).update(times(2), np.zeros(2), np.array([False, True]))
    assert found.alarm.tolist() == [False, True] and found.begins.tolist() == [False, True]


def test_a_long_event_does_not_raise_its_own_threshold():
    quiet, wild = np.random.default_rng(0).exponential(1, 2000), np.full(70, 50.0)
    state = AlarmState(HOUR)
    state.update(times(2000), quiet, raising=False)
    before = state.ordered[: state.calibrated_on].max()
    found = state.update(times(70, 2000), wild)
    assert found.alarm.all() and found.begins.sum() == 1
    assert np.nanmax(found.threshold) <= before  # nothing of the event has been learned
    state.update(times(100, 2070), quiet[:100])
    assert state.ordered[: state.calibrated_on].max() == 50.0  # after the wait it has


@pytest.mark.parametrize(("verdict", "learned"), [("true", 0), ("explained", 0), ("false", 70)])
def test_verdicts_decide_what_is_learned(verdict, learned):
    quiet = np.random.default_rng(0).exponential(1, 2000)
    state = AlarmState(HOUR)
    state.update(times(2000), quiet, raising=False)
    state.update(times(70, 2000), np.full(70, 50.0))
    start = times(1, 2000)[0]
    state.judge(start, verdict)
    assert (state.ordered[: state.calibrated_on] == 50.0).sum() == learned
    state.update(times(200, 2070), quiet[:200])
    assert (state.ordered[: state.calibrated_on] == 50.0).sum() == learned
    again = AlarmState.from_files(state.to_files()).precision()
    assert again["events"] == 1 and again[verdict] == 1
    assert again["precision"] == (0.0 if verdict == "false" else 1.0)


def test_verdicts_on_nothing_are_refused():
    state = AlarmState(HOUR)
    state.update(times(2), np.zeros(2), np.array([False, True]))
    with pytest.raises(NotFoundError):
        state.judge(times(1, 5)[0], "true")
    with pytest.raises(UsageError, match="no verdict"):
        state.judge(times(2)[1], "maybe")
    assert math.isnan(state.precision()["precision"])


def test_contradicting_verdicts_the_last_one_counts():
    state = AlarmState(HOUR)
    state.update(times(2), np.zeros(2), np.array([False, True]))
    for verdict in ("true", "false", "explained"):
        state.judge(times(2)[1], verdict)
    assert state.precision()["explained"] == 1 and state.precision()["true"] == 0


def test_dated_events_neither_alarm_nor_calibrate():
    state = AlarmState(HOUR)
    state.update(times(2000), np.random.default_rng(0).exponential(1, 2000), raising=False)
    pool = state.ordered.copy()
    free = np.ones(50, dtype=bool)
    found = state.update(times(50, 2000), np.full(50, 99.0), np.ones(50, dtype=bool), free)
    assert not found.alarm.any()
    np.testing.assert_array_equal(state.ordered, pool)


@pytest.mark.parametrize("code", ["5min", "15min", "D", "MS"])
def test_pools_are_bounded_at_any_frequency(code):
    state = AlarmState(Frequency(code))
    assert 400 <= len(state.ring) <= 2160


@pytest.mark.parametrize("rate", [0.0, 0.5, -1.0, float("nan")])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(UsageError, match="alarm rate"):
        AlarmSettings(rate=rate)


def test_unreadable_states_are_refused():
    files = AlarmState(HOUR).to_files()
    for bad in (b"{}", b"[]", files["state.json"].replace(b'"h"', b'"x"')):
        with pytest.raises(IntegrityError):
            AlarmState.from_files({**files, "state.json": bad})
