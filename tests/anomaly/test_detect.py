"""Detection over tables of meters: the faults people meet, and honest answers to bad data."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from esgml.anomaly.alarm import AlarmSettings
from esgml.anomaly.dated import DatedEvent, read_events
from esgml.anomaly.detect import Judged, Series, detect, series_of
from esgml.anomaly.incidents import kinds_of
from esgml.anomaly.report import page_report, report_of, summary
from esgml.anomaly.watch import MeterWatch
from esgml.core.errors import ColumnError, DataError, IntegrityError, UsageError
from esgml.core.frames import SeriesSpec
from esgml.core.frequency import Frequency
from esgml.core.panel import SeriesKey

_spec = importlib.util.spec_from_file_location(
    "buildings", Path(__file__).with_name("buildings.py")
)
buildings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(buildings)

HOUR = Frequency("h")
KEY = SeriesKey("a", "kwh")
WEEK = 24 * 7
N = WEEK * 24
CUT = WEEK * 16  # learned before, judged after


def meter(change=None, key=KEY, seed=0, base=100.0, n=N):
    time, values = buildings.building(n, seed=seed, base=base)
    if change is not None:
        change(values)
    return Series(key, time, values)


def run(*series, **more):
    return detect(series, HOUR, until=series[0].time[CUT], **more)


def only(found):
    watched = found.found[KEY]
    return watched, kinds_of(found)[KEY]


def put(first, length, fill):
    def change(values):
        part = values[first : first + length]
        values[first : first + length] = fill(part) if callable(fill) else fill

    return change


@pytest.mark.parametrize(
    ("kind", "first", "length", "fill", "missed"),
    [
        ("zero", CUT + 400, 30, 0.0, 0),
        ("unit_x1000", CUT + 400, 5, lambda v: v * 1000, 0),
        ("negative", CUT + 400, 4, lambda v: -v, 0),
        ("stuck", CUT + 400, 24, 71.5, 3),
        ("spike", CUT + 400, 1, lambda v: v * 3, 0),
        ("drop", CUT + WEEK + 10, 2, lambda v: v * 0.15, 0),
    ],
)
def test_a_fault_is_found_and_named(kind, first, length, fill, missed):
    watched, kinds = only(run(meter(put(first, length, fill))))
    hit = slice(first - CUT + missed, first - CUT + length)
    assert watched.decisions.alarm[hit].all()
    assert set(kinds[hit]) == {kind}
    assert watched.decisions.alarm.sum() < length + 60


def test_a_workday_run_like_a_sunday_is_a_schedule():
    def closed(values):  # a Wednesday runs as the Sunday before
        day = CUT + WEEK * 2 + 24 * 2
        values[day : day + 24] = values[day - 24 * 3 : day - 24 * 2]

    watched, kinds = only(run(meter(closed)))
    day = slice(WEEK * 2 + 24 * 2 + 8, WEEK * 2 + 24 * 2 + 18)
    assert watched.decisions.alarm[day].sum() >= 5
    assert "schedule" in kinds[day]


def test_a_meter_reset_and_a_lasting_change_do_not_alarm_for_ever():
    watched, _ = only(run(meter(put(CUT + 300, N, lambda v: v * 1.6))))
    assert watched.decisions.alarm[300:348].any()
    assert watched.decisions.alarm[-WEEK:].mean() < 0.2


def test_two_meters_swapped_for_a_day():
    a, b = meter(seed=1, base=100), meter(key=SeriesKey("b", "kwh"), seed=2, base=30)
    day = slice(CUT + 500, CUT + 524)
    a.values[day], b.values[day] = b.values[day].copy(), a.values[day].copy()
    found = run(a, b)
    kinds = kinds_of(found)
    hit = slice(500, 524)
    assert kinds[KEY][hit].count("swap") >= 15 and kinds[b.key][hit].count("swap") >= 15


def test_an_ordinary_meter_stays_within_its_budget():
    rates = []
    for seed in range(4):
        found = run(meter(seed=seed, n=WEEK * 52))
        rates.append(found.alarm_rate()[KEY])
    assert max(rates) <= 0.011 and np.mean(rates) <= 0.01


def test_labels_of_nobody_are_used_and_nothing_later_is_seen():
    plain, poisoned = meter(), meter(put(CUT + 1000, N, 7.0))
    a, b = run(plain).found[KEY], run(poisoned).found[KEY]
    np.testing.assert_array_equal(a.score[:1000], b.score[:1000])
    np.testing.assert_array_equal(a.decisions.alarm[:1000], b.decisions.alarm[:1000])


def test_streaming_equals_batch_with_the_meter_saved_in_between():
    one = meter(put(CUT + 400, 30, 0.0))
    whole = run(one).found[KEY]
    start = run(one._replace(time=one.time[: CUT + 1], values=one.values[: CUT + 1]))
    live = start.meters[KEY]
    for first in range(CUT + 1, N, 333):
        live = MeterWatch.from_files(live.to_files())
        stop = min(first + 333, N)
        part = live.update(one.time[first:stop], one.values[first:stop])
        rows = slice(first - CUT, stop - CUT)
        np.testing.assert_allclose(part.score, whole.score[rows], rtol=0, atol=1e-9)
        np.testing.assert_array_equal(part.decisions.alarm, whole.decisions.alarm[rows])
        np.testing.assert_array_equal(part.rule, whole.rule[rows])


def test_a_clock_change_leaves_a_gap_or_a_double_hour():
    one = meter()
    keep = np.ones(N, dtype=bool)
    keep[CUT + 50] = False
    time = one.time.copy()
    time[CUT + 301] = time[CUT + 300]  # the hour that comes twice
    found = run(Series(KEY, time[keep], one.values[keep]))
    assert found.alarm_rate()[KEY] < 0.03


def test_gaps_of_weeks_are_no_alarm_and_the_meter_goes_on():
    one = meter()
    keep = np.ones(N, dtype=bool)
    keep[CUT + 200 : CUT + 200 + 4 * WEEK] = False
    watched = run(Series(KEY, one.time[keep], one.values[keep])).found[KEY]
    assert watched.decisions.alarm.mean() < 0.03
    assert np.isfinite(watched.score[-WEEK:]).all()


def test_missing_readings_have_no_score_and_no_alarm():
    watched, kinds = only(run(meter(put(CUT + 100, 50, np.nan))))
    hole = slice(100, 150)
    assert np.isnan(watched.score[hole]).all() and not watched.decisions.alarm[hole].any()
    assert set(kinds[hole]) == {""}


def test_a_constant_meter_raises_no_alarm_until_it_moves():
    watched, _ = only(run(meter(put(0, N, 5.0))))
    assert not watched.decisions.alarm.any()
    watched, _ = only(run(meter(lambda v: (put(0, N, 5.0)(v), put(CUT + 90, 3, 9.0)(v)))))
    assert watched.decisions.alarm[90:93].all()


def test_a_meter_younger_than_a_week_says_so():
    old = meter()
    young = Series(SeriesKey("young", "kwh"), old.time[CUT - 100 :], old.values[CUT - 100 :])
    found = run(old, young)
    assert "too short" in found.not_judged[young.key]
    assert not found.found[young.key].decisions.alarm[:WEEK].any()
    assert KEY not in found.not_judged


def test_a_meter_that_is_often_zero_is_not_dead_at_zero():
    def nights_off(values):
        hour = np.arange(len(values)) % 24
        values[(hour < 6) | (hour > 20)] = 0.0

    watched, kinds = only(run(meter(nights_off)))
    assert kinds.count("zero") == 0 and watched.decisions.alarm.mean() < 0.02


def test_negative_readings_of_a_net_meter_are_no_fault():
    watched, kinds = only(run(meter(lambda v: v.__isub__(60.0))))
    assert "negative" not in kinds and watched.decisions.alarm.mean() < 0.02


def test_dated_events_suppress_and_verdicts_come_back():
    one = meter(put(CUT + 400, 30, lambda v: v * 0.5))
    time = one.time
    closed = DatedEvent(time[CUT + 399], time[CUT + 431], "closed", "a")
    assert not run(one, dated=[closed]).found[KEY].decisions.alarm[399:431].any()
    found = run(one)
    _, events = report_of(found)
    hit = next(e for e in events if e.start >= time[CUT + 399])
    said = {KEY: [Judged(hit.start, hit.end, "true")]}
    assert run(one, verdicts=said).meters[KEY].alarm.precision()["true"] == 1


def test_events_carry_what_is_at_stake_and_come_in_that_order():
    one = meter(put(CUT + 400, 24, 0.0), key=SeriesKey("a", "scope2_kg"))
    found = detect([one], HOUR, until=one.time[CUT], units={"scope2_kg": "kgCO2e"})
    rows, events = report_of(found)
    assert [e.carbon_t for e in events] == sorted((e.carbon_t for e in events), reverse=True)
    lost = np.nansum(found.found[one.key].expected[400:424])
    assert events[0].carbon_t == pytest.approx(lost / 1000, rel=0.2)
    assert events[0].explanation.correction == pytest.approx(events[0].explanation.expected)
    sentence = events[0].explanation.sentence()
    assert sentence.startswith("zero: 0 kgCO2e instead of") and "tCO2e" in sentence
    assert rows.filter(pl.col("alarm"))["explanation"].str.len_chars().min() > 20
    assert set(page_report(found, events)["events"][0]) >= {"timeline", "baselines", "proposed"}
    assert summary(found, events)["alarm_rate"]["a"] == found.alarm_rate()[one.key]


def test_ten_thousand_young_meters_at_once():
    time, values = buildings.building(WEEK)
    series = [Series(SeriesKey(str(i), "kwh"), time, values * (1 + i)) for i in range(300)]
    found = detect(series, HOUR, until=time[100])
    assert len(found.not_judged) == 300


def test_moments_without_readings_are_refused():
    one = meter()
    for until in (one.time[0], one.time[-1] + np.timedelta64(1, "h")):
        with pytest.raises(UsageError):
            detect([one], HOUR, until=until)
    with pytest.raises(DataError, match="twice"):
        run(one, one)


def test_tables_without_values_are_refused():
    start = [buildings.START.astype(object)]
    frame = pl.DataFrame({"entity": ["a"], "timestamp": start, "kwh": [None]})
    with pytest.raises(DataError) as caught:
        series_of(frame, SeriesSpec(targets=("kwh",)))
    assert caught.value.code == "no_values"
    with pytest.raises(DataError):
        series_of(frame, SeriesSpec())


def test_tables_of_dated_events_are_checked():
    with pytest.raises(ColumnError):
        read_events(pl.DataFrame({"begin": [1]}))
    with pytest.raises(DataError, match="before it begins"):
        read_events(pl.DataFrame({"start": ["2024-02-01"], "end": ["2024-01-01"]}))
    with pytest.raises(DataError, match="no timestamp"):
        read_events(pl.DataFrame({"start": ["soon"], "end": ["2024-01-01"]}))


def test_a_larger_budget_raises_more_alarms():
    one = meter(seed=3)
    few = run(one, settings=AlarmSettings(rate=0.005)).alarm_rate()[KEY]
    many = run(one, settings=AlarmSettings(rate=0.05)).alarm_rate()[KEY]
    assert few < many


def test_changed_meters_are_refused():
    files = run(meter()).meters[KEY].to_files()
    for name in ("watch.json", "state/state.json", "alarm/state.json"):
        with pytest.raises(IntegrityError):
            MeterWatch.from_files({**files, name: b"{}"})


@pytest.mark.parametrize("fill", [0.0, lambda v: v * 4])
def test_what_goes_on_for_weeks_stops_to_be_an_alarm(fill):
    def steady(values):  # a meter without a schedule
        values[:] = 50 + np.random.default_rng(0).normal(0, 2, len(values))
        put(CUT + 100, N, fill)(values)

    watched, _ = only(run(meter(steady)))
    assert watched.decisions.alarm[100:148].all()
    assert watched.decisions.alarm[100 + WEEK :].mean() < 0.25
    assert watched.decisions.alarm[-WEEK:].mean() < 0.02
